"""The training loop: batches in, steps, checkpoints, validations, a report at the end.

A run is its folder: `checkpoints/`, what `journal` writes, `model/` (diffusers format, averaged
weights) and `grid.png`. The same command resumes it. The loss of every step is the same with and
without interruption, bit for bit on a CPU.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from vae_training import parallel, snapshot
from vae_training.boards import Board, TensorBoard, Wandb
from vae_training.checkpoint import Checkpoint, CheckpointError, Checkpoints
from vae_training.config import TrainSettings
from vae_training.data.feed import feed
from vae_training.data.loader import Batch, Loader
from vae_training.data.order import State
from vae_training.ema import Ema
from vae_training.grid import write_grid
from vae_training.journal import Journal, StepReport
from vae_training.losses import Objective
from vae_training.optimizer import make_optimizer, rate
from vae_training.ranks import Ranks
from vae_training.run import Data
from vae_training.speed import peak_flops, training_flops_per_px
from vae_training.validation import Report, decibels, to_model, validate

_KEYS_TOLD = 16


class NonFiniteLoss(RuntimeError):
    """Loss or gradient is no number; the state before the step has been saved."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run left. `report` is None when it was stopped before its end."""

    step: int
    checkpoint: Path
    damaged: tuple[str, ...]
    speed: str
    report: Report | None = None
    grid: Path | None = None
    model: Path | None = None


class Trainer:
    """One run, on all ranks together. `stopped` is asked once a step; `clock` gives seconds."""

    def __init__(
        self,
        settings: TrainSettings,
        data: Data,
        objective: Objective,
        ranks: Ranks,
        checkpoints: Checkpoints,
        found: Checkpoint | None,
        *,
        clock: Callable[[], float],
        stopped: Callable[[], bool],
    ) -> None:
        self.settings, self.data, self.ranks = settings, data, ranks
        self.folder = Path(settings.out)
        self.total = data.order.schedule.total
        self._checkpoints, self._clock, self._stopped = checkpoints, clock, stopped
        on_gpu = ranks.device.type == "cuda"
        self._half = settings.precision == "bf16" or (settings.precision == "auto" and on_gpu)
        # Whole and on the CPU until it is filled with the averages, to be validated and saved.
        self._shown = copy.deepcopy(objective.autoencoder).eval().requires_grad_(False)
        sharded = settings.sharding == "fsdp"
        # FSDP2 takes contiguous weights only; activations are channels last all the same.
        layout = torch.contiguous_format if sharded else torch.channels_last
        self._objective = objective.to(ranks.device, memory_format=layout)
        for frozen in objective.frozen():
            frozen.to(ranks.device)
        if settings.compile:
            parallel.compile_halves(objective)
        if sharded:
            parallel.shard(objective, ranks, half_precision=self._half)
        self._ema = Ema(objective.autoencoder, settings.ema_decay)
        self._optimizer = make_optimizer(objective, settings)
        self.state = data.order.start()
        self._saved: Path | None = None
        if found is not None:
            self._restore(found)
        self._wrapped = objective if sharded else parallel.replicate(objective, ranks)

    def run(self) -> Outcome:
        """Train to the end, or until `stopped` says so on any rank; the state is saved."""
        loader = Loader(
            shards=self.data.shards,
            order=self.data.order,
            workers=self.settings.workers,
            rank=self.ranks.rank,
            world=self.ranks.world,
            pin=self.ranks.device.type == "cuda",
        )
        journal = self._journal() if self.ranks.first else None
        self._flops_per_px = training_flops_per_px(self._shown)
        batches = feed(loader.batches(self.state, self.total), self.ranks.device)
        try:
            self._wrapped.train()
            stop = self.ranks.sums([float(self._stopped())])[0] > 0
            while self.state.step < self.total and not stop:
                stop = self._train(batches, journal)
                if self.state.step % self.settings.checkpoint_every == 0:
                    self._save()
                every = self.settings.validate_every
                if every and self.state.step % every == 0 and self.state.step < self.total:
                    self._validate(journal)
            self._save()
            outcome = self._finish(journal)
            self._checkpoints.wait()
            return outcome
        finally:
            batches.close()
            self._checkpoints.close()
            if journal:
                journal.close()

    def _journal(self) -> Journal:
        first, out = self.state.step, self.folder
        boards: list[Board] = [TensorBoard(out / "tensorboard", first)]
        if self.settings.wandb:
            boards.append(Wandb(self.settings.wandb, out, self.settings.model_dump()))
        peak = peak_flops(self.ranks.device, self.settings.peak_tflops)
        return Journal(
            out,
            boards,
            first_step=first,
            total=self.total,
            peak_flops=peak and peak * self.ranks.world,
            clock=self._clock,
        )

    def _train(self, batches: Iterator[Batch], journal: Journal | None) -> bool:
        """One step; True when some rank has been asked to stop."""
        began = self._clock()
        batch = next(batches)
        waited = self._clock() - began
        draw, phase = batch.draw, self.data.curriculum.phases[batch.draw.phase]
        for group in self._optimizer.param_groups:
            group["lr"] = rate(self.settings, draw.step, self.total)
        x = to_model(batch.pixels)
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self._half):
            terms: dict[str, Tensor] = self._wrapped(x, phase.loss_weights(draw.progress))
        errors = terms.pop("squared_error")
        terms["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self._objective.trained(), self.settings.grad_clip)
        terms["grad_norm"] = norm.full_tensor() if isinstance(norm, DTensor) else norm
        # One look at the device and one exchange between ranks per step.
        seen = torch.cat([torch.stack([v.detach() for v in terms.values()]).double(), errors])
        own = seen.tolist()
        kinds = sorted({group.kind for group in self.data.order.groups})
        of_kind = _psnr_sums(own[len(terms) :], self._kinds(batch), kinds)
        stop, *sums = self.ranks.sums([float(self._stopped()), *own[: len(terms)], *of_kind])
        scalars = {n: s / self.ranks.world for n, s in zip(terms, sums, strict=False)}
        if not all(math.isfinite(value) for value in scalars.values()):
            self._optimizer.zero_grad(set_to_none=True)
            self._refuse(batch, scalars, math.isfinite(own[0]))
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._ema.update(self._objective.autoencoder, draw.step)
        self.state = draw.after
        self._saved = None
        if journal:
            px = len(draw.rows) * draw.bucket.width * draw.bucket.height
            journal.step(
                StepReport(
                    step=draw.step,
                    phase=phase.name,
                    phase_number=draw.phase + 1,
                    phases=len(self.data.curriculum.phases),
                    phase_done=draw.progress,
                    scalars={**scalars, "lr": self._optimizer.param_groups[0]["lr"]},
                    psnr=_psnr_means(sums[len(terms) :], kinds),
                    images=len(draw.rows),
                    px=px,
                    flops=px * self._flops_per_px,
                    rung=draw.rung,
                    bucket=str(draw.bucket),
                    step_s=max(self._clock() - began, 1e-9),
                    wait_s=waited,
                    damaged=batch.damaged,
                )
            )
        return stop > 0

    def _kinds(self, batch: Batch) -> list[str]:
        own = batch.draw.groups[self.ranks.rank :: self.ranks.world]
        return [self.data.order.groups[number].kind for number in own]

    def _refuse(self, batch: Batch, scalars: dict[str, float], finite: bool) -> None:
        """Save, name the images of the ranks whose own loss is no number, and raise."""
        self._save()
        self._checkpoints.wait()
        keys = [self.data.shards.key(row) for row in batch.rows]
        told = self.ranks.gather((finite, keys))
        suspects = [key for fine, some in told if not fine for key in some]
        suspects = suspects or [key for _, some in told for key in some]
        path = self.folder / f"refused-step-{batch.draw.step:08d}.json"
        said = {name: str(value) for name, value in scalars.items()}
        if self.ranks.first:
            path.write_text(json.dumps({"scalars": said, "keys": suspects}, indent=1) + "\n")
        values = ", ".join(f"{name} {value}" for name, value in said.items())
        more = f" and {len(suspects) - _KEYS_TOLD} more in {path}" * (len(suspects) > _KEYS_TOLD)
        raise NonFiniteLoss(
            f"step {batch.draw.step}: {values}. The state before it is saved in"
            f" {self.folder / 'checkpoints'}. Lower --lr or --grad_clip, or look at the batch:"
            f" {', '.join(suspects[:_KEYS_TOLD])}{more}"
        )

    def _validate(self, journal: Journal | None) -> tuple[Report, Path]:
        """Judge the averaged weights on the held-out samples, shared by the ranks."""
        self._ema.write_to(self._shown)
        self._shown.to(self.ranks.device, memory_format=torch.channels_last)
        rows = self.data.holdout.validation
        report = validate(
            self._shown, self.data.shards, rows, self.ranks, half_precision=self._half
        )
        self._shown.cpu()
        newest = self.folder / "grid.png"
        if journal:
            title = f"{self.settings.model}, {self.state.step} steps"
            path = self.folder / "grids" / f"step-{self.state.step:08d}.png"
            write_grid(report.pairs, title, path)
            shutil.copyfile(path, newest)
            journal.validation(self.state.step, report.psnr(), report.skip_psnr(), path)
        return report, newest

    def _finish(self, journal: Journal | None) -> Outcome:
        saved = self._saved or self.folder
        report = grid = model = None
        if self.state.step >= self.total:
            report, grid = self._validate(journal)
            if self.ranks.first:
                model = self._publish(report)
        return Outcome(
            step=self.state.step,
            checkpoint=saved,
            damaged=tuple(journal.damaged) if journal else (),
            speed=journal.speed() if journal else "",
            report=report,
            grid=grid,
            model=model,
        )

    def _publish(self, report: Report) -> Path:
        """Save the averaged weights in diffusers format, with what is known of the latents."""
        spread = sum(s * s for s in report.latents_std) / len(report.latents_std)
        self._shown.register_to_config(
            latents_mean=report.latents_mean,
            latents_std=report.latents_std,
            scaling_factor=1.0 / math.sqrt(spread),
        )
        self._shown.save_pretrained(self.folder / "model")
        return self.folder / "model"

    def _save(self) -> None:
        if self._saved is not None:
            return
        self._saved = self._checkpoints.save(
            self.state.step,
            snapshot.tensors(self._objective, self._ema, self._optimizer, self.ranks),
            snapshot.info(self.settings, self.state, self.data.order, self.ranks),
        )

    def _restore(self, found: Checkpoint) -> None:
        if found.info["corpus_digest"] != self.data.order.digest():
            raise CheckpointError(
                f"the corpus has changed since {found.path} was saved, so its place in it is"
                " lost: choose another --out, or delete the folder to start anew"
            )
        snapshot.restore(
            self._checkpoints, found, self._objective, self._ema, self._optimizer, self.ranks
        )
        self.state = State.from_json(found.info["state"])
        self._saved = found.path


def _psnr_sums(errors: list[float], kinds: list[str], names: list[str]) -> list[float]:
    """Sums of PSNR in dB, then counts, per name, of images with these mean squared errors."""
    sums: dict[str, float] = defaultdict(float)
    for error, kind in zip(errors, kinds, strict=True):
        # Images lie in [-1, 1]. A non-finite error ends the step anyway.
        sums[kind] += decibels(error * 127.5**2) if math.isfinite(error) else 0.0
    return [sums[name] for name in names] + [float(kinds.count(name)) for name in names]


def _psnr_means(sums: list[float], names: list[str]) -> dict[str, float]:
    pairs = zip(names, sums[: len(names)], sums[len(names) :], strict=True)
    return {name: total / count for name, total, count in pairs if count}
