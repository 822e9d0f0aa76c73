"""What is known of many pages, and their tiles, as flat arrays: what compiled loops take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Values = TypeVar("Values", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class Lists(Generic[Values]):
    """A list for each of N pages: `values[..., starts[n] : stops[n]]`; not known: a start of -1."""

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    values: NDArray[Values]

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64[N]: how long each list is, 0 where it is not known."""
        return self.stops - self.starts

    @classmethod
    def of_one(cls, values: NDArray[Values] | None, dtype: Any, fields: int = 0) -> Lists[Values]:
        """The list of one page, [K] or [fields, K]; None is not known."""
        none = np.empty((fields, 0) if fields else 0, dtype)
        held = none if values is None else np.ascontiguousarray(values, dtype)
        known, count = values is not None, held.shape[-1]
        ends = [np.array([end if known else -1], np.int64) for end in (0, count)]
        return cls(starts=ends[0], stops=ends[1], values=held)

    def of(self, pages: NDArray[np.int64]) -> Lists[Values]:
        """The lists of some of the pages."""
        return Lists(starts=self.starts[pages], stops=self.stops[pages], values=self.values)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """int64[N] each: the px of N pages, and of the bucket that their tiles have (0: none fits)."""

    width: NDArray[np.int64]
    height: NDArray[np.int64]
    tile_width: NDArray[np.int64]
    tile_height: NDArray[np.int64]

    @classmethod
    def of_one(cls, *sizes: int) -> Sizes:
        width, height, tile_width, tile_height = (np.array([size], np.int64) for size in sizes)
        return cls(width=width, height=height, tile_width=tile_width, tile_height=tile_height)


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """The tiles of N pages, those of page n up to `stops[n]`, in order of reading.

    `x` and `y` are int64 in px, `chars` is float64, `why` is uint8: the place in `WHY` of the
    reason to leave a tile out.
    """

    stops: NDArray[np.int64]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    chars: NDArray[np.float64]
    why: NDArray[np.uint8]

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64[N]: the tiles of each page."""
        return np.diff(self.stops, prepend=0)

    @property
    def pages(self) -> NDArray[np.int64]:
        """int64[tiles]: the page that each is of."""
        return np.repeat(np.arange(len(self.stops)), self.counts)


KEPT, FEW_CHARS, BLANK, TOO_MANY = range(4)
WHY = (None, "few_chars", "blank", "too_many")
