"""Files that cannot be reached for a while: waited for, and told from one file that is bad.

A store that answers 503 for a minute would fail every task in it for good. So a task that found no
files is charged with that once, and then tried again and again, uncharged, until anything ends
well. When nothing does for `PATIENCE_S`, the store is to blame if several tasks say so, and the run
ends; else it is the one task.
"""

from __future__ import annotations

from pipelines.workers.attempts import Attempts, Fault

PATIENCE_S = 70.0
AGAIN_S = 5.0
# So long the clients of stores try by themselves before they say that a call has failed.
_CLIENT_S = 40.0
SLUG = "storage"
# What these clients raise need not be an OSError.
_CLIENTS = {"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "s3fs", "urllib3"}
# The file itself is the matter.
_OF_THE_FILE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def slug_of(error: BaseException) -> str:
    """`storage` for an error of reaching files that may pass, `exception` for any other."""
    passing = isinstance(error, OSError) and not isinstance(error, _OF_THE_FILE)
    client = type(error).__module__.partition(".")[0] in _CLIENTS
    return SLUG if passing or client else "exception"


class Outage:
    """Since when nothing has ended well, and which tasks found no files since then."""

    def __init__(self) -> None:
        self._ill: set[str] = set()
        self._since_s = 0.0
        self._why = ""

    def well(self) -> None:
        """A task has ended well."""
        self._ill.clear()

    def wait_s(
        self, attempts: Attempts, task_id: str, fault: Fault, now: float, seconds: float
    ) -> float | None:
        """How long a task waits after a try that failed after so many seconds; None: for good."""
        if fault.slug != SLUG:
            return 0.0 if attempts.add(task_id, fault) else None
        if not self._ill:
            self._since_s = now - min(seconds, _CLIENT_S)
        known, self._why = task_id in self._ill, fault.why
        self._ill.add(task_id)
        if self._is_long(now) and len(self._ill) == 1:
            return None
        return AGAIN_S if known or attempts.add(task_id, fault) else None

    def everywhere(self, now: float) -> str:
        """A sentence when several tasks have found no files for too long; else empty."""
        if len(self._ill) < 2 or not self._is_long(now):
            return ""
        return (
            f"files cannot be reached, for {PATIENCE_S:g} s by now ({self._why}). What is committed"
            " stays: the same command goes on from there when the storage answers again"
        )

    def _is_long(self, now: float) -> bool:
        return now - self._since_s >= PATIENCE_S
