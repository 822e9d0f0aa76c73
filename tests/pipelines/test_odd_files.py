"""Broken and odd files: each ends in one place, under a slug that says what is wrong with it."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipelines import build_corpus
from tests.pictures import Rgb, encoded, jpeg, scene


def picture(seed: int = 0, width: int = 400, height: int = 300) -> Rgb:
    return scene(width, height, seed)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def huge_jpeg() -> bytes:
    data = bytearray(jpeg(picture()))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


def rotten(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(64) + data[middle + 64 :]


FRAMES = [Image.fromarray(picture(seed)) for seed in (1, 2, 3)]
EXIF = Image.Exif()
EXIF[0x0112] = 6

# file name -> (bytes, where it ends: a slug, or the kind it is kept as)
ODD: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "empty"),
    "notes.jpg": (b"these are some notes about pictures", "not_an_image"),
    "page.html": (b"<!doctype html><title>x</title>", "not_an_image"),
    "paper.pdf": (b"%PDF-1.7\n%....", "unsupported_format"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_format"),
    "scan.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "unsupported_format"),
    "cut.jpg": (jpeg(picture(4))[:-20], "truncated"),
    "half.jpg": (jpeg(picture(5))[:5000], "truncated"),
    "cut.png": (encoded(picture(6), "png")[:-20], "truncated"),
    "cut.webp": (encoded(picture(7), "webp")[:-20], "truncated"),
    "rotten.png": (rotten(encoded(picture(8), "png")), "corrupt"),
    "dancing.gif": (saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]), "animated"),
    "dancing.webp": (saved(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "animated"),
    "pages.tiff": (saved(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:]), "animated"),
    "bomb.png": (png_header(20_000, 20_000), "too_many_pixels"),
    "bomb.jpg": (huge_jpeg(), "too_many_pixels"),
    "long.png": (png_header(100_000, 10), "side_too_long"),
    "dot.png": (encoded(picture(9, 1, 1), "png"), "too_small"),
    "icon.png": (encoded(picture(10, 40, 40), "png"), "too_small"),
    "banner.png": (encoded(picture(11, 1400, 300), "png"), "too_elongated"),
    "twin.jpg": (jpeg(picture(12)), "general"),
    "twin2.jpg": (jpeg(picture(12)), "duplicate"),
    "twin-small.jpg": (jpeg(cv2.resize(picture(12), (360, 270)), 70), "near_duplicate"),
    "wrong-name.png": (jpeg(picture(13)), "general"),
    "no-name": (jpeg(picture(14)), "general"),
    "grey.jpg": (saved(Image.fromarray(picture(15)).convert("L"), "JPEG"), "general"),
    "ink.jpg": (saved(Image.fromarray(picture(16)).convert("CMYK"), "JPEG"), "general"),
    "stages.jpg": (saved(Image.fromarray(picture(17)), "JPEG", progressive=True), "general"),
    "sideways.jpg": (saved(Image.fromarray(picture(18)), "JPEG", exif=EXIF), "general"),
    "colours.png": (saved(Image.fromarray(picture(19)).quantize(64), "PNG"), "general"),
    "glass.png": (saved(Image.fromarray(picture(20)).convert("RGBA"), "PNG"), "general"),
    "deep.png": (
        saved(Image.fromarray(picture(21)[:, :, 0].astype(np.uint16) * 257), "PNG"),
        "general",
    ),
    "bitmap.bmp": (encoded(picture(22), "bmp"), "general"),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("odd")
    (root / "in").mkdir()
    for name, (data, _) in ODD.items():
        (root / "in" / name).write_bytes(data)
    sources = f"[{{name: odd, type: folder, uri: {root / 'in'}}}]"
    argv = ["--sources", sources, "--out", str(root / "out"), "--engine.workers", "0"]
    # Text and synthetic text have their own tests, and cost more than all of these files.
    argv += ["--score.text", "false", "--synth.samples", "{}", "--plan.min_clarity", "0"]
    assert build_corpus.main(argv) == 0
    return root / "out"


def table(corpus: Path, name: str) -> dict[str, dict[str, object]]:
    (plan,) = (corpus / "plan").iterdir()
    return {row["member"]: row for row in pq.read_table(plan / name).to_pylist()}


def test_every_file_ends_in_exactly_one_place(corpus: Path) -> None:
    tables = [table(corpus, name) for name in ("selected", "dropped", "rejected")]
    assert sorted(name for t in tables for name in t) == sorted(ODD)
    images = json.loads((corpus / "corpus.json").read_text())["images"]
    assert images["listed"] == len(ODD)


@pytest.mark.parametrize("name", ODD)
def test_the_slug_says_what_is_wrong(corpus: Path, name: str) -> None:
    fates = {member: str(row["slug"]) for member, row in table(corpus, "rejected").items()}
    fates |= {member: str(row["slug"]) for member, row in table(corpus, "dropped").items()}
    fates |= {member: str(row["kind"]) for member, row in table(corpus, "selected").items()}
    assert fates[name] == ODD[name][1]


def test_rejections_say_why(corpus: Path) -> None:
    assert all(row["why"] for row in table(corpus, "rejected").values())


def test_orientation_is_applied_before_anything_is_measured(corpus: Path) -> None:
    row = table(corpus, "selected")["sideways.jpg"]
    assert (row["width"], row["height"]) == (300, 400)
