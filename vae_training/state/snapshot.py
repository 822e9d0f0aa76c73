"""The content of a checkpoint: collected, restored, and compared with the settings of now."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor

from vae_training.config import UPDATE, TrainSettings
from vae_training.data.order import Order, State
from vae_training.distributed import Ranks
from vae_training.losses import objective as losses
from vae_training.losses.objective import Objective
from vae_training.model.folder import Start
from vae_training.state.checkpoint import Checkpoint, CheckpointError, Checkpoints
from vae_training.state.ema import Ema

# Raised when tensors or data state of an older checkpoint mean something else: names of weights,
# order of samples, crops.
VERSION = 5
# A run with another value of these cannot be resumed.
_FIXED = (
    *("model", "encoder_skip", "decoder_skip", "train", "seed", "validation_samples"),
    "shuffle_shards",
)
# Of settings that runs of this version were begun without.
_LATER = {"train": "all", "accumulate": 1, "gradients": "fp32", "lr_fan_in": 0}
_RATES = ("lr", "lr_fan_in")
# These may change when a run is resumed; its losses then differ from there on.
_COURSE = (
    "steps",
    "batch_pixels",
    "batch_multiple",
    "accumulate",
    *UPDATE,
    "gradients",
    "precision",
    "dino_layer",
    "align_weight",
    "align_weight_max",
)
# Optimizer state is named by weight, not by number, so that any number of ranks can read it.
_BY_NAME = StateDictOptions(flatten_optimizer_state_dict=True)


def settle(
    settings: TrainSettings, world: int, found: Checkpoint | None, start: Start | None = None
) -> TrainSettings:
    """Settings with `batch_multiple` as given, else as saved, else one image per rank.

    A resumed run so keeps its batches on another number of ranks, and learning rates that it was
    not given stay when defaults change. CheckpointError when the folder
    holds another run, one that did not begin from `start`, or one whose batches `world` ranks
    cannot share.
    """
    if found is None:
        return _with_multiple(settings, settings.batch_multiple or world)
    if (saved_by := found.info.get("version", 1)) != VERSION:
        raise CheckpointError(
            f"{found.path} has version {saved_by}, this trainer reads version {VERSION}: resume"
            " with the code that saved it, or choose another --out"
        )
    was, now = _LATER | found.info["settings"], settings.model_dump()
    before_it = found.info.get("start")
    # Told by what the folder holds: it may have moved.
    told = [("--init", before_it and str(Start.from_json(before_it)), start and str(start))]
    told += [(name, was[name], now[name]) for name in _FIXED]
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
    rates = {name: was[name] for name in _RATES if name not in settings.model_fields_set}
    kept = settings.model_copy(update=rates)
    return _with_multiple(kept, settings.batch_multiple or saved)


def changes(settings: TrainSettings, found: Checkpoint) -> list[str]:
    """A sentence for each change that makes the losses differ from here on."""
    was, now = _LATER | found.info["settings"], settings.model_dump()
    told = [(name, was[name], now[name]) for name in _COURSE if name in was]  # an older one may not
    told.append(("version of the losses", found.info["losses"], losses.VERSION))
    return [
        f"{name} was {before}, from here on it is {after}"
        for name, before, after in told
        if before != after
    ]


def tensors(
    objective: Objective, ema: Ema, optimizer: torch.optim.Optimizer, ranks: Ranks
) -> dict[str, Any]:
    """The tensors of a checkpoint, not copied; called by all ranks together.

    The optimizer is left out before its first step.
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


def share(held: dict[str, Any], rank: int, world: int) -> dict[str, Any]:
    """What `rank` saves of the tensors of a checkpoint: its shards, and a share of the rest.

    What all ranks hold alike is dealt out by bytes, so it is copied and written once, by all
    together.
    """
    loads = [0] * world

    def own(value: Any) -> bool:
        if not isinstance(value, Tensor) or isinstance(value, DTensor):
            return True
        lightest = loads.index(min(loads))
        loads[lightest] += value.nbytes
        return lightest == rank

    alike = {part: values for part, values in held.items() if part != "random"}
    kept = {part: {n: v for n, v in values.items() if own(v)} for part, values in alike.items()}
    return {part: values for part, values in kept.items() if values} | {"random": held["random"]}


def info(
    settings: TrainSettings,
    state: State,
    order: Order,
    ranks: Ranks,
    *,
    start: Start | None = None,
) -> dict[str, Any]:
    """The JSON part of a checkpoint: data state, settings, number of ranks.

    With `start`, where there is one: a model is built from it without the folder.
    """
    told = {
        "version": VERSION,
        "step": state.step,
        "state": state.to_json(),
        "corpus_digest": order.digest(),
        "settings": settings.model_dump(),
        "losses": losses.VERSION,
        "ranks": ranks.world,
    }
    return told | ({"start": start.to_json()} if start else {})


def restore(
    checkpoints: Checkpoints,
    found: Checkpoint,
    objective: Objective,
    ema: Ema,
    optimizer: torch.optim.Optimizer,
    ranks: Ranks,
) -> None:
    """Load weights, averages, optimizer and random state in place, on any number of ranks.

    Random states are kept where this rank or its device had none at saving.
    """
    held = tensors(objective, ema, optimizer, ranks)
    if f"random.rank{ranks.rank}.cpu" not in found.names:  # more ranks than at saving
        held.pop("random")
    elif f"random.rank{ranks.rank}.cuda" not in found.names:  # saved on a CPU
        held["random"][f"rank{ranks.rank}"].pop("cuda", None)
    if any(name.startswith("optimizer.") for name in found.names):
        # This call also creates the state of an optimizer that has made no step.
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
