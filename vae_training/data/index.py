"""The rows of a corpus as memory-mapped columns, made once per machine and shared by its ranks.

    <cache>/index/<corpus>-<digest>/   a file per column; index.json comes last, the commit mark

The digest is that of the listing, so a corpus that has grown or lost a sample gets another index.
Whoever uses an index holds a shared lock on its mark: the kernel frees it when a process ends,
however it ends, and only then is an index of the corpus as it was removed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_corpus.curriculum import CorpusError
from vae_corpus.debian import cache_dir
from vae_corpus.words import Group
from vae_training.data.index_build import COLUMNS, MARK, VERSION, build
from vae_training.data.listing import Listing, digest


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Rows of one group in one shard lie together: a run of `count` rows from `first` on.

    Sorted by shard, then group: in the order of their rows.
    """

    shard: NDArray[np.int32]
    group: NDArray[np.int32]
    first: NDArray[np.int64]
    count: NDArray[np.int64]

    def samples(self, groups: int) -> list[int]:
        """Rows per group."""
        counts = np.zeros(groups, dtype=np.int64)
        np.add.at(counts, self.group, self.count)
        return [int(count) for count in counts]


class Held:
    """A lock that lasts as long as this object."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    # `close` is bound here, because `os` may be gone at the end of a process.
    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self.handle)


@dataclass(frozen=True, kw_only=True)
class Index:
    """An index in use: what its mark says, and its columns, read when they are looked at."""

    folder: Path
    groups: tuple[Group, ...]
    columns: dict[str, NDArray[Any]]
    held: Held

    @property
    def runs(self) -> Runs:
        return Runs(**{name: self.columns[f"run_{name}"] for name in _RUN})


_RUN = ("shard", "group", "first", "count")


def cache_of(given: str) -> Path:
    """The cache that a setting names, or that of the user."""
    return Path(given).expanduser() if given else cache_dir() / "training"


def open_index(listing: Listing, cache: Path, tell: Callable[[str], None]) -> Index:
    """The index of a listing, made by the first process that asks; others wait until it is there.

    CorpusError for a wrong shard, or when the cache cannot be written; `tell` hears what is made.
    """
    name = digest(listing.place)
    folder = cache / "index" / f"{name}-{listing.digest(VERSION)}"
    with cached(listing.corpus, folder):
        held = _hold(folder)
        if held is None:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(folder.parent / f"{name}.lock"):
                held = _hold(folder) or _make(listing, folder, tell)
        return _mapped(folder, held)


@contextmanager
def cached(corpus: str, folder: Path) -> Iterator[None]:
    """CorpusError for whatever the disk of the cache refuses."""
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"cannot keep the index of {corpus} in {folder.parent} ({error}): make room there, or"
            " choose another folder (--cache of train.py; XDG_CACHE_HOME elsewhere)"
        ) from None


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """One process at a time; the kernel lets the next one in when that ends, however it ends."""
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hold(folder: Path) -> Held | None:
    """A shared lock on the mark of an index; None where there is no index."""
    try:
        held = Held(os.open(folder / MARK, os.O_RDONLY))
    except FileNotFoundError:
        return None
    fcntl.flock(held.handle, fcntl.LOCK_SH)
    # It may have been removed between the two lines above.
    return held if (folder / MARK).exists() else None


def _make(listing: Listing, folder: Path, tell: Callable[[str], None]) -> Held:
    name, _, _ = folder.name.partition("-")
    others = sorted(folder.parent.glob(f"{name}-*"))
    why = "the corpus has changed since the last one" if others else "once per machine"
    tell(f"making an index of {len(listing.names):,} shards in {folder}: {why}")
    for draft in folder.parent.glob(f".{name}-*"):
        shutil.rmtree(draft)  # of a process that was killed
    draft = folder.with_name(f".{folder.name}")
    draft.mkdir()
    try:
        build(listing, draft)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for other in others:
        _remove(other)
    held = _hold(folder)
    assert held is not None
    return held


def _remove(folder: Path) -> None:
    """Remove an index unless somebody uses it."""
    with open(folder / MARK) as mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(folder)


def _mapped(folder: Path, held: Held) -> Index:
    told = json.loads((folder / MARK).read_bytes())
    columns = {
        name: _column(folder / name, kind, told[length]) for name, (kind, length) in COLUMNS.items()
    }
    return Index(
        folder=folder,
        groups=tuple(Group(**group) for group in told["groups"]),
        columns=columns,
        held=held,
    )


def _column(path: Path, kind: str, count: int) -> NDArray[Any]:
    if not count:
        return np.empty(0, dtype=kind)  # nothing cannot be mapped
    # As a plain array: the class of memory maps takes as long as a small read at every look.
    return np.memmap(path, dtype=kind, mode="r", shape=(count,)).view(np.ndarray)
