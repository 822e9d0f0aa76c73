"""Sampling probabilities of rung, bucket and group, from the weights of a phase.

All images of a batch have one size, that of their bucket or of what is cut from it, yet kinds must
come as the phase weights them. So a size is sampled by the total weight of its groups, then groups
by their weights within it. Over many batches every kind has its weight, and all samples of a kind
have the same probability.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_corpus.curriculum import CorpusError, Phase, Ramp
from vae_corpus.words import TEXT_SYNTH, Bucket, Group, band_key

_EQUAL, _NONE = Ramp(1.0, 1.0), Ramp(0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The groups of one rung whose images are shown at one size, `bucket`; their probabilities."""

    rung: int
    bucket: Bucket
    groups: NDArray[np.int64]
    weights: NDArray[np.float64]

    def sample(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """`count` group numbers by their probabilities."""
        return self.groups[_inverse_cdf(self.weights, rng.random(count))]


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """The cells of a moment, and the probability of each."""

    cells: tuple[Cell, ...]
    weights: NDArray[np.float64]

    def sample(self, rng: np.random.Generator) -> Cell:
        """A cell by its probability."""
        return self.cells[int(_inverse_cdf(self.weights, rng.random()))]


def _inverse_cdf(weights: NDArray[np.float64], uniform: Any) -> Any:
    """Indices of weights for numbers in [0, 1): `Generator.choice` without its checks."""
    borders = weights.cumsum()
    return (borders / borders[-1]).searchsorted(uniform, side="right")


class Mixtures:
    """The mixture at any moment of any phase. `counts` is the number of samples per group.

    CorpusError when a phase needs a kind that none of its rungs has.
    """

    def __init__(
        self, phases: tuple[Phase, ...], groups: tuple[Group, ...], counts: list[int]
    ) -> None:
        self._phases, self._groups, self._counts = phases, groups, counts
        self._fixed: dict[int, Mixture] = {}
        for phase in phases:
            self._check(phase)

    def at(self, number: int, progress: float) -> Mixture:
        """The mixture at `progress` in 0..1 of phase `number`."""
        phase = self._phases[number]
        if not phase.constant:
            return self._mix(phase, progress)
        if number not in self._fixed:
            self._fixed[number] = self._mix(phase, progress)
        return self._fixed[number]

    def buckets(self, number: int) -> list[Bucket]:
        """The sizes that phase `number` shows at its beginning, middle or end, largest first."""
        cells = [cell for at in (0.0, 0.5, 1.0) for cell in self.at(number, at).cells]
        return sorted({cell.bucket for cell in cells}, key=lambda b: (-b.width * b.height, b))

    def _mix(self, phase: Phase, progress: float) -> Mixture:
        weights = np.zeros(len(self._groups))
        for rung, ramp in phase.rungs.items():
            shares = self._shares(phase, rung, progress)
            total = sum(shares.values())
            for number, share in shares.items():
                weights[number] += ramp.at(progress) * share / total
        if not weights.any():
            raise CorpusError(
                f"phase {phase.name} weights nothing that the corpus holds at {progress:.0%} of"
                f" its way; the corpus holds {self._held()}: mend the ramps in curriculum.json"
            )
        cells: dict[tuple[int, Bucket], list[int]] = defaultdict(list)
        for number in np.flatnonzero(weights).tolist():
            group = self._groups[number]
            cells[group.rung, _window(group, phase.crop_px)].append(number)
        chances = np.array([weights[members].sum() for members in cells.values()])
        return Mixture(
            cells=tuple(
                Cell(
                    rung=rung,
                    bucket=bucket,
                    groups=np.array(members),
                    weights=weights[members] / weights[members].sum(),
                )
                for (rung, bucket), members in cells.items()
            ),
            weights=chances / chances.sum(),
        )

    def _shares(self, phase: Phase, rung: int, progress: float) -> dict[int, float]:
        """Weight per group at one rung; kinds that the rung does not have are left out."""
        shares: dict[int, float] = {}
        for kind, ramp in phase.kinds.items():
            parts: dict[str | None, list[int]] = defaultdict(list)
            weights: dict[str | None, float] = {}
            for number, group in enumerate(self._groups):
                if group.kind == kind and group.rung == rung and self._counts[number]:
                    part, part_ramp = _part(phase, group)
                    parts[part].append(number)
                    weights[part] = part_ramp.at(progress)
            whole = sum(weights.values())
            for part, members in parts.items():
                held = sum(self._counts[number] for number in members)
                for number in members:
                    share = ramp.at(progress) * self._counts[number] / held
                    if whole > 0 and share * weights[part] > 0:
                        shares[number] = share * weights[part] / whole
        return shares

    def _check(self, phase: Phase) -> None:
        rungs = [rung for rung, ramp in phase.rungs.items() if ramp.used]
        kinds = [kind for kind, ramp in phase.kinds.items() if ramp.used]
        if not rungs or not kinds:
            raise CorpusError(f"phase {phase.name} gives no rung or no kind a weight above zero")
        for kind in kinds:
            if not any(self._has(phase, kind, rung) for rung in rungs):
                named = " and ".join(str(rung) for rung in rungs)
                raise CorpusError(
                    f"phase {phase.name} needs {kind} at rung {named}, but the corpus holds only"
                    f" {self._held()}: add such images, or take {kind} out of the phase in"
                    " curriculum.json"
                )

    def _has(self, phase: Phase, kind: str, rung: int) -> bool:
        return any(
            g.kind == kind and g.rung == rung and n and _part(phase, g)[1].used
            for g, n in zip(self._groups, self._counts, strict=True)
        )

    def _held(self) -> str:
        held: dict[tuple[str, int], int] = defaultdict(int)
        for group, count in zip(self._groups, self._counts, strict=True):
            held[group.kind, group.rung] += count
        return ", ".join(f"{n} {kind} at {rung}" for (kind, rung), n in sorted(held.items()))


def _window(group: Group, crop_px: int | None) -> Bucket:
    """The size in px at which the images of a group are shown."""
    whole = Bucket.parse(group.bucket)
    return whole if crop_px is None else Bucket(*(min(side, crop_px) for side in whole))


def _part(phase: Phase, group: Group) -> tuple[str | None, Ramp]:
    """The part of its kind that a group belongs to, with its weight; None for kinds without parts.

    Parts are the size bands of synthetic text and the densities of other kinds.
    """
    weights = phase.densities
    # Without weights for densities, dense and other tiles come as often as the corpus holds them.
    part = None if weights is None else group.density
    if group.kind == TEXT_SYNTH:
        weights = phase.size_bands
        part = group.size_band and band_key(weights or {}, group.language, group.size_band)
    if part is None or weights is None:
        return part, _EQUAL
    return part, weights.get(part, _NONE)
