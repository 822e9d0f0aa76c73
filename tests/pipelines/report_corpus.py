"""A small corpus that the tests of its report look at: pictures of every fate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq

from tests.pictures import Rgb, encoded, jpeg, page, scene, write_tar
from tests.pipelines.builds import run, write_config
from vae_corpus.demo import DemoInputs

FLAGS = ("--synth.samples", "{256: 4}", "--plan.min_clarity", "0.3")


@dataclass(frozen=True, kw_only=True)
class Corpus:
    config: Path
    folder: Path

    @property
    def page(self) -> Path:
        return self.folder / "report" / "index.html"

    def rows(self, table: str) -> list[dict[str, Any]]:
        (path,) = self.folder.glob(f"plan/*/{table}")
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows


def worn(rgb: Rgb, n: int) -> bytes:
    """Ever less clear: compressed, blurred or noisy."""
    if n % 3 == 0:
        return jpeg(rgb, max(4, 90 - 3 * n))
    if n % 3 == 1:
        return encoded(np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.3 + n / 20)), "png")
    noise = np.random.default_rng(n).normal(0, n / 2, rgb.shape)
    return encoded((rgb + noise).clip(0, 255).astype(np.uint8), "png")


def make_corpus(root: Path, demo: DemoInputs) -> Corpus:
    """Built below `root` by the command; pictures are small, as text is looked for in all."""
    photos = root / "photos"
    photos.mkdir()
    for n in range(30):
        ending = "jpg" if n % 3 == 0 else "png"
        (photos / f"{n:02d}.{ending}").write_bytes(worn(scene(290 + 8 * n, 264 + n, n), n))
    (photos / "<i>&'odd.png").write_bytes(encoded(scene(330, 300, 77), "png"))
    (photos / "small.png").write_bytes(encoded(scene(300, 200, 78), "png"))
    (photos / "long.png").write_bytes(encoded(scene(1320, 264, 79), "png"))
    (photos / "broken.jpg").write_bytes(jpeg(scene(400, 300, 80))[:-200])
    sharp = scene(400, 320, 81)
    (photos / "twin.png").write_bytes(encoded(sharp, "png"))
    (photos / "twin.webp").write_bytes(encoded(sharp, "webp", (cv2.IMWRITE_WEBP_QUALITY, 98)))
    pages = {f"{n}.png": encoded(page(360, 330, n), "png") for n in range(4)}
    write_tar(root / "pages.tar", pages | {"notes.txt": b"-"})
    sources = [
        {"name": "photos", "type": "folder", "uri": str(photos)},
        {
            "name": "pages",
            "type": "webdataset",
            "uri": str(root / "pages.tar"),
            "content": "document",
        },
    ]
    config = write_config(root / "c.yaml", root, demo, sources=sources)
    assert run(config, root / "corpus", *FLAGS) == 0
    return Corpus(config=config, folder=root / "corpus")
