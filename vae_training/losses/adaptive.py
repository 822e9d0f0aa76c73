"""Adaptive weight of the alignment loss, from gradient norms (VA-VAE, Yao et al. 2025).

    w = |d L_rec / d W| / |d L_align / d W|,   W: the weights of the encoder's last layer

Both losses then pull equally hard on the latents, whatever their scales. L_rec is L1 +
lambda_lpips LPIPS here. It costs one more backward pass through the decoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed

_TINY = 1e-12


def adaptive_weight(
    reconstruction: Tensor, alignment: Tensor, layer: Tensor, largest: float
) -> Tensor:
    """w in [0, `largest`] of two scalar losses, detached; keeps the graph for the backward pass.

    The gradients are averaged over the ranks first, so that all ranks have the weight that one
    rank with the whole batch would have.
    """
    # The decoder last: FSDP2 gives back the weights outside of its levels once it has gone through.
    drag, pull = (
        torch.autograd.grad(loss, layer, retain_graph=True)[0]
        for loss in (alignment, reconstruction)
    )
    gradients = torch.stack([pull, drag]).flatten(1).float()
    if distributed.is_initialized() and distributed.get_world_size() > 1:
        distributed.all_reduce(gradients)  # the sum: a common factor does not change the ratio
    norms = torch.linalg.vector_norm(gradients, dim=1)
    return (norms[0] / norms[1].clamp(min=_TINY)).clamp(max=largest)
