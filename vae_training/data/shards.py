"""The stored images of a corpus by row, and reads of single ones out of its tars by byte range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from vae_corpus.words import Group
from vae_training.data.index import Index, Runs, cache_of, open_index
from vae_training.data.listing import digest, list_shards
from vae_training.data.ranges import Reader, reader_of
from vae_training.data.reading import Encoded, finish

# Waits for an image whose reading has begun.
Asked = Callable[[], Encoded]


@dataclass(frozen=True, kw_only=True)
class Shards:
    """All rows of a corpus by shard, within a shard by group, then by offset.

    The columns are memory-mapped: to walk over one reads it from the disk.
    """

    corpus: str
    names: tuple[str, ...]  # tar paths below the corpus
    tar_bytes: tuple[int, ...]
    index: Index
    reader: Reader

    def __len__(self) -> int:
        return len(self.shard)

    @property
    def groups(self) -> tuple[Group, ...]:
        return self.index.groups

    @property
    def runs(self) -> Runs:
        return self.index.runs

    @property
    def shard(self) -> NDArray[np.int32]:
        """Row -> number in `names`."""
        return self.index.columns["shard"]

    @property
    def offset(self) -> NDArray[np.int64]:
        return self.index.columns["offset"]

    @property
    def bytes(self) -> NDArray[np.int64]:
        return self.index.columns["bytes"]

    @property
    def group(self) -> NDArray[np.int32]:
        """Row -> number in `groups`."""
        return self.index.columns["group"]

    @property
    def parent(self) -> NDArray[np.uint64]:
        """Row -> a hash of the name of the image or page that it was cut from."""
        return self.index.columns["parent"]

    def samples(self) -> list[int]:
        """Rows per group."""
        return self.runs.samples(len(self.groups))

    def digest(self) -> str:
        """A digest of the names and sizes of all tars."""
        return digest([self.names, self.tar_bytes])

    def key(self, row: int) -> str:
        ends, letters = self.index.columns["ends"], self.index.columns["letters"]
        return letters[ends[row - 1] if row else 0 : ends[row]].tobytes().decode()

    def path(self, number: int) -> str:
        """The path or URL of a tar."""
        return f"{self.corpus}/{self.names[number]}"

    def where(self, row: int) -> str:
        """The place of a row, for messages."""
        return f"{self.key(row)} in {self.path(self.shard[row])}"

    def read(self, row: int) -> Encoded:
        """The encoded image of a row, or a fault, `unreadable`, if a store has lost its tar.

        CorpusError when a local tar is gone or cut, or nothing of the store can be read.
        """
        return self.ask([row])[0]()

    def ask(self, rows: Sequence[int]) -> list[Asked]:
        """Begin to read the images of rows; each of the calls waits for one, as `read` does."""
        places = (column[rows].tolist() for column in (self.shard, self.offset, self.bytes))
        return [self._ask(self.path(n), *place) for n, *place in zip(*places, strict=True)]

    def _ask(self, path: str, offset: int, size: int) -> Asked:
        return partial(finish, self.reader.ask(path, offset, size), path, offset, size)


def open_shards(
    corpus: str, cache: str = "", tell: Callable[[str], None] = lambda line: None
) -> Shards:
    """Open the index of a corpus below the folder `cache`, and make it where there is none.

    Then every Parquet index is read and checked against the size of its tar. CorpusError names a
    missing or truncated tar, an index that is wrong, or an empty corpus. `tell` hears what is made.
    """
    listing = list_shards(corpus)
    return Shards(
        corpus=listing.corpus,
        names=tuple(f"{name}.tar" for name in listing.names),
        tar_bytes=listing.tar_bytes,
        index=open_index(listing, cache_of(cache), tell),
        reader=reader_of(listing.corpus),
    )
