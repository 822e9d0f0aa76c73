from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from pipelines.demo import DemoInputs
from pipelines.sources import (
    AnySource,
    DocumentSource,
    FolderSource,
    Item,
    ParquetSource,
    Source,
    SourceError,
    WebDatasetSource,
)
from tests.pictures import jpeg, scene, write_tar

A, B, C = (jpeg(scene(80, 64, seed)) for seed in range(3))


def read_all(source: Source) -> list[Item]:
    return [item for unit in source.units() for item in source.read(unit)]


def assert_fetch_gives_the_same(source: Source) -> None:
    for item in read_all(source):
        if item.fault is None:
            assert source.fetch(item.uri, item.offset, len(item.data)) == item.data


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
    assert [i.member for i in read_all(source)] == ["a.jpg", "deep/b.JPG", "deep/er/c", "notes.txt"]
    assert_fetch_gives_the_same(source)


def test_include_and_exclude(tmp_path: Path) -> None:
    make_folder(tmp_path)
    source = FolderSource(
        name="a", uri=str(tmp_path), include=("*.jpg", "deep/*"), exclude=("*/c",)
    )
    assert [i.member for i in read_all(source)] == ["a.jpg", "deep/b.JPG"]


def test_a_changed_file_is_another_unit(tmp_path: Path) -> None:
    source = make_folder(tmp_path)
    before = [unit.unit_id for unit in source.units()]
    assert [unit.unit_id for unit in source.units()] == before
    (tmp_path / "a.jpg").write_bytes(B)
    after = [unit.unit_id for unit in source.units()]
    assert after[0] != before[0] and after[1] == before[1]


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
    first, second = source.read(units[0])
    assert first.fault is not None and first.fault[0] == "unreadable"
    assert second.data == B


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make_folder(tmp_path / "real")
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "file.jpg").symlink_to(tmp_path / "real" / "a.jpg")
    (folder / "sub").symlink_to(tmp_path / "real" / "deep")
    (folder / "loop").symlink_to(folder)
    found = [i.member for i in read_all(FolderSource(name="a", uri=str(folder)))]
    assert found == ["file.jpg", "sub/b.JPG", "sub/er/c"]
    assert [
        item.member
        for item in read_all(FolderSource(name="a", uri=str(tmp_path), follow_links=False))
        if item.member.startswith("links")
    ] == []


def test_nothing_there_is_an_error_that_names_the_place(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no files at .*nowhere"):
        list(FolderSource(name="a", uri=str(tmp_path / "nowhere")).units())


def make_tar(path: Path) -> WebDatasetSource:
    members = {"000.jpg": A, "000.json": b"{}", "000.txt": b"a", "001.png": B, "sub/002.webp": C}
    write_tar(path, members)
    return WebDatasetSource(name="w", uri=str(path))


def test_a_tar_gives_its_images(tmp_path: Path) -> None:
    source = make_tar(tmp_path / "00000.tar")
    assert [i.member for i in read_all(source)] == ["000.jpg", "001.png", "sub/002.webp"]
    assert_fetch_gives_the_same(source)


def test_a_folder_of_tars_has_a_unit_each(tmp_path: Path) -> None:
    for number in range(3):
        make_tar(tmp_path / f"{number:05d}.tar")
    (tmp_path / "00000_stats.json").write_text("{}")
    assert len(list(WebDatasetSource(name="w", uri=str(tmp_path)).units())) == 3


@pytest.mark.parametrize("keep", [0.3, 0.7])
def test_a_tar_that_breaks_off_gives_what_is_whole_and_one_fault(
    tmp_path: Path, keep: float
) -> None:
    path = tmp_path / "00000.tar"
    write_tar(path, {f"{n}.jpg": A for n in range(20)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    *good, last = read_all(WebDatasetSource(name="w", uri=str(path)))
    assert good and all(item.data == A for item in good)
    assert last.fault is not None and last.fault[0] == "broken_tar"


def test_a_file_that_is_no_tar_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"this is no tar" * 100)
    (item,) = read_all(WebDatasetSource(name="w", uri=str(tmp_path)))
    assert item.fault is not None and item.fault[0] == "broken_tar"


@pytest.mark.parametrize("struct", [False, True])
def test_parquet_bytes_and_structs(tmp_path: Path, struct: bool) -> None:
    images = [A, B, C, None, A]
    values = [{"bytes": i, "path": f"{n}.jpg"} for n, i in enumerate(images)] if struct else images
    table = pa.table({"image": pa.array(values), "caption": ["x"] * 5})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    source = ParquetSource(name="p", uri=str(tmp_path), unit_bytes=1)
    assert len(list(source.units())) == 3
    items = read_all(source)
    assert [item.data for item in items] == [A, B, C, b"", A]
    assert [item.offset for item in items] == [0, 1, 2, 3, 4]
    assert items[1].member == ("1.jpg" if struct else "row 1")
    assert_fetch_gives_the_same(source)


def test_parquet_asks_which_column_when_it_is_not_clear(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array([A]), "b": pa.array([B])})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"set `column`.*\['a', 'b'\]"):
        read_all(ParquetSource(name="p", uri=str(tmp_path)))
    chosen = ParquetSource(name="p", uri=str(tmp_path), column="b")
    assert [item.data for item in read_all(chosen)] == [B]


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"t\.parquet is not a readable Parquet file"):
        list(ParquetSource(name="p", uri=str(tmp_path)).units())


def test_pages_of_a_real_document(demo: DemoInputs) -> None:
    source = DocumentSource(name="d", uri=str(demo.pdfs[0]), max_pages=3, pages_per_unit=2)
    assert [(unit.start, unit.stop) for unit in source.units()] == [(0, 2), (2, 3)]
    items = read_all(source)
    numbers = [int(item.member.rsplit("=", 1)[1]) for item in items]
    assert len(set(numbers)) == 3 and max(numbers) > 20, "the pages are spread over the document"
    assert all(item.data.startswith(b"\x89PNG") for item in items)
    assert items == read_all(source)
    assert_fetch_gives_the_same(source)


def test_a_broken_document_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(b"%PDF-1.4 and then nothing")
    (item,) = read_all(DocumentSource(name="d", uri=str(tmp_path)))
    assert item.fault is not None and item.fault[0] == "broken_document"


def test_the_type_names_the_source() -> None:
    adapter: TypeAdapter[Source] = TypeAdapter(AnySource)
    made = adapter.validate_python({"name": "x", "type": "documents", "uri": "/x", "dpi": [90]})
    assert isinstance(made, DocumentSource) and made.dpi == (90,)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "ä"])
def test_names_are_fit_for_keys(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        FolderSource(name=name, uri="/x")
