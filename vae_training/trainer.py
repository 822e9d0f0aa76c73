"""The training loop: batches in, steps, checkpoints, a report at the end.

A run is its folder: `checkpoints/`, `steps.jsonl`, `tensorboard/`, `model/` (diffusers format,
averaged weights) and `grid.png`. The same command resumes it. The loss of every step is the same
with and without interruption, bit for bit on one CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from vae_training import checkpoint
from vae_training.checkpoint import CheckpointError
from vae_training.config import TrainSettings
from vae_training.data.loader import Batch, Loader
from vae_training.data.order import State
from vae_training.ema import Ema
from vae_training.grid import write_grid
from vae_training.journal import Journal, StepReport
from vae_training.losses import Objective
from vae_training.optimizer import make_optimizer, rate
from vae_training.ranks import Ranks
from vae_training.run import Data
from vae_training.validation import Report, to_model, validate

# Changing one of these means another run, not the same one resumed.
_FIXED = ("model", "encoder_skip", "decoder_skip", "seed", "validation_samples")


class NonFiniteLoss(RuntimeError):
    """Loss or gradient is no number; the state before the step has been saved."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run left. `report` is None when it was stopped before its end."""

    step: int
    checkpoint: Path
    damaged: tuple[str, ...]
    report: Report | None = None
    grid: Path | None = None
    model: Path | None = None


class Trainer:
    """One run. `stopped` is asked before each step; `clock` gives seconds."""

    def __init__(
        self,
        settings: TrainSettings,
        data: Data,
        objective: Objective,
        ranks: Ranks,
        *,
        clock: Callable[[], float],
        stopped: Callable[[], bool],
    ) -> None:
        self.settings, self.data, self.ranks = settings, data, ranks
        self.folder = Path(settings.out)
        self.total = data.order.schedule.total
        self._clock, self._stopped = clock, stopped
        self._objective = objective.to(ranks.device, memory_format=torch.channels_last)
        for frozen in objective.frozen():
            frozen.to(ranks.device)
        self._ema = Ema(objective.autoencoder, settings.ema_decay)
        self._optimizer = make_optimizer(objective, settings)
        self.state = data.order.start()
        self._saved: Path | None = None
        if (found := checkpoint.load_latest(self.folder / "checkpoints")) is not None:
            self._restore(found)
        self._wrapped = ranks.wrap(self._objective)

    def run(self) -> Outcome:
        """Train to the end, or until `stopped` says so; either way the state is saved."""
        loader = Loader(
            shards=self.data.shards,
            order=self.data.order,
            workers=self.settings.workers,
            rank=self.ranks.rank,
            world=self.ranks.world,
            pin=self.ranks.device.type == "cuda",
        )
        journal = None
        if self.ranks.first:
            journal = Journal(
                self.folder, first_step=self.state.step, total=self.total, clock=self._clock
            )
        batches = loader.batches(self.state, self.total)
        try:
            self._wrapped.train()
            while self.state.step < self.total and not self.ranks.any(self._stopped()):
                self._train(batches, journal)
                if self.state.step % self.settings.checkpoint_every == 0:
                    self._save()
            self._save()
            damaged = tuple(journal.damaged) if journal else ()
            return self._finish(journal, damaged)
        finally:
            batches.close()
            if journal:
                journal.close()

    def _train(self, batches: Iterator[Batch], journal: Journal | None) -> None:
        began = self._clock()
        batch = next(batches)
        waited = self._clock() - began
        draw, phase = batch.draw, self.data.curriculum.phases[batch.draw.phase]
        for group in self._optimizer.param_groups:
            group["lr"] = rate(self.settings, draw.step, self.total)
        x = to_model(batch.pixels.to(self.ranks.device, non_blocking=True))
        on_gpu = self.ranks.device.type == "cuda"
        with torch.autocast(self.ranks.device.type, dtype=torch.bfloat16, enabled=on_gpu):
            terms = self._wrapped(x, phase.loss_weights(draw.progress))
        terms["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self._objective.trained(), self.settings.grad_clip)
        scalars = {name: value.item() for name, value in terms.items()}
        scalars = self.ranks.means({**scalars, "grad_norm": norm.item()})
        if not all(math.isfinite(value) for value in scalars.values()):
            self._optimizer.zero_grad(set_to_none=True)
            self._refuse(batch, scalars)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._ema.update(self._objective.autoencoder, draw.step)
        self.state = draw.after
        self._saved = None
        if journal:
            journal.step(
                StepReport(
                    step=draw.step,
                    phase=phase.name,
                    scalars={**scalars, "lr": self._optimizer.param_groups[0]["lr"]},
                    images=len(draw.rows),
                    rung=draw.rung,
                    bucket=str(draw.bucket),
                    step_s=max(self._clock() - began, 1e-9),
                    wait_s=waited,
                    damaged=batch.damaged,
                )
            )

    def _refuse(self, batch: Batch, scalars: dict[str, float]) -> None:
        self._save()
        keys = ", ".join(self.data.shards.key(row) for row in batch.rows)
        told = ", ".join(f"{name} {value:g}" for name, value in scalars.items())
        raise NonFiniteLoss(
            f"step {batch.draw.step}: {told}. The state before it is saved in"
            f" {self.folder / 'checkpoints'}. Lower --lr or --grad_clip, or look at the batch:"
            f" {keys}"
        )

    def _finish(self, journal: Journal | None, damaged: tuple[str, ...]) -> Outcome:
        done = self.state.step >= self.total
        saved = self._saved or self.folder
        if not done or journal is None:
            return Outcome(step=self.state.step, checkpoint=saved, damaged=damaged)
        model = self._ema.model
        rows = self.data.holdout.validation
        report = validate(model, self.data.shards, rows, self.ranks.device)
        journal.validation(self.state.step, report.psnr())
        spread = sum(s * s for s in report.latents_std) / len(report.latents_std)
        model.register_to_config(
            latents_mean=report.latents_mean,
            latents_std=report.latents_std,
            scaling_factor=1.0 / math.sqrt(spread),
        )
        model.save_pretrained(self.folder / "model")
        title = f"{self.settings.model}, {self.state.step} steps"
        return Outcome(
            step=self.state.step,
            checkpoint=saved,
            damaged=damaged,
            report=report,
            grid=write_grid(report.pairs, title, self.folder / "grid.png"),
            model=self.folder / "model",
        )

    def _save(self) -> None:
        if self._saved is not None or not self.ranks.first:
            return
        tensors = {
            "objective": self._objective.state_dict(),
            "ema": self._ema.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }
        info = {
            "state": self.state.to_json(),
            "corpus_digest": self.data.order.digest(),
            "settings": self.settings.model_dump(),
        }
        self._saved = checkpoint.save(
            self.folder / "checkpoints",
            self.state.step,
            tensors,
            info,
            keep=self.settings.keep_checkpoints,
        )

    def _restore(self, found: checkpoint.Checkpoint) -> None:
        was, now = found.info["settings"], self.settings.model_dump()
        for name in _FIXED:
            if was[name] != now[name]:
                raise CheckpointError(
                    f"{self.folder} holds a run with {name} {was[name]}, now it is {now[name]}:"
                    " choose another --out, or delete the folder to start anew"
                )
        if found.info["corpus_digest"] != self.data.order.digest():
            raise CheckpointError(
                f"the corpus has changed since {found.path} was saved, so its place in it is"
                " lost: choose another --out, or delete the folder to start anew"
            )
        self._objective.load_state_dict(found.tensors["objective"])
        self._ema.model.load_state_dict(found.tensors["ema"])
        self._optimizer.load_state_dict(found.tensors["optimizer"])
        torch.set_rng_state(found.tensors["rng"])
        self.state = State.from_json(found.info["state"])
        self._saved = found.path
