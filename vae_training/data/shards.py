"""The index of a corpus in memory, and reads of single images out of its tars by byte range.

One row per stored image, as numpy columns: 32 bytes a row besides the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vae_corpus.curriculum import CorpusError
from vae_corpus.tables import INDEX_SCHEMA
from vae_corpus.words import GROUP_COLUMNS, Bucket, Group
from vae_training.data.ranges import Reader, reader_of
from vae_training.data.reading import Encoded, finish

_COLUMNS = ["shard", "key", "offset", "bytes", "parent"]
_GROUP = list(GROUP_COLUMNS)
_INDEXES_AT_ONCE = 16  # most of the time is waiting, where the corpus is far away

# Waits for an image whose reading has begun.
Asked = Callable[[], Encoded]


@dataclass(frozen=True, kw_only=True)
class Shards:
    """All rows of a corpus, by shard in the order of their index.

    `parent` is a hash of the name of the image or page that a sample was cut from.
    """

    corpus: str
    names: tuple[str, ...]  # tar paths below the corpus
    shard: NDArray[np.int32]  # row -> number in names
    offset: NDArray[np.int64]
    bytes: NDArray[np.int64]
    group: NDArray[np.int32]  # row -> number in groups
    groups: tuple[Group, ...]
    parent: NDArray[np.uint64]
    keys: pa.ChunkedArray
    sizes: NDArray[np.int64]  # number in names -> bytes of the tar
    reader: Reader

    def __len__(self) -> int:
        return len(self.shard)

    def key(self, row: int) -> str:
        return str(self.keys[row].as_py())

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


def open_shards(corpus: str) -> Shards:
    """Read every index below `corpus/shards` and check each against the size of its tar.

    CorpusError names a missing or truncated tar, an index that is wrong, or an empty corpus.
    """
    corpus = corpus.rstrip("/")
    fs, root = fsspec.core.url_to_fs(corpus)
    sizes = {p[len(root) :].lstrip("/"): size for p, size in _sizes(fs, f"{root}/shards").items()}
    names = sorted(p.removesuffix(".parquet") for p in sizes if p.endswith(".parquet"))
    if not names:
        raise CorpusError(f"{corpus}/shards holds no shard index: build the corpus first")
    with ThreadPoolExecutor(_INDEXES_AT_ONCE, thread_name_prefix="index") as pool:
        parts = list(pool.map(lambda name: _index(fs, root, corpus, name, sizes), names))
    groups = tuple(sorted({g for part in parts for g in part.groups}, key=_in_order))
    number = {group: i for i, group in enumerate(groups)}
    local = (np.array([number[g] for g in p.groups], dtype=np.int32)[p.group] for p in parts)
    return Shards(
        corpus=corpus,
        names=tuple(f"{name}.tar" for name in names),
        shard=np.repeat(np.arange(len(names), dtype=np.int32), [len(p.keys) for p in parts]),
        offset=np.concatenate([p.offset for p in parts]),
        bytes=np.concatenate([p.bytes for p in parts]),
        group=np.concatenate(list(local)),
        groups=groups,
        parent=np.concatenate([p.parent for p in parts]),
        keys=pa.chunked_array([p.keys for p in parts]),
        sizes=np.array([sizes[f"{name}.tar"] for name in names]),
        reader=reader_of(corpus),
    )


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The index of one tar; `group` has indices into `groups`."""

    offset: NDArray[np.int64]
    bytes: NDArray[np.int64]
    group: NDArray[np.int64]
    groups: tuple[Group, ...]
    parent: NDArray[np.uint64]
    keys: pa.StringArray


def _sizes(fs: fsspec.AbstractFileSystem, folder: str) -> dict[str, int]:
    try:
        found = fs.find(folder, detail=True)
    except FileNotFoundError:
        return {}
    # Listings over HTTP lack sizes: they are asked for together.
    unknown = [path for path, info in found.items() if info["size"] is None]
    asked = dict(zip(unknown, fs.sizes(unknown), strict=True)) if unknown else {}
    return {path: asked.get(path, info["size"]) for path, info in found.items()}


def _index(
    fs: fsspec.AbstractFileSystem, root: str, corpus: str, name: str, sizes: dict[str, int]
) -> _Part:
    path, tar = f"{corpus}/{name}.parquet", f"{name}.tar"
    if tar not in sizes:
        raise CorpusError(
            f"{corpus}/{tar} is missing, but its index {name}.parquet is there: delete the index"
            " and build the corpus again"
        )
    try:
        with fs.open(f"{root}/{name}.parquet", "rb") as file:
            source = pq.ParquetFile(file)
            missing = set(_COLUMNS + _GROUP) - set(source.schema_arrow.names)
            table = source.read(columns=_COLUMNS + _GROUP)
        table = table.cast(pa.schema([INDEX_SCHEMA.field(n) for n in table.column_names]))
    except (pa.ArrowInvalid, ValueError) as error:
        raise CorpusError(
            f"{path} is no shard index ({error}): delete it and build again"
        ) from None
    if missing:
        raise CorpusError(f"{path} lacks the columns {sorted(missing)}: delete it and build again")
    if wrong := set(pc.unique(table["shard"]).to_pylist()) - {tar}:
        raise CorpusError(f"{path} speaks of {min(wrong)}, not of {tar}: delete both, build again")
    offset, size = table["offset"].to_numpy(), table["bytes"].to_numpy()
    keys = table["key"].combine_chunks()
    for row in np.flatnonzero((offset < 0) | (size < 1))[:1]:
        raise CorpusError(
            f"{path} places {keys[row]} at byte {offset[row]} with {size[row]} bytes: delete both"
            f" it and {tar}, build again"
        )
    if (end := int((offset + size).max(initial=0))) > sizes[tar]:
        raise CorpusError(
            f"{corpus}/{tar} has {sizes[tar]} bytes, its index needs {end}: the tar is truncated"
            " or the index is of another; delete both and build the corpus again"
        )
    groups, group = _groups(table)
    for bucket in {g.bucket for g in groups}:
        try:
            Bucket.parse(bucket)
        except ValueError as error:
            raise CorpusError(f"{path}: {error}: delete it and build again") from None
    names = table["parent"].combine_chunks().dictionary_encode()
    return _Part(
        offset=offset,
        bytes=size,
        group=group,
        groups=groups,
        parent=hashes(names.dictionary.to_pylist())[names.indices.to_numpy()],
        keys=keys,
    )


def hashes(names: Iterable[str]) -> NDArray[np.uint64]:
    """64 bits of a SHA-256 of each name."""
    digests = (hashlib.sha256(f"holdout:{name}".encode()).digest()[:8] for name in names)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def _groups(table: pa.Table) -> tuple[tuple[Group, ...], NDArray[np.int64]]:
    """The distinct groups of a table, and for each row the index of its group."""
    code = np.zeros(table.num_rows, dtype=np.int64)
    for name in _GROUP:
        column = table[name].combine_chunks().dictionary_encode(null_encoding="encode")
        code = code * len(column.dictionary) + column.indices.to_numpy()
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    return tuple(Group(**row) for row in table.select(_GROUP).take(first).to_pylist()), group


def _in_order(group: Group) -> tuple[str, ...]:
    values = (getattr(group, name) for name in _GROUP)
    return tuple("" if value is None else str(value) for value in values)
