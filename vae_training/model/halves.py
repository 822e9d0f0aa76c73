"""Encoder and decoder of the autoencoder; the decoder has more weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vae_training.model.blocks import Down, ResidualBlock, RmsNorm, Up
from vae_training.model.configs import GLOBAL, LINEAR, LSC, Config
from vae_training.model.skip import Decoding, Encoding, fold, grow, shrink, unfold
from vae_training.model.tiling import Grid

# A sample of the posterior with this log variance is its mean. Without a KL term nothing trains it.
_LOG_VARIANCE = -30.0


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """Levels finer than `stride` px run in tiles of `tile_px`; coarser ones on the whole image.

    `overlap_px` None is the radius of the receptive field: exact. Smaller overlaps are blended.
    """

    tile_px: int = 512
    overlap_px: int | None = None
    stride: int = 4

    def grid(self, reach: int, *, cell_in: int, cell_out: int) -> Grid:
        """The tiles for layers whose receptive field has a radius of `reach` px."""
        overlap = reach if self.overlap_px is None else self.overlap_px
        return Grid(
            core=max(1, self.tile_px // self.stride),
            overlap=-(-overlap // self.stride),
            cell_in=cell_in,
            cell_out=cell_out,
            blend=overlap < reach,
        )


class Level(nn.Sequential):
    """The blocks of one resolution; compiled as one, where torch's own class is taken apart."""

    def forward(self, h: Tensor) -> Tensor:
        for part in self:
            h = part(h)
        return h


class Half(nn.Module):
    """Base of both halves: levels in sequence, with optional checkpointing and tiling."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        self.gradient_checkpointing = False
        self.recomputed_levels: int | None = None  # from full resolution down; None: all
        self.tiling: Tiling | None = None

    def stage(self, part: Callable[[Tensor], Tensor], h: Tensor, depth: int) -> Tensor:
        """`part(h)`, checkpointed if asked for; `depth` 0 is full resolution."""
        wanted = self.recomputed_levels is None or depth < self.recomputed_levels
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled() and wanted:
            return checkpoint(part, h, use_reentrant=False)
        return part(h)


def reach_px(parts: Iterable[nn.Module], stride: int) -> int:
    """Radius in px of the receptive field of `parts`, whose input has `stride` px per position.

    Parts are asked, and not told by their class: when a program loads an exported model twice,
    diffusers runs its file twice, and the parts of the first are of classes with the same names.
    """
    return _reach(parts, stride)[0]


def _reach(parts: Iterable[Any], stride: int) -> tuple[int, int]:
    total = 0
    for part in parts:
        if isinstance(part, (nn.Sequential, nn.ModuleList)):
            reach, stride = _reach(part, stride)
        elif isinstance(part, nn.Conv2d):
            reach = stride * (part.kernel_size[0] // 2)
        else:
            reach, stride = part.reach(stride)
        total += reach
    return total, stride


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
            self.levels.append(Level(*blocks))
        middle = (ResidualBlock(width, width) for _ in range(config.middle_blocks))
        self.levels.append(Level(*middle))
        self.norm_out = RmsNorm(width)
        self.conv_out = nn.Conv2d(width, 2 * config.latent_channels, 3, padding=1)
        linear = config.encoder_skip == LINEAR
        self.projection = Encoding(config.f, config.latent_channels) if linear else None
        weight, bias = self.conv_out.weight, self.conv_out.bias
        if weight.is_meta:
            return
        assert bias is not None
        channels = config.latent_channels
        nn.init.zeros_(weight[channels:].data)
        nn.init.constant_(bias.data[channels:], _LOG_VARIANCE)
        if config.encoder_skip in GLOBAL:  # start as the skip alone
            nn.init.zeros_(weight.data)
            nn.init.zeros_(bias.data[:channels])

    def forward(self, x: Tensor) -> Tensor:
        fine = len(self.levels)
        if self.tiling is not None and max(x.shape[2:]) > self.tiling.tile_px:
            fine = self.tiling.stride.bit_length() - 1
            reach = reach_px([self.conv_in, *self.levels[:fine]], 1)
            grid = self.tiling.grid(reach, cell_in=self.tiling.stride, cell_out=1)
            h = grid.run(lambda tile: self._fine(tile, fine), x)
        else:
            h = self._fine(x, fine)
        for depth in range(fine, len(self.levels)):
            h = self.stage(self.levels[depth], h, depth)
        moments = self.conv_out(self.norm_out.silu(h))
        if self.config.encoder_skip not in GLOBAL:
            return moments
        mean, log_variance = moments.chunk(2, dim=1)
        mean = mean + shrink(x, self.config.f, self.config.latent_channels)
        if self.projection is not None:
            mean = mean + self.projection(x)
        return torch.cat([mean, log_variance], dim=1)

    def _fine(self, x: Tensor, levels: int) -> Tensor:
        h = self.conv_in(x)
        for depth in range(levels):
            h = self.stage(self.levels[depth], h, depth)
        return h


class Decoder(Half):
    """Latent float[B, C, h, w] -> float[B, 3, h*f, w*f], nominally in [-1, 1], not clamped."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        local = config.decoder_skip == LSC
        width = config.widths[-1] * config.d_dec
        self.conv_in = nn.Conv2d(config.latent_channels, width, 3, padding=1)
        middle = (ResidualBlock(width, width) for _ in range(config.middle_blocks))
        self.levels.append(Level(*middle))
        for number, multiplier in reversed(list(enumerate(config.widths))):
            blocks: list[nn.Module] = []
            for _ in range(config.decoder_blocks):
                blocks.append(ResidualBlock(width, multiplier * config.d_dec))
                width = multiplier * config.d_dec
            if number:
                up = Up(width, local)  # the last one makes full resolution
                blocks.append(up)
            self.levels.append(Level(*blocks))
        self.norm_out = RmsNorm(width)
        self.conv_out = nn.Conv2d(width, 3, 3, padding=1)
        linear = config.decoder_skip == LINEAR
        self.projection = Decoding(config.f, config.latent_channels) if linear else None
        # The finest level sees the image of the skip, so that it has one to refine from the start.
        finest = config.widths[1] * config.d_dec
        self.conv_skip = nn.Conv2d(3, finest, 3, padding=1) if linear else None
        if self.conv_out.weight.is_meta:
            return
        if config.decoder_skip in GLOBAL:  # start as the skip alone
            _make_zero(self.conv_out)
        if linear:  # and refine its image alone, before coarser levels have learned to help
            _make_zero(up.conv)

    def forward(self, z: Tensor) -> Tensor:
        f, fine = self.config.f, len(self.levels)
        tiling = self.tiling
        if tiling is not None and max(z.shape[2:]) * f > tiling.tile_px:
            fine = tiling.stride.bit_length()
        skip = self._skip(z)
        h = self.conv_in(z)
        for depth in range(len(self.levels) - 1, fine - 1, -1):
            h = self._level(h, depth)
        if tiling is not None and fine < len(self.levels):
            image = self._tiled(h, skip, fine, tiling)
        else:
            image = self._fine(h, skip, fine)
        return image if skip is None else image + skip

    def _skip(self, z: Tensor) -> Tensor | None:
        if self.config.decoder_skip not in GLOBAL:
            return None
        skip = grow(z, self.config.f, 3)
        return skip if self.projection is None else skip + self.projection(z)

    def _tiled(self, h: Tensor, skip: Tensor | None, fine: int, tiling: Tiling) -> Tensor:
        """`_fine` tile by tile; the image of the skip comes along as channels of `h`."""
        stride, width = tiling.stride, h.shape[1]
        parts = [*self.levels[len(self.levels) - fine :], self.conv_out]
        if self.conv_skip is not None and skip is not None:
            parts.append(self.conv_skip)
            cells = torch.cat([h, fold(skip, stride).to(h.dtype)], dim=1)
        else:
            cells = h

        def run(tile: Tensor) -> Tensor:
            seen = unfold(tile[:, width:], stride) if tile.shape[1] > width else None
            return self._fine(tile[:, :width], seen, fine)

        grid = tiling.grid(reach_px(parts, stride), cell_in=1, cell_out=stride)
        return grid.run(run, cells)

    def _level(self, h: Tensor, depth: int) -> Tensor:
        return self.stage(self.levels[len(self.levels) - 1 - depth], h, depth)

    def _fine(self, h: Tensor, skip: Tensor | None, levels: int) -> Tensor:
        for depth in range(levels - 1, -1, -1):
            if not depth and self.conv_skip is not None and skip is not None:
                h = h + self.conv_skip(skip)
            h = self._level(h, depth)
        return self.stage(lambda h: self.conv_out(self.norm_out.silu(h)), h, 0)


def _make_zero(convolution: nn.Conv2d) -> None:
    assert convolution.bias is not None
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(convolution.bias)
