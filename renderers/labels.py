"""What stands on a page: its lines in reading order, with the ink box of every character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from renderers.compose import Glyphs, union
from renderers.layout.sheet import Line


def line_labels(
    lines: Sequence[Line],
    glyphs: Glyphs,
    colours: npt.NDArray[np.uint8],
    contrasts: npt.NDArray[np.float64],
) -> list[dict[str, Any]]:
    """One dict per line: text, chars [[char, x0, y0, x1, y1], ...], font, size, colour, contrast.

    Boxes are the drawn ink in px of the image, half open; a character without ink (a space) has no
    entry. The box of a ligature is shared out evenly, from left to right, among its characters.
    """
    first = np.searchsorted(glyphs.line, np.arange(len(lines) + 1))
    new = np.ones(len(glyphs.line), dtype=bool)
    new[1:] = (np.diff(glyphs.character) != 0) | (np.diff(glyphs.line) != 0)
    starts = np.flatnonzero(new)
    boxes = union(glyphs.boxes, starts)
    of_line = np.searchsorted(starts, first)
    characters = glyphs.character[starts].tolist()
    rows = boxes.tolist()
    labels = []
    for number, line in enumerate(lines):
        here = slice(int(of_line[number]), int(of_line[number + 1]))
        text = line.strip.text
        # Colour is three small ints, contrast a plain float: the label must survive JSON unchanged.
        labels.append(
            {
                "text": text,
                "chars": _characters(text, characters[here], rows[here]),
                "font": line.strip.face.key,
                "size_px": line.strip.size_px,
                "colour": colours[number].tolist(),
                "contrast": round(float(contrasts[number]), 3),
            }
        )
    return labels


def _characters(text: str, clusters: list[int], boxes: list[list[int]]) -> list[list[Any]]:
    if len(clusters) == len(text):
        return [[c, *b] for c, b in zip(text, boxes, strict=True) if b[0] < b[2]]
    out: list[list[Any]] = []
    for at, box, end in zip(clusters, boxes, [*clusters[1:], len(text)], strict=True):
        x0, y0, x1, y1 = box
        if x0 >= x1:
            continue
        count = end - at
        for k in range(count):
            left, right = x0 + (x1 - x0) * k / count, x0 + (x1 - x0) * (k + 1) / count
            out.append(
                [text[at + k], *(x0, y0, x1, y1)]
                if count == 1
                else [text[at + k], round(left, 2), y0, round(right, 2), y1]
            )
    return out
