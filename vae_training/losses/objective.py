"""The training loss: L1 + lambda_lpips * LPIPS + lambda_align * (L_mcos + L_mdms).

No KL term and no adversarial one, as the report has it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_corpus.curriculum import LossWeights
from vae_training.losses.adaptive import fork
from vae_training.losses.alignment import Projector, margin_cosine, margin_distance
from vae_training.losses.dino import Features
from vae_training.losses.lpips import Lpips
from vae_training.losses.window import window
from vae_training.model.adapters import adapter_of

# Raised when a term means something else than before, so that losses cannot be compared.
VERSION = 3


class Objective(nn.Module):
    """Autoencoder and projector in one module, so that DDP sees one forward per step.

    `adaptive` is the largest ratio of gradient norms that lambda_align is multiplied by while
    training; None leaves lambda_align as it is.
    """

    def __init__(
        self,
        autoencoder: Any,
        lpips: Lpips | None,
        features: Features | None,
        *,
        adaptive: float | None = None,
    ) -> None:
        super().__init__()
        self.autoencoder: nn.Module = autoencoder
        self.adapter = adapter_of(autoencoder)
        self.adaptive = adaptive
        self._f = self.adapter.f(autoencoder.config)
        channels = self.adapter.latent_channels(autoencoder.config)
        self.projector = Projector(channels, features.width) if features else None
        # Kept out of the module tree: frozen, so neither saved, nor averaged, nor synchronised.
        self._frozen = (lpips, features)

    def frozen(self) -> list[nn.Module]:
        """LPIPS and DINOv2, where they are used: to be moved to the device, never trained."""
        return [m for m in self._frozen if m is not None]

    def trained(self) -> list[nn.Parameter]:
        return [p for p in self.parameters() if p.requires_grad]

    def forward(self, x: Tensor, weights: LossWeights, draw: int = 0) -> dict[str, Tensor]:
        """Image float[B, 3, H, W] in [-1, 1] -> scalars: `loss` and its unweighted terms.

        LPIPS and alignment see one window of images above 512 x 512 px, the same of all images of
        a step, which the random number `draw` chooses.
        A term whose weight is zero, or whose model is missing, is not computed. Two values have no
        gradient: `align_weight`, where it is adaptive, which the backward pass sets and whose
        effect `loss` does not show, and `squared_error` float[B], the mean squared error of each
        image.
        """
        lpips, features = self._frozen
        rows, columns = window(x.shape[2], x.shape[3], self._f, draw)
        z = self.adapter.encode(self.autoencoder, x)
        aligned = z if features is not None and weights.align else None
        align_weight = None
        if aligned is not None and self.adaptive is not None and torch.is_grad_enabled():
            z, aligned, align_weight = fork(z, weights.align, self.adaptive)
        image = self.adapter.decode(self.autoencoder, z)
        # Half precision would lose the terms: they are small differences.
        with torch.autocast(x.device.type, enabled=False):
            image = image.float()
            colours = image[:, :3] if image.shape[1] > 3 else image
            terms = {"l1": F.l1_loss(colours, x)}
            loss = terms["l1"]
            if image is not colours:  # pictures are opaque; it weighs as much as one colour
                terms["opacity"] = (1.0 - image[:, 3]).abs().mean()
                loss = loss + terms["opacity"] / 3.0
            if lpips is not None and weights.lpips:
                terms["lpips"] = lpips(colours[:, :, rows, columns], x[:, :, rows, columns])
                loss = loss + weights.lpips * terms["lpips"]
            if aligned is not None and features is not None and self.projector is not None:
                part = aligned.float()[:, :, _on_grid(rows, self._f), _on_grid(columns, self._f)]
                seen = features(x[:, :, rows, columns], (part.shape[2], part.shape[3]))
                mapped = self.projector(part)
                terms["mcos"] = margin_cosine(mapped, seen, weights.m_cos)
                terms["mdms"] = margin_distance(mapped, seen, weights.m_dist)
                loss = loss + weights.align * (terms["mcos"] + terms["mdms"])
                if align_weight is not None:
                    terms["align_weight"] = align_weight
            elif self.projector is not None:  # DDP waits for a gradient of every parameter
                loss = loss + 0.0 * self.projector.map.weight.sum()
            with torch.no_grad():
                error = (colours.clamp(-1.0, 1.0) - x).square().mean(dim=(1, 2, 3))
        return {"loss": loss, **terms, "squared_error": error}


def _on_grid(px: slice, f: int) -> slice:
    return slice(px.start // f, px.stop // f)
