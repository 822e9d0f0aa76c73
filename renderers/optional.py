"""Packages of the `render` extra, imported when they are used: all else works without them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


class RenderExtraMissing(ImportError):
    """A package of the `render` extra is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"rendering text needs {package}: pip install 'vae-corpus[render]'")


@cache
def optional(module: str) -> Any:
    """The module of that name. RenderExtraMissing when it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        raise RenderExtraMissing(module) from None
