"""Judge each image by its scores alone: its kind, and the first reason to drop it."""

from __future__ import annotations

import duckdb

from filters.scores import COLUMNS, SCORE_SCHEMA
from pipelines.planning import rules
from pipelines.planning.settings import PlanSettings

# Large columns: for the tiles of text, for duplicates, and those that derived columns are made of.
_FOR_TILES = {"text_lines", "ink_cells", "page_regions", "text_marks"}
_FOR_DUPLICATES = {"text_sketch", "text_marks"}
_LARGE = {column.name for column in COLUMNS if not column.carried}
_FOR_DERIVED = {name for name in _LARGE for sql in rules.DERIVED.values() if name in sql}
_NOT_READ = _LARGE - _FOR_TILES - _FOR_DUPLICATES - _FOR_DERIVED


def number_rows(db: duckdb.DuckDBPyConnection) -> None:
    """`rows`: the scores with an id, without the large columns that the plan does not use.

    Of layouts it has a hash, as `shape`.
    """
    # The id gives every row of the table a name: the same bytes may be listed many times.
    columns = ", ".join(f'"{name}"' for name in SCORE_SCHEMA.names if name not in _NOT_READ)
    db.execute(
        f"""
        CREATE TEMP TABLE rows AS
        SELECT row_number() OVER (ORDER BY source, uri, "offset", member) AS id,
               *
        FROM (SELECT {columns},
                     CASE WHEN layout IS NOT NULL THEN hash(layout) END AS shape
              FROM scores)
        """
    )


def judge_rows(db: duckdb.DuckDBPyConnection, s: PlanSettings) -> None:
    """`judged`: every decoded image with its kind and the first reason to drop it, if any."""
    # The longer side is a rule's alone.
    names = [name for name in rules.DERIVED if name != "long_side"]
    derived = ", ".join(f"{rules.DERIVED[name]} AS {name}" for name in names)
    db.execute(
        f"""
        CREATE TEMP TABLE kinds AS
        SELECT * EXCLUDE (slug, why, text_sketch, shape), {derived}, {rules.kind_sql(s)} AS kind
        FROM rows WHERE slug IS NULL
        """
    )
    left_out = ", ".join(sorted(_FOR_DERIVED - _FOR_TILES))
    columns = f"* EXCLUDE ({left_out})" if left_out else "*"
    db.execute(
        f"CREATE TEMP TABLE judged AS SELECT {columns}, {rules.slug_sql(s)} AS slug FROM kinds"
    )
