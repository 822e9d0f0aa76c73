"""Which of two near duplicates stays: what came first, then size, then clarity, then the bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_MOST_PIXELS = np.uint64((1 << 40) - 1)


def hash_bytes(rows: pa.Table) -> NDArray[np.uint8]:
    """uint8[N, 32] of the column `sha256`, which has 64 hex digits a row."""
    text = rows["sha256"].combine_chunks().cast(pa.string())
    digits = np.frombuffer(text.buffers()[2] or b"", np.uint8)
    first = np.frombuffer(text.buffers()[1], np.int32)[text.offset] if len(text) else 0
    digits = digits[first : first + 64 * len(text)].reshape(-1, 64)
    values = np.where(digits > ord("9"), digits - (ord("a") - 10), digits - ord("0"))
    high, low = values[:, ::2], values[:, 1::2]
    return (high << 4 | low).astype(np.uint8)


def prefixes(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first 8 bytes of uint8[N, 32] as numbers."""
    return np.ascontiguousarray(hashes[:, :8]).view(">u8").ravel().astype(np.uint64)


def better(
    rows: pa.Table, generation: int, prefix: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Two numbers a row, of which the smaller ones are better, the first before the second."""
    sides = (rows[name].to_numpy(zero_copy_only=False) for name in ("width", "height"))
    width, height = (side.astype(np.uint64) for side in sides)
    pixels = np.minimum(width * height, _MOST_PIXELS)
    first = (np.uint64(generation) << np.uint64(40)) | (_MOST_PIXELS - pixels)
    clarity = rows["clarity"].to_numpy(zero_copy_only=False).astype(np.float32)
    known = ~np.isnan(clarity)
    # The bits of floats above 0 are in the order of their values.
    bits = np.maximum(np.where(known, clarity, 0), 0).astype(np.float32).view(np.uint32)
    unclear = np.where(known, np.uint32(0xFFFFFFFE) - bits, np.uint32(0xFFFFFFFF))
    return first, (unclear.astype(np.uint64) << np.uint64(32)) | (prefix >> np.uint64(32))
