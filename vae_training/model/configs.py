"""The autoencoders by name: the four of the report, and `tiny` for laptops.

A new one is an entry in `CONFIGS`; commands, settings and tests read the names here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

Skip = Literal["linear", "gsc", "lsc", "nsc"]
LINEAR, GSC, LSC, NSC = SKIPS = get_args(Skip)
GLOBAL = (LINEAR, GSC)


@dataclass(frozen=True, kw_only=True)
class Config:
    """One autoencoder: image H x W x 3 -> latent H/f x W/f x latent_channels.

    `widths` has one multiplier of `d_enc` (encoder) and `d_dec` (decoder) per level, from full
    resolution down, so `f` is 2 ** (len(widths) - 1). A skip is `gsc` (global: one weight-free path
    between pixels and latent), `linear` (the best linear one, fit before training; the decoder's
    finest level refines its image), `lsc` (local: one per level) or `nsc` (none). ValueError
    when the values do not fit together.
    """

    f: int
    latent_channels: int
    d_enc: int
    d_dec: int
    widths: tuple[int, ...]
    encoder_blocks: int = 2
    decoder_blocks: int = 3
    middle_blocks: int = 2
    encoder_skip: str = LINEAR
    decoder_skip: str = LINEAR

    def __post_init__(self) -> None:
        if self.f != 2 ** (len(self.widths) - 1):
            raise ValueError(
                f"{len(self.widths)} levels compress by {2 ** (len(self.widths) - 1)} per side,"
                f" not by f={self.f}: give log2(f) + 1 widths"
            )
        if self.f == 1:
            raise ValueError("f is 2 or more: an autoencoder of f 1 has nothing to compress")
        for side, skip in (("encoder", self.encoder_skip), ("decoder", self.decoder_skip)):
            if skip not in SKIPS:
                raise ValueError(f"{side}_skip is one of {', '.join(SKIPS)}; got {skip!r}")
            if skip in GLOBAL and 3 * self.f**2 % self.latent_channels:
                raise ValueError(
                    f"a global skip needs latent_channels that divide 3 f^2 = {3 * self.f**2};"
                    f" got {self.latent_channels}: choose a divisor, or {side}_skip lsc or nsc"
                )


_F16 = Config(f=16, latent_channels=64, d_enc=96, d_dec=144, widths=(1, 2, 4, 8, 8))
_F32 = Config(f=32, latent_channels=128, d_enc=96, d_dec=144, widths=(1, 1, 2, 4, 8, 8))

# The report gives f, C, d_enc, d_dec and the number of levels; widths and block counts are our
# choice, the only one found that meets all eight published parameter counts. Its skip has no
# weights and is in the encoder. One in the decoder too is our choice, and so is a linear one, of
# 0.05 to 0.6 M weights: with means alone a new model stays at its skip (docs/decisions.md).
CONFIGS: dict[str, Config] = {
    "f16c64": _F16,
    "f16c128": dataclasses.replace(_F16, latent_channels=128),
    "f32c128": _F32,
    "f32c192": dataclasses.replace(_F32, latent_channels=192),
    "tiny": Config(
        f=16,
        latent_channels=64,
        d_enc=4,
        d_dec=8,
        widths=(1, 2, 4, 8, 8),
        encoder_blocks=1,
        decoder_blocks=1,
        middle_blocks=1,
    ),
}


# Pixels of a global batch, unless a setting says otherwise.
BATCH_PIXELS = 64 * 256 * 256
SMALL_BATCH_PIXELS = {"tiny": 4 * 256 * 256}


def config(name: str) -> Config:
    """The configuration of a model name; ValueError names the known ones."""
    if name not in CONFIGS:
        raise ValueError(f"unknown model {name!r}; known are {', '.join(CONFIGS)}")
    return CONFIGS[name]
