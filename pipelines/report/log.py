"""`log.jsonl`: a line for each unit and shard that was made, and for each try that failed.

For people and their scripts; nothing in the corpus depends on it, and it alone holds times of day.
Builds of one local corpus append to one file. Nothing can be appended to an object, so there each
build that has something to tell writes one of its own below `log/`, again from time to time.
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


class BuildLog(Listener):
    """Writes lines as a run tells of them; `stage` is named in each."""

    def __init__(self, out: str) -> None:
        self.stage = ""
        self._local = storage.is_local(out)
        began = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        name = "log.jsonl" if self._local else f"log/{began}-{secrets.token_hex(4)}.jsonl"
        self._path = storage.join(out, name)
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
        if self._local or time.monotonic() - self._put_s > _PUT_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write what is still to be written. A log that finds no place costs no corpus."""
        if not self._lines:
            return
        with suppress(OSError):
            if self._local:
                with open(Path(self._path), "a", encoding="utf-8") as file:
                    file.write("".join(self._lines))
                self._lines.clear()
            else:
                fs, inner = storage.filesystem(self._path)
                fs.pipe_file(inner, "".join(self._lines).encode())
        self._put_s = time.monotonic()


@contextmanager
def build_log(out: str) -> Iterator[BuildLog]:
    """A log that is whole when the block ends, however it ends."""
    log = BuildLog(out)
    try:
        yield log
    finally:
        log.flush()
