"""A small corpus as the data engine writes it: tars, indexes, curriculum."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.vae_training.runs import SMALLEST, know, run
from vae_corpus.seeds import generator
from vae_corpus.tables import INDEX_SCHEMA
from vae_corpus.words import GENERAL, TEXT_SYNTH, Bucket
from vae_training.model import CONFIGS
from vae_training.trainer import Outcome

# As many as the small tensors of these tests need; more wait for each other on a busy machine.
torch.set_num_threads(1)


def picture(width: int, height: int, *parts: str | int) -> NDArray[np.uint8]:
    """A picture with colours, edges and texture: uint8[H, W, 3]."""
    rng = generator(0, "picture", *parts)
    image = Image.new("RGB", (width, height), tuple(rng.integers(60, 200, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        r = int(rng.integers(8, max(width, height) // 3))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(rng.integers(0, 256, 3).tolist()))
    grain = rng.integers(-6, 7, (height, width, 3))
    return np.clip(np.asarray(image).astype(int) + grain, 0, 255).astype(np.uint8)


def encode(rgb: NDArray[np.uint8], ext: str) -> bytes:
    buffer = io.BytesIO()
    options = {"quality": 92} if ext == "jpg" else {}
    Image.fromarray(rgb).save(buffer, {"jpg": "JPEG", "png": "PNG"}[ext], **options)
    return buffer.getvalue()


def write_shard(
    corpus: Path, kind: str, rung: int, samples: list[dict[str, Any]], number: int = 0
) -> Path:
    """Write one tar with its index; a sample has key, ext, data, width, height, bucket, label."""
    name = f"shards/{kind}/{rung}/{kind}-{number:06d}"
    tar_path = corpus / f"{name}.tar"
    tar_path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tar_path, "w") as tar:
        for sample in samples:
            for ext, data in (
                (sample["ext"], sample["data"]),
                ("json", json.dumps(sample.get("label", {})).encode()),
            ):
                info = tarfile.TarInfo(f"{sample['key']}.{ext}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    with tarfile.open(tar_path) as tar:
        members = {m.name: m for m in tar.getmembers()}
    rows = []
    for sample in samples:
        image, label = (members[f"{sample['key']}.{ext}"] for ext in (sample["ext"], "json"))
        rows.append(
            {
                **{k: sample[k] for k in ("key", "ext", "width", "height", "bucket")},
                "shard": f"{name}.tar",
                "offset": image.offset_data,
                "bytes": image.size,
                "json_offset": label.offset_data,
                "json_bytes": label.size,
                "kind": kind,
                "rung": rung,
                "language": sample.get("language"),
                "size_band": sample.get("size_band"),
                "source": "test",
                "parent": sample.get("parent", sample["key"]),
                "clarity": None,
                "chars_per_mpx": None,
            }
        )
    pq.write_table(pa.Table.from_pylist(rows, INDEX_SCHEMA), corpus / f"{name}.parquet")
    return tar_path


def general(count: int, rung: int = 256) -> list[dict[str, Any]]:
    """General samples in two buckets, a little larger than these."""
    samples = []
    for number in range(count):
        scale = rung // 256
        bucket = (
            Bucket(256 * scale, 256 * scale) if number % 2 else Bucket(288 * scale, 224 * scale)
        )
        width, height = bucket.width + 20, bucket.height + 12
        samples.append(
            {
                "key": f"test-{rung}-{number:04d}",
                "ext": "jpg",
                "data": encode(picture(width, height, rung, number), "jpg"),
                "width": width,
                "height": height,
                "bucket": str(bucket),
            }
        )
    return samples


def text(count: int, rung: int = 256) -> list[dict[str, Any]]:
    """Synthetic text tiles: PNG, of the bucket's size, two size bands."""
    samples = []
    for number in range(count):
        rgb = picture(rung, rung, "text", number)
        rgb[40::16, 20:-20] = 0
        samples.append(
            {
                "key": f"text-{rung}-{number:04d}",
                "ext": "png",
                "data": encode(rgb, "png"),
                "width": rung,
                "height": rung,
                "bucket": f"{rung}x{rung}",
                "language": "en" if number % 2 else "zh",
                "size_band": "5-7" if number % 3 else "8-10",
            }
        )
    return samples


def phase(name: str, **changes: Any) -> dict[str, Any]:
    """A phase at 256 px on general images, with changes."""
    return {
        "name": name,
        "samples": 64,
        "rungs": {"256": 1.0},
        "kinds": {GENERAL: 1.0},
        "align": {"lambda": 0.5, "m_cos": 0.0, "m_dist": 0.0},
        "lambda_lpips": 0.0,
        **changes,
    }


def write_curriculum(corpus: Path, phases: list[dict[str, Any]]) -> None:
    """Write curriculum.json for the shards that are there."""
    counts: dict[tuple[Any, ...], int] = {}
    names = ("kind", "rung", "bucket", "language", "size_band")
    for path in sorted(corpus.glob("shards/*/*/*.parquet")):
        for row in pq.read_table(path).to_pylist():
            group = tuple(row[n] for n in names)
            counts[group] = counts.get(group, 0) + 1
    groups = [dict(zip(names, g, strict=True), samples=n) for g, n in counts.items()]
    data = {"version": 1, "seed": 0, "groups": groups, "phases": phases}
    (corpus / "curriculum.json").write_text(json.dumps(data))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache of this process and those that it starts: indexes stay out of the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "vae-corpus" / "training"


@pytest.fixture(scope="session", autouse=True)
def smallest() -> Iterator[None]:
    """The model of small runs is known."""
    know()
    yield
    del CONFIGS[SMALLEST]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 general images and 12 text tiles at 256 px, 4 general images at 512; three phases."""
    folder = tmp_path_factory.mktemp("corpus")
    write_shard(folder, GENERAL, 256, general(16))
    write_shard(folder, GENERAL, 512, general(4, rung=512))
    write_shard(folder, TEXT_SYNTH, 256, text(12))
    both = {GENERAL: [1.0, 0.5], TEXT_SYNTH: [0.0, 0.5]}
    write_curriculum(
        folder,
        [
            phase("general"),
            phase("mixed", kinds=both, size_bands={"5-7": 1.0, "8-10": 0.5}),
            phase("large", rungs={"256": 0.5, "512": 0.5}, kinds={GENERAL: 1.0, TEXT_SYNTH: 1.0}),
        ],
    )
    return folder


@pytest.fixture(scope="session")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A run from start to end."""
    out = tmp_path_factory.mktemp("whole")
    return out, run(corpus, out)


@pytest.fixture(scope="session")
def dino(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small DINOv2 with random weights, in the folder layout of transformers."""
    folder = tmp_path_factory.mktemp("dino")
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=28, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def write() -> SimpleNamespace:
    """The functions above, for tests that need a corpus of their own."""
    return SimpleNamespace(
        curriculum=write_curriculum,
        general=general,
        phase=phase,
        picture=picture,
        shard=write_shard,
        text=text,
    )
