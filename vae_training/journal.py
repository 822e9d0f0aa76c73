"""What a run tells: a line now and then, a row per step, scalars for TensorBoard, a summary."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

_SECONDS_PER_LINE = 2.0


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One optimisation step. Times in seconds; `wait_s` is the part spent waiting for data."""

    step: int
    phase: str
    scalars: dict[str, float]
    images: int
    rung: int
    bucket: str
    step_s: float
    wait_s: float
    damaged: tuple[str, ...]


class Journal:
    """Writes below `folder`, and prints. A resumed run continues behind `first_step`."""

    def __init__(
        self, folder: Path, *, first_step: int, total: int, clock: Callable[[], float]
    ) -> None:
        self._total, self._clock = total, clock
        self._steps = folder / "steps.jsonl"
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step)
        self._said_at, self._images, self._wait_s = clock(), 0, 0.0
        self._started_at, self._first = clock(), first_step
        self._phase = ""
        self.damaged: list[str] = []
        kept = self._steps.read_text().splitlines() if self._steps.exists() else []
        # A run that was killed wrote rows behind its last checkpoint: they will come again.
        kept = [line for line in kept if json.loads(line)["step"] < first_step]
        self._steps.write_text("".join(f"{line}\n" for line in kept))
        self._file = open(self._steps, "a", encoding="utf-8")  # noqa: SIM115 - closed in close()

    def step(self, report: StepReport) -> None:
        """Record a step; print a line when some seconds have passed or a phase begins."""
        row = {"step": report.step, "phase": report.phase, "bucket": report.bucket}
        self._file.write(json.dumps({**row, "rung": report.rung, **report.scalars}) + "\n")
        self._file.flush()
        for name, value in report.scalars.items():
            self._board.add_scalar(f"train/{name}", value, report.step)
        self._board.add_scalar("speed/images_per_s", report.images / report.step_s, report.step)
        self._board.add_scalar("speed/data_wait", report.wait_s / report.step_s, report.step)
        for fault in report.damaged:
            print(f"replaced a damaged image: {fault}")
        self.damaged += report.damaged
        self._images += report.images
        self._wait_s += report.wait_s
        now = self._clock()
        new_phase, last = report.phase != self._phase, report.step + 1 == self._total
        if new_phase or last or now - self._said_at >= _SECONDS_PER_LINE:
            self._say(report, now)

    def _say(self, report: StepReport, now: float) -> None:
        took = max(now - self._said_at, 1e-9)
        done = report.step + 1 - self._first
        left = (now - self._started_at) / done * (self._total - report.step - 1)
        print(
            f"step {report.step + 1:>{len(str(self._total))}}/{self._total}"
            f"  {report.phase:<16} {report.bucket:>9}  loss {report.scalars['loss']:.4f}"
            f"  {self._images / took:6.1f} images/s  data wait {self._wait_s / took:4.0%}"
            f"  {_duration(left)} left",
            flush=True,
        )
        self._phase, self._said_at, self._images, self._wait_s = report.phase, now, 0, 0.0

    def validation(self, step: int, psnr: dict[str, float]) -> None:
        """Record the PSNR per kind after `step` steps."""
        for kind, value in psnr.items():
            self._board.add_scalar(f"validation/psnr_{kind}", value, step)

    def close(self) -> None:
        self._file.close()
        self._board.close()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
