"""`log.jsonl`: a line for each unit and shard that was made, and for each try that failed.

For people and their scripts; nothing in the corpus depends on it, and it alone holds times of day.
Builds of one local corpus append to one file. Nothing can be appended to an object, so there each
build that has something to tell writes some of its own below `log/`: the last of them again from
time to time, until it is long and the next one begins.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.workers.tasks import Listener, Stats, Task
from vae_corpus import storage

_PUT_EVERY_S = 60.0
# Of one object, which is what is held in memory.
_PART_LINES = 5000


class BuildLog(Listener):
    """Writes lines as a run tells of them; `stage` is named in each."""

    def __init__(self, out: str) -> None:
        self.stage = ""
        self._local = storage.is_local(out)
        began = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self._out, self._name = out, f"{began}-{secrets.token_hex(4)}"
        self._part = 0
        self._lines: list[str] = []
        self._put_s = time.monotonic()

    def done(self, task: Task, stats: Stats, seconds: float) -> None:
        self._add({"task": task.task_id, "seconds": round(seconds, 3), **stats})

    def failed(self, task: Task, slug: str, why: str, *, again: bool) -> None:
        self._add({"task": task.task_id, "failed": slug, "why": why, "again": again})

    def _add(self, facts: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        whole = {"time": now, "stage": self.stage, **facts}
        self._lines.append(json.dumps(whole, ensure_ascii=False, default=str) + "\n")
        late = time.monotonic() - self._put_s > _PUT_EVERY_S
        if self._local or late or len(self._lines) >= _PART_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is still to be written. A log that finds no place costs no corpus."""
        if not self._lines:
            return
        with suppress(OSError):
            if self._local:
                with open(Path(self._out) / "log.jsonl", "a", encoding="utf-8") as file:
                    file.write("".join(self._lines))
            else:
                name = f"log/{self._name}-{self._part:04d}.jsonl"
                fs, inner = storage.filesystem(storage.join(self._out, name))
                fs.pipe_file(inner, "".join(self._lines).encode())
        # What found no place is given up in the end: a log must not fill the memory either.
        if self._local or len(self._lines) >= _PART_LINES:
            self._lines.clear()
            self._part += 1
        self._put_s = time.monotonic()


@contextmanager
def build_log(out: str) -> Iterator[BuildLog]:
    """A log that is whole when the block ends, however it ends."""
    log = BuildLog(out)
    try:
        yield log
    finally:
        log.flush()
