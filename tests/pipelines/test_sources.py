from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from pipelines.sources import (
    AnySource,
    DocumentSource,
    FolderSource,
    ParquetSource,
    Source,
    SourceError,
    WebDatasetSource,
)
from tests.pictures import write_tar
from tests.pipelines.reading import A, B, C, assert_fetch_gives_the_same, read_all, slugs


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


def test_a_damaged_header_in_the_middle_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "00000.tar"
    write_tar(path, {f"{n}.jpg": A for n in range(6)})
    with tarfile.open(path) as tar:
        at = tar.getmembers()[3].offset
    whole = bytearray(path.read_bytes())
    whole[at + 150] ^= 1
    path.write_bytes(whole)
    *good, last = read_all(WebDatasetSource(name="w", uri=str(path)))
    assert [item.data for item in good] == [A] * 3
    assert last.fault is not None and last.fault[0] == "broken_tar"


def test_tars_written_one_after_the_other_are_not_cut_in_silence(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tar(tmp_path / name, {f"{name}.jpg": A})
    both = (tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes()
    (tmp_path / "x.tar").write_bytes(both)
    assert slugs(WebDatasetSource(name="w", uri=str(tmp_path))) == ["broken_tar"]


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_odd_names_in_a_tar(tmp_path: Path, format: int) -> None:
    made = ["d" * 150 + "/0.jpg", "é" * 60 + ".jpg", "b\udce9%.jpg"]
    with tarfile.open(tmp_path / "x.tar", "w", format=format) as tar:
        (tmp_path / "a.jpg").write_bytes(A)
        for name in made:
            tar.add(tmp_path / "a.jpg", name)
    source = WebDatasetSource(name="w", uri=str(tmp_path))
    assert [item.member for item in read_all(source)] == [*made[:2], "b%E9%25.jpg"]
    assert not slugs(source)
    assert_fetch_gives_the_same(source)


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


@pytest.mark.parametrize(
    "kind", [pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int32(), pa.binary())]
)
@pytest.mark.parametrize("struct", [False, True])
def test_parquet_bytes_of_any_kind(tmp_path: Path, kind: pa.DataType, struct: bool) -> None:
    column = pa.array([A, B, A], pa.binary())
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    if struct:
        column = pa.StructArray.from_arrays([column, pa.array(["x"] * 3)], ["bytes", "path"])
    pq.write_table(pa.table({"image": column}), tmp_path / "t.parquet")
    source = ParquetSource(name="p", uri=str(tmp_path))
    assert [item.data for item in read_all(source)] == [A, B, A]
    assert_fetch_gives_the_same(source)


def broken_footer(whole: bytes) -> bytes:
    size = int.from_bytes(whole[-8:-4], "little")
    return whole[: -8 - size] + b"\xff" * size + whole[-8:]


@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"nothing", broken_footer])
def test_a_broken_parquet_file_is_one_fault_among_good_ones(tmp_path: Path, damage: Any) -> None:
    pq.write_table(pa.table({"image": pa.array([A])}), tmp_path / "good.parquet")
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(damage((tmp_path / "good.parquet").read_bytes()))
    source = ParquetSource(name="p", uri=str(tmp_path))
    broken, good = read_all(source)
    assert broken.fault is not None and broken.fault[0] == "broken_parquet"
    assert broken.member == "bad.parquet" and "bad.parquet" in broken.fault[1]
    assert good.data == A
    (unit, _) = source.units()
    shutil.copy(tmp_path / "good.parquet", bad)
    with pytest.raises(SourceError, match="run again"):
        list(source.read(unit))


def test_the_type_names_the_source() -> None:
    adapter: TypeAdapter[Source] = TypeAdapter(AnySource)
    made = adapter.validate_python({"name": "x", "type": "documents", "uri": "/x", "max_pages": 3})
    assert isinstance(made, DocumentSource) and made.max_pages == 3


@pytest.mark.parametrize("name", ["", "a.b", "a b", "ä"])
def test_names_are_fit_for_keys(name: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        FolderSource(name=name, uri="/x")


def test_names_leave_room_for_the_rest_of_the_key() -> None:
    FolderSource(name="a" * 40, uri="/x")
    with pytest.raises(ValueError, match="at most 40"):
        FolderSource(name="a" * 41, uri="/x")


def test_a_source_has_a_place() -> None:
    with pytest.raises(ValueError, match="folder, file, glob pattern or URL"):
        FolderSource(name="a", uri="")
