"""The shards of a corpus by name and size, from one listing, and what tells two listings apart."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

import fsspec

from vae_corpus.curriculum import CorpusError


@dataclass(frozen=True, kw_only=True)
class Listing:
    """All shards below `corpus`: their names without suffix in order, and bytes of tar and index.

    `stamps` change when an index is written anew; empty where a place tells nothing of the kind.
    """

    corpus: str
    names: tuple[str, ...]
    tar_bytes: tuple[int, ...]
    index_bytes: tuple[int, ...]
    stamps: tuple[str, ...]

    @property
    def place(self) -> str:
        """The corpus by a name that is the same from every folder."""
        return self.corpus if "://" in self.corpus else os.path.abspath(self.corpus)

    def digest(self, version: int) -> str:
        """Of the place, all names, sizes and stamps, and the version of what is made of them."""
        facts = [version, self.place, self.names, self.tar_bytes, self.index_bytes, self.stamps]
        return digest(facts)


def digest(facts: Any) -> str:
    """16 hex digits for lists of names and numbers."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def list_shards(corpus: str) -> Listing:
    """One listing of `corpus/shards`; CorpusError when an index has no tar, or none is there."""
    corpus = corpus.rstrip("/")
    found = _far(corpus) if "://" in corpus else _near(corpus)
    names = sorted(p.removesuffix(".parquet") for p in found if p.endswith(".parquet"))
    if not names:
        raise CorpusError(f"{corpus}/shards holds no shard index: build the corpus first")
    for name in names:
        if f"{name}.tar" not in found:
            raise CorpusError(
                f"{corpus}/{name}.tar is missing, but its index {name}.parquet is there: delete"
                " the index and build the corpus again"
            )
    indexes = [found[f"{name}.parquet"] for name in names]
    return Listing(
        corpus=corpus,
        names=tuple(names),
        tar_bytes=tuple(found[f"{name}.tar"][0] for name in names),
        index_bytes=tuple(size for size, _ in indexes),
        stamps=tuple(stamp for _, stamp in indexes),
    )


def _near(corpus: str) -> dict[str, tuple[int, str]]:
    """Size and stamp per file below `shards`, by its path in the corpus."""
    found = {}
    for folder, _, names in os.walk(os.path.join(corpus, "shards")):
        inner = os.path.relpath(folder, corpus)
        for name in names:
            seen = os.stat(os.path.join(folder, name))
            found[f"{inner}/{name}"] = seen.st_size, str(seen.st_mtime_ns)
    return found


def _far(corpus: str) -> dict[str, tuple[int, str]]:
    """The same of a URL."""
    fs, root = fsspec.core.url_to_fs(corpus)
    try:
        found = fs.find(f"{root}/shards", detail=True)
    except FileNotFoundError:
        return {}
    # Listings over HTTP lack sizes: they are asked for together.
    unknown = [path for path, info in found.items() if info["size"] is None]
    asked = dict(zip(unknown, fs.sizes(unknown), strict=True)) if unknown else {}
    return {
        path[len(root) :].lstrip("/"): (asked.get(path, info["size"]), _stamp(info))
        for path, info in found.items()
    }


def _stamp(info: dict[str, Any]) -> str:
    """As stores and disks name it; the time of a directory listing is no part of it."""
    return str(info.get("ETag") or info.get("mtime") or "")
