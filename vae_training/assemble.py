"""Assemble a run from its settings: checkpoint, data, model and losses, and the trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from vae_corpus.curriculum import Curriculum
from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data, oversized
from vae_training.distributed import Ranks
from vae_training.losses.dino import load_features
from vae_training.losses.lpips import load_lpips
from vae_training.losses.objective import Objective
from vae_training.model import build
from vae_training.state import snapshot
from vae_training.state.checkpoint import Checkpoints
from vae_training.trainer import Trainer


def assemble(
    settings: TrainSettings,
    ranks: Ranks,
    *,
    clock: Callable[[], float],
    stopped: Callable[[], bool],
) -> tuple[Trainer, list[str]]:
    """The trainer, at the newest checkpoint of its folder, and notes for people.

    All ranks call it together. ValueError (CorpusError, CheckpointError) says what does not fit
    and what to do.
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


def build_objective(settings: TrainSettings, curriculum: Curriculum) -> tuple[Objective, list[str]]:
    """The model with its losses, and a sentence for each loss that is off."""
    torch.manual_seed(settings.seed)
    model = build(
        settings.model,
        encoder_skip=settings.encoder_skip,
        decoder_skip=settings.decoder_skip,
    )
    model.use_subpixel_convolutions(settings.subpixel_convolutions)
    model.recompute_activations(
        settings.recompute or settings.recompute_levels is not None, settings.recompute_levels
    )
    lpips = load_lpips(settings.lpips_weights) if settings.lpips_weights else None
    features = load_features(settings.dino, settings.dino_layer) if settings.dino else None
    notes = []
    for name, setting, there in (("lpips", "lpips_weights", lpips), ("align", "dino", features)):
        asked = [p.name for p in curriculum.phases if name in p.loss and p.loss[name].used]
        if there is None and asked:
            notes.append(f"{name} is off: {', '.join(asked)} ask for it; give --{setting} PATH")
        elif there is None:
            notes.append(f"{name} is off: no phase asks for it")
    adaptive = settings.align_weight_max if settings.align_weight == "adaptive" else None
    return Objective(model, lpips, features, adaptive=adaptive), notes
