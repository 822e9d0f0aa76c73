"""How the loops of the filters are compiled: by numba, once per machine, kept in a cache.

Compiled code comes with numba's wheels, so nothing needs a C compiler. Scores must not depend on
the machine, and vector units of different widths add up in different orders. So loops that add
are of two kinds: SUMS may be reordered, which changes nothing because they add whole numbers
below 2^24, exact in float32; everything else is EXACT, and added in the order that is written.

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
SUMS: dict[str, Any] = {**EXACT, "fastmath": {"reassoc", "nsz"}}
