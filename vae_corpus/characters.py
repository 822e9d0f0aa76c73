"""What the source of a page knows of it: its characters, figures, tables and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Shares of Han characters among those with ink, up to which a page counts as English (any
# alphabet), and from which as Chinese.
EN_SHARE, ZH_SHARE = 0.05, 0.5
_HAN = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))

# Left, top, right, bottom in px of the page.
Box = tuple[float, float, float, float]
RegionKind = Literal["figure", "table", "formula"]


class Region(NamedTuple):
    """A rectangle in px of the page that holds a figure, a table or a formula set apart."""

    kind: RegionKind
    box: Box


@dataclass(frozen=True, kw_only=True, eq=False)
class Characters:
    """N characters (code points) in reading order, white space included.

    `boxes` float32[N, 4]: left, top, right, bottom of the ink in px of the page; all zero for a
    character without ink, such as a space. `em_px` float32[N]: the em as it is drawn. `line`
    int32[N]: the number of the line that a character stands in, counted from 0 without gaps, never
    falling; a line is what one reads without a jump, so columns and table cells are lines apart.
    `font` int32[N]: places in `fonts`, the names of the faces.
    """

    text: str
    boxes: NDArray[np.float32]
    em_px: NDArray[np.float32]
    line: NDArray[np.int32]
    font: NDArray[np.int32]
    fonts: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.text)
        shapes = (self.boxes.shape, self.em_px.shape, self.line.shape, self.font.shape)
        if shapes != ((count, 4), (count,), (count,), (count,)):
            raise ValueError(f"{count} characters need (N, 4), (N), (N), (N); got {shapes}")

    @classmethod
    def none(cls) -> Characters:
        """Those of a page that says nothing."""
        no_numbers = np.zeros(0, np.int32)
        return cls(
            text="",
            boxes=np.zeros((0, 4), np.float32),
            em_px=np.zeros(0, np.float32),
            line=no_numbers,
            font=no_numbers,
            fonts=(),
        )

    def scaled(self, factor: float) -> Characters:
        """On a page drawn `factor` times as large."""
        by = np.float32(factor)
        return replace(self, boxes=self.boxes * by, em_px=self.em_px * by)

    @property
    def inked(self) -> NDArray[np.bool_]:
        """bool[N]: which leave ink."""
        has: NDArray[np.bool_] = (self.boxes[:, 2] > self.boxes[:, 0]) & (
            self.boxes[:, 3] > self.boxes[:, 1]
        )
        return has

    @property
    def han(self) -> NDArray[np.bool_]:
        """bool[N]: which are Han."""
        points = np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), np.uint32)
        han = np.zeros(len(points), bool)
        for low, high in _HAN:
            han |= (points >= low) & (points <= high)
        return han

    @property
    def language(self) -> str | None:
        """`en` (any alphabet), `zh` or `mixed` by the share of Han; None without ink."""
        inked = self.inked
        if not inked.any():
            return None
        share = float(self.han[inked].mean())
        return "en" if share <= EN_SHARE else "zh" if share >= ZH_SHARE else "mixed"

    @property
    def median_em_px(self) -> float:
        """The em that half of the characters with ink stay below; 0 without ink."""
        ems = self.em_px[self.inked]
        return float(np.median(ems)) if len(ems) else 0.0

    def words(self) -> Iterator[tuple[tuple[int, int, int, int], int]]:
        """Runs without a gap: the box of each in whole px, and how many characters it has.

        White space ends a word, and so does another line.
        """
        places = np.flatnonzero(self.inked)
        if not len(places):
            return
        new = np.ones(len(places), bool)
        new[1:] = (np.diff(places) > 1) | (np.diff(self.line[places]) != 0)
        starts = np.flatnonzero(new)
        boxes = self.boxes[places]
        low = np.floor(np.minimum.reduceat(boxes[:, :2], starts)).astype(int)
        high = np.ceil(np.maximum.reduceat(boxes[:, 2:], starts)).astype(int)
        counts = np.diff([*starts, len(places)])
        for (x0, y0), (x1, y1), count in zip(
            np.maximum(low, 0).tolist(), high.tolist(), counts.tolist(), strict=True
        ):
            yield (x0, y0, x1, y1), count


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownText:
    """What a page says and shows, as far as its source knows.

    `doubt` is a word for why the characters are not to be trusted, None when they are. `pictures`
    are raster images and whatever else may hold text that nobody tells.
    """

    characters: Characters
    regions: tuple[Region, ...] = ()
    pictures: tuple[Box, ...] = ()
    doubt: str | None = None
