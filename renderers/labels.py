"""What stands on a page: its lines in reading order, with the ink box of every character."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.compiled import EXACT
from renderers.compose import Characters
from renderers.layout.sheet import Line

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """The labels of a page as arrays: a page has thousands of boxes, and not every use wants lists.

    `colours uint8[lines, 3]`, `contrasts float64[lines]`; `facts` are the other members of the
    label.
    """

    lines: Sequence[Line]
    characters: Characters
    colours: npt.NDArray[np.uint8]
    contrasts: npt.NDArray[np.float64]
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The label as plain lists and numbers, as it comes back from JSON.

        Of each line: text, chars [[char, x0, y0, x1, y1], ...], font, size_px, colour, contrast.
        Boxes are the drawn ink in px of the image, half open; a character without ink (a space) has
        no entry.
        """
        found = self.characters
        text = "".join([line.strip.text for line in self.lines])
        sides = (found.boxes // 100).T.tolist()
        rows = list(
            map(list, zip(map(text.__getitem__, found.where.tolist()), *sides, strict=True))
        )
        for i in np.flatnonzero(found.shared).tolist():
            rows[i][1::2] = (found.boxes[i, ::2] / 100).tolist()
        starts = [0, *found.ends.tolist()]
        return {
            "lines": [
                {
                    "text": said,
                    "chars": rows[starts[number] : starts[number + 1]],
                    "font": font,
                    "size_px": size_px,
                    "colour": colour,
                    "contrast": contrast,
                }
                for number, (said, font, size_px, colour, contrast) in enumerate(self._lines())
            ],
            **self.facts,
        }

    def to_json(self, **more: Any) -> str:
        """The text of `to_dict`, without its lists, and with `more` members at its end."""
        found = self.characters
        text = "".join([line.strip.text for line in self.lines])
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        data, ends = _characters_json(points, found.where, found.ends, found.boxes, found.shared)
        chars, start = data.tobytes(), 0
        fonts: dict[str, str] = {}
        lines = []
        for (said, font, size_px, colour, contrast), end in zip(
            self._lines(), ends.tolist(), strict=True
        ):
            # What differs is put between what does not: `_dumps` is slow for small things.
            face = fonts.get(font) or fonts.setdefault(font, _dumps(font))
            red, green, blue = colour
            lines.append(
                f'{{"text":{_dumps(said)},"chars":[{chars[start:end].decode()}],'
                f'"font":{face},"size_px":{size_px},'
                f'"colour":[{red},{green},{blue}],"contrast":{contrast!r}}}'
            )
            start = end
        return f'{{"lines":[{",".join(lines)}],{_dumps(self.facts | more)[1:]}'

    def _lines(self) -> list[tuple[str, str, int, list[int], float]]:
        keys: dict[int, str] = {}
        # Colour is three small ints, contrast a plain float: the label must survive JSON unchanged.
        return [
            (
                strip.text,
                keys.get(id(strip.face)) or keys.setdefault(id(strip.face), strip.face.key),
                strip.size_px,
                colour,
                round(contrast, 3),
            )
            for (strip, _, _), colour, contrast in zip(
                self.lines, self.colours.tolist(), self.contrasts.tolist(), strict=True
            )
        ]


_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_QUOTE, _BACKSLASH, _COMMA, _POINT, _MINUS, _ZERO = 34, 92, 44, 46, 45, 48
_OPEN, _CLOSE, _SMALL_U = 91, 93, 117
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
# A character is at most `\u001f`; four numbers have at most ten digits, a sign and a point each.
_LONGEST = 64


@njit(**EXACT)
def _characters_json(points, where, line_ends, boxes, shared):  # type: ignore[no-untyped-def]
    """`["a",x0,y0,x1,y1],...` of each line as UTF-8, uint8[n], and where each line ends in it."""
    out = np.empty(_LONGEST * len(where) + 1, np.uint8)
    ends = np.empty(len(line_ends), np.int64)
    at = i = 0
    for line in range(len(line_ends)):
        first = i
        while i < line_ends[line]:
            if i > first:
                out[at] = _COMMA
                at += 1
            out[at], out[at + 1] = _OPEN, _QUOTE
            at = _character(out, at + 2, np.int64(points[where[i]]))
            out[at] = _QUOTE
            at += 1
            for side in range(4):
                out[at] = _COMMA
                at = _number(out, at + 1, np.int64(boxes[i, side]), shared[i] and side % 2 == 0)
            out[at] = _CLOSE
            at += 1
            i += 1
        ends[line] = at
    return out[:at], ends


@njit(**EXACT)
def _number(out, at, hundredths, fraction):  # type: ignore[no-untyped-def]
    """Writes a whole number of px, or one with one or two decimals as Python shows a float."""
    if hundredths < 0:
        out[at] = _MINUS
        at += 1
        hundredths = -hundredths
    whole, rest = hundredths // 100, hundredths % 100
    digits = 1
    while whole >= 10**digits:
        digits += 1
    for k in range(digits):
        out[at + digits - 1 - k] = _ZERO + whole % 10
        whole //= 10
    at += digits
    if fraction:
        out[at], out[at + 1] = _POINT, _ZERO + rest // 10
        at += 2
        if rest % 10:
            out[at] = _ZERO + rest % 10
            at += 1
    return at


@njit(**EXACT)
def _character(out, at, point):  # type: ignore[no-untyped-def]
    """Writes a code point as UTF-8, with a backslash where JSON wants one."""
    if point in (_QUOTE, _BACKSLASH):
        out[at], out[at + 1] = _BACKSLASH, point
        return at + 2
    if point < 0x20:
        out[at], out[at + 1], out[at + 2], out[at + 3] = _BACKSLASH, _SMALL_U, _ZERO, _ZERO
        out[at + 4], out[at + 5] = _ZERO + (point >> 4), _HEX[point & 15]
        return at + 6
    if point < 0x80:
        out[at] = point
        return at + 1
    if point < 0x800:
        out[at] = 0xC0 | point >> 6
        out[at + 1] = 0x80 | point & 63
        return at + 2
    if point < 0x10000:
        out[at] = 0xE0 | point >> 12
        out[at + 1], out[at + 2] = 0x80 | point >> 6 & 63, 0x80 | point & 63
        return at + 3
    out[at], out[at + 1] = 0xF0 | point >> 18, 0x80 | point >> 12 & 63
    out[at + 2], out[at + 3] = 0x80 | point >> 6 & 63, 0x80 | point & 63
    return at + 4
