"""One trap of the libraries, disarmed before they are imported."""

from __future__ import annotations

import importlib
import importlib.util
import sys


def hide_broken_torchvision() -> None:
    """Make a torchvision that cannot be imported look absent.

    torchvision must match torch to the digit, otherwise its import raises a RuntimeError, and so
    do `transformers` and parts of `diffusers`, which import any torchvision that is installed.
    Neither needs it here. They remember what they find, so this comes before their import.
    """
    if "torchvision" in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        sys.modules["torchvision"] = None  # type: ignore[assignment]
