"""Tars that are being written, many at once: each is whole and visible, or is not there."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from filters.scores import PACKED_INDEX_SCHEMA
from pipelines.stages.packing.job import Target
from vae_corpus import storage, tar


class Draft:
    """A tar on its way, which ends in `finish` or `discard`; a fault while it is written discards.

    A shard is committed by its index, which comes after the tar.
    """

    def __init__(self, out: str, target: Target) -> None:
        self._out, self._target = out, target
        self._begun = ExitStack()
        path = storage.join(out, f"{target.name}.tar")
        file = self._begun.enter_context(storage.commit(path))
        self._writer = tar.ShardWriter(file, target.name, PACKED_INDEX_SCHEMA)

    def add(self, sample: tar.Stored, shard: str | None = None) -> None:
        """Write a sample; of a part it is said for which shard it is."""
        with self._discarded_by_faults():
            self._writer.add(sample, shard)

    def finish(self) -> pa.Table:
        """Commit the tar, and return its index."""
        with self._discarded_by_faults():
            index = self._writer.close()
        self._begun.close()
        tar.commit_index(self._out, self._target.name, self._target.recipe, index)
        return index

    def discard(self) -> None:
        """Leave nothing behind."""
        self._begun.__exit__(_Discarded, _Discarded(), None)

    @contextmanager
    def _discarded_by_faults(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            # The file may tell of the fault in words of its own, as of a full disk.
            self._begun.__exit__(*sys.exc_info())
            raise


class _Discarded(Exception):
    """Ends a file that is not to be committed."""


class Drafts:
    """The drafts of a task, by name of their tar; those left at the end are discarded."""

    def __init__(self, out: str) -> None:
        self._out = out
        self._open: dict[str, Draft] = {}

    def __enter__(self) -> Drafts:
        return self

    def __exit__(self, *fault: object) -> None:
        for name in list(self._open):
            self.discard(name)

    def add(self, target: Target, sample: tar.Stored, shard: str) -> None:
        """Write a sample of a shard into a tar, which is begun with its first sample."""
        if target.name not in self._open:
            self._open[target.name] = Draft(self._out, target)
        try:
            self._open[target.name].add(sample, shard)
        except BaseException:
            del self._open[target.name]
            raise

    def finish(self, name: str) -> Counter[str]:
        """Commit a tar that has all its samples; how many `images` and `bytes` these are."""
        index = self._open.pop(name).finish()
        return Counter(images=index.num_rows, bytes=pc.sum(index["bytes"]).as_py())

    def discard(self, name: str) -> None:
        """Give up a tar, of which there may be nothing yet."""
        if draft := self._open.pop(name, None):
            draft.discard()
