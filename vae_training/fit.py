"""Fit the linear skips of a new model to the pixels that it is to learn, before its first step.

Training would find the same: the best linear map between blocks and latents. But a gradient finds
the few strong directions of blocks at once and the others hardly ever, and this takes seconds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vae_training.data.corpus import Data
from vae_training.data.mixture_crops import mixture_crops
from vae_training.distributed import Ranks
from vae_training.model import Autoencoder
from vae_training.model.skip import fit, fold

_BLOCKS = 4  # per side of a crop


def fit_skips(model: Autoencoder, data: Data, ranks: Ranks, *, crops: int, workers: int) -> None:
    """Fit the projections of `model`, if it has any, to `crops` crops; all ranks call it together.

    Crops and errors are those of `mixture_crops`.
    """
    projections = [half.projection for half in model.halves if half.projection is not None]
    if projections:
        moment = second_moment(data, ranks, f=model.config.f, crops=crops, workers=workers)
        for projection in projections:
            fit(projection, moment)


def second_moment(data: Data, ranks: Ranks, *, f: int, crops: int, workers: int) -> Tensor:
    """float64[3 f^2, 3 f^2]: the sum of v v^T over blocks v of pixels in [-1, 1], on all ranks."""
    drawn = mixture_crops(
        data,
        "skips",
        rank=ranks.rank,
        world=ranks.world,
        crops=crops,
        side=_BLOCKS * f,
        workers=workers,
    )
    size = 3 * f * f
    # Sums of products of bytes, with a 1 behind them for the sums of bytes, are whole numbers that
    # float64 holds: the same ones in any order, on any number of ranks.
    products = torch.zeros(size + 1, size + 1, dtype=torch.float64, device=ranks.device)
    for windows in drawn:
        pixels = torch.from_numpy(windows).to(ranks.device).permute(0, 3, 1, 2).double()
        blocks = fold(pixels, f).permute(0, 2, 3, 1).reshape(-1, size)
        blocks = torch.cat([blocks, blocks.new_ones(len(blocks), 1)], dim=1)
        products += blocks.T @ blocks
    # From 0..255 to [-1, 1].
    scale = torch.eye(size + 1, dtype=torch.float64) / 127.5
    scale[-1] = -1.0
    return (scale.T @ ranks.total(products).cpu() @ scale)[:size, :size]
