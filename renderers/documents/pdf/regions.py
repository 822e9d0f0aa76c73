"""Where a PDF page holds figures, tables and formulas, and raster images.

Tagged documents say it in their structure tree. Else pictures and dense drawings are figures,
rules of one width above each other make a table, and lines of mathematical faces are formulas.
"""

from __future__ import annotations

import ctypes
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from renderers.documents.page import Box, Region, RegionKind
from renderers.documents.pdf.raw import Covers, Piece, bounds
from vae_corpus.characters import Characters

_TAGS = {"Figure": "figure", "Table": "table", "Formula": "formula"}
_MAX_ELEMENTS = 5_000
_MATH = re.compile(r"^(CM(MI|SY|EX)|MSAM|MSBM|EUFM|RSFS)|math|symbol", re.IGNORECASE)
# In points: what is smaller is an icon or a rule.
_LEAST_PT, _THIN_PT, _SAME_PT = 40.0, 2.5, 3.0
_RULES, _STROKES = 3, 40
_WHOLE_PAGE = 0.8
# Letters cover more of a box of text, such as a listing on grey, than of a drawing.
_FULL_OF_TEXT = 0.1
# A line is a formula from this share of mathematical letters on.
_MATH_SHARE = 0.35


def regions(page: Any, found: Sequence[Piece], said: Characters) -> list[Region]:
    """Regions in points, boxes as left, bottom, right, top."""
    boxes = [(piece, box) for piece in found if (box := bounds(piece.raw)) is not None]
    tagged = list(_tagged(page, boxes))
    if tagged:
        return tagged
    width, height = page.get_size()
    return [
        *_figures(boxes, said, width * height),
        *_tables(boxes, said),
        *_formulas(said),
    ]


def pictures(found: Sequence[Piece]) -> list[Box]:
    """The raster images that are large enough to hold text; left, bottom, right, top in points."""
    import pypdfium2.raw as pdfium

    boxes = (bounds(p.raw) for p in found if p.kind == pdfium.FPDF_PAGEOBJ_IMAGE)
    return [box for box in boxes if box is not None and _is_large(box)]


def covering_images(found: Sequence[Piece]) -> Covers:
    """The images through which nothing is seen, and the place of every object in the drawing."""
    import pypdfium2.raw as pdfium

    order = {ctypes.addressof(piece.raw.contents): n for n, piece in enumerate(found)}
    places, boxes = [], []
    for n, piece in enumerate(found):
        opaque = piece.kind == pdfium.FPDF_PAGEOBJ_IMAGE and not pdfium.FPDFPageObj_HasTransparency(
            piece.raw
        )
        if opaque and (box := bounds(piece.raw)) is not None:
            places.append(n)
            boxes.append(box)
    return Covers(order, np.array(places, np.int64), np.array(boxes, np.float32).reshape(-1, 4))


def _tagged(page: Any, boxes: Sequence[tuple[Piece, Box]]) -> Iterator[Region]:
    import pypdfium2.raw as pdfium

    tree = pdfium.FPDF_StructTree_GetForPage(page)
    if not tree:
        return
    try:
        marked = defaultdict(list)
        for piece, box in boxes:
            mark = pdfium.FPDFPageObj_GetMarkedContentID(piece.raw)
            if mark >= 0:
                marked[mark].append(box)
        roots = range(pdfium.FPDF_StructTree_CountChildren(tree))
        waiting: list[tuple[Any, tuple[str, int] | None]]
        waiting = [(pdfium.FPDF_StructTree_GetChildAtIndex(tree, i), None) for i in roots]
        gathered: dict[tuple[str, int], list[Box]] = defaultdict(list)
        seen = 0
        while waiting and seen < _MAX_ELEMENTS:
            element, inside = waiting.pop()
            seen += 1
            if not element:
                continue
            kind = _TAGS.get(_type_of(element))
            # The outermost of a kind counts: a formula in a table belongs to the table.
            inside = inside or ((kind, seen) if kind else None)
            if inside:
                for mark in _marks(element):
                    gathered[inside].extend(marked.get(mark, ()))
            children = range(pdfium.FPDF_StructElement_CountChildren(element))
            get = pdfium.FPDF_StructElement_GetChildAtIndex
            waiting += [(get(element, i), inside) for i in children]
        for (name, _), parts in gathered.items():
            yield Region(cast(RegionKind, name), _around(parts))
    finally:
        pdfium.FPDF_StructTree_Close(tree)


def _type_of(element: Any) -> str:
    import pypdfium2.raw as pdfium

    size = pdfium.FPDF_StructElement_GetType(element, None, 0)
    buffer = ctypes.create_string_buffer(max(size, 2))
    pdfium.FPDF_StructElement_GetType(element, buffer, size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")


def _marks(element: Any) -> list[int]:
    import pypdfium2.raw as pdfium

    count = pdfium.FPDF_StructElement_GetMarkedContentIdCount(element)
    get = pdfium.FPDF_StructElement_GetMarkedContentIdAtIndex
    return [get(element, i) for i in range(max(0, count))]


def _figures(boxes: Sequence[tuple[Piece, Box]], said: Characters, area: float) -> Iterator[Region]:
    import pypdfium2.raw as pdfium

    for piece, box in boxes:
        drawn = piece.kind in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING)
        if drawn and _is_large(box) and _area(box) < _WHOLE_PAGE * area:
            yield Region("figure", box)
    strokes = [
        box
        for piece, box in boxes
        if piece.kind == pdfium.FPDF_PAGEOBJ_PATH and _area(box) < _WHOLE_PAGE * area
    ]
    if len(strokes) < _STROKES:
        return
    for group in _touching(np.array(strokes)):
        around = _around(group)
        if len(group) < _STROKES or not _is_large(around) or _area(around) >= _WHOLE_PAGE * area:
            continue
        inside = said.boxes[_middles_in(said, around)]
        letters = float(((inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1])).sum())
        if letters < _FULL_OF_TEXT * _area(around):
            yield Region("figure", around)


def _touching(boxes: NDArray[np.float64]) -> Iterator[list[Box]]:
    """Boxes that touch each other, directly or through others, on a grid of 16 points."""
    import cv2

    low = boxes[:, :2].min(axis=0)
    cells = np.floor((boxes - np.tile(low, 2)) / 16).astype(int)
    right, top = cells[:, 2:].max(axis=0)
    if right > 1000 or top > 1000:
        return
    grid = np.zeros((top + 1, right + 1), np.uint8)
    for x0, y0, x1, y1 in cells.tolist():
        grid[y0 : y1 + 1, x0 : x1 + 1] = 1
    _, names = cv2.connectedComponents(grid, connectivity=4)
    groups: dict[int, list[Box]] = defaultdict(list)
    for name, box in zip(names[cells[:, 1], cells[:, 0]].tolist(), boxes.tolist(), strict=True):
        groups[name].append(tuple(box))
    yield from groups.values()


def _tables(boxes: Sequence[tuple[Piece, Box]], said: Characters) -> Iterator[Region]:
    """Rules of the same left and right end, three and more, with columns between them."""
    import pypdfium2.raw as pdfium

    ends: dict[tuple[int, int], list[Box]] = defaultdict(list)
    for piece, box in boxes:
        if piece.kind == pdfium.FPDF_PAGEOBJ_PATH:
            left, bottom, right, top = box
            if top - bottom <= _THIN_PT and right - left >= 2 * _LEAST_PT:
                ends[round(left / _SAME_PT), round(right / _SAME_PT)].append(box)
    for rules in ends.values():
        around = _around(rules)
        high = around[3] - around[1] >= _LEAST_PT / 2
        if len(rules) >= _RULES and high and _has_columns(said, around):
            yield Region("table", around)


def _has_columns(said: Characters, box: Box) -> bool:
    """Whether most lines in a box have another one beside them."""
    inside = _middles_in(said, box)
    lines = said.line[inside]
    heights = (said.boxes[inside, 1] + said.boxes[inside, 3]) / 2
    names = np.unique(lines)
    if len(names) < 4:
        return False
    at = np.array([heights[lines == name].mean() for name in names])
    near = np.abs(at[:, None] - at[None, :]) < 0.4 * float(np.median(said.em_px[inside]))
    return float((near.sum(axis=1) > 1).mean()) >= 0.6


def _middles_in(said: Characters, box: Box) -> NDArray[np.bool_]:
    x = (said.boxes[:, 0] + said.boxes[:, 2]) / 2
    y = (said.boxes[:, 1] + said.boxes[:, 3]) / 2
    inside: NDArray[np.bool_] = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
    return inside & said.inked


def _formulas(said: Characters) -> Iterator[Region]:
    """Lines of mathematical letters, those one below the other joined."""
    inked = said.inked
    math = np.array([bool(_MATH.search(name)) for name in said.fonts])
    if not math.any() or not inked.any():
        return
    lines, boxes, is_math = said.line[inked], said.boxes[inked], math[said.font[inked]]
    current: Box | None = None
    for line in np.unique(lines):
        mine = lines == line
        box = _around([tuple(b) for b in boxes[mine].tolist()])
        height = box[3] - box[1]
        if float(is_math[mine].mean()) < _MATH_SHARE:
            if current is not None and box[1] < current[1]:
                yield Region("formula", current)
                current = None
        elif current is not None and abs(current[1] - box[3]) < 2 * height:
            current = _around([current, box])
        else:
            if current is not None:
                yield Region("formula", current)
            current = box
    if current is not None:
        yield Region("formula", current)


def _is_large(box: Box) -> bool:
    return box[2] - box[0] >= _LEAST_PT and box[3] - box[1] >= _LEAST_PT


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _around(boxes: Sequence[Box]) -> Box:
    all_ = np.array(boxes)
    low, high = all_[:, :2].min(axis=0), all_[:, 2:].max(axis=0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
