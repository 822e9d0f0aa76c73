"""A process has one database, and each of its blocks finds it empty."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from pipelines.planning import database

TABLE = pa.table({"a": [1, 2, 3]})


def test_a_block_sees_nothing_of_another() -> None:
    with database.connect() as one:
        one.register("given", TABLE)
        one.execute("CREATE TEMP TABLE made AS SELECT sum(a) AS a FROM given")
        with database.connect() as other:
            for name in ("given", "made"):
                with pytest.raises(duckdb.CatalogException):
                    other.sql(f"FROM {name}")
            other.register("given", TABLE.slice(0, 1))
            assert other.sql("SELECT count(*) FROM given").fetchall() == [(1,)]
        assert one.sql("SELECT count(*), any_value(made.a) FROM given, made").fetchall() == [(3, 6)]
    with database.connect() as later, pytest.raises(duckdb.CatalogException):
        later.sql("FROM made")


def test_it_has_one_thread_and_bounded_memory() -> None:
    with database.connect("200MB") as db:
        asked = "SELECT current_setting('threads'), current_setting('memory_limit')"
        assert db.sql(asked).fetchall() == [(1, "190.7 MiB")]
