"""Whether an embedded Ray can make its sockets: the system limits the length of their paths."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from vae_corpus.settings import SettingsError

# sun_path of a Unix socket, less the zero at its end.
_MOST_BYTES = 103 if sys.platform == "darwin" else 107
_BELOW = "/ray/session_2026-01-31_23-59-59_123456_{pid}/sockets/plasma_store"


def check_socket_path(environment: Mapping[str, str]) -> None:
    """SettingsError with advice when the folder for temporary files has too long a name for Ray."""
    # In Ray's order; it looks at the second one on Linux alone.
    names = ("RAY_TMPDIR", "TMPDIR") if sys.platform.startswith("linux") else ("RAY_TMPDIR",)
    name = next((n for n in names if n in environment), None)
    folder = environment[name] if name else "/tmp"
    most = _MOST_BYTES - len(_BELOW.format(pid=os.getpid()))
    used = len(os.fsencode(folder))
    if used > most:
        raise SettingsError(
            f"{name}={folder} has {used} bytes: Ray makes sockets below it, whose paths the system"
            f" limits to {_MOST_BYTES} bytes, which leaves {most} for the folder. Name a shorter"
            " one for Ray alone, for example RAY_TMPDIR=/tmp, or run without Ray:"
            " --engine.workers 0"
        )
