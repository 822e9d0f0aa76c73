"""Reconstructions without weights, which tell what a number is worth.

`identity` is the upper end of every metric, `jpeg-q10` a codec that everybody has seen, `blur-2x`
and `blur-4x` lose fine detail and nothing else, and a skip is what the shortest path between pixels
and latent of each autoencoder of ours keeps without any learning.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vae_corpus.pictures.decode import Fault, decode
from vae_corpus.pictures.encode import jpeg
from vae_training.model.configs import CONFIGS
from vae_training.model.pixels import to_model, to_pixels
from vae_training.model.skip import grow, shrink

Rgb = NDArray[np.uint8]

_JPEG_QUALITY = 10
_SKIPS = ("f16c64", "f16c128", "f32c128", "f32c192")


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """`reconstruct` maps uint8[H, W, 3] to the same shape; sides are multiples of `f`."""

    f: int
    reconstruct: Callable[[Rgb], Rgb]
    meaning: str


def _jpeg(rgb: Rgb) -> Rgb:
    found = decode(jpeg(rgb, _JPEG_QUALITY))
    assert not isinstance(found, Fault), found
    return found.rgb


def _blur(factor: int, rgb: Rgb) -> Rgb:
    height, width = rgb.shape[:2]
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    shrunk = cv2.resize(rgb, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _skip(f: int, channels: int, rgb: Rgb) -> Rgb:
    x = to_model(torch.from_numpy(np.ascontiguousarray(rgb))[None])
    return np.asarray(to_pixels(grow(shrink(x, f, channels), f, 3))[0].numpy(), np.uint8)


def _skip_of(name: str) -> Baseline:
    f, channels = CONFIGS[name].f, CONFIGS[name].latent_channels
    return Baseline(
        f=f,
        reconstruct=functools.partial(_skip, f, channels),
        meaning=f"means over groups of pixels and channels, {channels} per {f} x {f} px",
    )


BASELINES: dict[str, Baseline] = {
    "identity": Baseline(f=1, reconstruct=np.copy, meaning="the original itself"),
    "jpeg-q10": Baseline(f=1, reconstruct=_jpeg, meaning="JPEG of quality 10, colours 4:4:4"),
    "blur-2x": Baseline(
        f=1,
        reconstruct=functools.partial(_blur, 2),
        meaning="half the sides by area means, enlarged by bicubic interpolation",
    ),
    "blur-4x": Baseline(
        f=1,
        reconstruct=functools.partial(_blur, 4),
        meaning="a quarter of the sides by area means, enlarged by bicubic interpolation",
    ),
    **{f"skip-{name}": _skip_of(name) for name in _SKIPS},
}
