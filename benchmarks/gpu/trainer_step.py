"""A step of the trainer's own code with its defaults: what is timed is what trains."""

from __future__ import annotations

import dataclasses
import itertools
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch

from benchmarks.gpu import judges
from benchmarks.gpu.plan import Cell, Setup
from vae_corpus.curriculum import LossWeights
from vae_training.distributed import Ranks
from vae_training.losses.objective import Objective
from vae_training.model import Autoencoder
from vae_training.model.pixels import to_model
from vae_training.update import Update

# The trainer's defaults, and the recipes' groups of weights; its settings need pydantic, which a
# bare machine has not.
_DEFAULTS = {
    "precision": "auto",
    "sharding": "ddp",
    "compile": "auto",
    "cudnn_benchmark": False,
    "accumulate": 1,
    "gradients": "fp32",
    "ema_decay": 0.9999,
    "grad_clip": 1.0,
    "lr_fan_in": 108,
    "weight_decay": 0.01,
    "lr": 1e-4,
}


def trainer_step(
    model: Autoencoder, cell: Cell, setup: Setup, device: str
) -> Callable[[], dict[str, Any]]:
    """A closure that takes one step from uint8 pixels on the device, and gives its scalars."""
    model.train().recompute_activations(setup.recompute, setup.recompute_levels)
    judged = dataclasses.replace(setup, short_dino=True)
    objective = Objective(
        model,
        judges.lpips(judged, device) if setup.full_loss else None,
        judges.features(judged, device) if setup.full_loss else None,
        adaptive=judges.LARGEST_WEIGHT if setup.full_loss and setup.adaptive else None,
    )
    alone = Ranks(device=torch.device(device), rank=0, world=1, nodes=1, background=cast(Any, None))
    update = Update(objective, cast(Any, types.SimpleNamespace(**_DEFAULTS)), alone)
    update.start()
    weights = LossWeights(lpips=1.0, align=0.5) if setup.full_loss else LossWeights()
    size = (cell.batch, cell.px, cell.px, 3)
    pixels = torch.randint(256, size, device=device, dtype=torch.uint8)
    steps = itertools.count()

    def step() -> dict[str, Any]:
        number = next(steps)
        names, seen = update.gradients(to_model(pixels), weights, number)
        own = seen.tolist()
        update.apply(number)
        return dict(zip(names, own, strict=False))

    return step


def waits(step: Callable[[], object]) -> list[str]:
    """The places of a step that wait for the GPU, once each time; the look at its scalars is one.

    torch tells waits of its own calls only.
    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return [
        "/".join(Path(w.filename).parts[-2:]) + f":{w.lineno}"
        for w in told
        if "synchroniz" in str(w.message)
    ]
