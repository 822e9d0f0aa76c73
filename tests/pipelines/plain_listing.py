"""Listing in the plainest way, all in memory: what the streams of the sources must agree with."""

from __future__ import annotations

import os
import random
from pathlib import Path

from pipelines.sources.buckets import name_hash
from pipelines.sources.files import FileInfo, storable
from pipelines.sources.names import from_os


def plain_files(root: str) -> list[FileInfo]:
    """Every visible file below a folder, links followed, by name: one folder after another."""
    found, seen = [], set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = [name for name in below if name[0] != "."]
        below.sort(key=lambda name: (os.path.islink(os.path.join(folder, name)), from_os(name)))
        for name in names:
            path = os.path.join(folder, name)
            if name[0] == "." or not (os.path.isfile(path) or os.path.islink(path)):
                continue
            size, version = 0, "gone"
            if os.path.exists(path):
                size, version = os.stat(path).st_size, str(os.stat(path).st_mtime_ns)
            stored = storable(from_os(path.removeprefix(f"{root}/")))
            found.append(FileInfo(root=root, name=stored, bytes=size, version=version))
    return sorted(found, key=lambda file: file.name)


def plain_buckets(files: list[FileInfo], count: int) -> list[list[FileInfo]]:
    """The files of each bucket that has some."""
    dealt: list[list[FileInfo]] = [[] for _ in range(count)]
    for file in files:
        dealt[name_hash(file.name) % count].append(file)
    return [bucket for bucket in dealt if bucket]


def tricky_tree(root: Path, seed: int = 0) -> None:
    """Folders that link to each other in circles, odd names, hidden ones, links to nowhere."""
    rng = random.Random(seed)
    outside = root.with_name(f"{root.name}-outside")
    folders = [os.fsencode(root), os.fsencode(outside)]
    for folder in folders:
        os.mkdir(folder)
    names = [b"a", b"b", b"z", b".hidden", "é字".encode(), b"b\xe9 %", b"%41", b"[x]*", b"a-b"]
    for _ in range(20):
        path = os.path.join(rng.choice(folders), rng.choice(names))
        if not os.path.lexists(path):
            os.mkdir(path)
            folders.append(path)
    for number in range(9):
        os.symlink(rng.choice(folders), os.path.join(rng.choice(folders), b"link%d" % number))
    for number in range(90):
        stem = rng.choice([b"x", "ü".encode(), b"\xff", b".x", b"50%"])
        suffix = rng.choice([b".jpg", b".jpg", b".PDF", b""])
        path = os.path.join(rng.choice(folders), b"%b%d%b" % (stem, number, suffix))
        if number % 15 == 0:
            os.symlink(b"nowhere", path)
            continue
        with open(path, "wb") as file:
            file.truncate(rng.randrange(3000))
        os.utime(path, ns=(10**18, 10**18 + number))
