"""FLOPs and saved activations of a model, counted on the meta device, without memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from vae_training.model.autoencoder import Autoencoder, build

_BYTES = 2  # of a bf16 activation


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Cost of one square image; a multiplication and an addition are two FLOPs.

    `saved_bytes` are the bf16 activations kept for the backward pass; `recomputed_bytes` are those
    that remain with gradient checkpointing of all levels.
    """

    encode_flops: int
    decode_flops: int
    train_flops: int
    saved_bytes: int
    recomputed_bytes: int


def cost(name: str, px: int, *, subpixel: bool = False) -> Cost:
    """The cost of model `name` for a square image of `px` per side."""
    model, x = _on_meta(name, px, subpixel)
    z = torch.empty(
        *(1, model.config.latent_channels),
        *(px // model.config.f, px // model.config.f),
        device="meta",
    )
    return Cost(
        encode_flops=forward_flops(model.encoder, x),
        decode_flops=forward_flops(model.decoder, z),
        train_flops=_train_flops(model, x),
        saved_bytes=_saved(model, x),
        recomputed_bytes=_saved(model, x, recompute=True),
    )


def train_flops(name: str, px: int, *, subpixel: bool = False) -> int:
    """FLOPs of both passes for a square image of `px` per side."""
    return _train_flops(*_on_meta(name, px, subpixel))


def _on_meta(name: str, px: int, subpixel: bool) -> tuple[Autoencoder, Tensor]:
    with torch.device("meta"):
        model, x = build(name), torch.empty(1, 3, px, px)
    model.use_subpixel_convolutions(subpixel)
    return model, x


def _train_flops(model: Autoencoder, x: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        model(x).sample.mean().backward()
    return counter.get_total_flops()


def forward_flops(module: Callable[[Tensor], Tensor], x: Tensor) -> int:
    """FLOPs of `module(x)` without a backward pass; both may be on the meta device."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(x)
    return counter.get_total_flops()


def _saved(model: Autoencoder, x: Tensor, recompute: bool = False) -> int:
    """Bytes in bf16 of what autograd saves, without weights, each storage counted once."""
    model.train().recompute_activations(recompute)
    weights = {p.untyped_storage()._cdata for p in model.parameters()}
    kept: dict[int, Tensor] = {}  # holds the tensors, because addresses of freed ones are reused

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage()._cdata not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        image = model(x).sample
    del image
    model.recompute_activations(False)
    return sum(t.untyped_storage().nbytes() // t.element_size() * _BYTES for t in kept.values())
