"""Folders with links, pipes, devices and names that lead elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile_readers_set.case import ERROR, KEPT, Hostile, fates, good_pictures


def cases() -> Iterator[Hostile]:
    yield _folder("links_to_nowhere", _links_to_nowhere, "unreadable", rows=5)
    yield _folder("links_of_folders_in_a_loop", _loop, rows=2)
    yield _folder("a_link_to_all_of_proc", _link_to("/proc/self"), "not_an_image", "empty", ERROR)
    yield _folder("links_not_followed", _link_to("/etc"), rows=2, settings={"follow_links": False})
    yield _folder("pipes_and_sockets", _pipes, rows=2)
    yield _folder("a_device_of_zeros", _device, rows=2)
    yield _folder("folders_200_deep", _deep, KEPT, rows=3)
    yield _folder("20000_empty_files", _many, "empty", rows=20_002)
    yield _folder("names_of_any_byte", _names, KEPT)
    yield _folder("a_hole_of_100_gb", _hole(100 << 30), "file_too_large", rows=3)
    yield _folder("a_hole_of_a_gb", _hole(1 << 30), "not_an_image", rows=3)
    yield _folder("nobody_may_read_it", _closed, ERROR, "unreadable", "empty")
    yield _folder("tars_and_tables_among_pictures", _collections, "not_an_image")


def _folder(name: str, fill: Callable[[Path], Any], *slugs: str, **more: Any) -> Hostile:
    def make(folder: Path) -> None:
        for number, data in enumerate(good_pictures()[:2]):
            (folder / f"good{number}.jpg").write_bytes(data)
        fill(folder)

    return Hostile(name=name, reader="folder", make=make, fates=fates(*slugs), **more)


def _links_to_nowhere(folder: Path) -> None:
    (folder / "a.jpg").symlink_to("nowhere.jpg")
    (folder / "b.jpg").symlink_to("b.jpg")
    (folder / "c.jpg").symlink_to("x/" * 2000 + "y")


def _loop(folder: Path) -> None:
    (folder / "d").mkdir()
    (folder / "d" / "up").symlink_to("..")
    (folder / "d" / "self").symlink_to(".")
    (folder / "e").symlink_to("d")


def _link_to(place: str) -> Callable[[Path], None]:
    return lambda folder: (folder / "outside").symlink_to(place)


def _pipes(folder: Path) -> None:
    import socket

    os.mkfifo(folder / "pipe.jpg")
    here = os.getcwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.jpg")
    os.chdir(here)
    (folder / "link.jpg").symlink_to("pipe.jpg")


def _device(folder: Path) -> None:
    (folder / "zeros.jpg").symlink_to("/dev/zero")
    (folder / "terminal.jpg").symlink_to("/dev/tty")
    if os.geteuid() == 0:
        os.mknod(folder / "made.jpg", 0o644 | 0o020000, os.makedev(1, 5))


def _deep(folder: Path) -> None:
    place = folder
    for _ in range(200):
        place = place / "d"
        place.mkdir()
    (place / "x.jpg").write_bytes(good_pictures()[3])


def _many(folder: Path) -> None:
    for number in range(20_000):
        (folder / f"{number}.jpg").touch()


def _names(folder: Path) -> None:
    for byte in range(1, 256):
        if byte not in b"./":
            path = os.fsencode(folder) + b"/x" + bytes([byte]) + b".jpg"
            Path(os.fsdecode(path)).write_bytes(good_pictures()[3])
    for name in ("a::file:..", "[x].jpg", "*", "%2e%2e", "-rf", "$(id)", "n" * 250):
        (folder / name).write_bytes(good_pictures()[3])


def _hole(size: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        with open(folder / "hole.jpg", "wb") as file:
            file.truncate(size)

    return make


def _closed(folder: Path) -> None:
    (folder / "closed.jpg").write_bytes(b"")
    (folder / "closed.jpg").chmod(0)


def _collections(folder: Path) -> None:
    (folder / "x.tar.gz").write_bytes(b"\x1f\x8b" + bytes(600))
    (folder / "x.tar").write_bytes(bytes(257) + b"ustar" + bytes(600))
    (folder / "x.parquet").write_bytes(b"PAR1" + bytes(99))
    (folder / "x.zip").write_bytes(b"PK\3\4" + bytes(99))
