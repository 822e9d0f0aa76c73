"""Where numba keeps the loops of a copy of this checkout that Ray made for a job: here.

Each copy lies in a folder of its own and would compile for half a minute what is compiled already.
What counts is the source, which is the same. Asked for by `VARIABLES` in the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import InTreeCacheLocator

_ROOT = "VAE_CORPUS_CHECKOUT"
VARIABLES = {
    "NUMBA_CACHE_LOCATOR_CLASSES": "tests.compiled_here.CompiledHere",
    _ROOT: str(Path(__file__).resolve().parents[1]),
}


class CompiledHere(InTreeCacheLocator):  # type: ignore[misc]
    """Beside the file of the checkout, for a file of a copy."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)
        parts = Path(py_file).parts
        copies = [n for n, name in enumerate(parts) if name.startswith("_ray_pkg_")]
        if copies:
            original = Path(os.environ[_ROOT], *parts[copies[0] + 1 :])
            self._cache_path = str(original.parent / "__pycache__")
