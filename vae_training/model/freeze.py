"""Which weights learn: all, one half, or the last levels of the decoder."""

from __future__ import annotations

from typing import Any

from torch import nn

from vae_training.model.adapters import adapter_of


def freeze(model: Any, train: str) -> None:
    """Leave gradients to what `train` names: all, decoder, encoder, or last-N.

    last-N are the last N levels of the decoder and what runs after them. What the adapter
    calls fixed never learns. ValueError when the decoder has fewer levels.
    """
    adapter = adapter_of(model)
    if train == "all":
        learning: list[nn.Module] = [model]
    elif train == "encoder":
        learning = adapter.encoder(model)
    elif train == "decoder":
        learning = adapter.decoder(model)
    else:
        levels, wanted = adapter.levels(model), int(train.removeprefix("last-"))
        if wanted > len(levels):
            raise ValueError(
                f"--train {train}: the decoder of this {type(model).__name__} has {len(levels)}"
                f" levels: give --train last-{len(levels)} at most, or decoder"
            )
        learning = [*levels[-wanted:], *adapter.head(model)]
    model.requires_grad_(False)
    for part in learning:
        part.requires_grad_(True)
    for name, weight in model.named_parameters():
        if adapter.fixed and adapter.fixed in name:
            weight.requires_grad_(False)
