"""Whether a place is one where a corpus may be written: nothing of anybody else's is touched."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable

from pipelines.planning import neighbourhoods
from pipelines.sources.base import Source
from vae_corpus import storage
from vae_corpus.settings import SettingsError

# What a build writes before it removes or replaces anything, and the folders in which it does.
_MARKS = {"corpus.json", "curriculum.json"}
_CHANGED = {"units", "plan", "shards", "parts", "report"}


def check_folder(out: str, sources: Iterable[Source]) -> None:
    """SettingsError when `out` lies inside a source, or has folders of somebody else's.

    A build removes what it does not need from its own folders.
    """
    if said := _inside_source(out, sources):
        raise SettingsError(said)
    if storage.is_local(out) and os.path.exists(out) and not os.path.isdir(out):
        raise SettingsError(f"{out} is a file: name a folder with --out")
    held = {*storage.names(out), *storage.folders(out)}
    others = sorted(held & _CHANGED)
    if others and not held & _MARKS and not neighbourhoods.are_tables(storage.join(out, "units")):
        raise SettingsError(
            f"{out} holds {', '.join(others)}, and is no corpus: a build would change what lies"
            " there. Name another folder with --out"
        )


def _inside_source(out: str, sources: Iterable[Source]) -> str | None:
    """A sentence when a source would find the corpus among its own files, else None."""
    for source in sources:
        base, wild, _ = source.uri.partition("*")
        if wild and not source.uri[len(base) :].startswith("**"):
            continue
        if getattr(source, "include", ()):
            continue  # patterns that name what is wanted
        if storage.is_local(out) != storage.is_local(base):
            continue
        within = _within(out, base)
        left_out = getattr(source, "exclude", ())
        if within is None or any(fnmatch.fnmatchcase(f"{within}/x", p) for p in left_out):
            continue
        way_out = f", or exclude {within}/* from it" if hasattr(source, "exclude") else ""
        return (
            f"out ({out}) lies inside source {source.name} ({source.uri}), which would find the"
            f" corpus among its files: name a place beside it{way_out}"
        )
    return None


def _within(out: str, base: str) -> str | None:
    """The path of `out` below `base`; None when it is not below."""
    if storage.is_local(out):
        out, base = os.path.realpath(out), os.path.realpath(base)
    below = f"{base.rstrip('/')}/"
    return out[len(below) :] if out.startswith(below) else None
