"""Assemble a run from its settings: checkpoint, data, model and losses, and the trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from vae_corpus.curriculum import Curriculum
from vae_corpus.settings import SettingsError
from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data
from vae_training.distributed import Ranks
from vae_training.fit import fit_skips
from vae_training.losses import dino, lpips
from vae_training.losses.objective import Objective
from vae_training.model import Autoencoder, build
from vae_training.model.adapters import OURS
from vae_training.model.folder import load, start_of
from vae_training.model.freeze import freeze
from vae_training.state import snapshot
from vae_training.state.checkpoint import Checkpoints
from vae_training.trainer import Trainer


def assemble(
    settings: TrainSettings,
    ranks: Ranks,
    *,
    clock: Callable[[], float],
    stopped: Callable[[], bool],
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Trainer, list[str]]:
    """The trainer, at the newest checkpoint of its folder, and notes for people.

    `tell` hears what takes a while before. All ranks call it together. ValueError (CorpusError,
    CheckpointError) says what does not fit and what to do.
    """
    checkpoints = Checkpoints(
        Path(settings.out) / "checkpoints",
        keep=settings.keep_checkpoints,
        group=ranks.background,
        device=ranks.device,
    )
    found = checkpoints.latest()
    start = start_of(settings.init) if settings.init else None
    settings = snapshot.settle(settings, ranks.world, found, start)
    data = open_data(
        settings,
        ranks.world,
        tell,
        local_rank=ranks.local_rank,
        local_world=ranks.local_world,
    )
    objective, notes = build_objective(settings, data.curriculum)
    if found is not None:
        notes += snapshot.changes(settings, found)
    elif isinstance(objective.autoencoder, Autoencoder) and not settings.init:
        fit_skips(
            objective.autoencoder,
            data,
            ranks,
            crops=settings.skip_samples,
            workers=settings.workers,
        )
    trainer = Trainer(
        settings,
        data,
        objective,
        ranks,
        checkpoints,
        found,
        start=start,
        clock=clock,
        stopped=stopped,
    )
    return trainer, notes


def build_objective(settings: TrainSettings, curriculum: Curriculum) -> tuple[Objective, list[str]]:
    """The model with its losses, and a sentence for each loss that is off.

    SettingsError where a phase asks for one whose weights are neither given nor declined.
    """
    off = _losses_off(settings, curriculum)
    torch.manual_seed(settings.seed)
    model = build_model(settings)
    freeze(model, settings.train)
    judge = lpips.load_lpips(settings.lpips_weights) if settings.lpips_weights else None
    features = dino.load_features(settings.dino, settings.dino_layer) if settings.dino else None
    adaptive = settings.align_weight_max if settings.align_weight == "adaptive" else None
    return Objective(model, judge, features, adaptive=adaptive), _notes(settings, model) + off


def build_model(settings: TrainSettings) -> Any:
    """The model that the settings name, new or from a folder, and how it is to be computed."""
    if settings.init:
        model = load(settings.init)
    else:
        model = build(
            settings.model,
            encoder_skip=settings.encoder_skip,
            decoder_skip=settings.decoder_skip,
        )
    if type(model).__name__ == OURS:
        model.use_subpixel_convolutions(settings.subpixel_convolutions)
        model.recompute_activations(
            settings.recompute or settings.recompute_levels is not None, settings.recompute_levels
        )
    elif settings.recompute:
        model.enable_gradient_checkpointing()
    return model


def _losses_off(settings: TrainSettings, curriculum: Curriculum) -> list[str]:
    notes = []
    for name, setting, ways_out in (
        ("lpips", "lpips_weights", lpips.WAYS_OUT),
        ("align", "dino", dino.WAYS_OUT),
    ):
        path = getattr(settings, setting)
        asking = [p.name for p in curriculum.phases if name in p.loss and p.loss[name].used]
        asked = f"phases {', '.join(asking)} ask for it"
        if path:
            continue
        if not asking:
            notes.append(f"{name} is off: no phase asks for it")
        elif name == "align" and not settings.encoder_learns:
            notes.append("align is off: it teaches the encoder alone, which does not learn")
        elif path is None:
            notes.append(f"{name} is off by --{setting} none: {asked}")
        else:
            raise SettingsError(f"{name}: {asked}, and --{setting} is not given: {ways_out}")
    return notes


def _notes(settings: TrainSettings, model: Any) -> list[str]:
    """What does not learn, and what an image cannot teach."""
    notes = []
    if not settings.encoder_learns:
        notes.append(f"--train {settings.train}: the encoder stays, and latents with it")
    if settings.weight_decay and any(weight.ndim == 5 for weight in model.parameters()):
        notes.append(
            f"--weight_decay {settings.weight_decay:g} shrinks what kernels see of earlier frames,"
            " which images do not teach: give 0 to keep the model for video"
        )
    return notes
