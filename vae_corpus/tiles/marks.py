"""What is said in tiles: the hashes of the marks inside each."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vae_corpus.tiles.arrays import Lists, Sizes
from vae_corpus.tiles.compiled import EXACT, INNER


def packed(
    x: NDArray[np.uint16], y: NDArray[np.uint16], hashes: NDArray[np.uint32]
) -> NDArray[np.uint64]:
    """uint64[N]: marks as one number each, sorted by their hashes first."""
    place = (x.astype(np.uint64) << np.uint64(16)) | y
    return (hashes.astype(np.uint64) << np.uint64(32)) | place


def said_in(
    marks: Lists[np.uint64],
    sizes: Sizes,
    pages: NDArray[np.int64],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Of each tile the hashes of `packed` marks inside, each once, sorted: their ends, and they.

    `pages`, int64[tiles], ascending, says which page a tile is of, `x` and `y` where it begins.
    Nothing is said where marks are not known.
    """
    if not marks.counts.any():
        # Nothing is compiled for a corpus without marks.
        return np.zeros(len(pages), np.int64), np.empty(0, np.uint32)
    ends = np.empty(len(pages), np.int64)
    scratch = np.empty((2, int(marks.counts.max(initial=0))), np.uint64)
    hashes = _said(
        *(marks.starts, marks.stops, marks.values, sizes.tile_width, sizes.tile_height),
        *(pages, x, y, ends, scratch),
    )
    return ends, hashes


@njit(**EXACT)
def _said(  # type: ignore[no-untyped-def]
    starts, stops, marks, across, down, pages, x, y, ends, scratch
):
    found, end, page, count = np.empty(1024, np.uint32), 0, -1, 0
    low = np.uint64(0xFFFF)
    for tile in range(len(pages)):
        if pages[tile] != page:
            page = pages[tile]
            count = stops[page] - starts[page]
            for n in range(count):
                scratch[0, n] = marks[starts[page] + n]
            _sort(scratch, count)
        if end + count > len(found):
            longer = np.empty(2 * (end + count), np.uint32)
            for n in range(end):
                longer[n] = found[n]
            found = longer
        first = end
        for n in range(count):
            mark = scratch[0, n]
            right = np.int64((mark >> np.uint64(16)) & low) - x[tile]
            under = np.int64(mark & low) - y[tile]
            if 0 <= right < across[page] and 0 <= under < down[page]:
                said = np.uint32(mark >> np.uint64(32))
                if end == first or found[end - 1] != said:
                    found[end] = said
                    end += 1
        ends[tile] = end
    return found[:end]


@njit(**INNER)
def _sort(scratch, count):  # type: ignore[no-untyped-def]
    """Sort the first row by the upper 32 bits, eight of them at a time; the second helps."""
    places = np.empty(256, np.int64)
    for turn in range(4):
        shift, into = np.uint64(32 + 8 * turn), 1 - turn % 2
        for byte in range(256):
            places[byte] = 0
        for n in range(count):
            places[(scratch[1 - into, n] >> shift) & np.uint64(255)] += 1
        before = 0
        for byte in range(256):
            before, places[byte] = before + places[byte], before
        for n in range(count):
            mark = scratch[1 - into, n]
            byte = (mark >> shift) & np.uint64(255)
            scratch[into, places[byte]] = mark
            places[byte] += 1
