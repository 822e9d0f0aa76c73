"""Single random numbers out of blocks: a call of numpy's generator costs as much as ten of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_BLOCK = 64

T = TypeVar("T")


class Dice:
    """Draws single numbers out of blocks of `rng`, which may be used beside it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self._left: list[float] = []

    def random(self) -> float:
        """From 0 up to 1."""
        if not self._left:
            self._left = self.rng.random(_BLOCK).tolist()
        return self._left.pop()

    def below(self, count: int) -> int:
        """A whole number from 0 up to `count`, which is left out."""
        return int(count * self.random())

    def many_below(self, count: int, draws: int) -> list[int]:
        """So many `draws` of `below`."""
        drawn: list[int] = (count * self.rng.random(draws)).astype(np.int64).tolist()
        return drawn

    def uniform(self, low: float, high: float) -> float:
        """From `low` up to `high`."""
        return low + (high - low) * self.random()

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[int(len(options) * self.random())]
