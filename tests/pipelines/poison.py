"""A folder of pictures of which some take down the process that reads or decodes them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.sources import FolderSource, Item, Unit
from tests.pictures import jpeg, scene

# A file of this name in the environment tells others that somebody hangs now.
HANG_MARK = "POISON_HANG_MARK"


class PoisonSource(FolderSource):
    """While `armed`: `killer` and `hanger` act when decoded, others when read.

    `unreadable` kills, `glutton` takes 10 GiB.
    """

    armed: bool = True

    def read(self, unit: Unit) -> Iterator[Item]:
        for item in super().read(unit):
            if self.armed and "unreadable" in item.member:
                _kill()
            if self.armed and "glutton" in item.member:
                bytearray(10 << 30)
            wrap = {"killer": _Killer, "hanger": _Hanger}.get(item.member.split(".")[0][3:], bytes)
            yield replace(item, data=wrap(item.data)) if self.armed else item


class _Killer(bytes):
    """Bytes that can be counted and hashed, but nobody lives to look into them."""

    def __getitem__(self, where: Any) -> Any:
        _kill()

    def startswith(self, *prefix: Any) -> bool:
        _kill()
        return False


class _Hanger(bytes):
    def __getitem__(self, where: Any) -> Any:
        _hang()

    def startswith(self, *prefix: Any) -> bool:
        _hang()
        return False


def write_pictures(folder: Path, *poisons: str) -> None:
    """Six good pictures, and one after every second of them for each poison; all differ."""
    folder.mkdir(parents=True)
    for n in range(6):
        (folder / f"{2 * n:02d}-good.jpg").write_bytes(jpeg(scene(300, 280, n), 95))
    for n, poison in enumerate(poisons):
        (folder / f"{4 * n + 3:02d}-{poison}.jpg").write_bytes(jpeg(scene(290, 270, 50 + n), 95))


def _hang() -> None:
    if mark := os.environ.get(HANG_MARK):
        Path(mark).touch()
    time.sleep(1000)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
