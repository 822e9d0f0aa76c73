"""Made-up score tables of any length, with the duplicates and look-alikes that real ones have.

A row is a function of its number. Three in a hundred rows are copies of earlier ones: as many exact
ones as near ones (up to 4 of 64 and 12 of 256 bits of the hashes, a tenth smaller). One row in five
is a page, of which half have a text layer. Hashes are skewed as measured on real ones: two
photographs agree in 27 bits 28 times as often as chance would have it, two pages 3,400 times. A
tenth of all pages come in templates of some 50, which share both hashes and nothing that they say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.scores import SCORE_SCHEMA
from vae_corpus.seeds import mixed

UNIT_ROWS = 1000
NEAR, EXACT = 1, 2
_LINES, _MARKS = 60, 200
_Words = NDArray[np.uint64]


def drawn(rows: _Words, salt: int) -> _Words:
    """A number of 64 bits for each row."""
    return mixed(mixed(rows + np.uint64(salt << 40)) ^ np.uint64(salt))


def copies(rows: _Words) -> tuple[_Words, NDArray[np.int8]]:
    """The row that each is a copy of, itself for most, and which kind of copy it is."""
    place = rows % np.uint64(200)
    kind = np.where(place >= 197, np.where(place == 199, NEAR, EXACT), 0).astype(np.int8)
    kind[place == 198] = NEAR
    kind[(place == 197) & (rows // np.uint64(200) % np.uint64(2) == 0)] = NEAR
    of = drawn(rows, 1) % (rows // np.uint64(200) + np.uint64(1)) * np.uint64(200)
    of += drawn(rows, 2) % np.uint64(190)
    return np.where(kind > 0, of, rows), kind


def is_page(rows: _Words) -> NDArray[np.bool_]:
    return drawn(rows, 3) % np.uint64(5) == 0


def hashes(rows: _Words) -> tuple[_Words, _Words]:
    """Coarse hashes uint64[N] and fine ones uint64[N, 4] of rows that are no copies."""
    page = is_page(rows)
    template = page & (drawn(rows, 4) % np.uint64(10) == 0)
    # 2,500 rows have 50 such pages.
    of = np.where(template, rows // np.uint64(2500) + np.uint64(1 << 38), rows)
    words = [drawn(of, 10 + n) for n in range(4)]
    photo = ((words[0] | words[1]) & words[2]) | words[3]
    paper = (words[0] & words[1]) | words[2] | words[3]
    fine = np.stack([drawn(of, 20 + n) for n in range(4)], axis=1)
    return np.where(page, paper, photo), fine


def table(first: int, count: int) -> pa.Table:
    """Rows `first` on, as a table of scores."""
    rows = np.arange(first, first + count, dtype=np.uint64)
    of, kind = copies(rows)
    near = kind == NEAR
    page = is_page(of)
    phash, fine = hashes(of)
    for n in range(4):
        flip = np.uint64(1) << (drawn(rows, 30 + n) % np.uint64(64))
        phash ^= np.where(near & (drawn(rows, 40 + n) % np.uint64(4) > 0), flip, np.uint64(0))
    for n in range(12):
        flip = np.uint64(1) << (drawn(rows, 50 + n) % np.uint64(64))
        fine[:, n % 4] ^= np.where(near, flip, np.uint64(0))
    name = np.where(near, rows, of)
    shas = np.stack([drawn(name, 70 + n) for n in range(4)], axis=1).astype(">u8")
    hexes = [raw.hex() for raw in shas.view("V32").ravel().tolist()]
    scale = np.where(near, 0.9, 1.0)
    width = (400 + drawn(of, 80) % np.uint64(1200)) * scale
    height = width * (0.7 + 0.01 * (drawn(of, 81) % np.uint64(60)))
    known = page & (drawn(of, 82) % np.uint64(2) == 0)
    columns: dict[str, Any] = {
        "key": [f"a-{sha[:16]}" for sha in hexes],
        "source": ["a"] * count,
        "unit": [unit_name(first)] * count,
        "member": [f"{n:09d}.jpg" for n in range(first, first + count)],
        "uri": [f"/data/{first:09d}.tar"] * count,
        "offset": np.arange(count) * 100_000,
        "bytes": 40_000 + (drawn(of, 83) % np.uint64(100_000)).astype(np.int64),
        "sha256": hexes,
        "content": np.where(page, "document", "auto").tolist(),
        "format": ["jpeg"] * count,
        "width": np.round(width).astype(np.int32),
        "height": np.round(height).astype(np.int32),
        "jpeg_quality": np.full(count, 90),
        "colour_space": ["srgb"] * count,
        "colour_converted": np.zeros(count, np.bool_),
        "phash": phash,
        "phash_fine": pa.array([row.tobytes() for row in fine]),
        "luma_mean": 60.0 + (drawn(of, 84) % np.uint64(100)),
        "clarity": 0.3 + 0.0007 * (drawn(of, 85) % np.uint64(1000)),
        "chars_est": np.where(page, 900.0, 0.0),
        "chars_per_mpx": np.where(page, 3000.0, 0.0),
        "max_chars_per_256_tile": np.where(page, 300.0, 0.0),
        "text_stage": np.where(known, "known", "counted").tolist(),
        "text_lines": _lines(of, page, width, height),
        "layout": _layouts(of, page),
        "text_sketch": _sketches(of, known),
        "text_marks": _marks(of, known, width, height),
    }
    arrays = {
        field.name: pa.array(columns[field.name], from_pandas=True).cast(field.type)
        if field.name in columns
        else pa.nulls(count, field.type)
        for field in SCORE_SCHEMA
    }
    return pa.table(arrays, schema=SCORE_SCHEMA)


def unit_name(first: int) -> str:
    """Ids of units are hashes of what they are made of."""
    return f"{int(drawn(np.array([first], np.uint64), 90)[0]):016x}"


def write(folder: Path, first: int) -> str:
    """Write the rows of the unit that begins there; its name."""
    pq.write_table(
        table(first, UNIT_ROWS), folder / f"{unit_name(first)}.parquet", compression="zstd"
    )
    return unit_name(first)


def _structs(name: str, has: NDArray[np.bool_], each: int, fields: dict[str, Any]) -> pa.Array:
    """A column of lists of structs: `each` where a row has any, by fields of [rows, each]."""
    kind = SCORE_SCHEMA.field(name).type
    made = [
        pa.array(np.asarray(fields[f.name]).ravel().astype(f.type.to_pandas_dtype()))
        if f.name in fields
        else pa.nulls(int(has.sum()) * each, f.type)
        for f in kind.value_type
    ]
    values = pa.StructArray.from_arrays(made, fields=list(kind.value_type))
    ends = np.concatenate(([0], np.cumsum(np.where(has, each, 0)))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), values).cast(kind)


def _lines(of: _Words, page: NDArray[np.bool_], width: Any, height: Any) -> pa.Array:
    """Lines all down the pages; pictures have none."""
    count = int(page.sum())
    top = np.arange(_LINES)[None] / _LINES * (height[page][:, None] - 14)
    left = (drawn(of[page], 91) % np.uint64(40)).astype(np.float64)[:, None] + np.zeros(_LINES)
    right = width[page][:, None] - (np.arange(_LINES) * 37 % 200)
    fields = {
        "x0": left,
        "y0": top,
        "x1": np.maximum(right, left + 20),
        "y1": top + 11,
        "chars": np.full((count, _LINES), 15.0),
    }
    return _structs("text_lines", page, _LINES, fields)


def _marks(of: _Words, known: NDArray[np.bool_], width: Any, height: Any) -> pa.Array:
    salt = np.arange(_MARKS, dtype=np.uint64) << np.uint64(41)
    words = mixed(drawn(of[known], 92)[:, None] + salt[None])
    fields = {
        "x": (words >> np.uint64(40)) % np.uint64(1000) / 1000 * width[known][:, None],
        "y": np.arange(_MARKS)[None] / _MARKS * height[known][:, None],
        "hash": words & np.uint64(0xFFFFFFFF),
    }
    made = _structs("text_marks", known, _MARKS, fields)
    # Of the others nothing is known.
    return pa.ListArray.from_arrays(made.offsets, made.values, mask=pa.array(~known)).cast(
        made.type
    )


def _layouts(of: _Words, has: NDArray[np.bool_]) -> pa.Array:
    """Plain ground with a few marks, others on each page; in rows that are alike, for the disk."""
    count = int(has.sum())
    line = np.full((count, 64), 128, np.uint8)
    for n in range(4):
        at = drawn(of[has], 93 + n) % np.uint64(64)
        line[np.arange(count), at.astype(np.int64)] = 255 * (n % 2)
    return _blobs(np.tile(line, (1, 64)), has)


def _sketches(of: _Words, has: NDArray[np.bool_]) -> pa.Array:
    words = np.stack([drawn(of[has], 100 + n) for n in range(16)], axis=1)
    return _blobs(words.view(np.uint8), has)


def _blobs(rows: NDArray[np.uint8], has: NDArray[np.bool_]) -> pa.Array:
    found = iter([row.tobytes() for row in rows])
    return pa.array([next(found) if here else None for here in has.tolist()], pa.binary())
