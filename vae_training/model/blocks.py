"""The parts of encoder and decoder: RMS norm, residual block, down- and up-sampling.

Convolutions only. RMS norm rather than group norm, because 32 groups cannot carry 144 channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class RmsNorm(nn.Module):
    """Divides each position of float[B, C, H, W] by its root mean square over C; learned scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        # In channels_last memory the permuted tensor is contiguous: one fused kernel, no copy.
        normed = F.rms_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight.to(x.dtype), 1e-6)
        return normed.permute(0, 3, 1, 2)


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3x3, twice, beside a shortcut (1x1 when the width changes)."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.norm1 = RmsNorm(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1)
        self.norm2 = RmsNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Conv2d(width_in, width, 1) if width_in != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h)))
        return self.shortcut(x) + h


class Down(nn.Module):
    """Half the resolution by a strided 3x3 convolution; `local_skip` adds 2x2 means (LSC)."""

    def __init__(self, width: int, local_skip: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)
        self.local_skip = local_skip

    def forward(self, x: Tensor) -> Tensor:
        # Padding right and below only keeps the grid of even sizes aligned at the top left.
        h = self.conv(F.pad(x, (0, 1, 0, 1)))
        return h + F.avg_pool2d(x, 2) if self.local_skip else h


class Up(nn.Module):
    """Twice the resolution by nearest neighbour and a 3x3 convolution; `local_skip` as in Down."""

    def __init__(self, width: int, local_skip: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.local_skip = local_skip

    def forward(self, x: Tensor) -> Tensor:
        larger = F.interpolate(x, scale_factor=2.0, mode="nearest")
        h: torch.Tensor = self.conv(larger)
        return h + larger if self.local_skip else h
