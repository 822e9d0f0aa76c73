"""The original bytes of images that were scored: read again where they lie.

Whoever needs many reads them in runs: rows in order of address, source by source.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.sources.base import Source
from renderers.documents.page import PageImage

_BMP_HEADER_BYTES = 54


class ChangedError(RuntimeError):
    """The source no longer gives what was scored; the message names the file."""


def fetch_original(row: Mapping[str, Any], sources: Mapping[str, Source]) -> bytes:
    """The bytes of a score row; ChangedError when the source gives others by now."""
    data = sources[row["source"]].fetch(row["uri"], row["offset"], row["bytes"])
    return unchanged(row, data)


def fetch_originals(
    rows: Sequence[Mapping[str, Any]], sources: Mapping[str, Source]
) -> Iterator[bytes]:
    """What the sources have of these score rows, in order; see `unchanged`.

    Rows in order of address take few requests to a store, with many in flight.
    """
    for name, part in itertools.groupby(rows, key=lambda row: row["source"]):
        addresses = [(row["uri"], row["offset"], row["bytes"]) for row in part]
        yield from sources[name].fetch_many(addresses)


def fetch_page(row: Mapping[str, Any], sources: Mapping[str, Source]) -> PageImage:
    """The page of a score row of a source that draws, drawn again; ChangedError as above."""
    source = sources[row["source"]]
    page = source.fetch_page(row["uri"], row["offset"])
    assert page is not None, f"source {source.name} draws no pages"
    unchanged(row, bitmap(page.rgb))
    return page


def bitmap(rgb: NDArray[np.uint8]) -> bytes:
    """A drawn page, uint8[H, W, 3], as a BMP file: the bytes that name it, without compression."""
    height, width = rgb.shape[:2]
    stride = -(-3 * width // 4) * 4
    header = struct.pack(
        "<2sIHHIIiiHHIIiiII",
        *(b"BM", _BMP_HEADER_BYTES + stride * height, 0, 0, _BMP_HEADER_BYTES),
        *(40, width, height, 1, 24, 0, stride * height, 2835, 2835, 0, 0),
    )
    # Rows from the bottom up, blue before red.
    rows = np.zeros((height, stride), np.uint8)
    rows[:, : 3 * width] = cv2.flip(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), 0).reshape(height, -1)
    return header + rows.tobytes()


def unchanged(row: Mapping[str, Any], data: bytes) -> bytes:
    """The same bytes; ChangedError when they are not those that were scored."""
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise ChangedError(
            f"{row['uri']} has changed since it was scored: restore it, or give it a new"
            " modification time, so that the same command scores it again"
        )
    return data
