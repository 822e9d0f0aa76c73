"""Weight-free skips between pixels and latent: fold and group means, and their mirror.

`shrink` lays each f x f block of pixels into channels and takes means over groups of neighbours;
`grow` repeats each channel over its group and unfolds. `shrink(grow(z)) == z`: the mirror is the
right inverse, so a latent that holds nothing but the skip survives the round trip.

Our choice: the report says "space-to-channel, then reshape". Here the channels come colour by
colour, and the pixels of a colour in nested 2 x 2 blocks, so that a group is a compact patch of
one colour. Row by row a group would be a strip, and with the colours innermost it would be grey.
"""

from __future__ import annotations

from torch import Tensor


def fold(x: Tensor, f: int) -> Tensor:
    """float[B, C, H, W] -> float[B, C*f*f, H/f, W/f]; f is a power of two.

    Channels in the order (C, half, quarter, ... of the block), each part row, then column.
    """
    batch, channels, height, width = x.shape
    halvings = f.bit_length() - 1
    halves = [2] * halvings
    x = x.reshape(batch, channels, height // f, *halves, width // f, *halves)
    nested = [axis for i in range(halvings) for axis in (3 + i, 4 + halvings + i)]
    x = x.permute(0, 1, *nested, 2, 3 + halvings)
    return x.reshape(batch, channels * f * f, height // f, width // f)


def unfold(x: Tensor, f: int) -> Tensor:
    """The inverse of `fold`."""
    batch, channels, height, width = x.shape
    halvings = f.bit_length() - 1
    x = x.reshape(batch, channels // (f * f), *[2] * (2 * halvings), height, width)
    rows, columns = range(2, 2 + 2 * halvings, 2), range(3, 3 + 2 * halvings, 2)
    x = x.permute(0, 1, 2 + 2 * halvings, *rows, 3 + 2 * halvings, *columns)
    return x.reshape(batch, channels // (f * f), height * f, width * f)


def shrink(x: Tensor, f: int, channels: int) -> Tensor:
    """float[B, C, H, W] -> float[B, channels, H/f, W/f]: fold, then means over groups.

    `channels` divides C * f * f.
    """
    folded = fold(x, f)
    batch, total, height, width = folded.shape
    return folded.reshape(batch, channels, total // channels, height, width).mean(dim=2)


def grow(z: Tensor, f: int, channels: int) -> Tensor:
    """float[B, C, h, w] -> float[B, channels, h*f, w*f]: repeat each channel, then unfold.

    C divides channels * f * f.
    """
    return unfold(z.repeat_interleave(channels * f * f // z.shape[1], dim=1), f)
