"""How the loops of this package are compiled: by numba, once per machine, kept in a cache.

EXACT keeps every sum in the order that is written: whole numbers where they will do, and where
fractions are needed only operations that IEEE 754 fixes to the last bit. So a page has the same
bytes on every machine.

The cache knows a function by its own file alone. So no compiled function may call one of another
file, or use a constant of another file: a change over there would go unnoticed.
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
