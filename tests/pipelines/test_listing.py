"""Listings are streams: what comes out is the same as with everything in memory."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from pipelines.sources import DocumentSource, FolderSource, Source, SourceError, WebDatasetSource
from pipelines.sources import spool as spooling
from pipelines.sources import walk as walking
from pipelines.sources.buckets import buckets
from pipelines.sources.files import FileInfo
from pipelines.sources.listing import find_files, stream_files
from pipelines.sources.spool import Spool
from pipelines.workers.pulse import Pulse
from tests.pipelines.plain_listing import plain_buckets, plain_files, tricky_tree
from vae_corpus import storage


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so small that some files go every way that a billion would."""
    monkeypatch.setattr(spooling, "CHUNK_FILES", 4)
    monkeypatch.setattr(spooling, "_BLOCK_ROWS", 2)
    monkeypatch.setattr(spooling, "_MERGED_AT_ONCE", 3)
    monkeypatch.setattr(walking, "_ENTRIES", 2)
    monkeypatch.setattr(walking, "_READERS", 3)


def made_up(count: int, seed: int = 0) -> list[FileInfo]:
    rng = random.Random(seed)
    names = [f"{rng.choice('abcé字')}/{n}{rng.choice(['', '.jpg'])}" for n in range(count)]
    rng.shuffle(names)
    return [FileInfo("/r", name, rng.randrange(2**40), str(rng.random())) for name in names]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 40, 500])
def test_a_spool_on_disk_gives_what_one_in_memory_gives(
    count: int, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = made_up(count)
    opened: list[Any] = []
    temporary = tempfile.TemporaryFile

    def count_opened(*args: Any, **options: Any) -> Any:
        opened.append(temporary(*args, **options))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", count_opened)
    with Spool() as spool:
        for file in files:
            spool.add(file)
        in_order = sorted(files, key=lambda file: file.name)
        assert (spool.count, spool.bytes) == (count, sum(file.bytes for file in files))
        assert list(spool.by_name()) == in_order
        for number in (1, 2, 64):
            assert list(spool.by_bucket(number)) == plain_buckets(in_order, number)
        assert list(spool.by_name()) == in_order
    assert bool(opened) == (count >= 4)
    assert all(file.closed for file in opened)


def test_two_files_of_one_name_are_found_wherever_they_lie(tiny: None) -> None:
    for read in (Spool.by_name, lambda spool: spool.by_bucket(4)):
        with Spool() as spool:
            for file in (*made_up(50), *made_up(50, seed=1), FileInfo("/r", "two", 1, "")):
                spool.add(file)
            spool.add(FileInfo("/r", "two", 2, ""))
            with pytest.raises(SourceError, match="two files would be stored as /r/"):
                list(read(spool))


@pytest.mark.parametrize("seed", range(12))
def test_a_walk_side_by_side_finds_what_one_folder_after_another_finds(
    tmp_path: Path, tiny: None, seed: int
) -> None:
    tricky_tree(tmp_path / "tree", seed)
    expected = plain_files(f"{tmp_path}/tree")
    assert len(expected) > 10
    assert list(find_files(f"{tmp_path}/tree")) == expected


def test_units_are_those_of_a_list_in_memory(tmp_path: Path, tiny: None) -> None:
    tricky_tree(tmp_path / "tree")
    source = FolderSource(name="a", uri=f"{tmp_path}/tree", files_per_unit=3)
    files = plain_files(source.uri)
    count = buckets(len(files), sum(file.bytes for file in files), 3)
    expected = [source._unit(bucket) for bucket in plain_buckets(files, count)]
    assert len(expected) > 8
    assert list(source.units()) == expected
    assert [f.name for f in source.files()] == sorted(m for u in expected for m in u.members)


# Of a listing that kept everything in memory, before there was any other.
RECORDED = {
    "folder": "71414856120fd10a",
    "webdataset": "d852670ac4e6ba71",
    "documents": "b9a43ab296f70a86",
}


@pytest.mark.parametrize("limits", ["as they are", "tiny"])
@pytest.mark.parametrize("kind", [FolderSource, WebDatasetSource, DocumentSource])
def test_units_are_those_that_were_recorded(
    tmp_path: Path,
    kind: type[Source],
    limits: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if limits == "tiny":
        request.getfixturevalue("tiny")
    assert (
        recorded_units(tmp_path, kind, monkeypatch) == RECORDED[kind.model_fields["type"].default]
    )


def recorded_units(tmp_path: Path, kind: type[Source], patch: pytest.MonkeyPatch) -> str:
    """A digest of the units of a fixed tree, as if it lay in /tree."""
    tree = tmp_path / "tree"
    tricky_tree(tree)
    for number, name in enumerate(
        ("0.tar", "0_stats.json", "a-1.tar", "a-1_stats.json", "a.tar", "a.tgz", "a_stats.json")
        + (
            "a.b.tar",
            "a.b_stats.json",
            "aB.TAR.GZ",
            "aB_stats.json",
            "q_stats.json",
            "X_STATS.JSON",
        )
        + ("book.pdf", "big.pdf", "page.html", "big.html")
    ):
        path = tree / "more" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.truncate(path, 3_000_000 + number if "b" in name else number)
        os.utime(path, ns=(10**18, 10**18 + number))
    plain = kind._unit_id

    def moved(source: Source, *parts: Any) -> str:
        there = source.model_copy(update={"uri": "/tree"})
        return plain(there, *json.loads(json.dumps(parts).replace(str(tree), "/tree")))

    patch.setattr(kind, "_unit_id", moved)
    patch.setattr(DocumentSource, "_drawn_by", lambda _, what: str(what))
    small: dict[str, Any] = {"files_per_unit": 4} if "files_per_unit" in kind.model_fields else {}
    units = [
        [u.unit_id, u.uri.replace(str(tree), "/tree"), u.start, u.stop, u.bytes, u.members]
        for u in kind(name="a", uri=str(tree), **small).units()
    ]
    assert len(units) > 5
    return hashlib.sha256(json.dumps(units).encode()).hexdigest()[:16]


def test_found_files_are_counted_while_they_are_found(tmp_path: Path, tiny: None) -> None:
    for number in range(20):
        (tmp_path / f"{number}.jpg").touch()
    pulse = Pulse()
    counts = []
    with pulse.counting():
        for _ in stream_files(str(tmp_path)):
            counts.append(pulse.read()["files"])
    assert counts[0] < 20 and counts[-1] == 20


class Faulty(Exception):
    pass


def open_files() -> set[str]:
    gc.collect()
    links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if os.path.islink(link)}


def test_a_store_that_fails_midway_raises_and_leaves_nothing(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fs = fsspec.filesystem("memory")
    for number in range(40):
        fs.pipe_file(f"/faulty/{number % 4}/{number}.jpg", b"x")
    store = storage.filesystem("memory://faulty")[0]
    ls, asked = type(store).ls, []

    def fail(self: Any, path: str, **options: Any) -> Any:
        asked.append(path)
        if len(asked) == 4:
            raise Faulty
        return ls(self, path, **options)

    monkeypatch.setattr(type(store), "ls", fail)
    before = open_files()
    try:
        with pytest.raises(Faulty):
            list(FolderSource(name="a", uri="memory://faulty").units())
        assert open_files() == before and not list(tmp_path.iterdir())
        assert len(list(find_files("memory://faulty"))) == 40
    finally:
        fs.rm("/faulty", recursive=True)


def test_who_stops_listening_leaves_nothing(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}/scratch")
    tricky_tree(tmp_path / "tree")
    before = open_files()
    units: Iterator[Any] = FolderSource(name="a", uri=f"{tmp_path}/tree").units()
    next(units)
    assert open_files() != before
    del units
    files = stream_files(f"{tmp_path}/tree")
    next(files)
    del files
    assert open_files() == before and not list((tmp_path / "scratch").iterdir())


def test_a_full_disk_is_told_with_the_way_out(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        # What is written to it finds no room.
        return open("/dev/full", "wb", buffering=0)

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with Spool() as spool, pytest.raises(storage.DiskFull, match="no room .* with TMPDIR"):
        for file in made_up(20):
            spool.add(file)
