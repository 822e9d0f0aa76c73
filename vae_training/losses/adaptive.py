"""Adaptive weight of the alignment loss, from gradient norms (after VA-VAE, Yao et al. 2025).

    w = lambda min(|d L_rec / d z| / |d L_align / d z|, largest),   z: latents of a batch or a part

At lambda = 1 both losses pull equally hard on the latents, whatever their scales. L_rec is L1 +
lambda_lpips LPIPS here. VA-VAE takes the norms at the encoder's last layer, with a backward pass
through the decoder for each; at the latents both gradients pass by in one (our choice).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed

_TINY = 1e-30


def fork(z: Tensor, wanted: float, largest: float) -> tuple[Tensor, Tensor, Tensor]:
    """The latents twice, for L_rec and for lambda L_align, and w: known once backward has passed.

    `wanted` is lambda > 0. The gradient of `z` is that of the first plus w / lambda
    times that of the second. What lies behind the second (the projector) has the plain gradient of
    lambda L_align. The norms are those of all ranks together, so that w is the same on each.
    """
    weight = z.new_zeros((), dtype=torch.float32)
    one, other = _Fork.apply(z, wanted, largest, weight)
    return one, other, weight


class _Fork(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, wanted: float, largest: float, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.wanted, ctx.largest, ctx.weight = wanted, largest, weight
        return z.view_as(z), z.view_as(z)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        pull, drag = gradients
        norms = torch.stack([g.float().square().sum() for g in (pull, drag)])
        if distributed.is_initialized() and distributed.get_world_size() > 1:
            distributed.all_reduce(norms)
        norms = norms.sqrt()
        # The second gradient has lambda in it already.
        ratio = ctx.wanted * norms[0] / norms[1].clamp(min=_TINY)
        factor = ratio.clamp(max=ctx.largest)
        ctx.weight.copy_(ctx.wanted * factor)
        return pull + factor.to(drag.dtype) * drag, None, None, None
