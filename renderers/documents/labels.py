"""The labels of a part of a page: its lines, with the box of every character inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderers.documents.page import PageImage
from vae_corpus.characters import Characters

# A character belongs to a tile that shows this share of it.
_SHOWN = 0.5
_X_HEIGHT = frozenset("acemnorsuvwxz")
# Without such letters: the x-height of common faces.
_X_HEIGHT_EM = 0.5


def lines_in(page: PageImage, x: int, y: int, width: int, height: int) -> list[dict[str, Any]]:
    """The lines of text in a part of the page, in the order of reading.

    They have the members of lines of synthetic text: `text`, `boxes` [[x0, y0, x1, y1], ...] of its
    characters in whole px of the part (empty for a space), `font`, `size_px` (the em of half of
    them), `colour` [r, g, b] of the ink, `contrast` (WCAG, of the ink to what is around it), `box`,
    `quad`, `em_px`, `x_height_px`. Of a line that an edge cuts those characters are listed of which
    half and more shows.
    """
    said = page.characters
    shifted = said.boxes - np.array([x, y, x, y], np.float32)
    inside = _mostly_inside(shifted, said.inked, width, height)
    low = np.clip(np.floor(shifted[:, :2]), 0, (width, height))
    high = np.clip(np.ceil(shifted[:, 2:]), 0, (width, height))
    part = _Part(
        pixels=page.rgb[y : y + height, x : x + width],
        characters=said,
        letters=["" if c in "\r\n" else " " if c.isspace() else c for c in said.text],
        boxes=np.concatenate([low, high], axis=1).astype(int).tolist(),
        heights=said.boxes[:, 3] - said.boxes[:, 1],
        han=said.han,
        inside=inside.tolist(),
        inked=said.inked.tolist(),
    )
    shown = np.flatnonzero(inside)
    starts = np.flatnonzero(np.diff(said.line[shown], prepend=-1))
    # Characters of a line stand together, and lines come in their order.
    return [part.line(places) for places in np.split(shown, starts[1:]) if len(places)]


def _mostly_inside(
    boxes: NDArray[np.float32], inked: NDArray[np.bool_], width: int, height: int
) -> NDArray[np.bool_]:
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(boxes[:, 2:], (width, height))
    seen = np.clip(high - low, 0, None).prod(axis=1)
    whole = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    inside: NDArray[np.bool_] = inked & (seen >= _SHOWN * np.maximum(whole, 1e-6))
    return inside


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """A part of a page; `boxes` are in its px, `inside` says which characters it shows."""

    pixels: NDArray[np.uint8]
    characters: Characters
    letters: list[str]
    boxes: list[list[int]]
    heights: NDArray[np.float32]
    han: NDArray[np.bool_]
    inside: list[bool]
    inked: list[bool]

    def line(self, shown: NDArray[np.int64]) -> dict[str, Any]:
        """The line whose characters `shown` stand inside."""
        first, last = int(shown[0]), int(shown[-1])
        # Spaces between what is shown stay; letters that are cut away do not.
        kept = [
            i
            for i in range(first, last + 1)
            if self.letters[i] and (self.inside[i] or not self.inked[i])
        ]
        boxes: list[list[int]] = []
        for i in kept:
            boxes.append(self.boxes[i] if self.inside[i] else 2 * boxes[-1][2:])
        lefts, tops, rights, bottoms = zip(*(self.boxes[i] for i in shown.tolist()), strict=True)
        box = [min(lefts), min(tops), max(rights), max(bottoms)]
        em = round(float(np.median(self.characters.em_px[shown])), 2)
        colour, contrast = _ink(self.pixels[box[1] : box[3], box[0] : box[2]])
        return {
            "text": "".join(self.letters[i] for i in kept),
            "boxes": boxes,
            "font": self.characters.fonts[int(self.characters.font[first])],
            "size_px": em,
            "colour": colour,
            "contrast": contrast,
            "box": box,
            "quad": [float(box[k]) for k in (0, 1, 2, 1, 2, 3, 0, 3)],
            "em_px": em,
            "x_height_px": self._x_height(shown, em),
        }

    def _x_height(self, shown: NDArray[np.int64], em: float) -> float:
        """The height of an x, or of a Han character where most are Han, in px."""
        han = self.han[shown]
        if han.mean() > 0.5:
            return round(float(np.median(self.heights[shown[han]])), 2)
        lower = [i for i in shown.tolist() if self.letters[i] in _X_HEIGHT]
        return round(float(np.median(self.heights[lower])) if lower else _X_HEIGHT_EM * em, 2)


def _ink(pixels: NDArray[np.uint8]) -> tuple[list[int], float]:
    """The colour of the ink in the box of a line, and its WCAG contrast to the ground.

    The ground is the median; the ink is the mean of the hundredth that is farthest from it.
    """
    flat = pixels.reshape(-1, 3).astype(np.int32)
    ground = np.median(flat, axis=0)
    away = np.abs(flat - ground).sum(axis=1)
    most = max(1, len(flat) // 100)
    ink = flat[np.argpartition(away, -most)[-most:]].mean(axis=0)
    one, other = _luminance(ink), _luminance(ground)
    contrast = (max(one, other) + 0.05) / (min(one, other) + 0.05)
    return [int(round(value)) for value in ink.tolist()], round(contrast, 3)


def _luminance(rgb: NDArray[np.float64]) -> float:
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
