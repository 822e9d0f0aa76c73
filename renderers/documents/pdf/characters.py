"""The characters of a PDF page, out of its text layer: what is drawn, where and how large."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderers.documents.pdf.glyphs import leaves_mark
from renderers.documents.pdf.raw import Covers, by_numbers
from vae_corpus.characters import Characters

# pdfium marks so a code that the font does not map to a character.
UNMAPPED = "�"
# A line ends where the next character stands off by more, in em: down, forward, back.
_DOWN_EM, _FORWARD_EM, _BACK_EM = 0.6, 1.6, 1.0
_FIRST_WIDE = 0x2E80
# The same character twice at one place is bold, or a shadow.
_SAME_PX = 0.25
_NO_NAME = ""
# No page of print has more; what a file of a line says beyond is not looked at.
_MAX_CHARACTERS = 200_000


def characters(text_page: Any, covers: Covers) -> tuple[Characters, int]:
    """The drawn characters in points of the page's own space, and how many are hidden.

    Boxes are left, bottom, right, top: the vertical axis points up. Hidden are those that are not
    drawn, such as what a scan carries for searching, and those under an image that was drawn later.
    What a font does not map to a character is U+FFFD.
    """
    import pypdfium2.raw as pdfium

    raw = ctypes.cast(text_page.raw, ctypes.c_void_p).value
    address, number = ctypes.c_void_p, ctypes.c_int
    get_code = by_numbers(pdfium.FPDFText_GetUnicode, ctypes.c_uint, address, number)
    get_object = by_numbers(pdfium.FPDFText_GetTextObject, address, address, number)
    get_box = by_numbers(pdfium.FPDFText_GetCharBox, number, address, number, *[address] * 4)
    count = min(pdfium.FPDFText_CountChars(text_page.raw), _MAX_CHARACTERS)
    codes, style = [0] * count, [0] * count
    # Left, right, bottom, top, as pdfium writes them.
    sides = np.zeros((count, 4), np.float64)
    to = sides.ctypes.data
    styles = _Styles(text_page.raw, covers)
    before, current = 0, 0
    for i in range(count):
        codes[i] = get_code(raw, i)
        get_box(raw, i, to, to + 8, to + 16, to + 24)
        to += 32
        here = get_object(raw, i)
        if here and here != before:
            before, current = here, styles.of(here, i)
        style[i] = current
    boxes = sides[:, [0, 2, 1, 3]].astype(np.float32)
    return _arranged(*_joined(codes, boxes, style), styles)


def _joined(
    codes: list[int], boxes: NDArray[np.float32], style: list[int]
) -> tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.int32]]:
    """Characters beyond U+FFFF, such as letters of formulas, come as two halves of UTF-16."""
    points = np.array(codes, np.uint32)
    high = (points >= 0xD800) & (points < 0xDC00)
    low = (points >= 0xDC00) & (points < 0xE000)
    pair = np.flatnonzero(high[:-1] & low[1:])
    points[pair] = 0x10000 + ((points[pair] - 0xD800) << 10) + (points[pair + 1] - 0xDC00)
    keep = np.ones(len(points), bool)
    keep[pair + 1] = False
    return points[keep], boxes[keep], np.array(style, np.int32)[keep]


class _Styles:
    """What characters of one text object share: font, em, whether they are drawn."""

    def __init__(self, raw: Any, covers: Covers) -> None:
        self._raw = raw
        self.covers = covers
        self.place: list[int] = [0]
        self.em: list[float] = [0.0]
        self.font: list[int] = [0]
        self.drawn: list[bool] = [True]
        self.fonts: dict[str, int] = {_NO_NAME: 0}
        self._names: dict[int, int] = {}

    def of(self, address: int, index: int) -> int:
        """The number of the style of a text object, which holds character `index`."""
        import pypdfium2.raw as pdfium

        item = ctypes.cast(address, pdfium.FPDF_PAGEOBJECT)
        matrix = pdfium.FS_MATRIX()
        pdfium.FPDFText_GetMatrix(self._raw, index, ctypes.byref(matrix))
        size = pdfium.FPDFText_GetFontSize(self._raw, index)
        self.em.append(abs(size) * float(np.hypot(matrix.c, matrix.d)))
        self.font.append(self._font(pdfium.FPDFTextObj_GetFont(item)))
        self.drawn.append(leaves_mark(item, darkest=256))
        self.place.append(self.covers.order.get(address, 0))
        return len(self.em) - 1

    def _font(self, font: Any) -> int:
        import pypdfium2.raw as pdfium

        at = ctypes.cast(font, ctypes.c_void_p).value or 0
        if at not in self._names:
            size = pdfium.FPDFFont_GetBaseFontName(font, None, 0)
            buffer = ctypes.create_string_buffer(max(size, 1))
            pdfium.FPDFFont_GetBaseFontName(font, buffer, size)
            name = buffer.value.decode("utf-8", "replace")
            # A subset bears six letters and a plus before its name.
            name = name[7:] if name[6:7] == "+" else name
            self._names[at] = self.fonts.setdefault(name, len(self.fonts))
        return self._names[at]


@dataclass(frozen=True)
class _Kept:
    codes: NDArray[np.uint32]
    boxes: NDArray[np.float32]
    style: NDArray[np.int32]

    def where(self, keep: NDArray[np.bool_]) -> _Kept:
        return _Kept(self.codes[keep], self.boxes[keep], self.style[keep])


def _arranged(
    codes: NDArray[np.uint32],
    boxes: NDArray[np.float32],
    style: NDArray[np.int32],
    styles: _Styles,
) -> tuple[Characters, int]:
    # A hyphen at the end of a line comes as one of these; private codes mean nothing.
    codes = np.where(np.isin(codes, (0x02, 0xAD, 0xFFFE)), np.uint32(ord("-")), codes)
    no_character = (codes == 0) | ((codes >= 0xD800) & (codes < 0xF900)) | (codes >= 0xF0000)
    codes = np.where(no_character, np.uint32(ord(UNMAPPED)), codes)
    # A control with an outline is a letter that nobody named.
    control = (codes < 0x20) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    codes = np.where(control & ~np.isin(codes, (0x09, 0x0A, 0x0D)), np.uint32(ord(UNMAPPED)), codes)
    space = _is_space(codes)
    boxes[space] = 0
    boxes = np.nan_to_num(boxes, nan=0.0, posinf=0.0, neginf=0.0)
    drawn = np.array(styles.drawn)[style] | space
    drawn &= space | ~_covered(boxes, np.array(styles.place)[style], styles.covers)
    all_ = _Kept(codes, boxes, style)
    kept = all_.where(drawn & ~_doubled(all_, space))
    em = np.array(styles.em, np.float32)[kept.style]
    em = _plausible(em, kept)
    lines = _lines(kept, em)
    found = Characters(
        text=kept.codes.tobytes().decode("utf-32-le", "replace"),
        boxes=kept.boxes,
        em_px=em,
        line=lines,
        font=np.array(styles.font, np.int32)[kept.style],
        fonts=tuple(styles.fonts),
    )
    return found, int(np.count_nonzero(~drawn))


def _is_space(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    spaces: NDArray[np.bool_] = (codes <= 0x20) | np.isin(codes, (0x7F, 0xA0, 0x3000, 0xFEFF))
    return (
        spaces | ((codes >= 0x2000) & (codes <= 0x200F)) | ((codes >= 0x2028) & (codes <= 0x202F))
    )


def _covered(
    boxes: NDArray[np.float32], place: NDArray[np.int64], covers: Covers
) -> NDArray[np.bool_]:
    """bool[N]: over which of them an image lies."""
    covered = np.zeros(len(boxes), bool)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    for at, (left, bottom, right, top) in zip(covers.places, covers.boxes, strict=True):
        inside = (x > left) & (x < right) & (y > bottom) & (y < top)
        covered |= inside & (place < at)
    return covered


def _doubled(all_: _Kept, space: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[N]: which repeat a character before them at the same place."""
    again = np.zeros(len(all_.codes), bool)
    seen = np.flatnonzero(~space)
    if len(seen):
        place = np.round(all_.boxes[seen, :2] / _SAME_PX).astype(np.int64)
        keys = np.column_stack([place, all_.codes[seen].astype(np.int64)])
        _, first = np.unique(keys, axis=0, return_index=True)
        again[seen] = True
        again[seen[first]] = False
    return again


def _plausible(em: NDArray[np.float32], kept: _Kept) -> NDArray[np.float32]:
    """Type 3 fonts have an em of any size: then that of print whose tallest letter is as tall."""
    height = kept.boxes[:, 3] - kept.boxes[:, 1]
    tallest = np.zeros(int(kept.style.max(initial=0)) + 1, np.float32)
    np.maximum.at(tallest, kept.style, height)
    tall = tallest[kept.style]
    odd = (tall > 0) & ((em < 0.6 * tall) | (em > 8 * tall))
    return np.where(odd, np.float32(1.2) * tall, em)


def _lines(kept: _Kept, em: NDArray[np.float32]) -> NDArray[np.int32]:
    """The number of each character's line: a new one where the pen goes down, back or far ahead."""
    lines = np.zeros(len(kept.codes), np.int32)
    inked = np.flatnonzero(kept.boxes[:, 2] > kept.boxes[:, 0])
    if len(inked) < 2:
        return lines
    box, size = kept.boxes[inked], np.maximum(em[inked], 1e-3)
    apart = np.maximum(size[1:], size[:-1])
    # Small and large letters of a line overlap; so do an index and what it stands at.
    overlap = np.minimum(box[1:, 3], box[:-1, 3]) - np.maximum(box[1:, 1], box[:-1, 1])
    middle = np.abs(box[1:, 1] + box[1:, 3] - box[:-1, 1] - box[:-1, 3]) / 2
    down = (middle > _DOWN_EM * apart) & (overlap <= 0)
    forward = box[1:, 0] - box[:-1, 2] > _FORWARD_EM * apart
    back = box[1:, 0] < box[:-1, 0] - _BACK_EM * apart
    # Chinese in columns goes down, one below the other.
    wide = kept.codes[inked] >= _FIRST_WIDE
    step = box[:-1, 3] - box[1:, 3]
    aside = np.abs(box[1:, 0] + box[1:, 2] - box[:-1, 0] - box[:-1, 2]) / 2
    below = wide[1:] & wide[:-1] & (aside < 0.3 * apart) & (step > 0) & (step < 1.5 * apart)
    new = np.cumsum((down | forward | back) & ~below)
    lines[inked[1:]] = new
    # What has no ink belongs to the line before it.
    filled = np.zeros(len(lines), np.int64)
    filled[inked] = inked
    lines = lines[np.maximum.accumulate(filled)]
    return lines
