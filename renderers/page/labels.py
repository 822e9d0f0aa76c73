"""What stands on a page: its lines in reading order, with the ink box of every character."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.arrays import Floats, Ints
from renderers.compiled import EXACT
from renderers.layout.sheet import Placed
from renderers.page.compose import Characters

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """The labels of a page as arrays: a page has thousands of boxes, and not every use wants lists.

    `line_boxes int32[lines, 4]`, `colours uint8[lines, 3]`, `contrasts float64[lines]`; of a warped
    page also `quads float64[lines, 8]` and `scales float64[lines]` (see `warp.Warped`). `facts` are
    the other members of the label.
    """

    lines: Placed
    characters: Characters
    line_boxes: Ints
    colours: npt.NDArray[np.uint8]
    contrasts: npt.NDArray[np.float64]
    facts: dict[str, Any]
    quads: Floats | None = None
    scales: Floats | None = None

    def text(self) -> str:
        """All that was drawn, line after line; spaces are left out."""
        points = self.lines.galley.points[self.characters.where]
        return points.tobytes().decode("utf-32-le", "surrogatepass")

    def to_dict(self) -> dict[str, Any]:
        """The label as plain lists and numbers, as it comes back from JSON.

        Of each line: text, chars [[char, x0, y0, x1, y1], ...], font, size_px, colour, contrast,
        box [x0, y0, x1, y1] and x_height_px. Boxes are the drawn ink in px of the image, half open;
        a character without ink (a space) has no entry. `x_height_px` is the height of an x in the
        line's face, of a Han character where these are the most. A line of a warped page also has
        its quad [x, y, ...], the corners of its ink from the top left clockwise, and em_px, the em
        as it comes out in the line's middle; there x_height_px is measured with that.
        """
        found, galley = self.characters, self.lines.galley
        sides = (found.boxes // 100).T.tolist()
        rows = list(map(list, zip(self.text(), *sides, strict=True)))
        for i in np.flatnonzero(found.shared).tolist():
            rows[i][1::2] = (found.boxes[i, ::2] / 100).tolist()
        starts = [0, *found.ends.tolist()]
        numbers = self._numbers().tolist()
        lines = []
        for i, ((begin, end, _, _, face, size_px), colour, box) in enumerate(
            zip(
                self.lines.table().tolist(),
                self.colours.tolist(),
                self.line_boxes.tolist(),
                strict=True,
            )
        ):
            contrast, height, *warp = numbers[i]
            line = {
                "text": galley.text(begin, end),
                "chars": rows[starts[i] : starts[i + 1]],
                "font": galley.faces[face].key,
                "size_px": size_px,
                "colour": colour,
                "contrast": contrast / 1000,
                "box": box,
                "x_height_px": height / 100,
            }
            if warp:
                line["em_px"] = warp[0] / 100
                line["quad"] = [side / 100 for side in warp[1:]]
            lines.append(line)
        return {"lines": lines, **self.facts}

    def to_json(self, **more: Any) -> str:
        """The text of `to_dict`, without its lists, and with `more` members at its end."""
        return self._json(self.facts | more, named=False)

    def to_table_json(self, **more: Any) -> str:
        """As `to_json`, in a shape that fits a table, for readers that build one.

        A character is `{"char", "box"}` with box x0, y0, x1, y1 in px, all floats; the recipe is
        JSON in a string, as its names differ from layout to layout; fonts are a list.
        """
        fonts = [{"face": face} | facts for face, facts in self.facts.get("fonts", {}).items()]
        recipe = _dumps(self.facts.get("recipe"))
        return self._json(self.facts | {"fonts": fonts, "recipe": recipe} | more, named=True)

    def _json(self, facts: dict[str, Any], *, named: bool) -> str:
        found, galley = self.characters, self.lines.galley
        fonts = [_dumps(face.key).encode() for face in galley.faces]
        lines = _lines_json(
            galley.points,
            self.lines.table(),
            found.where,
            found.ends,
            found.boxes,
            found.shared,
            np.frombuffer(bytearray(b"".join(fonts)), dtype=np.uint8),
            np.cumsum([0, *map(len, fonts)]),
            self.colours,
            self.line_boxes,
            self._numbers(),
            _WORDS,
            _WORD_ENDS,
            named,
        )
        return f'{{"lines":[{lines.tobytes().decode()}],{_dumps(facts)[1:]}'

    def _numbers(self) -> npt.NDArray[np.int64]:
        """Of each line, in whole numbers: contrast in thousandths; x-height in hundredths of a px.

        `int64[lines, 2]`, of a warped page `int64[lines, 11]`: also em_px and quad.
        """
        lined = self.lines.table()
        faces = self.lines.galley.faces
        kinds = np.array([(face.x_height_em, face.han_height_em) for face in faces])
        han = _mostly_han(self.lines.galley.points, lined)
        heights = kinds[lined[:, 4], han] * lined[:, 5]
        columns = [1000 * self.contrasts, 100 * heights]
        if self.quads is not None and self.scales is not None:
            columns[1] *= self.scales
            columns += [100 * self.scales * lined[:, 5], *(100 * self.quads.T)]
        numbers: npt.NDArray[np.int64] = np.rint(np.stack(columns, axis=1)).astype(np.int64)
        return numbers


_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

# What stands between the members of a line, and of a character that is named.
_BETWEEN = (
    '{"text":"',
    '","chars":[',
    '],"font":',
    ',"size_px":',
    ',"colour":[',
    '],"contrast":',
    ',"box":[',
    '],"x_height_px":',
    ',"em_px":',
    ',"quad":[',
    '{"char":"',
    '","box":[',
)
_WORDS = np.frombuffer(bytearray("".join(_BETWEEN).encode()), dtype=np.uint8)
_WORD_ENDS = np.cumsum([0, *map(len, _BETWEEN)])
_QUOTE, _BACKSLASH, _COMMA, _POINT, _MINUS, _ZERO = 34, 92, 44, 46, 45, 48
_OPEN, _CLOSE, _CLOSE_MEMBER, _SMALL_U = 91, 93, 125, 117
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
# A letter is at most `\u001f`; the four numbers of a character have at most ten digits, a sign and
# two decimals each, and their names are 21 signs.
_LONGEST_CHARACTER, _LONGEST_LETTER, _LONGEST_NUMBER = 96, 6, 24


@njit(**EXACT)
def _mostly_han(points, lined):  # type: ignore[no-untyped-def]
    """Whether most characters of each line take three bytes in UTF-8, as Han does, int64[lines]."""
    found = np.zeros(len(lined), np.int64)
    for line in range(len(lined)):
        more = 0
        for i in range(lined[line, 0], lined[line, 1]):
            more += (points[i] >= 0x80) + (points[i] >= 0x800) + (points[i] >= 0x10000)
        found[line] = more > lined[line, 1] - lined[line, 0]
    return found


@njit(**EXACT)
def _lines_json(  # type: ignore[no-untyped-def]
    points, lined, where, line_ends, boxes, shared, fonts, font_ends, colours, line_boxes, numbers,
    words, word_ends, named,
):  # fmt: skip
    """The lines of a label as UTF-8, uint8[n]: `{"text":...},...`."""
    letters, longest = 0, 0
    for line in range(len(lined)):
        letters += lined[line, 1] - lined[line, 0]
    for font in range(len(font_ends) - 1):
        longest = max(longest, font_ends[font + 1] - font_ends[font])
    each = longest + len(words) + _LONGEST_NUMBER * (8 + numbers.shape[1])
    size = _LONGEST_CHARACTER * len(where) + _LONGEST_LETTER * letters + each * len(lined)
    out = np.empty(size + 1, np.uint8)
    at = i = 0
    for line in range(len(lined)):
        if line:
            out[at] = _COMMA
            at += 1
        at = _copy(out, at, words, word_ends, 0)
        for letter in range(lined[line, 0], lined[line, 1]):
            at = _character(out, at, np.int64(points[letter]))
        at = _copy(out, at, words, word_ends, 1)
        first = i
        while i < line_ends[line]:
            if i > first:
                out[at] = _COMMA
                at += 1
            if named:
                at = _copy(out, at, words, word_ends, 10)
            else:
                out[at], out[at + 1] = _OPEN, _QUOTE
                at += 2
            at = _character(out, at, np.int64(points[where[i]]))
            if named:
                at = _copy(out, at, words, word_ends, 11)
            else:
                out[at], out[at + 1] = _QUOTE, _COMMA
                at += 2
            for side in range(4):
                if side:
                    out[at] = _COMMA
                    at += 1
                if named or (shared[i] and side % 2 == 0):
                    at = _decimal(out, at, np.int64(boxes[i, side]), 2)
                else:
                    at = _whole(out, at, np.int64(boxes[i, side]) // 100)
            out[at] = _CLOSE
            at += 1
            if named:
                out[at] = _CLOSE_MEMBER
                at += 1
            i += 1
        at = _copy(out, at, words, word_ends, 2)
        at = _copy(out, at, fonts, font_ends, lined[line, 4])
        at = _copy(out, at, words, word_ends, 3)
        at = _whole(out, at, np.int64(lined[line, 5]))
        at = _wholes(out, _copy(out, at, words, word_ends, 4), colours[line])
        at = _copy(out, at, words, word_ends, 5)
        at = _decimal(out, at, numbers[line, 0], 3)
        at = _wholes(out, _copy(out, at, words, word_ends, 6), line_boxes[line])
        at = _decimal(out, _copy(out, at, words, word_ends, 7), numbers[line, 1], 2)
        if numbers.shape[1] > 2:
            at = _decimal(out, _copy(out, at, words, word_ends, 8), numbers[line, 2], 2)
            at = _copy(out, at, words, word_ends, 9)
            for side in range(3, numbers.shape[1]):
                if side > 3:
                    out[at] = _COMMA
                    at += 1
                at = _decimal(out, at, numbers[line, side], 2)
            out[at] = _CLOSE
            at += 1
        out[at] = _CLOSE_MEMBER
        at += 1
    return out[:at]


@njit(**EXACT)
def _copy(out, at, parts, ends, number):  # type: ignore[no-untyped-def]
    for i in range(ends[number], ends[number + 1]):
        out[at] = parts[i]
        at += 1
    return at


@njit(**EXACT)
def _wholes(out, at, values):  # type: ignore[no-untyped-def]
    """Writes whole numbers with commas between them."""
    for i in range(len(values)):
        if i:
            out[at] = _COMMA
            at += 1
        at = _whole(out, at, np.int64(values[i]))
    return at


@njit(**EXACT)
def _whole(out, at, value):  # type: ignore[no-untyped-def]
    if value < 0:
        out[at] = _MINUS
        at += 1
        value = -value
    digits = 1
    while value >= 10**digits:
        digits += 1
    for k in range(digits):
        out[at + digits - 1 - k] = _ZERO + value % 10
        value //= 10
    return at + digits


@njit(**EXACT)
def _decimal(out, at, value, places):  # type: ignore[no-untyped-def]
    """Writes value / 10**places as Python shows that float."""
    if value < 0:
        out[at] = _MINUS
        at += 1
        value = -value
    scale = 10**places
    at = _whole(out, at, value // scale)
    rest = value % scale
    out[at] = _POINT
    at += 1
    while True:
        scale //= 10
        out[at] = _ZERO + rest // scale
        at += 1
        rest %= scale
        if rest == 0:
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
