"""Which phase a step belongs to, and how many steps a run has."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from vae_corpus.curriculum import CorpusError


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Steps per phase, in order."""

    steps: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.steps)

    def first(self, phase: int) -> int:
        """The first step of a phase."""
        return sum(self.steps[:phase])

    def at(self, step: int) -> tuple[int, float]:
        """Phase number, and progress in 0..1 (0 at its first step, 1 at its last)."""
        starts = [self.first(phase) for phase in range(len(self.steps))]
        phase = bisect.bisect_right(starts, step) - 1
        return phase, (step - starts[phase]) / max(1, self.steps[phase] - 1)


def schedule(samples: Sequence[int], batch: Sequence[float], cap: int | None) -> Schedule:
    """Steps that show each phase its `samples` at a mean `batch` size, `cap` steps at most.

    When the cap is lower, phases share it in proportion to their samples, each gets at least
    one step. CorpusError when the cap is lower than the number of phases.
    """
    natural = [max(1, round(n / b)) for n, b in zip(samples, batch, strict=True)]
    if cap is None or cap >= sum(natural):
        return Schedule(steps=tuple(natural))
    if cap < len(samples):
        raise CorpusError(
            f"{cap} steps are too few for {len(samples)} phases: give --steps {len(samples)}"
            " or more"
        )
    exact = [1 + (cap - len(samples)) * n / sum(samples) for n in samples]
    steps = [int(x) for x in exact]
    by_rest = sorted(range(len(steps)), key=lambda i: (steps[i] - exact[i], i))
    for i in by_rest[: cap - sum(steps)]:
        steps[i] += 1
    return Schedule(steps=tuple(steps))
