"""Glob patterns of paths, part by part: `*` ends at a slash, `**` is any number of parts."""

from __future__ import annotations

import fnmatch
import glob
from collections.abc import Sequence

EVERYTHING = ("**",)


def split_pattern(path: str) -> tuple[str, tuple[str, ...]]:
    """The folder before the first part with a wildcard, and the parts from there on."""
    parts = path.split("/")
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return "/".join(parts[:fixed]) or "/", tuple(parts[fixed:])


def fits(parts: Sequence[str], pattern: Sequence[str], *, whole: bool) -> bool:
    """Whether a path fits a pattern; not `whole`: whether something below it can."""
    if tuple(pattern) == EVERYTHING:
        return True
    if not parts:
        return not whole or all(p == "**" for p in pattern)
    if not pattern:
        return False
    if pattern[0] == "**":
        return fits(parts, pattern[1:], whole=whole) or fits(parts[1:], pattern, whole=whole)
    one = fnmatch.fnmatchcase(parts[0], pattern[0])
    return one and fits(parts[1:], pattern[1:], whole=whole)
