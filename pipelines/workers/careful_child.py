"""The process that `careful` starts: scores a unit image by image and tells of each step.

`python -m pipelines.workers.careful_child FD` takes a pickled Order from stdin and writes pickled
pairs to the file descriptor: loaded, then for each image begun (its place) and row, at last end or
failed. A timer of the kernel ends it when an image takes too long, whatever code it hangs in.
Memory has a limit too: one page may ask for any amount, and where the node runs out of it the
kernel may end another process instead.
"""

from __future__ import annotations

import os
import pickle
import re
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.sources import Reading
from pipelines.workers import scorer
from pipelines.workers.careful import OUT_OF_MEMORY, Order
from pipelines.workers.fate import die_with_parent

# What one image may take beyond what was loaded before: twice the most that decoding asks for.
_IMAGE_BYTES = 8 << 30


def main() -> None:
    # A worker that is killed cannot end us, and whoever hangs does not see the pipe break.
    die_with_parent()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    order: Order = pickle.load(sys.stdin.buffer)
    with os.fdopen(int(sys.argv[1]), "wb") as pipe:
        try:
            for message in _messages(order):
                pickle.dump(message, pipe)
                pipe.flush()
        except MemoryError:
            sys.exit(OUT_OF_MEMORY)


def _messages(order: Order) -> Iterator[tuple[str, Any]]:
    unit, source = order.unit, order.job.sources[order.unit.source]
    try:
        _limit(order.start_timeout_s)
        score_item = scorer.make_item_scorer(order.job)
        yield "loaded", None
        _limit_memory()
        rest, read_over = source.behind(unit, order.start)
        reading = Reading(source.read(rest))
        items = iter(reading)
        while True:
            _limit(order.image_timeout_s)
            item = next(items, None)
            if item is None:
                break
            if read_over:
                read_over -= 1
                continue
            yield "begun", scorer.place_row(item, source, unit)
            yield "row", score_item(item, unit)
    except MemoryError:
        raise  # it is of this image alone, and the next process goes on behind it
    except Exception as error:
        yield "failed", f"{type(error).__name__}: {error}"
    else:
        yield "end", dict(reading.passed_over)


def _limit(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory() -> None:
    """Let allocations fail beyond `_IMAGE_BYTES`, or half of what the node has left if less."""
    if sys.platform != "linux":
        return
    left = _kilobytes("/proc/meminfo", "MemAvailable") * 1024 // 2
    # VmData counts written data: decoders and runtimes reserve addresses that they never use.
    used = _kilobytes("/proc/self/status", "VmData") * 1024
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = used + min(_IMAGE_BYTES, left)
    limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))


def _kilobytes(path: str, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(path).read_text(), re.MULTILINE)
    assert found is not None, f"no {name} in {path}"
    return int(found[1])


if __name__ == "__main__":
    main()
