"""What the other files ask of pdfium in C: objects of a page, strings, boxes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Forms inside forms are looked into so deep, and so many objects of a page.
_MAX_DEPTH = 8
_MAX_OBJECTS = 20_000


class Piece(NamedTuple):
    """An object of a page; `on_page`: on the page itself, not inside a form."""

    raw: Any
    kind: int
    on_page: bool


class Covers(NamedTuple):
    """Images that hide what was drawn before: `places` int64[M] in the drawing, and their `boxes`.

    `order` gives the place of an object by its address.
    """

    order: dict[int, int]
    places: NDArray[np.int64]
    boxes: NDArray[np.float32]


def pieces(page: Any) -> Iterator[Piece]:
    """Every object that is no form, in the order in which they are drawn."""
    import pypdfium2.raw as pdfium

    count, get = pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject
    waiting = [(get(page, i), 0) for i in reversed(range(min(count(page), _MAX_OBJECTS)))]
    seen = 0
    while waiting and seen < _MAX_OBJECTS:
        item, depth = waiting.pop()
        seen += 1
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind != pdfium.FPDF_PAGEOBJ_FORM:
            yield Piece(item, kind, depth == 0)
        elif depth < _MAX_DEPTH:
            inside = range(min(pdfium.FPDFFormObj_CountObjects(item), _MAX_OBJECTS))
            waiting += [(pdfium.FPDFFormObj_GetObject(item, i), depth + 1) for i in inside]


def by_numbers(function: Any, gives: Any, *takes: Any) -> Any:
    """A function of pdfium that takes and gives addresses as whole numbers.

    Called for every character: wrapped pointers would cost more than what pdfium does.
    """
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    return ctypes.PYFUNCTYPE(gives, *takes)(address)


def bounds(item: Any) -> tuple[float, float, float, float] | None:
    """Left, bottom, right and top in points; None where pdfium does not know."""
    import pypdfium2.raw as pdfium

    sides = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(item, *sides):
        return None
    left, bottom, right, top = (side.value for side in sides)
    return left, bottom, right, top


def utf16(ask: Any, *about: Any) -> str:
    """The string of a function that writes UTF-16 into a buffer and returns its bytes."""
    import pypdfium2.raw as pdfium

    size = ask(*about, None, 0)
    buffer = ctypes.create_string_buffer(size)
    ask(*about, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")
