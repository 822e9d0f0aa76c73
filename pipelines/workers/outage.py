"""Files that cannot be reached for a while: waited for, and told from one file that is bad.

A store that answers 503 for a minute fails every task within seconds, three times. So the last try
of such a task is kept until the store has had time to come back; when it has not, and nothing else
has ended well in the meantime, the store is to blame and no task.
"""

from __future__ import annotations

PATIENCE_S = 75.0
# Most of what goes wrong on a network goes well a moment later.
_SOON_S = 2.0
SLUG = "storage"
# What the clients of stores raise need not be an OSError.
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
        self._since_s: float | None = None
        self._tasks: set[str] = set()

    def well(self) -> None:
        """A task has ended well."""
        self._since_s = None
        self._tasks.clear()

    def ill(self, task_id: str, slug: str, now: float) -> None:
        """A try of a task has failed."""
        if slug == SLUG:
            self._since_s = now if self._since_s is None else self._since_s
            if len(self._tasks) < 2:
                self._tasks.add(task_id)

    def is_everywhere(self, now: float) -> bool:
        """Whether several tasks found no files and nothing has gone well for long enough."""
        since = self._since_s
        return since is not None and now - since >= PATIENCE_S and len(self._tasks) >= 2

    @staticmethod
    def delay_s(slug: str, tries: int, left: int) -> float:
        """How long a task waits for its next try after so many, when so many are left."""
        if slug != SLUG:
            return 0.0
        return PATIENCE_S if tries > 1 and left == 1 else _SOON_S

    @staticmethod
    def sentence(why: str) -> str:
        return (
            f"files cannot be reached, for more than {PATIENCE_S:g} s now ({why}). What is"
            " committed stays: the same command goes on from there when the storage answers again"
        )
