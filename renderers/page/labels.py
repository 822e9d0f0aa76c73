"""What stands on a page: its lines in reading order, with the ink box of every character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from renderers.arrays import Bools, Floats, Ints, Picture
from renderers.layout.sheet import Placed
from renderers.optional import optional


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """The labels of a page as arrays: a page has thousands of boxes, and not every use wants lists.

    `boxes int32[characters, 4]` (see `compose.place_characters`), `line_boxes int32[lines, 4]`,
    `colours uint8[lines, 3]`, `contrasts float64[lines]`; `quads` and `scales` of a warped page
    (see `ink.Placement`). `facts` are the other members of the label.
    """

    lines: Placed
    boxes: Ints
    line_boxes: Ints
    colours: Picture
    contrasts: Floats
    facts: dict[str, Any]
    quads: Floats | None = None
    scales: Floats | None = None

    def inked(self) -> int:
        """How many characters have ink: all but spaces."""
        return int((self.boxes[:, 0] < self.boxes[:, 2]).sum())

    def shown(self) -> set[str]:
        """The characters that were drawn."""
        return set().union(*self.texts()) - {" "}

    def texts(self) -> list[str]:
        """The text of each line."""
        table, galley = self.lines.table(), self.lines.galley
        # Decoded as a whole: line by line it takes five times as long.
        everything = galley.text(0, int(table[:, 1].max(initial=0)))
        return [everything[begin:end] for begin, end in table[:, :2].tolist()]

    def to_json(self, **more: Any) -> bytes:
        """The label as JSON, in a shape for Arrow: every line has the same keys and types.

        Of each line:

        - `text`, and `boxes` [[x0, y0, x1, y1], ...], one for each character (code point) of it:
          the ink that was drawn, in whole px of the page, half open. A character without ink (a
          space) has an empty box at the lower right corner of the box before it. Characters that
          are drawn as one (a ligature, a letter and its combining marks) share the columns of
          their ink from left to right; a column that two of them touch lies in both boxes.
        - `font`, `size_px` (the em), `colour` [r, g, b], `contrast` (WCAG, 3 decimals).
        - `box`, around all ink of the line, in px; `quad` [x, y, ...], its corners from the top
          left clockwise, which are not those of the box where the page is tilted.
        - `em_px`, the em as it comes out in the middle of the line (not `size_px` on a tilted
          page), and `x_height_px`, the height of an x at that em, or of a Han character where most
          of the line is Han. `quad` and these have 2 decimals.

        After the lines come `facts` and `more`.
        """
        # Boxes as they are: as lists of lists they would cost as much as shaping the text.
        label = {"lines": self._lines(), **self.facts, **more}
        return bytes(optional("orjson").dumps(label, option=optional("orjson").OPT_SERIALIZE_NUMPY))

    def to_dict(self, **more: Any) -> dict[str, Any]:
        """As it comes back from `to_json`."""
        label: dict[str, Any] = optional("orjson").loads(self.to_json(**more))
        return label

    def _lines(self) -> list[dict[str, Any]]:
        table, galley = self.lines.table(), self.lines.galley
        keys = [face.key for face in galley.faces]
        heights_em = np.array([(face.x_height_em, face.han_height_em) for face in galley.faces])
        scales = np.ones(len(table)) if self.scales is None else self.scales
        ems = scales * table[:, 5]
        heights = heights_em[table[:, 4], self._mostly_han().astype(int)] * ems
        quads = self.line_boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]] if self.quads is None else self.quads
        lines, start = [], 0
        for text, face, size_px, colour, contrast, box, quad, em, height in zip(
            self.texts(),
            *table[:, 4:].T.tolist(),
            self.colours.tolist(),
            np.round(self.contrasts, 3).tolist(),
            self.line_boxes.tolist(),
            np.round(quads.astype(np.float64), 2).tolist(),
            np.round(ems, 2).tolist(),
            np.round(heights, 2).tolist(),
            strict=True,
        ):
            stop = start + len(text)
            lines.append(
                {
                    "text": text,
                    "boxes": self.boxes[start:stop],
                    "font": keys[face],
                    "size_px": size_px,
                    "colour": colour,
                    "contrast": contrast,
                    "box": box,
                    "quad": quad,
                    "em_px": em,
                    "x_height_px": height,
                }
            )
            start = stop
        return lines

    def _mostly_han(self) -> Bools:
        """Lines that take more than two bytes of UTF-8 per character: mostly Han, `bool[lines]`."""
        table, points = self.lines.table(), self.lines.galley.points
        last = int(table[:, 1].max(initial=0))
        points = points[:last]
        more = (points >= 0x80).astype(np.int32) + (points >= 0x800) + (points >= 0x10000)
        upto = np.concatenate([[0], np.cumsum(more)])
        mostly: Bools = upto[table[:, 1]] - upto[table[:, 0]] > table[:, 1] - table[:, 0]
        return mostly
