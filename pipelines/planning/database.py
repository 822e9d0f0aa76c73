"""Queries of one task: in one thread, in bounded memory, and on the local disk beyond it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from vae_corpus.memo import memo

# DuckDB would take most of the machine, and spill into the folder that it happens to run in.
_MEMORY = "1GB"


@contextmanager
def connect(memory: str = _MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that seems empty; what does not fit goes to the temporary folder (`TMPDIR`).

    What is registered and what temporary tables are made go with the block. Other tables must not
    be made: to begin a database takes ten times as long as a small query, so a process has one. One
    that failed, or whose files would stay behind, makes way for another, once nobody uses it.
    """
    spill = os.path.join(tempfile.gettempdir(), f"vae-corpus-spill-{os.getpid()}-{memory}")
    try:
        with _database(spill, memory).cursor() as db:
            yield db
    except (duckdb.FatalException, duckdb.InternalException):
        _database.forget(close=False)
        raise
    finally:
        if os.path.isdir(spill):
            _database.forget(close=False)


@memo
def _database(spill: str, memory: str) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": memory,
        "temp_directory": spill,
    }
    return duckdb.connect(config=config)
