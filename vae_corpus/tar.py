"""Write a WebDataset tar and its index."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import IO, Any

import pyarrow as pa

from vae_corpus import storage
from vae_corpus.tables import INDEX_SCHEMA
from vae_corpus.words import Group

_BLOCK = 512
_BATCH_ROWS = 128


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A sample as it lies in a shard: encoded bytes, their size in px, and what is known of it.

    `label` is the JSON beside it, written or still to be written; `scores` go into the index.
    """

    key: str
    ext: str
    data: bytes
    width: int
    height: int
    group: Group
    source: str
    parent: str
    label: dict[str, Any] | str
    scores: dict[str, float | None] = field(default_factory=dict)

    def label_bytes(self) -> bytes:
        """The label as the file beside the image."""
        if isinstance(self.label, str):
            return self.label.encode()
        return json.dumps(self.label, ensure_ascii=False, sort_keys=True).encode()


class TarWriter:
    """Adds files to an open tar: plain ustar without clock or user, so equal each time."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)

    def add(self, name: str, data: bytes) -> int:
        """Write a file; where its bytes begin in the tar."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        offset = self._tar.offset + _BLOCK
        self._tar.addfile(info, io.BytesIO(data))
        return offset

    def close(self) -> None:
        self._tar.close()


class ShardWriter:
    """Adds samples to an open tar; `close` then gives the table of what lies where."""

    def __init__(self, file: IO[bytes], shard: str, schema: pa.Schema = INDEX_SCHEMA) -> None:
        self._tar = TarWriter(file)
        self._shard = shard
        self._schema = schema
        self._rows: list[dict[str, Any]] = []
        self._index: list[pa.RecordBatch] = []

    def add(self, sample: Stored, shard: str | None = None) -> None:
        """Write `<key>.<ext>` and `<key>.json`; the index names this shard, or the writer's."""
        text = sample.label_bytes()
        offset = self._tar.add(f"{sample.key}.{sample.ext}", sample.data)
        json_offset = self._tar.add(f"{sample.key}.json", text)
        self._rows.append(
            asdict(sample.group)
            | {
                "shard": f"{shard or self._shard}.tar",
                "key": sample.key,
                "ext": sample.ext,
                "offset": offset,
                "bytes": len(sample.data),
                "json_offset": json_offset,
                "json_bytes": len(text),
                "width": sample.width,
                "height": sample.height,
                "source": sample.source,
                "parent": sample.parent,
            }
            | sample.scores
        )
        if len(self._rows) == _BATCH_ROWS:
            self._put_by()

    def close(self) -> pa.Table:
        """End the tar and return its index, of the writer's schema."""
        self._tar.close()
        self._put_by()
        return pa.Table.from_batches(self._index, schema=self._schema).combine_chunks()

    def _put_by(self) -> None:
        # Dozens of shards are written at once: rows as Python has them would be most of the memory.
        self._index.append(pa.RecordBatch.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def commit_index(out: str, shard: str, recipe: str, index: pa.Table) -> None:
    """Write the sidecar index, the commit mark of a shard whose tar is already in place."""
    tar = storage.join(out, f"{shard}.tar")
    marks = {"recipe": recipe, "tar_bytes": str(storage.size_bytes(tar))}
    path = storage.join(out, f"{shard}.parquet")
    storage.commit_table(path, index.replace_schema_metadata(marks))


def recipes(base: Any) -> Callable[..., str]:
    """A function that gives 16 hex digits over `base` and its arguments, which JSON can hold.

    `base`, which many shards share and which may be long, is written out and hashed once.
    """
    shared = hashlib.sha256(f"[{json.dumps(base, sort_keys=True)}".encode())

    def recipe(*parts: Any) -> str:
        whole = shared.copy()
        whole.update("".join(f", {json.dumps(part, sort_keys=True)}" for part in parts).encode())
        whole.update(b"]")
        return whole.hexdigest()[:16]

    return recipe
