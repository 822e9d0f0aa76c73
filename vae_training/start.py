"""Put a run together: what its folder holds, the corpus, the model, and the trainer over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vae_training import snapshot
from vae_training.checkpoint import Checkpoints
from vae_training.config import TrainSettings
from vae_training.ranks import Ranks
from vae_training.run import build_objective, open_data, oversized
from vae_training.trainer import Trainer


def prepare(
    settings: TrainSettings,
    ranks: Ranks,
    *,
    clock: Callable[[], float],
    stopped: Callable[[], bool],
) -> tuple[Trainer, list[str]]:
    """The trainer, where the run stands, and what people should know; called by all ranks.

    ValueError (CorpusError, CheckpointError) says what does not fit and what to do.
    """
    checkpoints = Checkpoints(
        Path(settings.out) / "checkpoints",
        keep=settings.keep_checkpoints,
        group=ranks.background,
    )
    found = checkpoints.latest()
    settings = snapshot.settle(settings, ranks.world, found)
    data = open_data(settings, ranks.world)
    objective, notes = build_objective(settings, data.curriculum)
    notes += oversized(settings, data)
    if found is not None:
        notes += snapshot.changes(settings, found)
    trainer = Trainer(
        settings, data, objective, ranks, checkpoints, found, clock=clock, stopped=stopped
    )
    return trainer, notes
