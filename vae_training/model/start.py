"""How the weights start (our choice: the report does not say).

The deep path starts linear: residual branches at zero, down-sampling as 2x2 means, up-sampling as
nearest neighbours, so that nothing is lost on its way in random mixing. Halves without any skip
start as PyTorch has it: they are there for comparison, and this start is a local skip by itself.

Between global skips it also starts with what they lack. They carry grey alone, and if both heads
start at zero they stay there: the encoder gains nothing by writing what is not read, the decoder
nothing by reading what is not written, and L1 takes the noise of small batches back to zero. So
the encoder writes the mean colour of each f x f block along the two directions of the latent that
images use least, and the decoder reads it there. What is grey passes as through the skips alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vae_training.model.blocks import Down, ResidualBlock, Up
from vae_training.model.skip import grow

# Red and blue against the other two: zero on grey. Each stands twice, with both signs, because
# SiLU(a + b) - SiLU(a - b) is odd in b.
_AXES = torch.tensor([[1.0, -0.5, -0.5], [-1.0, 0.5, 0.5], [-0.5, -0.5, 1.0], [0.5, 0.5, -1.0]])
_PAIRS = torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
_COLOURS = torch.tensor([[2.0, 0.0], [-2.0, -2.0], [0.0, 2.0]]) / 3.0  # of the axes, at equal grey
_SMALL = 0.1  # of an axis: where the heads are gauged
# How far along its direction a colour moves the latent. Less lets fine print show as colour, more
# shows colour as a pattern in grey; of 1, 1.5, 2 and 3 this one costs text least for what it gives.
_STRENGTH = 1.5


@torch.no_grad()
def start_linear(half: nn.Module) -> None:
    """Make the levels of a half linear; its first convolution keeps variances."""
    for part in half.modules():
        if isinstance(part, ResidualBlock):
            _zero(part.conv2)
            if isinstance(part.shortcut, nn.Conv2d):
                _zero(part.shortcut)
                nn.init.dirac_(part.shortcut.weight)
        elif isinstance(part, (Down, Up)):
            _zero(part.conv)
            if not part.local_skip:  # which does the same already
                diagonal = part.conv.weight.diagonal().permute(2, 0, 1)  # a kernel per channel
                if isinstance(part, Down):
                    diagonal[:, :2, :2] = 0.25
                else:
                    diagonal[:, 1, 1] = 1.0
    nn.init.kaiming_normal_(half.conv_in.weight, nonlinearity="linear")
    # RMS norm forgets how strong a colour is, unless it stands beside a constant.
    nn.init.ones_(half.conv_in.bias)


@torch.no_grad()
def start_with_colour(encoder: nn.Module, decoder: nn.Module, f: int) -> None:
    """Set the first channels and the heads of two halves with global skips, linear before.

    Halves that are too narrow to carry colour are left as they are.
    """
    channels = decoder.conv_in.in_channels
    if channels < 3 or min(encoder.conv_in.out_channels, decoder.conv_out.in_channels) < len(_AXES):
        return
    codes = unused(channels, f)
    rows = slice(0, len(_AXES))
    for half, read in ((encoder, _AXES), (decoder, _PAIRS.T @ codes / _STRENGTH)):
        half.conv_in.weight[rows] = 0.0
        half.conv_in.weight[rows, :, 1, 1] = read
    _zero(encoder.conv_out, slice(0, channels))
    encoder.conv_out.weight[:channels, rows, 1, 1] = codes.T @ _PAIRS
    _zero(decoder.conv_out)
    decoder.conv_out.weight[:, rows, 1, 1] = _COLOURS @ _PAIRS
    # What the heads answer depends on widths through the norms: ask, and make it one to one.
    red = _SMALL * _COLOURS[:, 0].reshape(1, 3, 1, 1).expand(1, 3, f, f)
    code = _SMALL * _STRENGTH * codes[0].reshape(1, channels, 1, 1)
    written = (encoder(red)[:, :channels] * code).sum() / (code * code).sum()
    encoder.conv_out.weight[:channels] /= written
    shown = ((decoder(code) - grow(code, f, 3)) * red).sum() / (red * red).sum()
    decoder.conv_out.weight /= shown


def unused(channels: int, f: int) -> Tensor:
    """float[2, channels]: orthonormal directions of a latent that images hardly use.

    Cosines that change sign from each row of the block to the next, the highest that there are;
    their sum is zero, so that flat areas have none at all.
    """
    columns = max(1, channels // f)  # as the skip lays them out: row after row
    rows = channels // columns
    finest = [(rows - 1, k) for k in range(columns - 1, -1, -1)] + [(rows - 2, columns - 1)]
    waves = [torch.outer(_cosine(rows, k), _cosine(columns, j)) for k, j in finest[:2]]
    return torch.stack([wave.flatten() for wave in waves])


def _cosine(length: int, k: int) -> Tensor:
    """float[length]: the k-th basis vector of the cosine transform (DCT-II)."""
    wave = torch.cos(math.pi / length * k * (torch.arange(length) + 0.5))
    return wave / wave.norm()


def _zero(convolution: nn.Conv2d, rows: slice = slice(None)) -> None:
    nn.init.zeros_(convolution.weight[rows])
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias[rows])
