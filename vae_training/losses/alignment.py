"""Alignment of latents with frozen vision features: projector and margin losses.

    L_mcos = 1/N   * sum_p   relu(1 - cos(z'_p, f_p) - m_cos)
    L_mdms = 1/N^2 * sum_p,q relu(|cos(z'_p, z'_q) - cos(f_p, f_q)| - m_dist),   z' = W z

Positions p, q run over the latent grid of one image; both terms are means over the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Projector(nn.Module):
    """W: latent float[B, C, h, w] -> float[B, N, features], N = h * w in row order."""

    def __init__(self, latent_channels: int, features: int) -> None:
        super().__init__()
        self.map = nn.Linear(latent_channels, features, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.map(z.flatten(2).transpose(1, 2))


def margin_cosine(z: Tensor, f: Tensor, margin: float) -> Tensor:
    """L_mcos of float[B, N, D] against float[B, N, D]; a scalar in [0, 2]."""
    return F.relu(1.0 - F.cosine_similarity(z, f, dim=2) - margin).mean()


def margin_distance(z: Tensor, f: Tensor, margin: float) -> Tensor:
    """L_mdms of float[B, N, D] against float[B, N, E]; a scalar in [0, 2]. Memory grows as N^2."""
    difference = _cosines(z) - _cosines(f)
    return F.relu(difference.abs() - margin).mean()


def _cosines(x: Tensor) -> Tensor:
    unit = F.normalize(x, dim=2)
    return torch.bmm(unit, unit.transpose(1, 2))
