from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.sources import (
    DocumentSource,
    FolderSource,
    ParquetSource,
    SourceError,
    WebDatasetSource,
)
from tests.pipelines.reading import A, B, C, assert_fetch_gives_the_same, names, read_all, slugs
from vae_corpus import storage


def make_folder(root: Path) -> FolderSource:
    (root / "deep" / "er").mkdir(parents=True)
    (root / "a.jpg").write_bytes(A)
    (root / "deep" / "b.JPG").write_bytes(B)
    (root / "deep" / "er" / "c").write_bytes(C)
    (root / "notes.txt").write_text("no image")
    (root / ".hidden.jpg").write_bytes(A)
    return FolderSource(name="a", uri=str(root), files_per_unit=2)


def test_a_folder_lists_every_file_once(tmp_path: Path) -> None:
    source = make_folder(tmp_path)
    assert [len(unit.members) for unit in source.units()] == [2, 2]
    assert names(source) == ["a.jpg", "deep/b.JPG", "deep/er/c", "notes.txt"]
    assert_fetch_gives_the_same(source)


def test_include_and_exclude(tmp_path: Path) -> None:
    make_folder(tmp_path)
    source = FolderSource(
        name="a", uri=str(tmp_path), include=("*.jpg", "deep/*"), exclude=("*/c",)
    )
    assert names(source) == ["a.jpg", "deep/b.JPG"]


def test_a_changed_file_is_another_unit(tmp_path: Path) -> None:
    source = make_folder(tmp_path)
    before = [unit.unit_id for unit in source.units()]
    assert [unit.unit_id for unit in source.units()] == before
    (tmp_path / "a.jpg").write_bytes(B)
    after = [unit.unit_id for unit in source.units()]
    assert len(before) == len(after) == 2
    assert len(set(before) & set(after)) == 1


def test_a_new_file_is_a_matter_of_one_unit(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"{number:03d}.jpg").write_bytes(A)
    source = FolderSource(name="a", uri=str(tmp_path), files_per_unit=10)
    before = {unit.unit_id for unit in source.units()}
    (tmp_path / "000a.jpg").write_bytes(A)
    after = {unit.unit_id for unit in source.units()}
    assert len(after) == 16 and len(before & after) == 15
    assert all(list(unit.members) == sorted(unit.members) for unit in source.units())


def test_twin_folders_and_twin_sources_have_units_of_their_own(tmp_path: Path) -> None:
    make_folder(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    sources = [
        FolderSource(name=name, uri=str(tmp_path / folder))
        for name, folder in (("a", "one"), ("b", "one"), ("a", "two"))
    ]
    ids = [unit.unit_id for source in sources for unit in source.units()]
    assert len(set(ids)) == 3


def test_a_file_that_is_gone_is_a_fault_not_a_crash(tmp_path: Path) -> None:
    source = make_folder(tmp_path)
    units = list(source.units())
    (tmp_path / "a.jpg").unlink()
    items = {item.member: item for unit in units for item in source.read(unit)}
    gone = items.pop("a.jpg")
    assert gone.fault is not None and gone.fault[0] == "unreadable"
    assert len(items) == 3 and not any(item.fault for item in items.values())


def test_an_error_that_may_pass_is_raised_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_folder(tmp_path)

    def refuse(paths: list[str], **_: Any) -> Iterator[OSError]:
        return iter([PermissionError(13, "Permission denied") for _ in paths])

    monkeypatch.setattr(storage, "read_many", refuse)
    with pytest.raises(PermissionError):
        read_all(source)


def test_a_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "small.jpg").write_bytes(A)
    (tmp_path / "vast.jpg").write_bytes(bytes(len(A) + 1))
    source = FolderSource(name="a", uri=str(tmp_path), max_file_bytes=len(A))
    small, vast = sorted(read_all(source), key=lambda item: item.member)
    assert small.data == A and small.fault is None
    assert vast.data == b"" and vast.fault is not None and vast.fault[0] == "file_too_large"


def test_a_relative_path_and_home_stay_the_same_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for uri in ("in", "~/in", "./in/", f"file://{tmp_path}/in"):
        source = FolderSource(name="a", uri=uri)
        assert source.uri == str(tmp_path / "in")
    assert FolderSource(name="a", uri="s3://bucket/in/").uri == "s3://bucket/in/"
    monkeypatch.chdir("/")
    assert len(names(source)) == 4


def test_a_path_that_is_there_is_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "a[b] c'd é *"
    folder.mkdir()
    (folder / "x::y.jpg").write_bytes(A)
    (folder / "[1].jpg").write_bytes(B)
    (folder / "100%25.jpg").write_bytes(C)
    for uri in (str(folder), f"{tmp_path}/a*/*.jpg"):
        source = FolderSource(name="a", uri=uri)
        prefix = "" if uri == str(folder) else f"{folder.name}/"
        assert names(source) == [f"{prefix}{n}" for n in ("100%25.jpg", "[1].jpg", "x::y.jpg")]
        assert_fetch_gives_the_same(source)
    (one,) = read_all(FolderSource(name="a", uri=str(folder / "[1].jpg")))
    assert one.member == "[1].jpg" and one.data == B


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jpg", ["a.jpg"]),
        ("*/*.JPG", ["deep/b.JPG"]),
        ("deep/*", ["b.JPG"]),
        ("**", ["a.jpg", "deep/b.JPG", "deep/er/c", "notes.txt"]),
        ("**/c", ["deep/er/c"]),
        ("deep/**/*", ["b.JPG", "er/c"]),
        ("[an]*.[jt]*", ["a.jpg", "notes.txt"]),
    ],
)
def test_members_of_a_pattern_are_named_below_its_fixed_part(
    tmp_path: Path, pattern: str, found: list[str]
) -> None:
    make_folder(tmp_path)
    source = FolderSource(name="a", uri=f"{tmp_path}/{pattern}")
    assert names(source) == found
    assert_fetch_gives_the_same(source)


@pytest.mark.parametrize("uri", ["box", "box/*", "box/a.jpg", "box/**"])
def test_urls_have_the_same_forms(uri: str) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/box/a.jpg", A)
    fs.pipe_file("/box/.hidden/b.jpg", A)
    try:
        source = FolderSource(name="a", uri=f"memory://{uri}")
        assert names(source) == ["a.jpg"]
        assert_fetch_gives_the_same(source)
    finally:
        fs.rm("/box", recursive=True)


def test_a_name_that_is_no_utf8_is_read_and_can_be_stored(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path) + b"/50%"
    os.makedirs(root + b"/b\xe9 %")
    for name, data in ((b"b\xe9 %/\xff.jpg", A), (b"b%E9 %25", B), ("é%.jpg".encode(), C)):
        with open(root + b"/" + name, "wb") as file:
            file.write(data)
    source = FolderSource(name="a", uri=f"{tmp_path}/50%")
    items = {item.member: item for item in read_all(source)}
    assert sorted(items) == ["b%E9 %25", "b%E9 %25/%FF.jpg", "é%.jpg"]
    assert items["b%E9 %25/%FF.jpg"].data == A and items["b%E9 %25"].data == B
    assert all(item.uri.encode() for item in items.values())
    assert_fetch_gives_the_same(source)


def test_names_that_would_be_stored_alike_are_an_error(tmp_path: Path) -> None:
    for name in (b"\xff.jpg", b"%FF.jpg"):
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:
            file.write(A)
    with pytest.raises(SourceError, match="rename one"):
        read_all(FolderSource(name="a", uri=str(tmp_path)))


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_folder(tmp_path)
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match="cannot list .*/deep: Permission denied"):
        list(source.units())


def test_links_to_nowhere_and_to_themselves_are_faults(tmp_path: Path) -> None:
    source = make_folder(tmp_path)
    (tmp_path / "lost.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    assert len(names(source)) == 6
    assert slugs(source) == ["unreadable"] * 2
    assert "lost.jpg" not in names(source.model_copy(update={"follow_links": False}))
    (tmp_path / "lost.tar").symlink_to(tmp_path / "nowhere.tar")
    (tmp_path / "lost.pdf").symlink_to(tmp_path / "nowhere.pdf")
    (tmp_path / "lost.parquet").symlink_to(tmp_path / "nowhere.parquet")
    assert slugs(WebDatasetSource(name="a", uri=str(tmp_path))) == ["unreadable"]
    assert slugs(DocumentSource(name="a", uri=str(tmp_path))) == ["unreadable"]
    assert slugs(ParquetSource(name="a", uri=str(tmp_path))) == ["broken_parquet"]


def test_a_folder_has_one_name_whatever_the_order_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "z").mkdir()
    (tmp_path / "z" / "a.jpg").write_bytes(A)
    for link in ("b", "y"):
        (tmp_path / link).symlink_to(tmp_path / "z")
    scandir = os.scandir
    turned: list[str] = []

    class Backwards:
        def __init__(self, path: str) -> None:
            with scandir(path) as entries:
                self._entries = sorted(entries, key=lambda entry: entry.name)
            turned.append(path)

        def __iter__(self) -> Backwards:
            return self

        def __next__(self) -> os.DirEntry[str]:
            if not self._entries:
                raise StopIteration
            return self._entries.pop()

        def close(self) -> None:
            pass

    assert names(FolderSource(name="a", uri=str(tmp_path))) == ["z/a.jpg"]
    monkeypatch.setattr(os, "scandir", Backwards)
    assert names(FolderSource(name="a", uri=str(tmp_path))) == ["z/a.jpg"]
    assert len(turned) == 4


def test_a_source_of_nothing_says_what_it_looked_for(tmp_path: Path) -> None:
    make_folder(tmp_path)
    for kind, suffix in (
        (WebDatasetSource, "tar"),
        (ParquetSource, "parquet"),
        (DocumentSource, "pdf"),
    ):
        with pytest.raises(SourceError, match=rf"no \.{suffix} among the 4 files"):
            list(kind(name="a", uri=str(tmp_path)).units())
    with pytest.raises(SourceError, match=r"none of the 4 files .*\*\.gif"):
        list(FolderSource(name="a", uri=str(tmp_path), include=("*.gif",)).units())
    pq.ParquetWriter(tmp_path / "t.parquet", pa.schema([("image", pa.binary())])).close()
    with pytest.raises(SourceError, match="no rows"):
        list(ParquetSource(name="a", uri=str(tmp_path)).units())


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make_folder(tmp_path / "real")
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "file.jpg").symlink_to(tmp_path / "real" / "a.jpg")
    (folder / "sub").symlink_to(tmp_path / "real" / "deep")
    (folder / "loop").symlink_to(folder)
    found = names(FolderSource(name="a", uri=str(folder)))
    assert found == ["file.jpg", "sub/b.JPG", "sub/er/c"]
    assert [
        item.member
        for item in read_all(FolderSource(name="a", uri=str(tmp_path), follow_links=False))
        if item.member.startswith("links")
    ] == []


def test_nothing_there_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no files at .*nowhere"):
        list(FolderSource(name="a", uri=str(tmp_path / "nowhere")).units())


def test_a_small_folder_of_large_files_has_work_for_several_workers(tmp_path: Path) -> None:
    for number in range(38):
        with open(tmp_path / f"{number}.jpg", "wb") as file:
            file.truncate(5_000_000)
    units = list(FolderSource(name="a", uri=str(tmp_path)).units())
    assert 8 <= len(units) <= 16
    assert sum(len(unit.members) for unit in units) == 38


def test_a_small_folder_of_small_files_is_not_cut_into_crumbs(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}.jpg").write_bytes(A)
    assert len(list(FolderSource(name="a", uri=str(tmp_path)).units())) == 16
