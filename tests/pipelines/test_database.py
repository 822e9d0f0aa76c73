"""A process has one database, and each of its blocks finds it empty."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

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


def test_what_was_spilled_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with database.connect("60MB") as db:
        db.execute(
            "CREATE TEMP TABLE large AS SELECT range AS n, hash(range) AS h FROM range(8000000)"
        )
        assert list(tmp_path.iterdir()), "it was too small"
        assert db.sql("SELECT count(*) FROM (SELECT DISTINCT h FROM large)").fetchall() == [
            (8000000,)
        ]
    assert list(tmp_path.iterdir()) == []
    with database.connect("60MB") as db:
        assert db.sql("SELECT 1").fetchall() == [(1,)]


def test_a_database_that_broke_makes_way_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[duckdb.DuckDBPyConnection] = []
    connect = duckdb.connect

    def counted(**options: Any) -> duckdb.DuckDBPyConnection:
        begun.append(connect(**options))
        return begun[-1]

    monkeypatch.setattr(duckdb, "connect", counted)
    for _ in range(2):
        with database.connect("70MB"):
            pass
    with pytest.raises(duckdb.FatalException), database.connect("70MB"):
        raise duckdb.FatalException("invalidated")
    assert len(begun) == 1
    with database.connect("70MB") as db:
        assert db.sql("SELECT 1").fetchall() == [(1,)]
    assert len(begun) == 2
