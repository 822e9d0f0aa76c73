"""Steps per phase of a run, and the phase of a step."""

from __future__ import annotations

import bisect
import itertools
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

    def at(self, step: int) -> tuple[int, float]:
        """Phase number, and progress in 0..1 (0 at its first step, 1 at its last)."""
        ends = list(itertools.accumulate(self.steps))
        phase = bisect.bisect_right(ends[:-1], step)
        first = ends[phase] - self.steps[phase]
        return phase, (step - first) / max(1, self.steps[phase] - 1)


def schedule(samples: Sequence[int], batch: Sequence[float], cap: int | None) -> Schedule:
    """Steps for the `samples` of each phase at a mean `batch` size, `cap` steps at most.

    A lower cap is shared by samples, with at least one step for each phase. CorpusError when the
    cap is lower than the number of phases.
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
