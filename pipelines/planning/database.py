"""Queries of one task: in one thread, in bounded memory, and on the local disk beyond it."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

# DuckDB would take most of the machine, and spill into the folder that it happens to run in.
_MEMORY = "1GB"


@contextmanager
def connect(memory: str = _MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that seems empty; what does not fit goes to the temporary folder (`TMPDIR`).

    What is registered and what temporary tables are made go with the block. Other tables must not
    be made: to begin a database takes ten times as long as a small query, so a process has one.
    """
    with _database(os.getpid(), tempfile.gettempdir(), memory).cursor() as db:
        yield db


@functools.cache
def _database(process: int, folder: str, memory: str) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": memory,
        "temp_directory": os.path.join(folder, f"vae-corpus-spill-{process}"),
    }
    return duckdb.connect(config=config)
