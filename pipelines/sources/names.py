"""Names of files as text that means the same in every locale.

Python reads the names of a disk by the locale: under ISO-8859-1, or under C without its UTF-8 mode,
the same bytes are other text, in another order, or cannot be written at all. Here text stands for
its UTF-8 bytes, and a byte that is none is a lone surrogate, as Python does it in a UTF-8 locale.
"""

from __future__ import annotations

import os


def to_os(path: str) -> str:
    """The path as this process must spell it to open the bytes that the text stands for."""
    return os.fsdecode(path.encode("utf-8", "surrogateescape"))


def from_os(path: str) -> str:
    """The text for a path that the operating system gave; `to_os` leads back."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")
