"""The process that `careful` starts: scores a unit image by image and tells of each step.

`python -m pipelines.careful_child FD` takes a pickled Order from stdin and writes pickled pairs to
the file descriptor: loaded, then for each image begun (its place) and row, at last end or failed.
A timer of the kernel ends it when an image takes too long, whatever code it hangs in.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from typing import Any

from pipelines import score
from pipelines.careful import Order, without_first
from pipelines.sources import Reading

_PR_SET_PDEATHSIG = 1


def main() -> None:
    if sys.platform == "linux":
        # A worker that is killed cannot end us, and whoever hangs does not see the pipe break.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    order: Order = pickle.load(sys.stdin.buffer)
    with os.fdopen(int(sys.argv[1]), "wb") as pipe:
        for message in _messages(order):
            pickle.dump(message, pipe)
            pipe.flush()


def _messages(order: Order) -> Iterator[tuple[str, Any]]:
    unit, source = order.unit, order.job.sources[order.unit.source]
    try:
        _limit(order.start_timeout_s)
        score_item = score.make_item_scorer(order.job)
        yield "loaded", None
        rest, read_over = without_first(source, unit, order.start)
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
            yield "begun", score.place_row(item, source, unit)
            yield "row", score_item(item, unit)
    except Exception as error:
        yield "failed", f"{type(error).__name__}: {error}"
    else:
        yield "end", dict(reading.passed_over)


def _limit(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main()
