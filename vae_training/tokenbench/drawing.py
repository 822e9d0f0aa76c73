"""A crop's pixels out of a PDF page, and whether its text is what is seen."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vae_training.tokenbench.crop import Rgb
from vae_training.tokenbench.cutting import Cut
from vae_training.tokenbench.standard import SIDE_PX
from vae_training.tokenbench.text_layer import Character

# Levels of 255. Antialiased strokes of a pixel keep at least a third of their contrast.
_INK = 40
_PAD_PX = 2.0
# Where close lines meet, only the softened edge of a stroke belongs to its line.
_CLOSE_PX = 0.5
# Shares of the crop's characters, or of its pixels with ink.
_MOST_UNSEEN = 0.01
_MOST_OTHER_INK = 0.05
_MOST_DOUBLED = 0.03
_MOST_CUT_INK = 0.01
_MOST_SHADE = 0.02
_SHADE = 4
_PLACES = np.array([1 << 16, 1 << 8, 1])  # of red, green and blue in one number


def draw(page: Any, cut: Cut) -> Rgb:
    """uint8[256, 256, 3]: the page drawn at the crop's own scale, so nothing is resampled."""
    import pypdfium2.raw as pdfium

    rgb = np.full((SIDE_PX, SIDE_PX, 3), 255, np.uint8)
    bitmap = pdfium.FPDFBitmap_CreateEx(
        SIDE_PX,
        SIDE_PX,
        pdfium.FPDFBitmap_BGR,
        rgb.ctypes.data_as(ctypes.c_void_p),
        rgb.strides[0],
    )
    scale = cut.scale
    matrix = pdfium.FS_MATRIX(scale, 0, 0, scale, -cut.left * scale, -cut.top * scale)
    clip = pdfium.FS_RECTF(0, 0, SIDE_PX, SIDE_PX)
    flags = pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER
    try:
        pdfium.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, clip, flags)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    return rgb


def cleared(rgb: Rgb, cut: Cut) -> Rgb | str:
    """The crop with all that is not of its lines painted in the colour of the page; or a slug.

    What is painted over: the rest of lines that are longer than the crop, lines that the lower edge
    would cut, and neighbours. Slugs: `unseen_text`, characters without ink; `other_ink`, ink that
    is no character: pictures, patterned backgrounds, formulas that are drawn; `doubled_text`;
    `shaded`, a second colour of paper; `cut_ink`, strokes that reach over the edge of their line.
    """
    paper = _commonest(rgb)
    contrast = np.abs(rgb.astype(np.int16) - paper).max(axis=2)
    keep = np.zeros((SIDE_PX, SIDE_PX), bool)
    boxes = np.zeros((SIDE_PX, SIDE_PX), bool)
    close = np.zeros((SIDE_PX, SIDE_PX), bool)
    rests = np.zeros((SIDE_PX, SIDE_PX), bool)
    unseen = 0
    for line, end in zip(cut.lines, cut.ends, strict=True):
        right = max(c.box[2] for c in line.characters)
        _mark(keep, (line.left, line.top, right, line.bottom), cut, ends=(end, cut.bottom))
        _mark(rests, (end + _PAD_PX / cut.scale, line.top, cut.left + cut.side, line.bottom), cut)
        for character in line.characters:
            _mark(close, character.box, cut, pad_px=_CLOSE_PX)
            at = _mark(boxes, character.box, cut)
            unseen += not (contrast[at] >= _INK).any()
    # Above and below a line the rest of a longer one would show its edge.
    keep &= ~rests | close
    characters = cut.characters
    if unseen > _MOST_UNSEEN * len(characters):
        return "unseen_text"
    if _doubled(characters) > _MOST_DOUBLED * len(characters):
        return "doubled_text"
    ink = (contrast >= _INK) & keep
    if (ink & ~boxes).sum() > _MOST_OTHER_INK * ink.sum():
        return "other_ink"
    # To the right the gap that a line ends with keeps strokes apart.
    outside = np.pad(~keep, 1, constant_values=True)
    beside = outside[1:-1, :-2]
    edge = keep & (outside[:-2, 1:-1] | outside[2:, 1:-1] | beside)
    if (ink & keep & beside).any():
        return "cut_ink"
    if (ink & edge).sum() > _MOST_CUT_INK * edge.sum():
        return "cut_ink"
    # In areas: the softened edges of strokes are as pale, but a pixel wide.
    pale = (keep & (contrast >= _SHADE) & (contrast < _INK)).astype(np.uint8)
    if cv2.erode(pale, np.ones((3, 3))).sum() > _MOST_SHADE * keep.sum():
        return "shaded"
    clean = rgb.copy()
    clean[~keep] = paper
    return clean


def _commonest(rgb: Rgb) -> NDArray[np.int16]:
    # As one number each: to sort rows takes numpy a hundred times as long.
    colours, counts = np.unique(rgb.reshape(-1, 3) @ _PLACES, return_counts=True)
    common: NDArray[np.int16] = (colours[counts.argmax()] // _PLACES % 256).astype(np.int16)
    return common


def _mark(
    mask: NDArray[np.bool_],
    box: Sequence[float],
    cut: Cut,
    *,
    ends: tuple[float, float] = (math.inf, math.inf),
    pad_px: float = _PAD_PX,
) -> tuple[slice, slice]:
    """Set the pixels of a box in points, with a little around it; and where they are.

    No pixel beyond `ends`, right and bottom, not even in part.
    """
    origin = (cut.left, cut.top)
    x0, y0, x1, y1 = ((v - o) * cut.scale for v, o in zip(box, origin * 2, strict=True))
    x2, y2 = ((v - o) * cut.scale for v, o in zip(ends, origin, strict=True))
    rows = slice(max(0, int(y0 - pad_px)), max(0, int(min(math.ceil(y1 + pad_px), y2))))
    columns = slice(max(0, int(x0 - pad_px)), max(0, int(min(math.ceil(x1 + pad_px), x2))))
    mask[rows, columns] = True
    return rows, columns


def _doubled(characters: Sequence[Character]) -> int:
    """How many stand where the same one stands already, as shadows and false bold do."""
    places = [(c.text, round(c.box[0] / c.em * 4), round(c.box[1] / c.em * 4)) for c in characters]
    return len(places) - len(set(places))
