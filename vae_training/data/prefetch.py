"""Fetches the shards that training will read into the node's cache, in threads of their own.

Every rank of a node fetches its share of them, by number, one request of 16 MiB after the other in
each of four threads. What does not fit into the cache is not fetched: all ranks see the same, since
what comes and the sizes are the same for all.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vae_corpus.curriculum import CorpusError
from vae_training.data.cache import ShardCache

PART_BYTES = 16 * 1024**2
_AT_ONCE = 4
# After a fault, and after a look at a cache where there was nothing to do or no room.
_AGAIN_S, _LOOK_S = 60.0, 2.0

# Number of a shard, offset, size.
Get = Callable[[int, int, int], memoryview]


@dataclass
class Wanted:
    """Shards to have, in order. `early` were announced before they were needed."""

    numbers: list[int] = field(default_factory=list)
    all: set[int] = field(default_factory=set)
    early: set[int] = field(default_factory=set)


class Prefetch:
    """Keeps the cache filled with what was last wanted; `get(number, offset, size)` reads a part.

    `rank` of `world` are those of this node.
    """

    def __init__(self, cache: ShardCache, get: Get, *, rank: int = 0, world: int = 1) -> None:
        self._cache, self._get, self._rank, self._world = cache, get, rank, world
        self._wanted = Wanted()
        self._busy: set[int] = set()
        self._failed: dict[int, float] = {}
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._told: set[str] = set()

    def want(self, now: Sequence[int], then: Sequence[int]) -> None:
        """Fetch these, `now` first; nothing: stop."""
        fitting, left = [], self._cache.limit_bytes
        for number in dict.fromkeys((*now, *then)):
            left -= int(self._cache.sizes[number])
            if left < 0:
                if self._rank == 0:  # the others of this node would say the same
                    self._tell_overflow(now, then)
                break
            fitting.append(number)
        held = set(fitting)
        with self._changed:
            early = held & (self._wanted.early | set(then) - set(now))
            self._wanted = Wanted(fitting, held, early)
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            while fitting and len(self._threads) < _AT_ONCE:
                self._threads.append(threading.Thread(target=self._work, daemon=True))
                self._threads[-1].start()
            self._changed.notify_all()

    def comes(self, number: int) -> bool:
        """Whether to wait for a shard that is not here: it is late, and nothing is wrong with it.

        One that was needed as soon as it was known, as all are when a run begins, is not waited
        for: its images are read one by one until it is here.
        """
        return number in self._wanted.early and number not in self._failed

    def _work(self) -> None:
        while (number := self._next()) is not None:
            try:
                self._fetch(number)
            except (OSError, CorpusError) as error:
                self._failed[number] = time.monotonic()
                self._tell(
                    f"cannot bring a shard to the cache ({error}): its images are read one by one,"
                    " with a request for each; it is tried again every minute",
                    once=type(error).__name__,
                )
            finally:
                self._busy.discard(number)

    def _next(self) -> int | None:
        """A shard to fetch, as soon as there is one; None when nothing is wanted any more."""
        with self._changed:
            while self._wanted.numbers:
                late = time.monotonic() - _AGAIN_S
                for number in self._wanted.numbers:
                    if number % self._world != self._rank or number in self._busy:
                        continue
                    if self._failed.get(number, late) > late or self._cache.has(number):
                        continue
                    self._failed.pop(number, None)
                    self._busy.add(number)
                    return number
                self._changed.wait(_LOOK_S)
        return None

    def _fetch(self, number: int) -> None:
        size = int(self._cache.sizes[number])
        draft = self._cache.draft(number, self._wanted.all)
        if draft is None:
            if not self._cache.has(number):
                time.sleep(_LOOK_S)  # another process is at it, or will make room soon
            return
        with draft:
            for offset in range(0, size, PART_BYTES):
                draft.write(offset, self._get(number, offset, min(PART_BYTES, size - offset)))
                if number not in self._wanted.all:
                    return
            draft.finish()

    def _tell_overflow(self, now: Sequence[int], then: Sequence[int]) -> None:
        needed = sum(int(self._cache.sizes[number]) for number in {*now, *then})
        self._tell(
            f"cache_gb {self._cache.limit_bytes / 1e9:g} is less than the {needed / 1e9:.1f} GB of"
            " the shards that are read now and next: the rest is read with a request for each"
            " image; give more, or a smaller --shuffle_shards",
            once="cache_gb",
        )

    def _tell(self, sentence: str, once: str) -> None:
        if once not in self._told:
            self._told.add(once)
            print(f"warning: {sentence}", file=sys.stderr, flush=True)
