"""Shards hold sRGB: whoever reads them without looking at profiles sees the right colours."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg
import yaml
from PIL import Image, ImageCms

from pipelines import build_corpus
from tests.pictures import Rgb, jpeg, scene
from vae_corpus.pictures.decode import Decoded, decode
from vae_corpus.pictures.decode.icc import ADOBE_RGB, code_points, make_profile

P3 = code_points(12, 13)
assert P3 is not None
PROFILES = {"Display P3": make_profile(P3), "Adobe RGB (1998)": make_profile(ADOBE_RGB)}


def saved(picture: Rgb, form: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(file, form, **options)
    return file.getvalue()


def in_space(rgb: Rgb, profile: bytes) -> Rgb:
    """The numbers that mean the same colours in another space."""
    turn = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), io.BytesIO(profile), "RGB", "RGB"
    )
    return np.asarray(ImageCms.applyTransform(Image.fromarray(rgb), turn))


FILES = {
    "srgb.jpg": jpeg(scene(400, 300, 1), 92),
    "p3.jpg": saved(scene(400, 300, 2), "JPEG", quality=92, icc_profile=PROFILES["Display P3"]),
    "p3.png": saved(scene(400, 300, 3), "PNG", icc_profile=PROFILES["Display P3"]),
    "p3-large.jpg": saved(scene(800, 700, 4), "JPEG", icc_profile=PROFILES["Display P3"]),
    "ink.jpg": saved(scene(400, 300, 5), "JPEG", "CMYK", quality=95),
    "broken.jpg": saved(scene(400, 300, 6), "JPEG", icc_profile=b"no profile" * 30),
    "twin-srgb.png": saved(scene(400, 300, 7), "PNG"),
    "twin-adobe.png": saved(
        in_space(scene(400, 300, 7), PROFILES["Adobe RGB (1998)"]),
        "PNG",
        icc_profile=PROFILES["Adobe RGB (1998)"],
    ),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("colour")
    (root / "in").mkdir()
    for name, data in FILES.items():
        (root / "in" / name).write_bytes(data)
    config = {
        "sources": [{"name": "x", "type": "folder", "uri": str(root / "in")}],
        "score": {"text": False},
        "plan": {"min_clarity": 0.0, "rung_weights": {256: 1}},
        "synth": {"samples": {}},
        "engine": {"workers": 0},
    }
    (root / "c.yaml").write_text(yaml.safe_dump(config))
    flags = ["--config", str(root / "c.yaml"), "--out", str(root / "out")]
    assert build_corpus.main(flags) == 0
    return root / "out"


@pytest.fixture(scope="module")
def rows(corpus: Path) -> dict[str, dict[str, Any]]:
    (plan,) = (corpus / "plan").iterdir()
    tables = [pq.read_table(plan / name) for name in ("selected", "dropped")]
    return {row["member"]: row for table in tables for row in table.to_pylist()}


@pytest.fixture(scope="module")
def stored(corpus: Path) -> dict[str, bytes]:
    found = {}
    for path in corpus.rglob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                found[member.name] = file.read()
    return found


def sample(name: str, rows: dict[str, dict[str, Any]], stored: dict[str, bytes]) -> bytes:
    return stored[f"{rows[name]['key']}.{rows[name]['ext']}"]


@pytest.mark.parametrize("name", ["srgb.jpg", "broken.jpg"])
def test_srgb_keeps_its_bytes(name: str, rows: Any, stored: Any) -> None:
    assert sample(name, rows, stored) == FILES[name]


@pytest.mark.parametrize("name", ["p3.jpg", "p3.png", "ink.jpg", "p3-large.jpg"])
def test_other_spaces_are_stored_as_srgb(name: str, rows: Any, stored: Any) -> None:
    data = sample(name, rows, stored)
    assert data != FILES[name]
    right, read = decode(FILES[name]), decode(data)
    assert isinstance(right, Decoded) and isinstance(read, Decoded)
    assert read.colour_space == "srgb" and not read.colour_converted
    blind = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.abs(blind.astype(int) - read.rgb).max() <= 2
    if name == "p3-large.jpg":
        small = Image.fromarray(right.rgb).resize(blind.shape[1::-1], Image.Resampling.LANCZOS)
        right = Decoded(np.asarray(small), "jpeg")
    assert np.abs(blind.astype(int) - right.rgb).mean() < (0.01 if name.endswith("png") else 1.5)


def test_the_columns_say_what_was_found(rows: Any) -> None:
    assert [rows[n]["colour_space"] for n in ("p3.jpg", "ink.jpg", "srgb.jpg", "broken.jpg")] == [
        "Display P3",
        "cmyk",
        "srgb",
        "broken",
    ]
    assert rows["p3.png"]["colour_converted"] and not rows["broken.jpg"]["colour_converted"]
    assert "profile" in rows["broken.jpg"]["decode_note"] and not rows["srgb.jpg"]["decode_note"]


def test_twins_meet_across_profiles(rows: Any) -> None:
    slugs = {rows[name].get("slug") for name in ("twin-srgb.png", "twin-adobe.png")}
    assert slugs == {None, "near_duplicate"}


def test_shards_need_no_profiles(stored: Any) -> None:
    for name, data in stored.items():
        if name.endswith(".jpg"):
            read = decode(data)
            assert isinstance(read, Decoded)
            assert np.array_equal(simplejpeg.decode_jpeg(data), read.rgb)
