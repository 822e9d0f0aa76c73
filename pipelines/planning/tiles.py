"""The tiles of text: columns of many pages in, columns of their tiles out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.planning.settings import PlanSettings
from vae_corpus.tiles import CELL_PX, INK_PX, Judged
from vae_corpus.tiles.arrays import BLANK, KEPT, Lists, Sizes, Tiles
from vae_corpus.tiles.figures import add_figures, figure_seeds
from vae_corpus.tiles.marks import packed, said_in
from vae_corpus.tiles.placing import as_judged, bucket_seeds, draw_buckets
from vae_corpus.tiles.strips import place_tiles
from vae_corpus.words import REST, TOP, Bucket, buckets

TILE = pa.struct(
    [
        *((name, pa.int32()) for name in ("x", "y", "width", "height")),
        ("chars", pa.float32()),
        ("density", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("text_rung", pa.int32()),
        ("bucket", pa.string()),
        ("tiles", pa.list_(TILE)),
        ("blank_tiles", pa.int32()),
        # Of each tile the hashes of what it says, where that is known.
        ("said", pa.list_(pa.list_(pa.uint32()))),
    ]
)
_SIDES = [(side, pa.int32()) for side in ("x0", "y0", "x1", "y1")]
_MARK = pa.struct([("x", pa.uint16()), ("y", pa.uint16()), ("hash", pa.uint32())])
# What decides how a row is cut.
_ROW = pa.schema(
    [
        *(("sha256", pa.string()), ("width", pa.int32()), ("height", pa.int32())),
        ("rung", pa.int32()),
        ("text_lines", pa.list_(pa.struct([*_SIDES, ("chars", pa.float32())]))),
        ("ink_cells", pa.list_(pa.uint8())),
        ("page_regions", pa.list_(pa.struct(_SIDES))),
        ("text_marks", pa.list_(_MARK)),
    ]
)
_LINE = ("x0", "y0", "x1", "y1", "chars")
_BOX = ("x0", "y0", "x1", "y1")


def cut_tiles(rows: pa.RecordBatch | pa.Table, s: PlanSettings, seed: int) -> pa.RecordBatch:
    """Rung, bucket and tiles of images of text, row by row, with `SCHEMA`.

    `rows` has sha256, width, height, rung, text_lines, ink_cells, page_regions and text_marks.
    Where no tile of a row's rung is kept, smaller rungs are tried: one dense sign in a large
    photograph fills a small tile. Rows without any tile have the rung and bucket that was tried
    first, or none where no bucket fits.
    """
    pages = _Pages.of(rows, s, seed)
    cuts = _cuts(pages, s)
    chosen = np.zeros(len(pages.rung), np.int64)
    for turn, cut in reversed(list(enumerate(cuts))):
        chosen[cut.rows[cut.kept > 0]] = turn
    return _columns(pages, cuts, chosen, s)


class Cut(NamedTuple):
    """How an image of text is cut: the rung, its bucket (None: none fits), and every tile."""

    rung: int
    bucket: Bucket | None
    judged: list[Judged]


def judge_row(row: dict[str, Any], s: PlanSettings, seed: int) -> Cut:
    """The rung and bucket of a row as `cut_tiles` takes it, and every tile that could be cut."""
    one = pa.Table.from_pylist([{name: row.get(name) for name in _ROW.names}], _ROW)
    cuts = _cuts(_Pages.of(one, s, seed), s)
    cut = next((cut for cut in cuts if cut.kept[0] > 0), cuts[0])
    rung, place = int(cut.rung[0]), int(cut.bucket[0])
    bucket = buckets(rung)[place] if place >= 0 else None
    return Cut(rung, bucket, as_judged(cut.tiles, bucket) if bucket else [])


@dataclass(frozen=True, kw_only=True)
class _Pages:
    """Columns of rows as compiled loops take them."""

    width: NDArray[np.int64]
    height: NDArray[np.int64]
    rung: NDArray[np.int64]
    lines: Lists[np.float32]
    ink: Lists[np.bool_]
    regions: Lists[np.float64]
    marks: Lists[np.uint64]
    for_bucket: NDArray[np.uint32]
    for_figures: NDArray[np.uint32]

    @classmethod
    def of(cls, rows: pa.RecordBatch | pa.Table, s: PlanSettings, seed: int) -> _Pages:
        width, height, rung = (_numbers(rows, name) for name in ("width", "height", "rung"))
        ink, levels = _lists(rows, "ink_cells")
        cells = -(-width // INK_PX) * -(-height // INK_PX)
        if (wrong := (ink[0] >= 0) & (ink[1] - ink[0] != cells)).any():
            at = int(wrong.argmax())
            raise ValueError(
                f"ink_cells of {_text(rows, 'sha256')[at]} are {(ink[1] - ink[0])[at]}, but"
                f" {width[at]} x {height[at]} px have {cells[at]}: the scores are damaged"
            )
        lines, line = _lists(rows, "text_lines")
        regions, box = _lists(rows, "page_regions")
        marks, mark = _lists(rows, "text_marks")
        sha256 = _text(rows, "sha256")
        for_figures = np.zeros((len(sha256), 4), np.uint32)
        shows = np.flatnonzero(regions[1] > regions[0])
        for_figures[shows] = figure_seeds(seed, [sha256[n] for n in shows])
        return cls(
            **{"width": width, "height": height, "rung": rung},
            lines=_of(lines, _fields(line, _LINE, np.float32)),
            ink=_of(ink, np.array(levels) >= s.min_ink_levels),
            regions=_of(regions, _fields(box, _BOX, np.float64)),
            marks=_of(marks, packed(*(_field(mark, f.name, f.type) for f in _MARK))),
            for_bucket=bucket_seeds(seed, sha256),
            for_figures=for_figures,
        )


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """The tiles of some rows at one rung each: which rows, and of each what was drawn and kept."""

    rows: NDArray[np.int64]
    rung: NDArray[np.int64]
    bucket: NDArray[np.int64]
    sizes: Sizes
    tiles: Tiles
    kept: NDArray[np.int64]
    blank: NDArray[np.int64]


def _cuts(pages: _Pages, s: PlanSettings) -> list[_Cut]:
    """All rows at their own rungs, then those without a tile at the next smaller rung, and so on.

    A rung of weight 0 is not tried.
    """
    cuts = [_cut(pages, np.arange(len(pages.rung)), pages.rung, s)]
    rungs = np.array(sorted(rung for rung, weight in s.rung_weights.items() if weight > 0))
    while True:
        last = cuts[-1]
        smaller = np.searchsorted(rungs, last.rung) - 1
        left = (last.kept == 0) & (smaller >= 0)
        if not left.any():
            return cuts
        cuts.append(_cut(pages, last.rows[left], rungs[smaller[left]], s))


def _cut(pages: _Pages, rows: NDArray[np.int64], rung: NDArray[np.int64], s: PlanSettings) -> _Cut:
    width, height = pages.width[rows], pages.height[rows]
    bucket = np.full(len(rows), -1)
    across, down = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    for one in np.unique(rung).tolist():
        at = np.flatnonzero(rung == one)
        bucket[at] = draw_buckets(pages.for_bucket[rows[at]], width[at], height[at], one)
        # The last, of no size, is for what none fits into.
        sides = np.array([*buckets(one), (0, 0)])[bucket[at]]
        across[at], down[at] = sides.T
    sizes = Sizes(width=width, height=height, tile_width=across, tile_height=down)
    lines = pages.lines.of(rows)
    tiles = place_tiles(
        *(sizes, lines, pages.ink.of(rows)),
        min_chars_per_256=s.min_tile_chars_per_256,
        max_tiles=s.max_tiles_per_image,
    )
    regions = pages.regions.of(rows)
    if regions.counts.any():
        seeds = pages.for_figures[rows]
        tiles = add_figures(tiles, sizes, lines, regions, seeds, s.figure_share)
    kept, blank = (
        np.bincount(tiles.pages[tiles.why == why], minlength=len(rows)) for why in (KEPT, BLANK)
    )
    return _Cut(
        rows=rows,
        rung=rung,
        bucket=bucket,
        sizes=sizes,
        tiles=tiles,
        kept=kept,
        blank=blank,
    )


def _columns(
    pages: _Pages, cuts: Sequence[_Cut], chosen: NDArray[np.int64], s: PlanSettings
) -> pa.RecordBatch:
    count = len(pages.rung)
    rung, blank, kept, place, across, down = np.zeros((6, count), np.int64)
    parts = []
    for turn, cut in enumerate(cuts):
        own = chosen[cut.rows] == turn
        at = cut.rows[own]
        rung[at], place[at], kept[at] = cut.rung[own], cut.bucket[own], cut.kept[own]
        across[at], down[at] = cut.sizes.tile_width[own], cut.sizes.tile_height[own]
        blank[at] = cut.blank[own]
        of = cut.tiles.pages
        tile = (cut.tiles.why == KEPT) & own[of]
        found = cut.tiles.x[tile], cut.tiles.y[tile], cut.tiles.chars[tile]
        parts.append((cut.rows[of[tile]], *found))
    row, x, y, chars = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(row, kind="stable")
    row, x, y, chars = row[order], x[order], y[order], chars[order]
    sizes = Sizes(width=pages.width, height=pages.height, tile_width=across, tile_height=down)
    ends, hashes = said_in(pages.marks, sizes, row, x, y)
    said = pa.ListArray.from_arrays(_offsets(ends), pa.array(hashes))
    unknown = pages.lines.starts[row] < 0
    top = chars >= s.top_chars_per_256 * across[row] * down[row] / CELL_PX**2
    columns = (x, y, across[row], down[row])
    tiles = pa.StructArray.from_arrays(
        [
            *(pa.array(column, pa.int32()) for column in columns),
            pa.array(chars.astype(np.float32), mask=unknown),
            pa.array([REST, TOP]).take(pa.array(top.astype(np.int8), mask=unknown)),
        ],
        fields=list(TILE),
    )
    per_row = _offsets(kept.cumsum())
    none = place < 0
    names, name = np.unique(across << 32 | down, return_inverse=True)
    sides = [Bucket(both >> 32, both & 0xFFFFFFFF) for both in names.tolist()]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(rung.astype(np.int32), mask=none),
            pa.array([str(side) for side in sides], pa.string()).take(pa.array(name, mask=none)),
            pa.ListArray.from_arrays(per_row, tiles),
            pa.array(blank, pa.int32()),
            pa.ListArray.from_arrays(per_row, said),
        ],
        schema=SCHEMA,
    )


def _offsets(ends: NDArray[np.int64]) -> pa.Array:
    return pa.array(np.concatenate([[0], ends]), pa.int32())


def _of(ends: tuple[NDArray[np.int64], NDArray[np.int64]], values: Any) -> Lists[Any]:
    return Lists(starts=ends[0], stops=ends[1], values=values)


def _one(rows: pa.RecordBatch | pa.Table, name: str) -> pa.Array:
    column = rows.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _text(rows: pa.RecordBatch | pa.Table, name: str) -> list[str]:
    found: list[str] = _one(rows, name).to_pylist()
    return found


def _numbers(rows: pa.RecordBatch | pa.Table, name: str) -> NDArray[np.int64]:
    return _filled(_one(rows, name), name).astype(np.int64)


def _lists(
    rows: pa.RecordBatch | pa.Table, name: str
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], pa.Array]:
    """Starts and stops of a column of lists in its values, -1 where there is none; the values."""
    column = _one(rows, name)
    ends = column.offsets.to_numpy().astype(np.int64)
    first, last = int(ends[0]), int(ends[-1])
    known = column.is_valid().to_numpy(zero_copy_only=False)
    starts = np.where(known, ends[:-1] - first, -1)
    stops = np.where(known, ends[1:] - first, -1)
    return (starts, stops), column.values.slice(first, last - first)


def _fields(structs: pa.Array, names: Sequence[str], dtype: Any) -> NDArray[Any]:
    """[fields, N] of an array of structs."""
    table = np.empty((len(names), len(structs)), dtype)
    for n, name in enumerate(names):
        table[n] = _field(structs, name)
    return table


def _field(structs: pa.Array, name: str, as_type: pa.DataType | None = None) -> NDArray[Any]:
    place = structs.type.get_field_index(name)
    # Not `field`, which forgets that an array is a part of another.
    values = structs.flatten()[place]
    return _filled(values if as_type is None else values.cast(as_type), name)


def _filled(values: pa.Array, name: str) -> NDArray[Any]:
    if values.null_count:
        raise ValueError(f"{name} is missing in {values.null_count} places: the scores are damaged")
    found: NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return found
