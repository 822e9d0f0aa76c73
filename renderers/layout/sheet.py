"""The page while a layout fills it: texts come in, placed lines and marks come out.

Positions are whole px; y grows downwards. A line stands on its baseline; `top_to_baseline` says
how far below the top of its row that is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from fonts.faces import Face
from renderers.breaks import opportunities
from renderers.numbers import equation_like, number_like
from renderers.shaping import Shaper
from renderers.typeset import Galley, Strip

# Han ink reaches .85 em above the baseline and .09 below, Latin capitals .72, descenders -.22.
_ASCENT_EM = 0.86
# Mean advance of a character in em, to guess how many fit in a cell.
_EM_PER_CHARACTER = {"en": 0.52, "zh": 0.98, "mixed": 0.8}
_BULLET_SIGNS = "*+^ "
_EDGES = " ，。、；：？！,.;:?!）)》」』”’】(（《「『“‘【-—…"


class Text(NamedTuple):
    """A paragraph on one line, and a face that covers it."""

    text: str
    face: Face


class Line(NamedTuple):
    """A set line and the pixel at which its baseline starts."""

    strip: Strip
    x: int
    y: int


class Mark(NamedTuple):
    """A filled rectangle under the text, in px, half open: a "rule" or a "plate" behind a block."""

    kind: str
    x0: int
    y0: int
    x1: int
    y1: int


class Sheet:
    """What a layout may do: take texts, set them, put lines and marks on the page."""

    def __init__(
        self,
        *,
        width: int,
        height: int,
        size_px: int,
        language: str,
        texts: Iterable[Text],
        body: Face,
        heading: Face,
        shaper: Shaper,
        rng: np.random.Generator,
        tracking_px: float = 0.0,
        whole_px: bool = True,
    ) -> None:
        self.width, self.height, self.size_px = width, height, size_px
        self.language = language
        self.body, self.heading = body, heading
        self.rng = rng
        self.lines: list[Line] = []
        self.marks: list[Mark] = []
        self._texts = iter(texts)
        self._galley = Galley(shaper, tracking_px=tracking_px, whole_px=whole_px)
        # A text that phrases are being cut from, where a cut may be, and where the next begins.
        self._phrase: tuple[Text, list[int], int] | None = None
        self._left: deque[Text] = deque()
        self._carried: deque[Strip] = deque()

    def text(self) -> Text | None:
        """The next paragraph, then what phrases left over; None when all is used up."""
        text = next(self._texts, None)
        return self._left.popleft() if text is None and self._left else text

    def phrase(
        self, length_px: float, *, size_px: int | None = None, fresh: bool = False
    ) -> Text | None:
        """The next few words, about as many as fit in `length_px`; `fresh` begins a paragraph."""
        em = _EM_PER_CHARACTER[self.language] * (size_px or self.size_px)
        limit = max(2, int(length_px / em))
        if fresh and self._phrase is not None:
            rest, _, begin = self._phrase
            if words := rest.text[begin:].lstrip(_EDGES):
                self._left.append(Text(words, rest.face))
            self._phrase = None
        while True:
            if self._phrase is None:
                text = self.text()
                if text is None:
                    return None
                self._phrase = (text, opportunities(text.text).tolist(), 0)
            text, breaks, start = self._phrase
            following = bisect_right(breaks, start)
            stop = breaks[max(following, bisect_right(breaks, start + limit) - 1)]
            self._phrase = (text, breaks, stop) if stop < len(text.text) else None
            words = text.text[start:stop].strip(_EDGES).lstrip(_BULLET_SIGNS)
            if words:
                return Text(words, text.face)

    def number(self) -> Text:
        """A number, date or amount in the body face."""
        return Text(number_like(self.rng), self.body)

    def equation(self) -> Text:
        """A line that looks like a formula, in the body face."""
        return Text(equation_like(self.rng), self.body)

    def set(
        self,
        text: Text,
        length: float | Callable[[int], float],
        *,
        size_px: int | None = None,
        align: str = "left",
        indent_px: float = 0.0,
        heading: bool = False,
        vertical: bool = False,
        max_lines: int = 1_000_000,
    ) -> list[Strip]:
        """Set `text` in lines of `length` px; `heading` uses the heading face if it covers it."""
        face = self.heading if heading and self.heading.covers(text.text) else text.face
        return self._galley.set(
            face,
            text.text,
            size_px or self.size_px,
            length,
            align=align,
            indent_px=indent_px,
            vertical=vertical,
            max_lines=max_lines,
        )

    def put(self, strip: Strip, x: float, top: float) -> None:
        """Place a horizontal line with its row's top at `top`."""
        baseline = round(top) + top_to_baseline(strip.size_px)
        self.lines.append(Line(strip, round(x), baseline))

    def put_down(self, strip: Strip, centre: float, top: float) -> None:
        """Place a vertical line around the x `centre`, starting at `top`."""
        self.lines.append(Line(strip, round(centre), round(top)))

    def pour(
        self,
        x: float,
        top: float,
        width: int,
        bottom: float,
        *,
        pitch: int,
        align: str = "left",
        indent_px: float = 0.0,
        gap_px: int = 0,
        paragraphs: int = 1_000_000,
    ) -> float:
        """Fill a column until `bottom`, or with so many new paragraphs; returns the next row's top.

        What is left of the last paragraph goes into the next column that is poured, which should
        have the same width. `align` may be "ragged": left, with lines of drawn length.
        """
        y = top
        while y + pitch <= bottom:
            if not self._carried:
                text = self.text() if paragraphs else None
                if text is None:
                    return y
                paragraphs -= 1
                self._carried.extend(self._column_lines(text, width, align, indent_px))
            while self._carried and y + pitch <= bottom:
                self.put(self._carried.popleft(), x, y)
                y += pitch
            if not self._carried:
                y += gap_px
        return y

    def _column_lines(self, text: Text, width: int, align: str, indent_px: float) -> list[Strip]:
        if align != "ragged":
            return self.set(text, width, align=align, indent_px=indent_px)
        shares = self.rng.uniform(0.72, 1.0, size=64)
        return self.set(text, lambda i: width * float(shares[i % 64]), indent_px=indent_px)

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


def top_to_baseline(size_px: int) -> int:
    """Px from the top of a row to its baseline."""
    return round(_ASCENT_EM * size_px)
