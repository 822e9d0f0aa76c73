"""The sheet that a layout fills: texts come in, placed lines and marks come out.

Layouts work in batches: many texts are cut, set and placed with one call each. Positions are whole
px; y grows downwards. A line stands on its baseline, which lies below the top of its row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fonts.faces import Face
from renderers.arrays import Bools, Floats, Ints, Numbers
from renderers.dice import Dice
from renderers.setting.shaping import Shaper
from renderers.setting.typesetting import Galley, Lines, Texts
from renderers.text.numbers import equation_like, write_numbers
from renderers.text.phrases import Phrases

# From the top of a row to its baseline: Han ink reaches .85 em above the baseline and .09 below,
# Latin capitals .72, descenders -.22.
_ASCENT_EM = 0.86
# Mean advance of a character in em, to guess how many fit in a cell.
_EM_PER_CHARACTER = {"en": 0.52, "zh": 0.98, "mixed": 0.8}


class Text(NamedTuple):
    """A paragraph on one line, and the number of a face that covers it."""

    text: str
    face: int


class Line(NamedTuple):
    """A placed line as a person would look at it.

    `x` and `y` are the px at which its baseline starts. Of its n glyphs there are the ids, for each
    the first character of `text` that it draws, and px from that start to the right and down:
    `glyphs int32[n]`, `clusters int32[n]`, `spots float64[n, 2]`.
    """

    text: str
    face: Face
    size_px: int
    x: int
    y: int
    glyphs: Ints
    clusters: Ints
    spots: Floats


@dataclass(frozen=True, slots=True)
class Placed:
    """The lines of a page in reading order: `rows int32[n]` of the galley, and where they start.

    `x` and `y int32[n]` are px of the page. Looked at one by one they are `Line`s.
    """

    galley: Galley
    rows: Ints
    x: Ints
    y: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Line]:
        galley = self.galley
        places = zip(self.x.tolist(), self.y.tolist(), strict=True)
        for (begin, end, first, last, face, size), (x, y) in zip(
            self.table().tolist(), places, strict=True
        ):
            glyphs, clusters = galley.glyphs[first:last].T
            spots = galley.spots[first:last]
            text = galley.text(begin, end)
            yield Line(text, galley.faces[face], size, x, y, glyphs, clusters - begin, spots)

    def table(self) -> Ints:
        """The lines' rows of the galley, `int32[n, 6]`."""
        table: Ints = self.galley.rows[self.rows]
        return table

    def where(self, which: Bools) -> Placed:
        """Some of the lines."""
        return Placed(self.galley, self.rows[which], self.x[which], self.y[which])


class Mark(NamedTuple):
    """A filled rectangle under the text, in px, half open: a "rule" or a "plate" behind a block."""

    kind: str
    x0: int
    y0: int
    x1: int
    y1: int


class Batch(NamedTuple):
    """Lines to be put: the left and top of their rows in px, and the key of reading order."""

    lines: Lines
    x: float | Numbers
    top: float | Numbers
    order: npt.NDArray[np.int64]

    def spread(self, side: float | Numbers) -> Numbers:
        """A side of each line, `[n]`, also where it is one number for all."""
        return side if isinstance(side, np.ndarray) else np.full(len(self.order), side)


class Sheet:
    """A page while its layout fills it: takes texts, sets them, puts lines and marks.

    `rng` and `dice` are for what a layout leaves to chance: many numbers at once, or single ones.
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        size_px: int,
        language: str,
        texts: Sequence[Text],
        faces: Sequence[Face],
        shaper: Shaper,
        rng: np.random.Generator,
        tracking_px: float = 0.0,
        whole_px: bool = True,
    ) -> None:
        self.width, self.height, self.size_px = width, height, size_px
        self.language = language
        self.rng, self.dice = rng, Dice(rng)
        self.marks: list[Mark] = []
        self._galley = Galley(shaper, faces, tracking_px=tracking_px, whole_px=whole_px)
        self._phrases = Phrases(
            self._galley,
            self._galley.write([text.text for text in texts], [text.face for text in texts]),
        )
        self._put: list[tuple[Ints, float | Numbers, float | Numbers]] = []

    @property
    def faces(self) -> tuple[Face, ...]:
        """The body's face, the heading's, and others of the texts."""
        return self._galley.faces

    def texts(self, area_px: float) -> Texts:
        """The next paragraphs, then what phrases left over: about as much as fills so many px.

        At least one, while there are any; `area_px` is px of width, of all rows together.
        """
        em = _EM_PER_CHARACTER[self.language] * self.size_px
        return self._phrases.whole(int(area_px / em))

    def phrases(
        self,
        lengths_px: Floats,
        *,
        size_px: int | None = None,
        fresh: bool | Bools = False,
    ) -> Texts:
        """The next few words for each length, about as many as fit in it, while there are any.

        `fresh` ones begin a paragraph.
        """
        em = _EM_PER_CHARACTER[self.language] * (size_px or self.size_px)
        characters = np.maximum(2, lengths_px / em).astype(np.int32)
        begins = fresh if isinstance(fresh, np.ndarray) else np.full(len(characters), fresh)
        return self._phrases.cut(characters, begins)

    def phrase(self, length_px: float, *, size_px: int | None = None, fresh: bool = False) -> Texts:
        """One phrase; empty when all texts are used up."""
        return self.phrases(np.array([length_px]), size_px=size_px, fresh=fresh)

    def numbers(self, count: int) -> Texts:
        """Numbers, dates and amounts in the body's face."""
        return self.words(write_numbers(self.rng.random((count, 3))))

    def equations(self, count: int) -> Texts:
        """Lines that look like formulas, in the body's face."""
        return self.words([equation_like(self.dice) for _ in range(count)])

    def words(self, texts: Sequence[str], faces: int | Sequence[int] | Ints = 0) -> Texts:
        """Texts that a layout makes up; in the body's face (0) if nothing else is said."""
        return self._galley.write(texts, faces)

    def read(self, texts: Texts) -> list[str]:
        """The texts as strings."""
        return [self._galley.text(begin, end) for begin, end, _ in texts.tolist()]

    def set(
        self,
        texts: Texts,
        room: float | Numbers,
        *,
        size_px: int | None = None,
        align: str | Ints = "left",
        indent_px: float = 0.0,
        heading: bool | Bools = False,
        vertical: bool = False,
        max_lines: int = 1_000_000,
        shares: Floats | None = None,
    ) -> Lines:
        """Set `texts` in lines of `room` px: see `Galley.set`."""
        return self._galley.set(
            texts,
            room,
            size_px=size_px or self.size_px,
            align=align,
            indent_px=indent_px,
            heading=heading,
            vertical=vertical,
            max_lines=max_lines,
            shares=shares,
        )

    def put(
        self,
        lines: Lines,
        x: float | Numbers,
        top: float | Numbers,
    ) -> None:
        """Place horizontal lines with the left and the top of their rows there."""
        self._put_rows(lines.rows, x, top)

    def _put_rows(
        self,
        rows: Ints,
        x: float | Numbers,
        top: float | Numbers,
    ) -> None:
        if len(rows):
            sizes = self._galley.rows[rows, 5]
            self._put.append((rows, x, np.rint(top) + np.rint(_ASCENT_EM * sizes)))

    def put_in_order(self, *batches: Batch) -> None:
        """As `put`, for lines of several calls of `set` that are to be read in another order.

        Lines of the same `order` stay in the order in which they are given.
        """
        order = np.argsort(np.concatenate([batch.order for batch in batches]), kind="stable")
        parts = [(b.lines.rows, b.spread(b.x), b.spread(b.top)) for b in batches]
        rows, x, top = (np.concatenate(part)[order] for part in zip(*parts, strict=True))
        self._put_rows(rows, x, top)

    def put_down(self, lines: Lines, centre: float | Numbers, top: float) -> None:
        """Place vertical lines around the x `centre`, starting at `top`."""
        if len(lines.rows):
            self._put.append((lines.rows, centre, top))

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A straight line of the page's furniture, as a filled rectangle."""
        self._mark("rule", x0, y0, x1, y1)

    def plate(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A ground behind a block of text; drawn only where the recipe has plates."""
        self._mark("plate", x0, y0, x1, y1)

    def _mark(self, kind: str, x0: float, y0: float, x1: float, y1: float) -> None:
        left, top = max(0, round(x0)), max(0, round(y0))
        right, bottom = min(self.width, round(x1)), min(self.height, round(y1))
        if left < right and top < bottom:
            self.marks.append(Mark(kind, left, top, right, bottom))

    @property
    def lines(self) -> Placed:
        """The lines that were put, in that order."""
        rows = [rows for rows, _, _ in self._put] or [np.zeros(0, dtype=np.int32)]
        counts = list(map(len, rows))
        x, y = np.empty(sum(counts)), np.empty(sum(counts))
        at = 0
        for count, (_, across, down) in zip(counts, self._put, strict=False):
            x[at : at + count] = across
            y[at : at + count] = down
            at += count
        return Placed(
            self._galley,
            np.concatenate(rows),
            np.rint(x).astype(np.int32),
            np.rint(y).astype(np.int32),
        )
