"""Initial weights (our choice: the report does not say).

The deep path starts linear: residual branches at zero, down-sampling as 2x2 means, up-sampling as
nearest neighbours. Random mixing would lose the signal on its way. Halves without any skip keep
PyTorch's initialization: they are for comparison, and this one is a local skip by itself.

Between global skips the deep path starts with colour, which these skips do not carry. With both
heads at zero it would stay there: the encoder gains nothing by writing what the decoder does not
read, and the other way round. So the encoder writes the mean colour of each f x f block along the
two directions of the latent that images use least, and the decoder reads it there. Grey images
pass as through the skips alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vae_training.model.blocks import Down, ResidualBlock, Up
from vae_training.model.skip import grow

# Red and blue minus the mean of the other two, zero on grey; each with both signs, because
# SiLU(a + b) - SiLU(a - b) is odd in b.
_AXES = torch.tensor([[1.0, -0.5, -0.5], [-1.0, 0.5, 0.5], [-0.5, -0.5, 1.0], [0.5, 0.5, -1.0]])
_PAIRS = torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
# RGB of unit steps on the axes.
_COLOURS = torch.tensor([[2.0, 0.0], [-2.0, -2.0], [0.0, 2.0]]) / 3.0
_SMALL = 0.1  # step on an axis at which the gain of the heads is measured
# Length of a colour's step in the latent. With a smaller one fine print shows as colour, with a
# larger one colour shows as a pattern in grey. Of 1, 1.5, 2 and 3, 1.5 costs text the least PSNR
# for its gain.
_STRENGTH = 1.5


@torch.no_grad()
def start_linear(half: nn.Module) -> None:
    """Make the levels of a half linear; its first convolution preserves variance."""
    for part in half.modules():
        if isinstance(part, ResidualBlock):
            _zero(part.conv2)
            if isinstance(part.shortcut, nn.Conv2d):
                _zero(part.shortcut)
                nn.init.dirac_(part.shortcut.weight)
        elif isinstance(part, (Down, Up)):
            _zero(part.conv)
            if not part.local_skip:  # a local skip is the same map
                diagonal = part.conv.weight.diagonal().permute(2, 0, 1)  # a kernel per channel
                if isinstance(part, Down):
                    diagonal[:, :2, :2] = 0.25
                else:
                    diagonal[:, 1, 1] = 1.0
    nn.init.kaiming_normal_(half.conv_in.weight, nonlinearity="linear")
    # RMS norm removes the magnitude of a colour, unless there is a constant beside it.
    nn.init.ones_(half.conv_in.bias)


@torch.no_grad()
def start_with_colour(encoder: nn.Module, decoder: nn.Module, f: int) -> None:
    """Make two linear halves with global skips carry the mean colour of blocks.

    Sets the first channels and the heads. Halves too narrow for it are left as they are.
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
    # The gain of the heads depends on widths through the norms: measure it, and scale it to one.
    red = _SMALL * _COLOURS[:, 0].reshape(1, 3, 1, 1).expand(1, 3, f, f)
    code = _SMALL * _STRENGTH * codes[0].reshape(1, channels, 1, 1)
    written = (encoder(red)[:, :channels] * code).sum() / (code * code).sum()
    encoder.conv_out.weight[:channels] /= written
    shown = ((decoder(code) - grow(code, f, 3)) * red).sum() / (red * red).sum()
    decoder.conv_out.weight /= shown


def unused(channels: int, f: int) -> Tensor:
    """float[2, channels]: orthonormal directions of a latent that images hardly use.

    They are the highest frequencies of the cosine transform of a block, zero for flat areas.
    """
    columns = max(1, channels // f)  # the skip stores channels row by row
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
