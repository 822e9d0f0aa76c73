"""Lines and columns of a page, in the order in which its text layer tells them.

The layer's order is the only word on reading order that a PDF gives. Where it jumps, a region ends:
so a crop never joins lines that only stand beside each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from vae_training.tokenbench.standard import joined
from vae_training.tokenbench.text_layer import Character

# In sizes of type. Superscripts stay in their line; a wider gap is another column or a table.
_RAISED_EM, _BACK_EM, _GAP_EM = 0.5, 0.6, 2.5
_PITCH_EM = (0.8, 2.7)
_INDENT_EM = 6.0
_SAME_SIZE = 1.2


@dataclass(frozen=True, slots=True)
class Line:
    """Characters from left to right. Sides are of their ink, in points, y downwards."""

    characters: tuple[Character, ...]
    em: float
    baseline: float

    @classmethod
    def of(cls, characters: Sequence[Character]) -> Line:
        return cls(
            characters=tuple(characters),
            em=median(c.em for c in characters),
            baseline=median(c.baseline for c in characters),
        )

    @property
    def left(self) -> float:
        return min(c.box[0] for c in self.characters)

    @property
    def top(self) -> float:
        return min(c.box[1] for c in self.characters)

    @property
    def bottom(self) -> float:
        return max(c.box[3] for c in self.characters)

    @property
    def text(self) -> str:
        return joined("".join(" " * c.spaced + c.text for c in self.characters))


def regions(characters: Sequence[Character]) -> list[list[Line]]:
    """Runs of lines of one size, each below the one before, in the layer's order."""
    found: list[list[Line]] = []
    for line in _lines(characters):
        if found and _goes_on(found[-1][-1], line):
            found[-1].append(line)
        else:
            found.append([line])
    return found


def _lines(characters: Sequence[Character]) -> list[Line]:
    runs: list[list[Character]] = []
    for character in characters:
        if not character.upright:
            # What is turned ends the region: nothing that is upright is told across it.
            runs.append([])
        elif runs and runs[-1] and _beside(runs[-1], character):
            runs[-1].append(character)
        else:
            runs.append([character])
    return [Line.of(run) for run in runs if run]


def _beside(run: Sequence[Character], after: Character) -> bool:
    before = run[-1]
    em = max(before.em, after.em)
    raised = min(abs(after.baseline - c.baseline) for c in (run[0], before))
    gap = after.box[0] - before.box[2]
    return raised < _RAISED_EM * em and -_BACK_EM * em < gap < _GAP_EM * em


def _goes_on(above: Line, below: Line) -> bool:
    em = max(above.em, below.em)
    same = em <= _SAME_SIZE * min(above.em, below.em)
    pitch = (below.baseline - above.baseline) / em
    near = abs(below.left - above.left) <= _INDENT_EM * em
    return same and _PITCH_EM[0] <= pitch <= _PITCH_EM[1] and near
