"""Between pictures as they are stored and the range that models work in."""

from __future__ import annotations

from torch import Tensor


def to_model(pixels: Tensor) -> Tensor:
    """uint8[B, H, W, 3] -> float[B, 3, H, W] in [-1, 1], channels last in memory."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def to_pixels(image: Tensor) -> Tensor:
    """float[B, 3, H, W] -> uint8[B, H, W, 3], clamped and rounded."""
    return ((image + 1.0) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
