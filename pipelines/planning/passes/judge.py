"""Judge each image by its scores alone: its kind, the first reason to drop it, where it would go.

A task reads the scores of a batch of neighbourhoods and writes, for each of them, `rejected` and
the other rows with all that later passes need. To the passes that compare images it hands what they
compare: rows by the hash of their bytes, and texts by what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from filters.scores import COLUMNS, SCORE_SCHEMA
from pipelines.planning import database, exchange, rules
from pipelines.planning.hash_pairs import HAS_LAYOUT, HAS_TEXT, IS_GENERAL
from pipelines.planning.job import Neighbourhood, PlanJob, column, exchange_name, row_ids
from pipelines.planning.place import bucket_sql, cut_texts, rung_sql
from pipelines.planning.ranks import better, hash_bytes, prefixes
from pipelines.planning.settings import PlanSettings
from pipelines.planning.texts import TEXTS_SCHEMA, texts_table
from vae_corpus import storage
from vae_corpus.words import GENERAL

# Large columns: for the tiles of text, for duplicates, and those that derived columns are made of.
_FOR_TILES = {"text_lines", "ink_cells", "page_regions", "text_marks"}
_FOR_DUPLICATES = {"text_sketch", "text_marks", "layout"}
_LARGE = {column.name for column in COLUMNS if not column.carried}
_FOR_DERIVED = {name for name in _LARGE for sql in rules.DERIVED.values() if name in sql}
_READ = [
    name
    for name in SCORE_SCHEMA.names
    if name not in _LARGE - _FOR_TILES - _FOR_DUPLICATES - _FOR_DERIVED
]
# What is written of a row for later passes, besides what is made here.
_CARRIED = [name for name in SCORE_SCHEMA.names if name not in _LARGE]
CARRIED = tuple(name for name in _CARRIED if name not in ("slug", "why"))
COMPARED = ("text_sketch", "text_marks")
# The longer side is a rule's alone.
DERIVED = tuple(name for name in rules.DERIVED if name != "long_side")

# Re-encoding and scaling move these only by rounding; an image and its stretched or darkened
# namesake differ by more.
MAX_LOG_ASPECT = 0.05
MAX_LUMA_STEP = 12
_READS_AT_ONCE = 32

IMAGES_SCHEMA = pa.schema(
    [
        ("row", pa.uint64()),
        ("sha256", pa.binary(32)),
        ("source", pa.uint16()),
        ("hashed", pa.bool_()),
        ("phash", pa.uint64()),
        ("fine", pa.binary(32)),
        ("aspect", pa.float64()),
        ("luma", pa.float64()),
        ("page", pa.uint64()),
        ("same", pa.uint64()),
        ("flags", pa.uint8()),
        ("first", pa.uint64()),
        ("second", pa.uint64()),
    ]
)


def judge_batch(job: PlanJob, number: int) -> dict[str, Any]:
    """Write `rows` and `rejected` of a batch of neighbourhoods; hand over images and texts."""
    images, texts = [IMAGES_SCHEMA.empty_table()], [TEXTS_SCHEMA.empty_table()]
    count = 0
    for neighbourhood in job.batches[number]:
        scores = read_scores(job, neighbourhood)
        bad = pc.is_valid(scores["slug"])
        storage.commit_table(
            storage.join(job.folder, "rejected", f"{neighbourhood.name}.parquet"),
            scores.filter(bad).select(_CARRIED),
        )
        rows = judge_rows(scores.filter(pc.invert(bad)), job.plan, job.seed)
        ids = row_ids(neighbourhood, len(rows))
        good = pc.is_null(rows["slug"]).to_numpy()
        images.append(_images(rows, ids, neighbourhood.generation, job.sources).filter(good))
        texts.append(texts_table(rows, ids, neighbourhood.generation))
        kept = [*CARRIED, *COMPARED, *DERIVED, *_MADE]
        _write_rows(job, neighbourhood, rows.select(list(dict.fromkeys(kept))))
        count += len(scores)
    whole = pa.concat_tables(images)
    by_bytes = prefixes(column(whole, "sha256")) % np.uint64(job.partitions)
    _hand_over(job, "images", number, whole, by_bytes)
    said = pa.concat_tables(texts)
    by_text = said["digest"].to_numpy() % np.uint64(job.partitions)
    _hand_over(job, "texts", number, said, by_text)
    return {"images": count}


_MADE = (
    *("unit_row", "kind", "slug", "rung", "bucket", "page", "is_laid_out"),
    *("tiles", "tile_count", "blank_tiles", "said"),
)


def _hand_over(
    job: PlanJob, name: str, number: int, table: pa.Table, partition: NDArray[np.uint64]
) -> None:
    path = storage.join(job.work, name, exchange_name(number))
    exchange.write(path, table, partition.astype(np.int64), job.partitions)


def read_scores(job: PlanJob, neighbourhood: Neighbourhood) -> pa.Table:
    """All rows of a neighbourhood in order of their addresses.

    `unit_row` is the place of each in the table of its unit.
    """
    # Named one by one: a unit that is no longer listed may have left its scores behind, and one
    # that should be there and is not must be an error.
    paths = [storage.join(job.scores, f"{unit}.parquet") for unit in job.unit_ids(neighbourhood)]
    if not paths:
        none = SCORE_SCHEMA.empty_table().select(_READ)
        return none.append_column("unit_row", pa.array([], pa.int32()))
    with ThreadPoolExecutor(_READS_AT_ONCE if not storage.is_local(job.scores) else 1) as pool:
        whole = pa.concat_tables(pool.map(_read_unit, paths))
    return in_order(whole)


def in_order(scores: pa.Table) -> pa.Table:
    """The rows sorted by their addresses, which name them for good."""
    keys = [(name, "ascending") for name in ("source", "uri", "offset", "member")]
    return scores.take(pc.sort_indices(scores, sort_keys=keys)).combine_chunks()


def _read_unit(path: str) -> pa.Table:
    with storage.open_read(path) as file:
        table = pq.ParquetFile(file, pre_buffer=False).read(columns=_READ, use_threads=False)
    return table.append_column("unit_row", pa.array(np.arange(len(table), dtype=np.int32)))


def judge_rows(scores: pa.Table, s: PlanSettings, seed: int) -> pa.Table:
    """Decoded images with kind, slug (null: none so far), rung, bucket and tiles.

    `scores` has the columns of a score table, of which large ones that the plan does not use may
    be missing. Order stays.
    """
    derived = ", ".join(f"{rules.DERIVED[name]} AS {name}" for name in DERIVED)
    with database.connect() as db:
        db.register("scores", scores)
        answer: Any = db.sql(
            f"""
            WITH kinds AS (
                SELECT *, {rules.kind_sql(s)} AS kind FROM scores),
            judged AS (
                SELECT *, {rules.slug_sql(s)} AS reason FROM kinds),
            with_rung AS (
                SELECT *, {derived},
                       CASE WHEN reason IS NULL THEN {rung_sql(s, seed)} END AS rung
                FROM (SELECT *, least(width, height) AS side FROM judged))
            SELECT {", ".join(DERIVED)}, kind, reason AS slug, rung,
                   CASE WHEN reason IS NULL AND kind = '{GENERAL}'
                        THEN {bucket_sql(s)} END AS bucket,
                   hash(uri, regexp_replace(member, '@[0-9]+$', '')) AS page,
                   layout IS NOT NULL AS is_laid_out,
                   CASE WHEN layout IS NOT NULL THEN hash(layout) END AS shape
            FROM with_rung
            """
        )
        made = answer.to_arrow_table().combine_chunks()
    rows = scores.drop_columns(["slug", "why"])
    for name in made.column_names:
        rows = rows.append_column(name, made[name])
    return cut_texts(rows, s, seed)


def _images(
    rows: pa.Table, ids: NDArray[np.uint64], generation: int, sources: tuple[str, ...]
) -> pa.Table:
    """What images are compared by, as `IMAGES_SCHEMA`."""
    with database.connect() as db:
        db.register("rows", rows)
        answer: Any = db.sql(
            f"""
            WITH facts AS (SELECT *, ln(width::DOUBLE / height) AS aspect FROM rows)
            SELECT (list_position($sources, source) - 1)::USMALLINT AS source,
                phash IS NOT NULL AS hashed, coalesce(phash, 0)::UBIGINT AS phash,
                coalesce(phash_fine, repeat('0', 32)::BLOB) AS fine,
                aspect, coalesce(luma_mean, 0)::DOUBLE AS luma, page,
                hash(phash_fine, round(aspect / {MAX_LOG_ASPECT}),
                     round(luma_mean / {MAX_LUMA_STEP}), kind = '{GENERAL}',
                     CASE WHEN kind <> '{GENERAL}'
                          THEN coalesce(text_sketch::VARCHAR, shape::VARCHAR) END) AS same,
                ((kind = '{GENERAL}')::UTINYINT * {IS_GENERAL}
                 + (text_sketch IS NOT NULL)::UTINYINT * {HAS_TEXT}
                 + is_laid_out::UTINYINT * {HAS_LAYOUT})::UTINYINT AS flags
            FROM facts
            """,
            params={"sources": list(sources)},
        )
        table = answer.to_arrow_table().combine_chunks()
    hashes = hash_bytes(rows)
    first, second = better(rows, generation, prefixes(hashes))
    made = {name: table[name] for name in table.column_names}
    made["sha256"] = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(32), len(rows), [None, pa.py_buffer(np.ascontiguousarray(hashes))]
    )
    made |= {"row": pa.array(ids), "first": pa.array(first), "second": pa.array(second)}
    return pa.table({name: made[name] for name in IMAGES_SCHEMA.names}).cast(IMAGES_SCHEMA)


def _write_rows(job: PlanJob, neighbourhood: Neighbourhood, rows: pa.Table) -> None:
    # Read a few times and then removed: what takes long to write saves nobody anything.
    cheap = {"compression": "lz4", "use_dictionary": False, "write_statistics": False}
    path = storage.join(job.work, "rows", f"{neighbourhood.name}.parquet")
    with storage.commit(path) as file:
        pq.write_table(rows, file, **cheap)


def rows_of(job: PlanJob, neighbourhood: Neighbourhood, columns: Sequence[str] = ()) -> pa.Table:
    """The rows of a neighbourhood that were judged; with `columns` these alone."""
    path = storage.join(job.work, "rows", f"{neighbourhood.name}.parquet")
    with storage.open_read(path) as file:
        table = pq.read_table(file, columns=list(columns) or None, use_threads=False)
    return table.combine_chunks()
