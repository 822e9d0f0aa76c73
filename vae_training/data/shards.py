"""The index of a corpus in memory, and reads of single images out of its tars.

One row per stored image, as numpy columns (about 40 bytes a row besides the keys). Tars are read
by offset: pread on a local disk, ranged requests through fsspec elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.sample import INDEX_SCHEMA, Group
from vae_training.data.curriculum import CorpusError
from vae_training.data.ranges import Reader, reader_of

_COLUMNS = ["shard", "key", "offset", "bytes", "width", "height", "parent"]
_GROUP = ["kind", "rung", "bucket", "language", "size_band", "density"]


@dataclass(frozen=True, kw_only=True)
class Shards:
    """All rows of a corpus, sorted by shard, then as the index has them."""

    corpus: str
    names: tuple[str, ...]  # tar paths below the corpus
    shard: NDArray[np.int32]  # row -> number in names
    offset: NDArray[np.int64]
    bytes: NDArray[np.int64]
    group: NDArray[np.int32]  # row -> number in groups
    groups: tuple[Group, ...]
    keys: pa.ChunkedArray
    parents: pa.ChunkedArray
    reader: Reader

    def __len__(self) -> int:
        return len(self.shard)

    def key(self, row: int) -> str:
        return str(self.keys[row].as_py())

    def where(self, row: int) -> str:
        """The place of a row, for messages."""
        return f"{self.key(row)} in {self.corpus}/{self.names[self.shard[row]]}"

    def read(self, row: int) -> bytes:
        """The encoded image of a row; CorpusError when its tar is gone, cut off or out of reach."""
        path = f"{self.corpus}/{self.names[self.shard[row]]}"
        offset, size = int(self.offset[row]), int(self.bytes[row])
        try:
            data = self.reader.read(path, offset, size)
        except FileNotFoundError:
            raise CorpusError(f"{path} is gone: build the corpus again to restore it") from None
        except OSError as error:
            raise CorpusError(
                f"cannot read {path} ({error}): mend the disk or the way to the server; the same"
                " command resumes"
            ) from None
        if len(data) > size:
            raise CorpusError(
                f"asked for {size} bytes of {path}, got {len(data)}: the server does not answer"
                " range requests; use one that does, or copy the corpus to a disk"
            )
        if len(data) < size:
            raise CorpusError(
                f"{path} ends before byte {offset + size}: the tar is truncated; delete it and"
                " its .parquet and build the corpus again"
            )
        return data


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
    tables = [_index(fs, root, corpus, name, sizes) for name in names]
    table = pa.concat_tables(tables).combine_chunks()
    groups, numbers = _groups(table)
    return Shards(
        corpus=corpus,
        names=tuple(f"{name}.tar" for name in names),
        shard=np.repeat(np.arange(len(names), dtype=np.int32), [t.num_rows for t in tables]),
        offset=table["offset"].to_numpy(),
        bytes=table["bytes"].to_numpy(),
        group=numbers,
        groups=groups,
        keys=table["key"],
        parents=table["parent"],
        reader=reader_of(corpus),
    )


def _sizes(fs: fsspec.AbstractFileSystem, folder: str) -> dict[str, int]:
    try:
        found = fs.find(folder, detail=True)
    except FileNotFoundError:
        return {}
    # A listing over HTTP has names only: the sizes are asked for, all at once.
    unknown = [path for path, info in found.items() if info["size"] is None]
    asked = dict(zip(unknown, fs.sizes(unknown), strict=True)) if unknown else {}
    return {path: asked.get(path, info["size"]) for path, info in found.items()}


def _index(
    fs: fsspec.AbstractFileSystem, root: str, corpus: str, name: str, sizes: dict[str, int]
) -> pa.Table:
    path, tar = f"{corpus}/{name}.parquet", f"{name}.tar"
    if tar not in sizes:
        raise CorpusError(
            f"{corpus}/{tar} is missing, but its index {name}.parquet is there: delete the index"
            " and build the corpus again"
        )
    try:
        with fs.open(f"{root}/{name}.parquet", "rb") as file:
            table = pq.read_table(file, columns=_COLUMNS + _GROUP)
        table = table.cast(pa.schema([INDEX_SCHEMA.field(n) for n in table.column_names]))
    except (pa.ArrowInvalid, ValueError) as error:
        raise CorpusError(
            f"{path} is no shard index ({error}): delete it and build again"
        ) from None
    if missing := set(_COLUMNS + _GROUP) - set(table.column_names):
        raise CorpusError(f"{path} lacks the columns {sorted(missing)}: delete it and build again")
    if wrong := set(table["shard"].to_pylist()) - {tar}:
        raise CorpusError(f"{path} speaks of {min(wrong)}, not of {tar}: delete both, build again")
    end = max(
        (o + b for o, b in zip(*(table[c].to_pylist() for c in ("offset", "bytes")), strict=True)),
        default=0,
    )
    if end > sizes[tar]:
        raise CorpusError(
            f"{corpus}/{tar} has {sizes[tar]} bytes, its index needs {end}: the tar is truncated"
            " or the index is of another; delete both and build the corpus again"
        )
    return table


def _groups(table: pa.Table) -> tuple[tuple[Group, ...], NDArray[np.int32]]:
    columns = table.select(_GROUP)
    distinct = columns.group_by(_GROUP).aggregate([]).to_pylist()
    distinct.sort(key=lambda g: tuple("" if g[c] is None else str(g[c]) for c in _GROUP))
    number = {tuple(g[c] for c in _GROUP): i for i, g in enumerate(distinct)}
    rows = zip(*(columns[c].to_pylist() for c in _GROUP), strict=True)
    numbers = np.fromiter((number[row] for row in rows), dtype=np.int32, count=table.num_rows)
    return tuple(Group(**g) for g in distinct), numbers
