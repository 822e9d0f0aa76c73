"""Where numba keeps compiled code when neither the source tree nor the home folder can be written.

A read-only install, another user's checkout or a service without a home would otherwise end with
"cannot cache function" at the first import. Cached code is executed, so the folder of last resort
must be this user's alone; without one nothing is cached and each process compiles anew. A leaf
module: filters and renderers compile alike.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import numba


def ready(package: Path) -> bool:
    """Whether functions of the files below `package` can be cached; asked before they are made.

    A folder that numba finds by itself, `NUMBA_CACHE_DIR` first of all, is left to it.
    """
    if all(_numba_finds_a_place(file) for file in _one_file_per_folder(package)):
        return True
    folder = Path(tempfile.gettempdir()) / f"vae-corpus-numba-{os.getuid()}"
    if not _is_ours_alone(folder):
        return False
    numba.config.CACHE_DIR = str(folder)
    return True


def _one_file_per_folder(package: Path) -> list[Path]:
    return list({file.parent: file for file in package.rglob("*.py")}.values())


def _numba_finds_a_place(file: Path) -> bool:
    def probe() -> None:
        pass

    # numba chooses by the file that a function says to come from.
    probe.__code__ = probe.__code__.replace(co_filename=str(file))
    try:
        numba.njit(cache=True)(probe)
    except RuntimeError:
        return False
    return True


def _is_ours_alone(folder: Path) -> bool:
    """Make a folder, or see that no other user can write or replace what lies in it."""
    user = os.getuid()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        inside, above = folder.lstat(), folder.parent.stat()
        if not stat.S_ISDIR(inside.st_mode) or inside.st_uid != user or inside.st_mode & 0o077:
            return False
        if above.st_uid not in (0, user):
            return False
        if above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX:
            return False
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
