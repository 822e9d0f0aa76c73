"""Validation: reconstructions of held-out samples, their PSNR per kind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vae_corpus.pictures.decode import Fault
from vae_corpus.words import Bucket
from vae_training.data.crops import centre_crop, read_rgb
from vae_training.data.shards import Shards
from vae_training.distributed import Ranks
from vae_training.metrics.psnr import exact, mean_psnr, psnr
from vae_training.model import Autoencoder
from vae_training.model.adapters import adapter_of
from vae_training.model.configs import GLOBAL
from vae_training.model.pixels import to_model, to_pixels
from vae_training.model.skip import alone

_EXACT_DB = 20 * math.log10(255 / 1e-3)
LARGEST_PX = 512  # of a side: larger samples are cropped, so that validation stays cheap


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An original and its reconstruction, uint8[H, W, 3], and the PSNR in dB between them.

    It is infinite where they are equal.
    `skip_psnr` is that of the model's skips alone, as which it began. Of a model without global
    skips in both halves it is that of means over pixels; None where they do not fit its latent.
    """

    original: NDArray[np.uint8]
    reconstruction: NDArray[np.uint8]
    psnr: float
    skip_psnr: float | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """`pairs` per kind; `began_as_skips` tells whether the model has them in both halves."""

    pairs: dict[str, list[Pair]]
    began_as_skips: bool = False

    def psnr(self) -> dict[str, float]:
        """Mean PSNR in dB per kind, of `mean_psnr`: infinite where all pictures are exact."""
        return {kind: mean_psnr(values) for kind, values in self._held("psnr").items()}

    def skip_psnr(self) -> dict[str, float]:
        """Mean PSNR in dB per kind of the skips alone; empty where there are none."""
        return {kind: mean_psnr(values) for kind, values in self._held("skip_psnr").items()}

    def gains(self) -> dict[str, float]:
        """Per kind the mean dB of a model over the skips that it began as; else empty.

        What is exact counts as an error of a thousandth of a level.
        """
        if not self.began_as_skips:
            return {}
        return {
            kind: mean(
                min(pair.psnr, _EXACT_DB) - min(pair.skip_psnr, _EXACT_DB)
                for pair in pairs
                if pair.skip_psnr is not None
            )
            for kind, pairs in self.pairs.items()
            if pairs
        }

    def exact(self) -> dict[str, int]:
        """Per kind how many reconstructions equal their originals."""
        return {kind: exact(values) for kind, values in self._held("psnr").items()}

    def skip_exact(self) -> dict[str, int]:
        """Per kind how many originals the skips alone give back."""
        return {kind: exact(values) for kind, values in self._held("skip_psnr").items()}

    def _held(self, name: str) -> dict[str, list[float]]:
        """The values per kind, of the kinds that have any."""
        held = {k: [getattr(pair, name) for pair in pairs] for k, pairs in self.pairs.items()}
        return {k: v for k, v in held.items() if v and None not in v}


@torch.no_grad()
def validate(
    model: Any,
    shards: Shards,
    rows: dict[str, list[int]],
    ranks: Ranks,
    *,
    half_precision: bool = False,
) -> Report:
    """Reconstruct the centre of each held-out sample, one by one; damaged ones are left out.

    `rows` are the samples per kind. The ranks share them, and all get the whole report.
    """
    samples = [(kind, row) for kind, chosen in rows.items() for row in chosen]
    adapter = adapter_of(model)
    f, channels = adapter.f(model.config), adapter.latent_channels(model.config)
    skippable = 3 * f * f % channels == 0
    skips = isinstance(model, Autoencoder) and {
        model.config.encoder_skip,
        model.config.decoder_skip,
    } <= set(GLOBAL)
    encoding, decoding = (half.projection for half in model.halves) if skips else (None, None)
    found: list[tuple[int, Pair]] = []
    for place in range(ranks.rank, len(samples), ranks.world):
        original = _centre(shards, samples[place][1])
        if original is None:
            continue
        x = to_model(torch.from_numpy(original)[None].to(ranks.device))
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=half_precision):
            image = adapter.decode(model, adapter.encode(model, x))
        made = to_pixels(image[:, :3].float())[0].cpu().numpy()
        skip_psnr = None
        if skippable:
            skip = to_pixels(alone(x, f, channels, encoding, decoding))[0].cpu().numpy()
            skip_psnr = psnr(original, skip)
        pair = Pair(
            original=original,
            reconstruction=made,
            psnr=psnr(original, made),
            skip_psnr=skip_psnr,
        )
        found.append((place, pair))
    pairs: dict[str, list[Pair]] = {kind: [] for kind in rows}
    everywhere = dict(pair for some in ranks.gather(found) for pair in some)
    for place in sorted(everywhere):
        pairs[samples[place][0]].append(everywhere[place])
    return Report(pairs=pairs, began_as_skips=skips)


def _centre(shards: Shards, row: int) -> NDArray[np.uint8] | None:
    bucket = Bucket.parse(shards.groups[shards.group[row]].bucket)
    rgb = read_rgb(shards, row, bucket)
    if isinstance(rgb, Fault):
        return None
    width, height = (min(LARGEST_PX, side) for side in bucket)
    return np.ascontiguousarray(centre_crop(rgb, width, height))
