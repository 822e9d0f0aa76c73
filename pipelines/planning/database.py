"""Queries of one task: in one thread, in bounded memory, and on the local disk beyond it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

# DuckDB would take most of the machine, and spill into the folder that it happens to run in.
_MEMORY = "1GB"


@contextmanager
def connect(memory: str = _MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database; what does not fit goes to the temporary folder (`TMPDIR`)."""
    spill = os.path.join(tempfile.gettempdir(), f"vae-corpus-spill-{os.getpid()}")
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": 1,
        "memory_limit": memory,
        "temp_directory": spill,
    }
    with duckdb.connect(config=config) as db:
        yield db
