"""Reads of a remote corpus through the node's cache of shards.

A shard that is in the cache is read by pread. One that is on its way though it should be here is
waited for, ten seconds in all; from others each image is asked for when its batch is planned, so
that decoding threads find the answer.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from vae_training.data.cache import ShardCache
from vae_training.data.index import cache_of
from vae_training.data.listing import digest
from vae_training.data.prefetch import Prefetch
from vae_training.data.ranges import Answer, OpenFile, RemoteReader
from vae_training.data.shards import Shards

# How long a shard that is late is waited for, from the first image that needs it on.
PATIENCE_S = 10.0
_LOOK_S = 0.02
_OPEN_FILES = 256


def through_cache(
    shards: Shards, folder: str, limit_gb: float, *, rank: int = 0, world: int = 1
) -> Shards:
    """The same shards, read through a cache below `folder`; those of a local corpus as they are.

    `rank` of `world` are those of this node. Where the folder cannot be used, that is told, and
    every image is a request.
    """
    if not isinstance(shards.reader, RemoteReader) or not limit_gb:
        return shards
    root = cache_of(folder)
    try:
        cache = ShardCache(
            root, digest([shards.corpus, shards.digest()]), shards.tar_bytes, int(limit_gb * 1e9)
        )
    except OSError as error:
        print(
            f"warning: no cache of shards in {root} ({error}): every image is read with a request;"
            " name a folder with --cache",
            file=sys.stderr,
            flush=True,
        )
        return shards
    reader = CachedReader(shards.reader, cache, shards.path, rank=rank, world=world)
    return dataclasses.replace(shards, reader=reader)


class CachedReader:
    """See `Reader`; `path_of` gives the URL of a shard by its number."""

    def __init__(
        self,
        remote: RemoteReader,
        cache: ShardCache,
        path_of: Callable[[int], str],
        *,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._remote, self._cache, self._path_of = remote, cache, path_of
        self._prefetch = Prefetch(cache, self._get, rank=rank, world=world)
        self._coming: tuple[Sequence[int], Sequence[int]] = ((), ())
        # Of the shards that are read now or next.
        self._numbers: dict[str, int] = {}
        self._files: dict[str, OpenFile] = {}
        self._waited: dict[str, float] = {}

    def ask(self, path: str, offset: int, size: int) -> Answer:
        file = self._files.get(path) or self._open(path)
        if file is not None:
            return partial(self._read, file, path, offset, size)
        if self._comes(path):
            return partial(self._wait, path, offset, size)
        return self._remote.ask(path, offset, size)

    def expect(self, now: Sequence[int], then: Sequence[int]) -> None:
        if (now, then) == self._coming:
            return
        self._coming = (now, then)
        self._numbers = {self._path_of(number): number for number in (*now, *then)}
        # An open file holds its place on the disk after it was removed.
        for path in self._files.keys() - self._numbers.keys():
            self._files.pop(path, None)
        self._waited = {path: s for path, s in self._waited.items() if path in self._numbers}
        self._remote.expect(now, then)
        self._prefetch.want(now, then)

    def _get(self, number: int, offset: int, size: int) -> memoryview:
        return self._remote.view(self._path_of(number), offset, size)

    def _open(self, path: str) -> OpenFile | None:
        number = self._numbers.get(path)
        if number is None:
            return None
        try:
            file = OpenFile(self._cache.path(number))
        except OSError:
            return None
        if len(self._files) >= _OPEN_FILES:
            self._files.pop(next(iter(tuple(self._files))), None)
        self._files[path] = file
        return file

    def _read(self, file: OpenFile, path: str, offset: int, size: int) -> bytes:
        try:
            data = file.read(offset, size)
        except OSError:
            data = b""
        if len(data) == size:
            return data
        # The disk has lost it, or somebody has cut it.
        self._files.pop(path, None)
        if (number := self._numbers.get(path)) is not None:
            self._cache.drop(number)
        return self._remote.ask(path, offset, size)()

    def _comes(self, path: str) -> bool:
        number = self._numbers.get(path)
        return number is not None and self._prefetch.comes(number)

    def _wait(self, path: str, offset: int, size: int) -> bytes:
        until_s = self._waited.setdefault(path, time.monotonic() + PATIENCE_S)
        while True:
            if file := self._files.get(path) or self._open(path):
                return self._read(file, path, offset, size)
            if time.monotonic() >= until_s or not self._comes(path):
                return self._remote.ask(path, offset, size)()
            time.sleep(_LOOK_S)
