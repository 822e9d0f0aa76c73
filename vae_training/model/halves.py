"""Encoder and decoder: the light and the heavy half of the autoencoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from vae_training.model.blocks import Down, ResidualBlock, RmsNorm, Up
from vae_training.model.configs import GSC, LSC, Config
from vae_training.model.skip import grow, shrink

# With this log variance a sample of the posterior is its mean: nothing in the loss trains it,
# because there is no KL term.
_LOG_VARIANCE = -30.0


class Half(nn.Module):
    """What both halves share: levels that run one after the other, re-computed when asked."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        self.recompute = False

    def run_levels(self, h: Tensor) -> Tensor:
        for level in self.levels:
            if self.recompute and self.training:
                h = checkpoint(level, h, use_reentrant=False)
            else:
                h = level(h)
        return h


class Encoder(Half):
    """float[B, 3, H, W] in [-1, 1] -> moments float[B, 2C, H/f, W/f]: mean, then log variance."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        local = config.encoder_skip == LSC
        width = config.d_enc
        self.conv_in = nn.Conv2d(3, width, 3, padding=1)
        for number, multiplier in enumerate(config.widths):
            blocks: list[nn.Module] = []
            for _ in range(config.encoder_blocks):
                blocks.append(ResidualBlock(width, multiplier * config.d_enc))
                width = multiplier * config.d_enc
            if number < len(config.widths) - 1:
                blocks.append(Down(width, local))
            self.levels.append(nn.Sequential(*blocks))
        middle = (ResidualBlock(width, width) for _ in range(config.middle_blocks))
        self.levels.append(nn.Sequential(*middle))
        self.norm_out = RmsNorm(width)
        self.conv_out = nn.Conv2d(width, 2 * config.latent_channels, 3, padding=1)
        if self.conv_out.weight.is_meta:
            return
        channels = config.latent_channels
        nn.init.zeros_(self.conv_out.weight[channels:].data)
        nn.init.constant_(self.conv_out.bias.data[channels:], _LOG_VARIANCE)
        if config.encoder_skip == GSC:  # our choice: start as the skip alone
            nn.init.zeros_(self.conv_out.weight.data)
            nn.init.zeros_(self.conv_out.bias.data[:channels])

    def forward(self, x: Tensor) -> Tensor:
        moments = self.conv_out(F.silu(self.norm_out(self.run_levels(self.conv_in(x)))))
        if self.config.encoder_skip != GSC:
            return moments
        mean, log_variance = moments.chunk(2, dim=1)
        mean = mean + shrink(x, self.config.f, self.config.latent_channels)
        return torch.cat([mean, log_variance], dim=1)


class Decoder(Half):
    """Latent float[B, C, h, w] -> float[B, 3, h*f, w*f], nominally in [-1, 1], not clamped."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        local = config.decoder_skip == LSC
        width = config.widths[-1] * config.d_dec
        self.conv_in = nn.Conv2d(config.latent_channels, width, 3, padding=1)
        middle = (ResidualBlock(width, width) for _ in range(config.middle_blocks))
        self.levels.append(nn.Sequential(*middle))
        for number, multiplier in reversed(list(enumerate(config.widths))):
            blocks: list[nn.Module] = []
            for _ in range(config.decoder_blocks):
                blocks.append(ResidualBlock(width, multiplier * config.d_dec))
                width = multiplier * config.d_dec
            if number:
                blocks.append(Up(width, local))
            self.levels.append(nn.Sequential(*blocks))
        self.norm_out = RmsNorm(width)
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1)
        if config.decoder_skip == GSC and not self.conv_out.weight.is_meta:
            nn.init.zeros_(self.conv_out.weight)
            nn.init.zeros_(self.conv_out.bias)

    def forward(self, z: Tensor) -> Tensor:
        image = self.conv_out(F.silu(self.norm_out(self.run_levels(self.conv_in(z)))))
        if self.config.decoder_skip != GSC:
            return image
        return image + grow(z, self.config.f, 3)
