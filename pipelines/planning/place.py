"""Where an image that is kept would go: its rung and bucket, and the tiles of text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.planning.settings import PlanSettings
from vae_corpus.tiles import CELL_PX, Judged, Tile, draw_bucket, judge_tiles, with_figures
from vae_corpus.words import GENERAL, REST, TOP, Bucket, buckets

_TILE = pa.struct(
    [
        *((name, pa.int32()) for name in ("x", "y", "width", "height")),
        ("chars", pa.float32()),
        ("density", pa.string()),
    ]
)
_TEXT_SCHEMA = pa.schema(
    [
        ("text_rung", pa.int32()),
        ("bucket", pa.string()),
        ("tiles", pa.list_(_TILE)),
        ("blank_tiles", pa.int32()),
        # Of each tile the hashes of what it says, where that is known.
        ("said", pa.list_(pa.list_(pa.uint32()))),
    ]
)
_BATCH_ROWS = 50_000
_LINE = ("x0", "y0", "x1", "y1", "chars")
_MARK = ("x", "y", "hash")
_Number = TypeVar("_Number", bound=np.generic)


def cut_texts(rows: pa.Table, s: PlanSettings, seed: int) -> pa.Table:
    """`rows` with tiles, tile_count, blank_tiles and said; text goes to the rung of its tiles.

    Text is what is no general image; rows that have a slug are not cut.
    """
    text = pc.and_(pc.is_null(rows["slug"]), pc.not_equal(rows["kind"], GENERAL))
    at = np.flatnonzero(text.to_numpy())
    # Where each row finds its own among those that were cut; null where it was not.
    of = np.full(len(rows), -1)
    of[at] = np.arange(len(at))
    place = pa.array(of, mask=of < 0)
    batches = (
        rows.take(pa.array(part)) for part in np.split(at, range(_BATCH_ROWS, len(at), _BATCH_ROWS))
    )
    cut = pa.concat_tables([_TEXT_SCHEMA.empty_table(), *(_cut(b, s, seed) for b in batches)])
    cut = cut.take(place)
    for name, made in (("rung", "text_rung"), ("bucket", "bucket")):
        column = pc.if_else(
            text,
            pc.coalesce(cut[made], rows[name] if name == "rung" else pa.scalar(None, pa.string())),
            rows[name],
        )
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    for name in ("tiles", "blank_tiles", "said"):
        rows = rows.append_column(name, cut[name])
    return rows.append_column("tile_count", pc.list_value_length(rows["tiles"]))


def _cut(rows: pa.Table, s: PlanSettings, seed: int) -> pa.Table:
    plain = rows.select(
        ["sha256", "width", "height", "rung", "ink_cells", "page_regions"]
    ).to_pylist()
    lines = _structs(rows["text_lines"].combine_chunks(), _LINE, np.float32)
    marks = _structs(rows["text_marks"].combine_chunks(), _MARK, np.int64)
    for row, row_lines, row_marks in zip(plain, lines, marks, strict=True):
        row |= {"text_lines": row_lines, "text_marks": row_marks}
    return pa.Table.from_pylist([_tile_row(row, s, seed) for row in plain], schema=_TEXT_SCHEMA)


def rung_shares(s: PlanSettings, side: int) -> list[tuple[int, float]]:
    """The rungs that a side can serve, each with the draw up to which it is taken, the last 1."""
    rungs = sorted(r for r, weight in s.rung_weights.items() if weight > 0 and r <= side)
    total = sum(s.rung_weights[r] for r in rungs)
    edges = list(itertools.accumulate(s.rung_weights[r] / total for r in rungs))
    return list(zip(rungs, [*edges[:-1], 1.0], strict=True)) if rungs else []


def rung_draw_sql(seed: int) -> str:
    """SQL for the number in [0, 1) that decides the rung of a row.

    Drawing from the hash makes the draw the same whatever else is in the corpus.
    """
    return f"(md5_number_lower('{seed}' || sha256) / 18446744073709551616.0)"


def rung_sql(s: PlanSettings, seed: int) -> str:
    """SQL that draws a rung from the hash of the bytes, among the rungs that the side can serve."""
    cases = []
    for top in sorted((r for r, weight in s.rung_weights.items() if weight > 0), reverse=True):
        *shares, _ = rung_shares(s, top)
        drawn = rung_draw_sql(seed)
        draws = " ".join(f"WHEN {drawn} < {edge!r} THEN {rung}" for rung, edge in shares)
        draw = f"CASE {draws} ELSE {top} END" if draws else str(top)
        cases.append(f"WHEN side >= {top} THEN {draw}")
    return f"CASE {' '.join(cases)} END"


def bucket_sql(s: PlanSettings) -> str:
    """SQL for the bucket with the nearest aspect ratio. The square always fits."""
    per_rung = []
    for rung in sorted(s.rung_weights):
        ordered = sorted(buckets(rung), key=lambda b: b.width / b.height)
        cases = " ".join(
            f"WHEN width::DOUBLE / height < {_middle(low, high)!r} THEN '{low}'"
            for low, high in itertools.pairwise(ordered)
        )
        per_rung.append(f"WHEN {rung} THEN CASE {cases} ELSE '{ordered[-1]}' END")
    return f"CASE rung {' '.join(per_rung)} END"


def _middle(low: Bucket, high: Bucket) -> float:
    return math.sqrt(low.width / low.height * high.width / high.height)


def _structs(
    column: pa.ListArray, fields: tuple[str, ...], dtype: type[_Number]
) -> Iterator[NDArray[_Number] | None]:
    """Lists of structs of numbers as [N, fields] for each row; as objects they would cost more."""
    parts = column.values
    numbers = np.stack(
        [parts.field(name).to_numpy(zero_copy_only=False) for name in fields], axis=1
    )
    ends = column.offsets.to_numpy()
    for n, known in enumerate(column.is_valid().to_pylist()):
        yield numbers[ends[n] : ends[n + 1]].astype(dtype) if known else None


def _tile_row(row: dict[str, Any], s: PlanSettings, seed: int) -> dict[str, Any]:
    cut = judge_row(row, s, seed)
    if cut.bucket is None:
        none: dict[str, Any] = {"tiles": [], "said": [], "blank_tiles": 0}
        return {"text_rung": None, "bucket": None} | none
    top = s.top_chars_per_256 * cut.bucket.width * cut.bucket.height / CELL_PX**2
    measured = row["text_lines"] is not None
    kept = [
        {
            **{"x": t.x, "y": t.y, "width": t.width, "height": t.height},
            "chars": t.chars if measured else None,
            "density": (TOP if t.chars >= top else REST) if measured else None,
        }
        for t, slug in cut.judged
        if slug is None
    ]
    return {
        "text_rung": cut.rung,
        "bucket": str(cut.bucket),
        "tiles": kept,
        "blank_tiles": sum(slug == "blank" for _, slug in cut.judged),
        "said": [_said(row["text_marks"], t) for t, slug in cut.judged if slug is None],
    }


def _said(marks: NDArray[np.int64] | None, tile: Tile) -> list[int]:
    """The hashes of what stands in a tile, each once, sorted; none where nothing is known."""
    if marks is None:
        return []
    x, y, hashes = marks.T
    inside = (x >= tile.x) & (x < tile.x + tile.width) & (y >= tile.y) & (y < tile.y + tile.height)
    found: list[int] = np.unique(hashes[inside]).tolist()
    return found


class Cut(NamedTuple):
    """How an image of text is cut: the rung, its bucket (None: none fits), and every tile."""

    rung: int
    bucket: Bucket | None
    judged: list[Judged]

    @property
    def has_tiles(self) -> bool:
        return any(slug is None for _, slug in self.judged)


def judge_row(row: dict[str, Any], s: PlanSettings, seed: int) -> Cut:
    """The rung and bucket of a row of text, and every tile that could be cut out of it.

    `row` has sha256, width, height, rung, text_lines, ink_cells and page_regions. Where no tile of
    its rung is kept, smaller rungs are tried: one dense sign in a large photograph fills a small
    tile.
    """
    weighted = (rung for rung, weight in s.rung_weights.items() if weight > 0)
    smaller = sorted((rung for rung in weighted if rung < row["rung"]), reverse=True)
    cuts = (_judge_at(rung, row, s, seed) for rung in (row["rung"], *smaller))
    first = next(cuts)
    return first if first.has_tiles else next((cut for cut in cuts if cut.has_tiles), first)


def _judge_at(rung: int, row: dict[str, Any], s: PlanSettings, seed: int) -> Cut:
    width, height, ink = row["width"], row["height"], row["ink_cells"]
    bucket = draw_bucket(seed, row["sha256"], width, height, rung)
    if bucket is None:
        return Cut(rung, None, [])
    # None: text was not measured (score.text: false), and every tile may hold some.
    lines = line_table(row["text_lines"])
    judged = judge_tiles(
        width,
        height,
        bucket,
        lines,
        min_chars_per_256=s.min_tile_chars_per_256,
        max_tiles=s.max_tiles_per_image,
        inked=None if ink is None else np.array(ink) >= s.min_ink_levels,
    )
    if row["page_regions"] and lines is not None:
        judged = with_figures(judged, row, bucket, lines, s.figure_share, seed)
    return Cut(rung, bucket, judged)


def line_table(lines: Any) -> NDArray[np.float32] | None:
    """float32[N, 5] of lines as a score row holds them, or as it is already."""
    if lines is None or isinstance(lines, np.ndarray):
        return lines
    table = [[line[name] for name in _LINE] for line in lines]
    return np.array(table, np.float32).reshape(-1, len(_LINE))
