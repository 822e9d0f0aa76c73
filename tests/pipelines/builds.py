"""Small builds for tests: inputs made in code, run through the entry script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipelines import build_corpus
from tests.pictures import encoded, jpeg, page, scene, write_tar
from vae_corpus.demo import DemoInputs


def write_inputs(root: Path) -> None:
    """A folder, a tar and a Parquet-free mix of general and text pictures, and some broken ones."""
    photos = root / "photos"
    photos.mkdir(parents=True)
    for n in range(14):
        (photos / f"{n:02d}.jpg").write_bytes(jpeg(scene(420 + 20 * n, 330 + 9 * n, n), 95))
    (photos / "large.png").write_bytes(encoded(scene(1300, 1000, 99), "png"))
    (photos / "broken.jpg").write_bytes(jpeg(scene(400, 300, 50))[:-200])
    (photos / "copy.jpg").write_bytes((photos / "00.jpg").read_bytes())
    members = {f"{n}.jpg": jpeg(page(640, 560, n), 95) for n in range(4)}
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
