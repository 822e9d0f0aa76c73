"""Other ways to compute the same model: which norm, and how many channels colours have."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_training.model import Autoencoder
from vae_training.model.blocks import RmsNorm


def norm_silu_plain(x: Tensor, weight: Tensor) -> Tensor:
    """silu(rms_norm(x) * weight) in float32, for a compiler to make one kernel of."""
    wide = x.float()
    unit = wide * torch.rsqrt(wide.square().mean(dim=1, keepdim=True) + 1e-6)
    return F.silu(unit * weight.view(1, -1, 1, 1)).to(x.dtype)


def use_norm(model: nn.Module, norm_silu: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Let all norms with SiLU be computed by `norm_silu`; weights stay as they are."""
    for module in model.modules():
        if isinstance(module, RmsNorm):
            module.fused = norm_silu


def widen_rgb(model: Autoencoder, *, inputs: bool) -> None:
    """Let the convolution to three channels run with eight, the others zero: cuDNN has matrix units
    for them then. With `inputs` the one from three channels too."""
    more = 8 - 3

    def first(self: nn.Conv2d, x: Tensor) -> Tensor:
        x = x.to(torch.bfloat16) if x.is_cuda else x
        return F.conv2d(
            F.pad(x, (0, 0, 0, 0, 0, more)),
            F.pad(self.weight, (0, 0, 0, 0, 0, more)),
            self.bias,
            padding=1,
        )

    def last(self: nn.Conv2d, h: Tensor) -> Tensor:
        weight = F.pad(self.weight, (0, 0, 0, 0, 0, 0, 0, more))
        bias = F.pad(cast(Tensor, self.bias), (0, more))
        return F.conv2d(h, weight, bias, padding=1)[:, :3]

    chosen = {model.decoder.conv_out: last, **({model.encoder.conv_in: first} if inputs else {})}
    for module, forward in chosen.items():
        module.forward = types.MethodType(forward, module)  # type: ignore[method-assign]
