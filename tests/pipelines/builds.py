"""Small builds for tests: inputs made in code, run through the entry script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipelines import build_corpus
from tests.pictures import encoded, jpeg, page, scene, write_tar
from vae_corpus.demo import DemoInputs

# Files of `write_inputs`: pictures in a folder, one of them broken and one a copy, and in a tar.
PHOTOS, PAGES = 13, 3


def write_inputs(root: Path) -> None:
    """A folder, a tar and a Parquet-free mix of general and text pictures, and some broken ones.

    Two photographs are so large that they are scaled, one serves a rung of its own.
    """
    photos = root / "photos"
    photos.mkdir(parents=True)
    # The smallest that do: text is looked for in all of them.
    sizes = [*((280 + 8 * n, 270 + 6 * n) for n in range(8)), (460, 400), (400, 440)]
    for n, size in enumerate(sizes):
        (photos / f"{n:02d}.jpg").write_bytes(jpeg(scene(*size, n), 95))
    (photos / "large.png").write_bytes(encoded(scene(620, 580, 99), "png"))
    (photos / "broken.jpg").write_bytes(jpeg(scene(400, 300, 50))[:-200])
    (photos / "copy.jpg").write_bytes((photos / "00.jpg").read_bytes())
    sides = ((640, 560), (300, 290), (290, 320))
    members = {f"{n}.jpg": jpeg(page(*size, n), 95) for n, size in enumerate(sides)}
    write_tar(root / "pages.tar", members | {"0.json": b"{}"})


def write_config(path: Path, inputs: Path, demo: DemoInputs, **sections: Any) -> Path:
    config = {
        "sources": [
            {"name": "photos", "type": "folder", "uri": str(inputs / "photos")},
            {"name": "pages", "type": "webdataset", "uri": str(inputs / "pages.tar")},
        ],
        "plan": {"min_clarity": 0.0, "min_clarity_text": 0.0},
        "pack": {"shard_samples": 8},
        "synth": {
            "samples": {256: 6, 512: 3},
            "extras": {"tilt_degrees": 3, "shadow": 0.5, "outline": 0.3, "camera": 0.3},
            "texts": {k: [str(v[0])] for k, v in demo.texts.items()},
            "fonts": [str(p) for p in demo.fonts if "microhei" in str(p) or "dejavu" in str(p)],
        },
        "engine": {"workers": 0},
    }
    path.write_text(yaml.safe_dump(config | sections))
    return path


def run(config: Path, out: Path, *flags: str) -> int:
    return build_corpus.main(["--config", str(config), "--out", str(out), *flags])
