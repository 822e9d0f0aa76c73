"""Hashes of the texts and fonts that synthetic text is made of, remembered between builds.

`.digests.json` in the corpus holds the hash of each file with its size and its two times of change;
a file is read again when any of them differs. It lies in the corpus rather than in a cache folder
of the user, because the next build may be started by another user or on another machine, which
sees the corpus in any case. There the times of the same files may differ: then they are read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from vae_corpus import storage

NAME = ".digests.json"


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes, of which few are in memory."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Digests:
    """Hashes of files, and what was remembered of them."""

    def __init__(self, out: str | None = None) -> None:
        """`out` is the corpus whose memory is used; None: every file is read."""
        self._path = None if out is None else storage.join(out, NAME)
        self._known = {} if self._path is None else _read(self._path)
        self._seen: dict[str, list[int | str]] = {}

    def of(self, paths: Sequence[str]) -> list[str]:
        """Hashes of all files in and below `paths`: places do not matter, bytes do."""
        roots = [Path(path) for path in paths]
        files = [f for r in roots for f in (sorted(r.rglob("*")) if r.is_dir() else [r])]
        return [self._digest(file) for file in files if file.is_file()]

    def save(self) -> None:
        """Remember the files that were asked for, and no others."""
        if self._path is not None and self._seen != self._known:
            storage.commit_bytes(self._path, json.dumps(self._seen, indent=0).encode())

    def _digest(self, file: Path) -> str:
        name = os.path.abspath(file)
        # Before it is read: a change in between is then seen the next time.
        seen = file.stat()
        # Of packages and of copies the first time may be set, the second one is the machine's.
        facts: list[int | str] = [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns]
        known = self._known.get(name)
        digest = known[-1] if known and known[:-1] == facts else file_digest(file)
        self._seen[name] = [*facts, digest]
        return str(digest)


def _read(path: str) -> dict[str, list[int | str]]:
    try:
        held = json.loads(storage.read_bytes(path))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(held, dict):
        return {}
    return {name: row for name, row in held.items() if isinstance(row, list) and len(row) == 4}
