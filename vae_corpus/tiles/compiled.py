"""How the loops of this package are compiled: by numba, once per machine, kept in a cache.

Sums are added in the order that is written: the same tiles on every machine. The cache knows a
function by its own file alone, so no compiled function calls one of another file: what is cut goes
from file to file as arrays of many pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vae_corpus import numba_cache

EXACT: dict[str, Any] = {
    "cache": numba_cache.ready(Path(__file__).parent),
    "nogil": True,
    "error_model": "numpy",
}
# For functions that only others of the same file call: a quarter less of the time to compile.
INNER: dict[str, Any] = {
    **EXACT,
    "cache": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
