"""Initial weights (our choice: the report does not say).

The deep path starts linear: residual branches at zero, down-sampling as 2x2 means, up-sampling as
nearest neighbours. Random mixing would lose the signal on its way. Halves without any skip keep
PyTorch's initialization: they are for comparison, and this one is a local skip by itself.
"""

from __future__ import annotations

import torch
from torch import nn

from vae_training.model.blocks import Down, ResidualBlock, Up


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


def _zero(convolution: nn.Conv2d) -> None:
    nn.init.zeros_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
