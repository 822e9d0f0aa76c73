"""The parts of encoder and decoder: RMS norm, residual block, down- and up-sampling.

Convolutions only. RMS norm rather than group norm, because 32 groups cannot carry 144 channels.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6  # of the mean square, in the norm


class RmsNorm(nn.Module):
    """RMS norm of float[B, C, H, W] over C at each position, with a learned scale.

    `fused`, where it is set, computes SiLU of the norm from input and scale in one pass.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.fused: Callable[[Tensor, Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        # In channels_last memory the permuted tensor is contiguous: one fused kernel, no copy.
        x, weight = x.permute(0, 2, 3, 1), self.weight.to(x.dtype)
        with without_autocast(x.device.type):
            return F.rms_norm(x, weight.shape, weight, EPSILON).permute(0, 3, 1, 2)

    def silu(self, x: Tensor) -> Tensor:
        """SiLU of the norm."""
        return F.silu(self(x)) if self.fused is None else self.fused(x, self.weight)


def without_autocast(device: str) -> AbstractContextManager[object]:
    """Disable autocast, so that the norm keeps the precision of its input.

    Since torch 2.12 autocast returns float32 from it, which makes saved activations half as large
    again. The kernel accumulates in float32 in any case.
    """
    known = torch.amp.is_autocast_available(device)  # not on the meta device
    return torch.autocast(device, enabled=False) if known else nullcontext()


class ResidualBlock(nn.Module):
    """Twice norm, SiLU and 3x3 convolution, plus a shortcut (1x1 when the width changes).

    `fused`, where it is set, computes the whole of a block and its input with fewer passes.
    """

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.norm1 = RmsNorm(width_in)
        self.conv1 = nn.Conv2d(width_in, width, 3, padding=1)
        self.norm2 = RmsNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Conv2d(width_in, width, 1) if width_in != width else nn.Identity()
        self.fused: Callable[[ResidualBlock, Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.fused is not None:
            return self.fused(self, x)
        h = self.conv1(self.norm1.silu(x))
        h = self.conv2(self.norm2.silu(h))
        return self.shortcut(x) + h

    def reach(self, stride: int) -> tuple[int, int]:
        """Radius in px of the receptive field, and px per position of what comes out.

        `stride` is px per position of what goes in.
        """
        return 2 * stride, stride


class Down(nn.Module):
    """Half the resolution by a strided 3x3 convolution; `local_skip` adds 2x2 means (LSC)."""

    def __init__(self, width: int, local_skip: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)
        self.local_skip = local_skip

    def forward(self, x: Tensor) -> Tensor:
        # Padding right and below only aligns the grid with the top left corner.
        h = self.conv(F.pad(x, (0, 1, 0, 1)))
        return h + F.avg_pool2d(x, 2) if self.local_skip else h

    def reach(self, stride: int) -> tuple[int, int]:
        """As of ResidualBlock."""
        return stride, 2 * stride


class Up(nn.Module):
    """Twice the resolution by nearest neighbour and a 3x3 convolution; `local_skip` as in Down.

    With `subpixel` the same result is computed at the low resolution: each of the four subpixels of
    a pixel depends on 2x2 pixels, so four 2x2 convolutions with summed weights take 4/9 of the
    FLOPs (Aitken et al. 2017). `fused`, where it is set, repeats pixels.
    """

    def __init__(self, width: int, local_skip: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.local_skip = local_skip
        self.subpixel = False
        self.fused: Callable[[Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.subpixel:
            h = _subpixel_convolution(x, self.conv.weight, self.conv.bias)
            return h + self._twice(x) if self.local_skip else h
        larger = self._twice(x)
        h = self.conv(larger)
        return h + larger if self.local_skip else h

    def _twice(self, x: Tensor) -> Tensor:
        if self.fused is not None:
            return self.fused(x)
        return F.interpolate(x, scale_factor=2.0, mode="nearest")

    def reach(self, stride: int) -> tuple[int, int]:
        """As of ResidualBlock."""
        return stride // 2, stride // 2


def _subpixel_convolution(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """conv3x3(nearest(x)) of float[B, C, H, W], with the zero padding of the large image."""
    taps = _taps(weight)
    kernels = torch.einsum("oiyx,pay,qbx->pqoiab", weight, taps, taps)
    batch, _, height, width = x.shape
    padded = F.pad(x, (1, 1, 1, 1))
    subpixels = [
        F.conv2d(padded[:, :, p : p + height + 1, q : q + width + 1], kernels[p, q], bias)
        for p in (0, 1)
        for q in (0, 1)
    ]
    channels = weight.shape[0]
    image = torch.stack([part.permute(0, 2, 3, 1) for part in subpixels], dim=3)
    image = image.view(batch, height, width, 2, 2, channels).transpose(2, 3)
    return image.reshape(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def _taps(weight: Tensor) -> Tensor:
    """[subpixel, row, tap]: 1 where a tap of the 3x3 kernel over doubled rows reads that row of the
    two that the subpixel depends on. The same for columns. Computed, because a constant would be
    copied to the device in each step, which waits for it."""
    subpixel, row, tap = (torch.arange(n, device=weight.device) for n in (2, 2, 3))
    read = (tap > subpixel[:, None])[:, None] == (row > 0)[:, None]
    return read.to(weight.dtype)
