"""Lay set lines onto a background: blend their ink, and measure where each character lies.

Blending is done in sRGB: blending in linear light washes out small dark text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from renderers.atlas import PHASES, Atlas
from renderers.layout.sheet import Line, Mark
from renderers.shaping import Ints

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Glyphs:
    """All glyphs of a page: line number, slot in the atlas, origin in px, first character.

    `boxes int32[n, 4]` is the ink in px of the page (x0, y0, x1, y1, half open; all equal for a
    blank glyph); `line_boxes` the same per line.
    """

    line: Ints
    slot: Ints
    x: Ints
    y: Ints
    character: Ints
    boxes: Ints
    line_boxes: Ints


def gather(lines: Sequence[Line], atlas: Atlas, phases: int) -> Glyphs:
    """Round every glyph of `lines` to the pixel grid and rasterise what is new."""
    counts = [len(line.strip.glyphs) for line in lines]
    number = np.repeat(np.arange(len(lines), dtype=np.int32), counts)
    glyphs = _joined([line.strip.glyphs for line in lines])
    x = np.concatenate([line.strip.x + line.x for line in lines])
    y = np.concatenate([line.strip.y + line.y for line in lines])
    row = np.floor(y + 0.5).astype(np.int32)
    if phases == 1:
        column, phase = np.floor(x + 0.5).astype(np.int32), np.zeros(len(x), dtype=np.int32)
    else:
        quarter = np.floor(x * PHASES + 0.5).astype(np.int32)
        column, phase = quarter // PHASES, quarter % PHASES
    slot = np.zeros(len(glyphs), dtype=np.int32)
    kinds: dict[tuple[str, int], int] = {}
    kind = [kinds.setdefault((li.strip.face.key, li.strip.size_px), len(kinds)) for li in lines]
    of_glyph = np.asarray(kind, dtype=np.int32)[number] * PHASES + phase
    example = {k: line.strip for k, line in zip(reversed(kind), reversed(lines), strict=True)}
    for group in np.flatnonzero(np.bincount(of_glyph)).tolist():
        here = np.flatnonzero(of_glyph == group)
        strip = example[group // PHASES]
        slot[here] = atlas.slots(strip.face, strip.size_px, group % PHASES, glyphs[here])
    boxes = atlas.boxes(slot).astype(np.int32)
    boxes += np.stack([column, row, column, row], axis=1)
    return Glyphs(
        line=number,
        slot=slot,
        x=column,
        y=row,
        character=_joined([line.strip.clusters for line in lines]),
        boxes=boxes,
        line_boxes=union(boxes, np.cumsum([0, *counts[:-1]])),
    )


def union(boxes: Ints, starts: npt.NDArray[np.int64]) -> Ints:
    """The box around each group of boxes; group i starts at `starts[i]`. Blank ones do not count.

    A group of blanks alone comes back with x1 < x0.
    """
    blank = boxes[:, 0] >= boxes[:, 2]
    far = np.int32(1 << 20)
    low = np.where(blank[:, None], far, boxes[:, :2])
    high = np.where(blank[:, None], -far, boxes[:, 2:])
    return np.concatenate(
        [np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)], axis=1
    ).astype(np.int32)


def backdrop(
    background: Picture,
    crop: tuple[float, float],
    size: tuple[int, int],
    wash: tuple[float, int],
) -> Picture:
    """Cut `size` (width, height) px out of `background` and blend it towards a grey tone.

    ValueError when the background is smaller than that or not `uint8[H, W, 3]`.
    """
    width, height = size
    if background.ndim != 3 or background.shape[2] != 3 or background.dtype != np.uint8:
        raise ValueError(
            f"a background is uint8[H, W, 3]; got {background.dtype}{list(background.shape)}"
        )
    rows, columns = background.shape[:2]
    if columns < width or rows < height:
        raise ValueError(
            f"the background is {columns}x{rows} px, smaller than the page of {width}x{height} px: "
            "give a larger picture or a smaller canvas"
        )
    left = int(crop[0] * (columns - width) + 0.5)
    top = int(crop[1] * (rows - height) + 0.5)
    page = background[top : top + height, left : left + width].copy()
    strength, tone = wash
    return _towards(page, strength, tone) if strength else page


def furnish(page: Picture, marks: Sequence[Mark], plate: float, tone: int, rule_tone: int) -> None:
    """Draw plates (when `plate` > 0) and rules onto `page`, in place."""
    for mark in marks:
        part = page[mark.y0 : mark.y1, mark.x0 : mark.x1]
        if mark.kind == "rule":
            part[:] = _towards(part, 0.6, rule_tone)
        elif plate:
            part[:] = _towards(part, plate, tone)


def _towards(part: Picture, strength: float, tone: int) -> Picture:
    # A table of 256 values is exact, and several times faster than arithmetic on the picture.
    table = np.round(np.arange(256) * (1 - strength) + tone * strength).astype(np.uint8)
    return table[part]


def blend(page: Picture, glyphs: Glyphs, atlas: Atlas, colours: Picture) -> None:
    """Draw the glyphs onto `page`, in place; `colours uint8[lines, 3]`."""
    ink = atlas.inked(glyphs.slot)
    height, width = page.shape[:2]
    where = (glyphs.y * width + glyphs.x)[ink.glyph] + ink.dy * width + ink.dx
    # Neighbours may share an antialiased pixel: their coverage adds up.
    total = np.bincount(where, weights=ink.coverage, minlength=width * height)
    owner = np.zeros(width * height, dtype=np.int32)
    owner[where] = glyphs.line[ink.glyph]
    inked = np.flatnonzero(total)
    alpha = np.minimum(total[inked], 255).astype(np.int32)[:, None]
    flat = page.reshape(-1, 3)
    under = flat[inked].astype(np.int32)
    over = colours[owner[inked]].astype(np.int32)
    flat[inked] = (under * 255 + (over - under) * alpha + 127) // 255


def _joined(parts: Sequence[Ints]) -> Ints:
    return np.concatenate(parts).astype(np.int32, copy=False)
