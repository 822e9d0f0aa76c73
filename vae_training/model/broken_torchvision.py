"""Keep a torchvision that does not match torch from breaking diffusers and transformers."""

from __future__ import annotations

import importlib
import importlib.util
import sys


def hide_broken_torchvision() -> None:
    """Make a torchvision that cannot be imported look absent; call before importing diffusers.

    A torchvision of another version than torch raises a RuntimeError, and so do `transformers` and
    parts of `diffusers`, which import it when it is installed and do not need it here.
    """
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        sys.modules["torchvision"] = None  # type: ignore[assignment]
