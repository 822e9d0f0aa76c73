"""What stands on a page: its lines in reading order, with the ink box of every character."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from fonts.coverage import code_points
from renderers.compiled import EXACT
from renderers.compose import Characters
from renderers.layout.sheet import Line
from renderers.shaping import Floats, Ints

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """The labels of a page as arrays: a page has thousands of boxes, and not every use wants lists.

    `line_boxes int32[lines, 4]`, `colours uint8[lines, 3]`, `contrasts float64[lines]`; of a warped
    page also `quads float64[lines, 8]` and `scales float64[lines]` (see `warp.Warped`). `facts` are
    the other members of the label.
    """

    lines: Sequence[Line]
    characters: Characters
    line_boxes: Ints
    colours: npt.NDArray[np.uint8]
    contrasts: npt.NDArray[np.float64]
    facts: dict[str, Any]
    quads: Floats | None = None
    scales: Floats | None = None

    def to_dict(self) -> dict[str, Any]:
        """The label as plain lists and numbers, as it comes back from JSON.

        Of each line: text, chars [[char, x0, y0, x1, y1], ...], font, size_px, colour, contrast,
        box [x0, y0, x1, y1] and x_height_px. Boxes are the drawn ink in px of the image, half open;
        a character without ink (a space) has no entry. `x_height_px` is the height of an x in the
        line's face, of a Han character where these are the most. A line of a warped page also has
        its quad [x, y, ...], the corners of its ink from the top left clockwise, and em_px, the em
        as it comes out in the line's middle; there x_height_px is measured with that.
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
        lines = self._lines()
        heights = self._x_heights([line[0] for line in lines])
        return {
            "lines": [
                {
                    "text": said,
                    "chars": rows[starts[number] : starts[number + 1]],
                    "font": font,
                    "size_px": size_px,
                    "colour": colour,
                    "contrast": contrast,
                    "box": box,
                    "x_height_px": height,
                    **warp,
                }
                for number, ((said, font, size_px, colour, contrast), box, height, warp) in (
                    enumerate(
                        zip(lines, self.line_boxes.tolist(), heights, self._warps(), strict=True)
                    )
                )
            ],
            **self.facts,
        }

    def to_json(self, **more: Any) -> str:
        """The text of `to_dict`, without its lists, and with `more` members at its end."""
        found = self.characters
        text = "".join([line.strip.text for line in self.lines])
        data, ends = _characters_json(
            code_points(text), found.where, found.ends, found.boxes, found.shared
        )
        chars, start = data.tobytes(), 0
        said = self._lines()
        heights, boxes = self._x_heights([line[0] for line in said]), self.line_boxes.tolist()
        fonts: dict[str, str] = {}
        lines = []
        for (words, font, size_px, colour, contrast), (x0, y0, x1, y1), height, warp, end in zip(
            said, boxes, heights, self._warps(), ends.tolist(), strict=True
        ):
            # What differs is put between what does not: `_dumps` is slow for small things.
            face = fonts.get(font) or fonts.setdefault(font, _dumps(font))
            red, green, blue = colour
            lines.append(
                f'{{"text":{_dumps(words)},"chars":[{chars[start:end].decode()}],'
                f'"font":{face},"size_px":{size_px},'
                f'"colour":[{red},{green},{blue}],"contrast":{contrast!r},'
                f'"box":[{x0},{y0},{x1},{y1}],"x_height_px":{height!r}'
                f"{',' + _dumps(warp)[1:-1] if warp else ''}}}"
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

    def _x_heights(self, texts: Sequence[str]) -> list[float]:
        known: dict[tuple[int, int, bool], float] = {}
        scales = [1.0] * len(texts) if self.scales is None else self.scales.tolist()
        heights = []
        for (strip, _, _), text, scale in zip(self.lines, texts, scales, strict=True):
            # In UTF-8 a Han character takes three bytes, two more than a letter.
            han = not text.isascii() and len(text.encode()) > 2 * len(text)
            kind = (id(strip.face), strip.size_px, han)
            height = known.get(kind)
            if height is None:
                em = strip.face.han_height_em if han else strip.face.x_height_em
                height = known[kind] = em * strip.size_px
            heights.append(round(height * scale, 2))
        return heights

    def _warps(self) -> list[dict[str, Any]]:
        if self.quads is None or self.scales is None:
            return [{}] * len(self.lines)
        return [
            {
                "em_px": round(scale * strip.size_px, 2),
                "quad": [round(side, 2) for side in quad],
            }
            for (strip, _, _), quad, scale in zip(
                self.lines, self.quads.tolist(), self.scales.tolist(), strict=True
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
