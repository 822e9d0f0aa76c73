"""The kinds of pages, by name: every module of this room that has a LAYOUT."""

from __future__ import annotations

import importlib
import pkgutil

from renderers.layout.base import Layout

_MODULES = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
LAYOUTS: dict[str, Layout] = {
    module.LAYOUT.name: module.LAYOUT for module in _MODULES if hasattr(module, "LAYOUT")
}
