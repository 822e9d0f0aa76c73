"""What a model's folder tells of its latents: mean, spread and scale, where its class has a place.

A value that is None in another class than ours stays None: pipelines do other things where it is
set. `scaling_factor` brings the latents that a pipeline sees to a mean square of 1; ours divides by
the spread of the channels alone, because means are subtracted before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from vae_training.model.adapters import OURS

_FIELDS = ("latents_mean", "latents_std", "scaling_factor", "shift_factor")


def write_statistics(model: Any, mean: Sequence[float], std: Sequence[float]) -> None:
    """Set those of the class of `model` from the `mean` and `std` of each latent channel."""
    config, ours = model.config, type(model).__name__ == OURS
    told: dict[str, Any] = {}
    if ours or config.get("latents_mean") is not None:
        told |= {"latents_mean": list(mean), "latents_std": list(std)}
    squares = [s * s for s in std]
    if not ours:
        shift = 0.0
        if config.get("shift_factor") is not None:
            shift = told["shift_factor"] = sum(mean) / len(mean)
        squares = [s * s + (m - shift) ** 2 for m, s in zip(mean, std, strict=True)]
    if "scaling_factor" in config:
        told["scaling_factor"] = 1.0 / math.sqrt(sum(squares) / len(squares))
    model.register_to_config(**told)
    if hasattr(model, "bn"):  # AutoencoderKLFlux2: of latents folded to 2 x 2 positions
        cells = model.bn.num_features // len(mean)
        model.bn.running_mean.copy_(torch.tensor(mean).repeat_interleave(cells))
        model.bn.running_var.copy_(torch.tensor(std).square().repeat_interleave(cells))


def copy_statistics(finished: Path, model: Any) -> None:
    """Set those of `model` to those of a folder, when it holds a model of a finished run."""
    config = finished / "config.json"
    if not config.is_file():
        return
    told = json.loads(config.read_text())
    model.register_to_config(**{name: told[name] for name in _FIELDS if name in told})
    buffers = dict(model.named_buffers())
    if buffers:
        for path in sorted(finished.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                for name in buffers.keys() & set(file.keys()):
                    buffers[name].copy_(file.get_tensor(name))
