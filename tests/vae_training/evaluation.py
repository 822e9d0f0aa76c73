"""Small folders of pictures, models and weights to evaluate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.vae_training.conftest import picture
from vae_corpus.seeds import generator
from vae_training import evaluate
from vae_training.losses.lpips import Lpips
from vae_training.metrics.inception import Inception

PLAIN = ("--metrics", "psnr,ssim")


def save(folder: Path, **pictures: NDArray[np.uint8]) -> Path:
    """Write PNG files; `a__b` is `b` in the folder `a`."""
    for name, rgb in pictures.items():
        path = folder / f"{name.replace('__', '/')}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(path)
    return folder


def photos(folder: Path, count: int = 3) -> Path:
    """Pictures of several sizes, above 64 px."""
    return save(folder, **{f"p{n}": picture(80 + 10 * n, 72, "photo", n) for n in range(count)})


def run(*argv: str | Path) -> int:
    return evaluate.main([str(word) for word in argv])


def results(out: Path) -> Any:
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def rows(out: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    """By set, model and name."""
    found = pq.read_table(out / "images.parquet").to_pylist()
    return {(row["set"], row["model"], row["name"]): row for row in found}


def numbered(model: torch.nn.Module, seed: str) -> dict[str, torch.Tensor]:
    """Weights that depend on their names alone, of a size that keeps activations in range."""
    made = {}
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            made[name] = value
            continue
        drawn = generator(0, seed, name).standard_normal(value.shape, np.float32)
        fan = max(1, value[0].numel()) if value.ndim == 4 else 1
        scale = (2 / fan) ** 0.5 if value.ndim == 4 else 0.1
        shift = 1.0 if name.endswith(("running_var", "bn.weight")) else 0.0
        numbers = torch.from_numpy(np.asarray(drawn * scale + shift, np.float32))
        made[name] = numbers.abs() if name.endswith("running_var") else numbers
    return made


def inception_weights(path: Path) -> Path:
    """A weights file of FID's network, with its classifier, as pytorch-fid publishes one."""
    weights = numbered(Inception(), "inception")
    torch.save(
        {**weights, "fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path
    )
    return path


def vgg_weights(path: Path) -> Path:
    """A weights file of a VGG-16, with torchvision's names."""
    convolutions = [
        module for module in Lpips().stages.modules() if isinstance(module, torch.nn.Conv2d)
    ]
    places = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    weights = {}
    for place, convolution in zip(places, convolutions, strict=True):
        for name, value in numbered(convolution, f"vgg {place}").items():
            weights[f"features.{place}.{name}"] = value
    torch.save(weights, path)
    return path
