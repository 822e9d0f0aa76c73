"""What a checkpoint holds, and whether a run may go on from it."""

from __future__ import annotations

from typing import Any

import torch
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

from vae_training.checkpoint import Checkpoint, CheckpointError, Checkpoints
from vae_training.config import TrainSettings
from vae_training.data.order import Order, State
from vae_training.ema import Ema
from vae_training.losses import Objective
from vae_training.ranks import Ranks

# Changing one of these means another run, not the same one resumed.
_FIXED = ("model", "encoder_skip", "decoder_skip", "seed", "validation_samples")
# These may change, and change the course of the run from there on.
_COURSE = (
    "steps",
    "batch_pixels",
    "batch_multiple",
    "lr",
    "schedule",
    "warmup_steps",
    "weight_decay",
    "grad_clip",
    "ema_decay",
    "precision",
    "dino_layer",
    "align_weight",
    "align_weight_max",
)
# Names by weight instead of by number, so that any number of ranks can read them.
_BY_NAME = StateDictOptions(flatten_optimizer_state_dict=True)


def settle(settings: TrainSettings, world: int, found: Checkpoint | None) -> TrainSettings:
    """Settings with the multiple of the batches decided: as given, as saved, or one per rank.

    The batches of a run stay the same on another number of ranks, so what was saved counts.
    CheckpointError when the folder holds another run, or `world` ranks cannot share its batches.
    """
    if found is None:
        return _with_multiple(settings, settings.batch_multiple or world)
    was, now = found.info["settings"], settings.model_dump()
    told = [(name, was[name], now[name]) for name in _FIXED]
    told.append(("--dino", _on(was["dino"]), _on(now["dino"])))
    for name, before, after in told:
        if before != after:
            raise CheckpointError(
                f"{found.path.parents[1]} holds a run with {name} {before}, now it is {after}:"
                " choose another --out, or delete the folder to start anew"
            )
    saved = int(was["batch_multiple"])
    if not settings.batch_multiple and saved % world:
        raise CheckpointError(
            f"{found.path.parents[1]} holds a run whose batches come in multiples of {saved}, which"
            f" {world} ranks cannot share evenly: use a number of ranks that divides {saved}, or"
            f" give --batch_multiple {world}, which changes the batches from here on"
        )
    return _with_multiple(settings, settings.batch_multiple or saved)


def changes(settings: TrainSettings, found: Checkpoint) -> list[str]:
    """A sentence for each setting that changes the course of the saved run from here on."""
    was, now = found.info["settings"], settings.model_dump()
    return [
        f"{name} was {was[name]}, from here on it is {now[name]}"
        for name in _COURSE
        if name in was and was[name] != now[name]  # an older version may lack it
    ]


def tensors(
    objective: Objective, ema: Ema, optimizer: torch.optim.Optimizer, ranks: Ranks
) -> dict[str, Any]:
    """All tensors of a checkpoint; those of weights are the live ones. Called by all ranks.

    An optimizer that has made no step yet has nothing to save.
    """
    random = {"cpu": torch.get_rng_state()}
    if ranks.device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(ranks.device)
    held: dict[str, Any] = {
        "objective": objective.state_dict(),
        "ema": ema.averages,
        "random": {f"rank{ranks.rank}": random},
    }
    if optimizer.state:
        held["optimizer"] = get_optimizer_state_dict(objective, optimizer, options=_BY_NAME)
    return held


def info(settings: TrainSettings, state: State, order: Order, ranks: Ranks) -> dict[str, Any]:
    """What a checkpoint says beside its tensors: place in the corpus, settings, ranks."""
    return {
        "step": state.step,
        "state": state.to_json(),
        "corpus_digest": order.digest(),
        "settings": settings.model_dump(),
        "ranks": ranks.world,
    }


def restore(
    checkpoints: Checkpoints,
    found: Checkpoint,
    objective: Objective,
    ema: Ema,
    optimizer: torch.optim.Optimizer,
    ranks: Ranks,
) -> None:
    """Load weights, averages, optimizer and random state in place, on any number of ranks."""
    held = tensors(objective, ema, optimizer, ranks)
    if f"random.rank{ranks.rank}.cpu" not in found.names:  # more ranks than there were
        held.pop("random")
    elif f"random.rank{ranks.rank}.cuda" not in found.names:  # saved by a CPU
        held["random"][f"rank{ranks.rank}"].pop("cuda", None)
    if any(name.startswith("optimizer.") for name in found.names):
        # Asking gives an optimizer without a step the tensors to be filled.
        held["optimizer"] = get_optimizer_state_dict(objective, optimizer, options=_BY_NAME)
    checkpoints.load(found, held)
    if "optimizer" in held:
        set_optimizer_state_dict(objective, optimizer, held["optimizer"], options=_BY_NAME)
    random = held.get("random", {}).get(f"rank{ranks.rank}", {})
    if "cpu" in random:
        torch.set_rng_state(random["cpu"])
    if "cuda" in random:
        torch.cuda.set_rng_state(random["cuda"], ranks.device)


def _with_multiple(settings: TrainSettings, multiple: int) -> TrainSettings:
    return settings.model_copy(update={"batch_multiple": multiple})


def _on(path: object) -> str:
    return "given" if path else "left out"
