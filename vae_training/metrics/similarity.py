"""PSNR, SSIM and LPIPS of pairs of pictures, as the report's official script measures them.

Its PSNR and SSIM are those of the library piq with data_range 1 and no down-sampling. They are an
implementation of our own here, because piq imports torchvision, which must match the exact version
of torch; tests hold the two equal. One convention is ours: piq adds 1e-8 to every mean squared
error, so that no picture has more than 80 dB. Here PSNR has no such bound, equal pictures have
infinity, and `bounded_psnr` gives piq's value.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vae_training.losses.lpips import Lpips

Rgb = NDArray[np.uint8]

WINDOW_PX = 11  # of SSIM
LPIPS_MIN_PX = 16
_SIGMA_PX = 1.5
_C1, _C2 = 0.01**2, 0.03**2
_PIQ_EPSILON = 1e-8


def unit(rgb: Rgb, device: torch.device | str = "cpu") -> Tensor:
    """uint8[H, W, 3] -> float32[1, 3, H, W] in [0, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(rgb)).to(device)
    return pixels.permute(2, 0, 1)[None].float() / 255


def psnr(x: Tensor, y: Tensor) -> float:
    """PSNR in dB of float32[1, 3, H, W] in [0, 1], without a bound; equal ones give infinity."""
    error = float(torch.mean((x - y) ** 2))
    return -10 * math.log10(error) if error > 0 else math.inf


def bounded_psnr(value: float) -> float:
    """The value in dB that piq gives where ours is `value`: 80 for infinity."""
    return -10 * math.log10(10 ** (-value / 10) + _PIQ_EPSILON)


def ssim(x: Tensor, y: Tensor) -> float | None:
    """SSIM (Wang et al. 2004) of float32[1, 3, H, W] in [0, 1], the mean over channels.

    Gaussian window of 11 px with sigma 1.5, only where it lies inside the picture; None for
    pictures smaller than that.
    """
    if min(x.shape[-2:]) < WINDOW_PX:
        return None
    a, b = x.transpose(0, 1), y.transpose(0, 1)  # each channel a picture of its own
    window = _window().to(x.device)
    moments = torch.cat([a, b, a * a, b * b, a * b])
    # The window is separable, but piq runs it as a whole: last digits are to agree.
    mean_a, mean_b, aa, bb, ab = F.conv2d(moments, window).chunk(5)
    variances = aa - mean_a**2 + bb - mean_b**2
    structure = (2 * (ab - mean_a * mean_b) + _C2) / (variances + _C2)
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return float((luminance * structure).mean())


@torch.no_grad()
def lpips(model: Lpips, x: Tensor, y: Tensor) -> float | None:
    """LPIPS of float32[1, 3, H, W] in [0, 1]; None for pictures below 16 px."""
    if min(x.shape[-2:]) < LPIPS_MIN_PX:
        return None
    return float(model(2 * x - 1, 2 * y - 1))


@functools.cache
def _window() -> Tensor:
    """float32[1, 1, 11, 11], which sums to 1."""
    along = torch.arange(WINDOW_PX, dtype=torch.float32) - (WINDOW_PX - 1) / 2
    weights = torch.exp(-(along**2) / (2 * _SIGMA_PX**2))
    square = weights[:, None] * weights[None, :]
    return (square / square.sum())[None, None]
