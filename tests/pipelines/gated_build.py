"""A build with beats of a test's choice, which a test can hold at a gate; see `main`."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import fsspec

from filters.scores import Scores
from filters.settings import ScoreSettings
from pipelines import build_corpus
from pipelines.guard import lease
from vae_corpus import tar

SHARDS_BEFORE_THE_GATE = 3

# Loaded once, and not by each process that is forked from here: loops that numba has compiled, and
# the client of object stores. OpenCV must have no threads by then: a fork would wait for them.
cv2.setNumThreads(1)
Scores(ScoreSettings(text=False)).ready()
fsspec.get_filesystem_class("s3")


def main(arguments: list[str]) -> int:
    """Build with BEAT_S SILENT_BEATS GATE and the flags of a build.

    With a folder as its gate it says there, by a file `waits`, that it is about to commit its
    third shard, and waits for `go`.
    """
    beat_s, silent, gate, *argv = arguments
    lease.BEAT_S, lease.SILENT_BEATS = float(beat_s), int(silent)
    if gate:
        _wait_at(Path(gate))
    return build_corpus.main(argv)


def _wait_at(gate: Path) -> None:
    closed, shards = tar.ShardWriter.close, []

    def close(self):  # type: ignore[no-untyped-def]
        shards.append(self)
        if len(shards) == SHARDS_BEFORE_THE_GATE:
            (gate / "waits").touch()
            while not (gate / "go").exists():
                time.sleep(0.02)
        return closed(self)

    tar.ShardWriter.close = close  # type: ignore[method-assign]
