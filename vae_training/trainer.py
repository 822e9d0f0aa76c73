"""The training loop: steps, checkpoints, validations, and the trained model at the end.

A run is a folder: `checkpoints/`, `data.json` (of `state/provenance`), the files of
`watch/journal`, `model/` (averaged weights, as of `state/export`) and `grid.png`. The same command
resumes it. The loss of every step is the same with and without interruption, bit for bit on a CPU.
"""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vae_corpus.curriculum import CorpusError
from vae_corpus.seeds import generator
from vae_training.compilation import memory_layout
from vae_training.config import TrainSettings
from vae_training.data.corpus import Data
from vae_training.data.feed import feed
from vae_training.data.loader import Batch, Loader
from vae_training.data.order import State
from vae_training.distributed import Ranks, lost
from vae_training.latents import latent_statistics
from vae_training.losses.objective import Objective
from vae_training.metrics.psnr import psnr_means, psnr_sums
from vae_training.model.folder import Start
from vae_training.model.pixels import to_model
from vae_training.optimizer import rate, set_rate
from vae_training.state import snapshot
from vae_training.state.checkpoint import Checkpoint, CheckpointError, Checkpoints
from vae_training.state.export import save
from vae_training.state.provenance import record
from vae_training.state.statistics import write_statistics
from vae_training.update import Update
from vae_training.validation import Report, validate
from vae_training.warm_up import warm_up
from vae_training.watch.boards import open_boards
from vae_training.watch.end_of_data import end_of_data
from vae_training.watch.journal import Journal, StepReport
from vae_training.watch.nonfinite import give_up, refuse
from vae_training.watch.picture_grid import write_grid
from vae_training.watch.speed import peak_flops, training_flops_per_px

_DRAWS = 2**31


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a run; `report`, `grid` and `model` are None if it was stopped early.

    `refused` steps of the whole run were not taken, those before it was resumed among them.
    """

    step: int
    checkpoint: Path
    damaged: tuple[str, ...]
    refused: int
    speed: str
    report: Report | None = None
    grid: Path | None = None
    model: Path | None = None


class Trainer:
    """One run, on all ranks together. `stopped` is asked once a step; `clock` gives seconds.

    `start` is what checkpoints tell of the folder that the weights of `objective` come from.
    """

    def __init__(
        self,
        settings: TrainSettings,
        data: Data,
        objective: Objective,
        ranks: Ranks,
        checkpoints: Checkpoints,
        found: Checkpoint | None,
        *,
        start: Start | None = None,
        clock: Callable[[], float],
        stopped: Callable[[], bool],
    ) -> None:
        self.settings, self.data, self.ranks = settings, data, ranks
        self.name = settings.model or type(objective.autoencoder).__name__
        self.folder, self._start = Path(settings.out), start
        self.total = data.order.schedule.total
        self._checkpoints, self._clock, self._stopped = checkpoints, clock, stopped
        # Receives the averages, to be validated and saved; unsharded, and on the CPU meanwhile.
        self._averaged = copy.deepcopy(objective.autoencoder).eval().requires_grad_(False)
        self._update = Update(objective, settings, ranks)
        self.state = data.order.start()
        # Refused steps in a row, up to now, and the state before the first of them.
        self._row, self._before_row = 0, self.state
        self._saved: Path | None = None
        if found is not None:
            self._restore(found)
        self._update.start()

    def run(self) -> Outcome:
        """Train to the end, or until `stopped` is True on any rank; the state is saved."""
        self._loader = Loader(
            shards=self.data.shards,
            order=self.data.order,
            workers=self.settings.workers,
            rank=self.ranks.rank,
            world=self.ranks.world,
            nodes=self.ranks.nodes,
            pin=self.ranks.device.type == "cuda",
        )
        if self.ranks.first:
            record(self.folder, self.data)
        peak = peak_flops(self.ranks.device, self.settings.peak_tflops)
        journal = self._journal(peak) if self.ranks.first else None
        self._flops_per_px = 0.0
        if peak:
            self._flops_per_px = training_flops_per_px(self._averaged, self.settings.train)
        self._warm_up(journal)
        batches = feed(self._loader.batches(self.state, self.total), self.ranks.device)
        try:
            stop = self.ranks.sums([float(self._stopped())])[0] > 0
            first, room = self.state.step, False
            while self.state.step < self.total and not stop:
                stop = self._train(batches, journal)
                if self.state.step == first + 1:  # compiled, and all data opened
                    self.ranks.limit(self.settings.timeout_s)
                if not room and not self._row:  # the optimizer has a state since a step was taken
                    room = True
                    self._checkpoints.make_room(self._to_save())
                if self.state.step % self.settings.checkpoint_every == 0:
                    self._save()
                every = self.settings.validate_every
                if every and self.state.step % every == 0 and self.state.step < self.total:
                    self._validate(journal)
            self._save()
            outcome = self._finish(journal)
            self._checkpoints.wait()
            return outcome
        except RuntimeError as error:
            if lost(error):
                self._checkpoints.abandon()
            raise
        finally:
            batches.close()
            self._checkpoints.close()
            if journal:
                journal.close()

    def _warm_up(self, journal: Journal | None) -> None:
        """On a GPU; a CPU has nothing to choose and nothing to compile."""
        if self.ranks.device.type == "cuda" and self.state.step < self.total:
            phase, _ = self.data.order.schedule.at(self.state.step)
            took = warm_up(
                self._update,
                self.data,
                self.ranks,
                phase,
                clock=self._clock,
                stopped=self._stopped,
            )
            if journal:
                journal.note(took)

    def _journal(self, peak: float | None) -> Journal:
        return Journal(
            self.folder,
            open_boards(self.folder, self.state.step, self.settings),
            first_step=self.state.step,
            total=self.total,
            peak_flops=peak and peak * self.ranks.world,
            clock=self._clock,
        )

    def _train(self, batches: Iterator[Batch], journal: Journal | None) -> bool:
        """One step; True when some rank has been asked to stop."""
        began = self._clock()
        batch, unread = self._next(batches)
        waited = self._clock() - began
        chosen, phase = batch.selection, self.data.curriculum.phases[batch.selection.phase]
        lr = rate(self.settings, chosen.step, self.total)
        set_rate(self._update.optimizer, lr, self.settings)
        terms, seen = self._update.gradients(
            to_model(batch.pixels),
            phase.loss_weights(chosen.progress),
            # All ranks look at the same window of their images.
            int(generator(self.settings.seed, "window", chosen.step).integers(_DRAWS)),
        )
        # One synchronisation with the device and one all-reduce per step.
        own = seen.tolist()
        groups = self.data.order.groups
        kinds = sorted({group.kind for group in groups})
        own_kinds = [groups[chosen.groups[slot]].kind for slot in batch.slots]
        of_kind = psnr_sums(own[len(terms) :], own_kinds, kinds)
        flags = [float(self._stopped()), float(unread is not None)]
        stop, out_of_data, *sums = self.ranks.sums([*flags, *own[: len(terms)], *of_kind])
        if out_of_data:
            self._update.discard()
            self._save()
            self._checkpoints.wait()
            raise end_of_data(unread, self.ranks, saved=self.folder / "checkpoints")
        scalars = {n: s / self.ranks.world for n, s in zip(terms, sums, strict=False)}
        if not all(math.isfinite(value) for value in scalars.values()):
            self._refuse(batch, scalars, math.isfinite(own[0]), journal)
            return stop > 0
        self._checkpoints.before_change()
        self._update.apply(chosen.step)
        self.state, self._row = chosen.after, 0
        self._saved = None
        if journal:
            report = StepReport(
                selection=chosen,
                phase=phase.name,
                phases=len(self.data.curriculum.phases),
                scalars={**scalars, "lr": lr},
                psnr=psnr_means(sums[len(terms) :], kinds),
                flops=chosen.px * self._flops_per_px,
                step_s=max(self._clock() - began, 1e-9),
                wait_s=waited,
                damaged=batch.damaged,
            )
            journal.step(report)
        return stop > 0

    def _refuse(
        self, batch: Batch, scalars: dict[str, float], finite: bool, journal: Journal | None
    ) -> None:
        """Do not take a step; all ranks, whose `scalars` are the same. NonFiniteLoss ends a row.

        `finite` is whether this rank's own loss is.
        """
        self._update.discard()
        if not self._row:
            self._before_row = self.state
        self._row += 1
        chosen, keys = batch.selection, [self.data.shards.key(row) for row in batch.rows]
        refused = refuse(
            self.folder, chosen.step, scalars, keys=keys, finite=finite, ranks=self.ranks
        )
        if journal:
            journal.refused(refused, batch.damaged)
        if self._row > self.settings.nonfinite_steps:
            self._save()
            self._checkpoints.wait()
            raise give_up(refused, self._row, self._saved or self.folder)
        self.state = chosen.after
        if self.state.step >= self.total:  # nothing comes that could be as bad: the row is over
            self._row, self._saved = 0, None

    def _next(self, batches: Iterator[Batch]) -> tuple[Batch, CorpusError | None]:
        """The next batch; one of black pixels where it cannot be read, and why.

        Other ranks wait for the gradient of this one, and then save the state with it.
        """
        try:
            return next(batches), None
        except CorpusError as error:
            blank = self._loader.blank(self.state)
            return replace(blank, pixels=blank.pixels.to(self.ranks.device)), error

    def _validate(self, journal: Journal | None) -> tuple[Report, Path]:
        """Validate the averaged weights; all ranks take part. Returns the path of the grid too."""
        model = self._averaged
        self._update.ema.write_to(model)
        layout = memory_layout(model)
        model.to(self.ranks.device, memory_format=layout)  # type: ignore[call-overload]
        rows = self.data.holdout.validation
        half = self._update.half_precision
        report = validate(model, self.data.shards, rows, self.ranks, half_precision=half)
        model.cpu()
        newest = self.folder / "grid.png"
        if journal:
            title = f"{self.name}, {self.state.step} steps"
            path = self.folder / "grids" / f"step-{self.state.step:08d}.png"
            write_grid(report.pairs, title, path)
            shutil.copyfile(path, newest)
            journal.validation(self.state.step, report, path)
        return report, newest

    def _finish(self, journal: Journal | None) -> Outcome:
        saved = self._saved or self.folder
        report = grid = model = None
        if self.state.step >= self.total:
            report, grid = self._validate(journal)
            self._describe_latents()
            if self.ranks.first:
                model = save(self._averaged, self.folder / "model", self.folder, self._info())
        return Outcome(
            step=self.state.step,
            checkpoint=saved,
            damaged=tuple(journal.damaged) if journal else (),
            refused=journal.refusals if journal else 0,
            speed=journal.speed() if journal else "",
            report=report,
            grid=grid,
            model=model,
        )

    def _describe_latents(self) -> None:
        """Give the averaged model the statistics of its latents; all ranks take part.

        A folder's own are left where its encoder has not learned: its latents are those of before.
        """
        if self._start is not None and not self.settings.encoder_learns:
            return
        model = self._averaged
        layout = memory_layout(model)
        model.to(self.ranks.device, memory_format=layout)  # type: ignore[call-overload]
        mean, std = latent_statistics(
            model,
            self.data,
            self.ranks,
            crops=self.settings.latent_samples,
            workers=self.settings.workers,
        )
        model.cpu()
        write_statistics(model, mean, std)

    def _info(self) -> dict[str, Any]:
        state, order = self._state_to_save(), self.data.order
        return snapshot.info(self.settings, state, order, self.ranks, start=self._start)

    def _state_to_save(self) -> State:
        """In a row of refused steps the one before it: a resumed run counts the whole row."""
        return self._before_row if self._row else self.state

    def _save(self) -> None:
        if self._saved is not None:
            return
        step = self._state_to_save().step
        self._saved = self._checkpoints.save(step, self._to_save(), self._info())

    def _to_save(self) -> dict[str, Any]:
        """The tensors that this rank saves, not copied; called by all ranks together."""
        update = self._update
        held = snapshot.tensors(update.objective, update.ema, update.optimizer, self.ranks)
        return snapshot.share(held, self.ranks.rank, self.ranks.world)

    def _restore(self, found: Checkpoint) -> None:
        if found.info["corpus_digest"] != self.data.order.digest():
            raise CheckpointError(
                f"the corpus has changed since {found.path} was saved, so its place in it is"
                " lost: choose another --out, or delete the folder to start anew"
            )
        update = self._update
        snapshot.restore(
            self._checkpoints, found, update.objective, update.ema, update.optimizer, self.ranks
        )
        self.state = State.from_json(found.info["state"])
        self._saved = found.path
