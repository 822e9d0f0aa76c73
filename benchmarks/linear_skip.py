"""What the best linear skip is worth, how many crops it takes, and what gradients find instead.

    python benchmarks/linear_skip.py --corpus corpus      # ten minutes on a core

For the four models: dB over the weight-free means on held-out samples of each kind, of the pair fit
to so many crops, the time that fitting took, and the deviation of the strongest latent channel over
that of the weakest. Then for f16c64 the same two matrices from next to nothing, trained with L1 by
AdamW at its best of three rates and by Muon. Writes linear_skip.json below benchmarks/results (or
--out).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vae_training.config import TrainSettings
from vae_training.data.corpus import Data, open_data
from vae_training.data.mixture_crops import mixture_crops
from vae_training.distributed import Ranks, join
from vae_training.fit import second_moment
from vae_training.metrics.psnr import psnr
from vae_training.model import CONFIGS
from vae_training.model.pixels import to_model, to_pixels
from vae_training.model.skip import Decoding, Encoding, fit, fold, grow, shrink
from vae_training.validation import LARGEST_PX, _centre

MODELS = ("f16c64", "f16c128", "f32c128", "f32c192")
_BATCH, _PX = 8, 64
_RATES = {"AdamW": (3e-4, 1e-3, 3e-3), "Muon": (0.06,)}

Held = dict[str, list[Tensor]]


class Pair:
    """A linear skip in both halves."""

    def __init__(self, f: int, channels: int) -> None:
        self.f, self.channels = f, channels
        self.encoding, self.decoding = Encoding(f, channels), Decoding(f, channels)

    def encode(self, x: Tensor) -> Tensor:
        z: Tensor = shrink(x, self.f, self.channels) + self.encoding(x)
        return z

    def decode(self, z: Tensor) -> Tensor:
        image: Tensor = grow(z, self.f, 3) + self.decoding(z)
        return image

    @torch.no_grad()
    def gains(self, held: Held) -> dict[str, float]:
        """dB over the means, per kind; pictures that either gives back exactly are left out."""
        found = {}
        for kind, pictures in held.items():
            gains = []
            for x in pictures:
                means = grow(shrink(x, self.f, self.channels), self.f, 3)
                original, *made = (
                    to_pixels(y)[0].numpy() for y in (x, self.decode(self.encode(x)), means)
                )
                ours, theirs = (psnr(original, picture) for picture in made)
                if math.isfinite(ours) and math.isfinite(theirs):
                    gains.append(ours - theirs)
            found[kind] = round(float(np.mean(gains)), 2)
        return found


def bounds(name: str, counts: list[int], data: Data, alone: Ranks, held: Held) -> dict[str, Any]:
    shape, rows = CONFIGS[name], {}
    pair = Pair(shape.f, shape.latent_channels)
    for crops in counts:
        began = time.process_time()
        moment = second_moment(data, alone, f=shape.f, crops=crops, workers=1)
        for half in (pair.encoding, pair.decoding):
            fit(half, moment)
        took = time.process_time() - began
        blocks = torch.cat([fold(x, shape.f).flatten(2) for xs in held.values() for x in xs], dim=2)
        z = pair.encode(blocks_to_image(blocks, shape.f))
        deviations = z.transpose(0, 1).flatten(1).std(dim=1)
        ratio = float(deviations.max() / deviations.min())
        gains = pair.gains(held)
        rows[crops] = {"db": gains, "cpu_s": round(took, 1), "deviations": round(ratio, 1)}
        print(f"{name:<9}{crops:>6} crops {took:5.1f} s  x {ratio:.1f}  {gains}", flush=True)
    return rows


def blocks_to_image(blocks: Tensor, f: int) -> Tensor:
    """float[1, 3 f^2, N] -> an image float[1, 3, f, N f] of the blocks in a row."""
    columns = blocks[0].T.reshape(-1, f, f, 3)
    return columns.permute(3, 1, 0, 2).reshape(1, 3, f, -1)


def trained(optimizer: str, lr: float, steps: int, crops: Tensor, held: Held) -> dict[str, float]:
    """The matrices of f16c64 alone, both trained from next to nothing."""
    torch.manual_seed(0)
    pair = Pair(CONFIGS["f16c64"].f, CONFIGS["f16c64"].latent_channels)
    weights = [pair.encoding.weight, pair.decoding.weight]
    for weight in weights:
        torch.nn.init.normal_(weight.requires_grad_(), std=1e-3 / weight.shape[1] ** 0.5)
    chosen = torch.optim.Muon if optimizer == "Muon" else torch.optim.AdamW
    steps_of = chosen(weights, lr=lr, weight_decay=0.0)
    for step in range(steps):
        for group in steps_of.param_groups:
            group["lr"] = lr * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        x = crops[torch.randint(len(crops), (_BATCH,))]
        F.l1_loss(pair.decode(pair.encode(x)), x).backward()
        steps_of.step()
        steps_of.zero_grad()
    return pair.gains(held)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="corpus")
    parser.add_argument("--crops", nargs="+", type=int, default=[256, 1024, 2048, 4096])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = TrainSettings(corpus=given.corpus, crop_px=_PX, batch_pixels=_BATCH * _PX**2)
    data, alone = open_data(settings, 1), join("cpu", {})
    held = {}
    for kind, rows in data.holdout.validation.items():
        pictures = [_centre(data.shards, row) for row in rows]
        held[kind] = [to_model(torch.from_numpy(p)[None]) for p in pictures if p is not None]
    facts: dict[str, Any] = {
        "command": "python " + " ".join(["benchmarks/linear_skip.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": "cpu, one thread",
        "unit": f"dB over the weight-free means, centres of {LARGEST_PX} px at most",
        "fit": {name: bounds(name, given.crops, data, alone, held) for name in MODELS},
        "trained": [],
    }
    drawn = mixture_crops(data, "steps", rank=0, world=1, crops=4096, side=_PX, workers=1)
    crops = torch.cat([to_model(torch.from_numpy(windows)) for windows in drawn])
    for optimizer, rates in _RATES.items():
        for lr in rates:
            gains = trained(optimizer, lr, given.steps, crops, held)
            facts["trained"].append({"optimizer": optimizer, "lr": lr, "db": gains})
            print(f"f16c64 by {optimizer} at {lr:g}, {given.steps} steps: {gains}", flush=True)
    alone.close()
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "linear_skip.json").write_text(json.dumps(facts, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
