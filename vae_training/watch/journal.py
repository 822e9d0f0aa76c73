"""The log of a run: rows in files, scalars on boards, progress lines on the terminal.

steps.jsonl        a row per step: losses, PSNR per kind, learning rate
refused.jsonl      a row per step that was not taken: its scalars, and the file with its images
validation.jsonl   a row per validation: PSNR per kind, of the model and of its skip alone; null
                   where all pictures are exact, whose number stands beside it
grids/             originals above reconstructions, per validation
tensorboard/       the same scalars and pictures, with speeds; Weights & Biases when asked for
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from vae_training.data.order import Selection
from vae_training.metrics.psnr import told
from vae_training.validation import Report
from vae_training.watch.boards import Board
from vae_training.watch.nonfinite import Refused

_SECONDS_PER_LINE = 2.0


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One optimisation step of all ranks; `step_s` includes `wait_s`, the wait for data.

    `phases` is their number in the curriculum. `psnr` is the mean of the training images per kind
    that differ, in dB and finite; `flops` are model FLOPs, where MFU is told.
    """

    selection: Selection
    phase: str
    phases: int
    scalars: dict[str, float]
    psnr: dict[str, float]
    flops: float
    step_s: float
    wait_s: float
    damaged: tuple[str, ...]


class Journal:
    """Writes below `folder` and to the boards, and prints; for the first rank only.

    Rows from `first_step` on, which a killed run wrote after its last checkpoint, are deleted.
    `peak_flops` is the sum over all ranks.
    """

    def __init__(
        self,
        folder: Path,
        boards: list[Board],
        *,
        first_step: int,
        total: int,
        peak_flops: float | None,
        clock: Callable[[], float],
    ) -> None:
        self._total, self._clock, self._peak = total, clock, peak_flops
        self._boards = boards
        self._files = {
            name: _continue(folder / f"{name}.jsonl", first_step)
            for name in ("steps", "refused", "validation")
        }
        self.refusals = (folder / "refused.jsonl").read_text(encoding="utf-8").count("\n")
        self._started_at, self._first = clock(), first_step
        self._phase = ""
        self._since_line = _Tally(clock())
        self._whole = _Tally(clock())
        self.damaged: list[str] = []

    def step(self, report: StepReport) -> None:
        """Record a step; print a line every 2 s, when a phase begins, and for the last step."""
        chosen = report.selection
        row = {"step": chosen.step, "phase": report.phase, "bucket": str(chosen.bucket)}
        values = report.scalars | {f"psnr_{kind}": value for kind, value in report.psnr.items()}
        self._write("steps", {**row, "rung": chosen.rung, **values})
        shown = {f"train/{name}": value for name, value in values.items()}
        shown["speed/images_per_s"] = len(chosen.rows) / report.step_s
        shown["speed/megapixels_per_s"] = chosen.px / 1e6 / report.step_s
        shown["speed/data_wait"] = report.wait_s / report.step_s
        if self._peak:
            shown["speed/mfu"] = report.flops / report.step_s / self._peak
        shown[f"phase/{report.phase}"] = chosen.progress
        for board in self._boards:
            board.scalars(chosen.step, shown)
        self._tell_damaged(report.damaged)
        self._since_line.add(report)
        self._whole.add(report)
        now = self._clock()
        new_phase, last = report.phase != self._phase, chosen.step + 1 == self._total
        if new_phase or last or now - self._since_line.began_at >= _SECONDS_PER_LINE:
            self._say(report, now)

    def note(self, sentence: str) -> None:
        """Print a sentence; what it took is not counted to the speed of the steps."""
        print(sentence, flush=True)
        self._started_at = self._clock()
        self._since_line, self._whole = _Tally(self._clock()), _Tally(self._clock())

    def refused(self, refused: Refused, damaged: tuple[str, ...]) -> None:
        """Record a step that was not taken, with the images replaced in its batch, and print it."""
        self.refusals += 1
        self._tell_damaged(damaged)
        row = {"step": refused.step, "scalars": refused.scalars, "images": refused.path.name}
        self._write("refused", row)
        print(f"not taken: {refused}", flush=True)
        for board in self._boards:
            board.scalars(refused.step, {"train/refused_steps": self.refusals})

    def _tell_damaged(self, damaged: tuple[str, ...]) -> None:
        for fault in damaged:
            print(f"replaced a damaged image: {fault}")
        self.damaged += damaged

    def _say(self, report: StepReport, now: float) -> None:
        chosen, steps = report.selection, report.selection.step + 1
        left_s = (now - self._started_at) / (steps - self._first) * (self._total - steps)
        psnr = " ".join(f"{kind} {value:.1f}" for kind, value in report.psnr.items())
        phase = f"{report.phase} {chosen.phase + 1}/{report.phases} {chosen.progress:4.0%}"
        print(
            f"step {steps:>{len(str(self._total))}}/{self._total}"
            f"  {phase:<22} {chosen.bucket!s:>9}  loss {report.scalars['loss']:.4f}"
            f"  {self._since_line.rates(now, self._peak)}  {duration(left_s)} left  dB {psnr}",
            flush=True,
        )
        self._phase, self._since_line = report.phase, _Tally(now)

    def validation(self, step: int, report: Report, grid: Path) -> None:
        """Record the PSNR per kind after `step` steps, and the picture `grid` on the boards."""
        psnr, samples = report.psnr(), {kind: len(pairs) for kind, pairs in report.pairs.items()}
        exact, finite = report.exact(), {k: v for k, v in psnr.items() if math.isfinite(v)}
        row = {"step": step, "psnr": _nullable(psnr), "skip_psnr": _nullable(report.skip_psnr())}
        row |= {"exact": exact, "skip_exact": report.skip_exact(), "samples": samples}
        row["over_skips"] = report.gains()
        self._write("validation", row)
        gains = {kind: f" [{gain:+.2f}]" for kind, gain in report.gains().items()}
        values = " ".join(
            f"{k} {told(v, exact[k], samples[k])}{gains.get(k, '')}" for k, v in psnr.items()
        )
        unit = "dB [over the skips]" if gains else "dB"
        print(f"validation after step {step}: {unit} {values}  {grid}", flush=True)
        for board in self._boards:
            board.scalars(step, {f"validation/psnr_{kind}": v for kind, v in finite.items()})
            board.picture(step, "validation/grid", grid)

    def speed(self) -> str:
        """Mean rates over all steps of this process, for people."""
        return self._whole.rates(None, self._peak)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        for board in self._boards:
            board.close()

    def _write(self, name: str, row: dict[str, Any]) -> None:
        self._files[name].write(json.dumps(row) + "\n")
        self._files[name].flush()


class _Tally:
    """Work and time since `began_at`."""

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self._images, self._flops, self._wait_s, self._step_s = 0, 0.0, 0.0, 0.0

    def add(self, report: StepReport) -> None:
        self._images += len(report.selection.rows)
        self._flops += report.flops
        self._wait_s += report.wait_s
        self._step_s += report.step_s

    def rates(self, now: float | None, peak_flops: float | None) -> str:
        """Rates over the time since `began_at`; without `now` over the sum of step times."""
        took = max(self._step_s if now is None else now - self.began_at, 1e-9)
        mfu = f"  MFU {self._flops / took / peak_flops:.1%}" if peak_flops else ""
        return f"{self._images / took:.1f} images/s  data wait {self._wait_s / took:.0%}{mfu}"


def _nullable(values: dict[str, float]) -> dict[str, float | None]:
    """JSON has no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _continue(path: Path, first_step: int) -> TextIO:
    kept = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    # Rows of steps have the number of their step, from 0; rows of validation count steps done.
    end = first_step + (path.stem == "validation")
    kept = [line for line in kept if _step(line) < end]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
    return open(path, "a", encoding="utf-8")


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except ValueError:  # a killed run may leave half a line at the end
        return float("inf")


def duration(seconds: float) -> str:
    """`0:07`, `12:30` or `3:05:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
