"""Score a unit image by image in a process of its own, to find the image that kills or hangs it.

For units that took their worker down again and again. The process sends each row as it is done;
when it ends too early, the image at work is tried once more by another process, then it gets a row
with one of `SLUGS`, and the next process goes on behind it. So one pass
names any number of such images, and all others get the row that they would always have got.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipelines.sources import Unit
from pipelines.workers import scorer
from pipelines.workers.scorer import Row, ScoreJob

SLUGS = ("kills_worker", "hangs_worker")
# With this code a process ends that could not get the memory for an image.
OUT_OF_MEMORY = 86

# Once may be the fault of something else, such as memory that other processes took.
_STRIKES = 2
# So many that cannot even be read, one after the other: then the storage is to blame, and rows
# that name them would stay when it is well again.
_UNREAD_IN_A_ROW = 3


class CarefulError(RuntimeError):
    """Not even image by image can the unit be scored; nothing is committed."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a process is to do: score the unit from its image number `start` on."""

    job: ScoreJob
    unit: Unit
    start: int
    image_timeout_s: float
    start_timeout_s: float


@dataclass(frozen=True, kw_only=True)
class _Death:
    """How a process ended too early; `begun` is what was known of the image that it scored."""

    slug: str
    why: str
    begun: Row | None


def make_careful_scorer(
    job: ScoreJob, *, image_timeout_s: float, start_timeout_s: float
) -> Callable[[Unit], dict[str, Any]]:
    """The work of `scorer.make_scorer` for units with something in them that takes workers down."""

    def score_unit(unit: Unit) -> dict[str, Any]:
        rows: list[Row] = []
        order = Order(
            job=job,
            unit=unit,
            start=0,
            image_timeout_s=image_timeout_s,
            start_timeout_s=start_timeout_s,
        )
        strikes = unread = 0
        while isinstance(ended := _score_on(order, rows), _Death):
            if len(rows) > order.start:
                strikes = unread = 0
            strikes += 1
            if strikes == _STRIKES:
                strikes = 0
                unread = 0 if ended.begun else unread + 1
                rows.append(_named(ended, order, len(rows), unread))
                scorer.count_row(rows[-1])
            order = replace(order, start=len(rows))
        return scorer.commit_rows(job, unit, rows, ended)

    return score_unit


def _score_on(order: Order, rows: list[Row]) -> _Death | Mapping[str, int]:
    """Let a process score; add its rows to `rows`.

    At the end, how many members were passed over as no images, by extension.
    """
    reader, writer = os.pipe()
    child = subprocess.Popen(
        # Not from the folder in which we happen to be: it may shadow what we import.
        [sys.executable, "-P", "-m", "pipelines.workers.careful_child", str(writer)],
        stdin=subprocess.PIPE,
        pass_fds=(writer,),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    os.close(writer)
    begun, loaded = None, False
    with child, os.fdopen(reader, "rb") as pipe:
        assert child.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(pickle.dumps(order))
                child.stdin.close()
            # A process that was killed may leave half a message.
            with contextlib.suppress(EOFError, pickle.UnpicklingError):
                while True:
                    kind, content = pickle.load(pipe)
                    if kind == "loaded":
                        loaded = True
                    elif kind == "begun":
                        begun = content
                    elif kind == "row":
                        rows.append(content)
                        scorer.count_row(content)
                        begun = None
                    elif kind == "failed":
                        raise CarefulError(content)
                    else:
                        passed_over: Mapping[str, int] = content
                        return passed_over
        except BaseException:
            child.kill()
            raise
        slug, why = _reason(child.wait())
    if not loaded:
        raise CarefulError(f"the process that scores image by image does not start: {why}")
    return _Death(slug=slug, why=why, begun=begun)


def _reason(code: int) -> tuple[str, str]:
    if code == -signal.SIGALRM:
        return "hangs_worker", "it was not done in time, twice (engine.image_timeout_s)"
    if code == OUT_OF_MEMORY:
        return "kills_worker", "it takes more memory than one image may have, twice"
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return "kills_worker", f"the process that scored it {how}, twice"


def _named(death: _Death, order: Order, index: int, unread: int) -> Row:
    source = order.job.sources[order.unit.source]
    if death.begun is not None:
        row = death.begun
    else:
        item = source.unread(order.unit, index)
        if item is None or unread > _UNREAD_IN_A_ROW:
            raise CarefulError(f"reading does not get beyond image {index + 1}: {death.why}")
        row = scorer.place_row(item, source, order.unit)
    return row | {"slug": death.slug, "why": death.why}
