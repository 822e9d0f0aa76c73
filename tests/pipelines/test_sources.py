from __future__ import annotations

import gc
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from pipelines import storage
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
    documents,
)
from tests.pictures import jpeg, scene, write_tar

A, B, C = (jpeg(scene(80, 64, seed)) for seed in range(3))


def read_all(source: Source) -> list[Item]:
    return [item for unit in source.units() for item in source.read(unit)]


def names(source: Source) -> list[str]:
    return sorted(item.member for item in read_all(source))


def slugs(source: Source) -> list[str]:
    return [item.fault[0] for item in read_all(source) if item.fault is not None]


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

    def refuse(*_: Any) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage, "read_bytes", refuse)
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
    walk = os.walk

    def backwards(*args: Any, **options: Any) -> Any:
        for folder, below, files in walk(*args, **options):
            below.reverse()
            yield folder, below, files

    assert names(FolderSource(name="a", uri=str(tmp_path))) == ["z/a.jpg"]
    monkeypatch.setattr(os, "walk", backwards)
    assert names(FolderSource(name="a", uri=str(tmp_path))) == ["z/a.jpg"]


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


def pdf(width: float, height: float, locked: bool = False) -> bytes:
    """A document of one empty page; `locked` asks for a password that nobody knows."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]>>",
        f"<</Filter/Standard/V 1/R 2/O<{'00' * 32}>/U<{'00' * 32}>/P -4>>",
    ]
    text, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    lock = f"/Encrypt 4 0 R/ID[<{'00' * 16}><{'00' * 16}>]" if locked else ""
    text += f"xref\n0 5\n0000000000 65535 f \n{table}"
    start = text.index("xref\n")
    return f"{text}trailer\n<</Size 5/Root 1 0 R{lock}>>\nstartxref\n{start}\n%%EOF\n".encode()


@pytest.mark.parametrize(
    ("width", "height", "slug"),
    [
        (14_400, 14_400, "too_many_pixels"),
        (70_000, 10, "side_too_long"),
        (60_000, 10, None),
    ],
)
def test_pages_too_large_to_render_are_faults(
    tmp_path: Path, width: int, height: int, slug: str | None
) -> None:
    (tmp_path / "x.pdf").write_bytes(pdf(width, height))
    source = DocumentSource(name="d", uri=str(tmp_path), dpi=(72,))
    assert slugs(source) == ([slug] if slug else [])


def test_a_document_with_a_password_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(pdf(100, 100, locked=True))
    (item,) = read_all(DocumentSource(name="d", uri=str(tmp_path)))
    assert item.fault is not None and item.fault[0] == "broken_document"
    assert "password" in item.fault[1]


def test_few_documents_are_open_at_a_time(tmp_path: Path) -> None:
    import pypdfium2

    def still_open() -> int:
        gc.collect()
        # Not isinstance: some objects of other libraries warn when they are asked.
        held = (o for o in gc.get_objects() if type(o) is pypdfium2.PdfDocument)
        return sum(document.raw is not None for document in held)

    for number in range(9):
        (tmp_path / f"{number}.pdf").write_bytes(pdf(100, 100))
    documents.close_documents()
    source = DocumentSource(name="d", uri=str(tmp_path))
    units = list(source.units())
    assert still_open() == 0, "listing keeps none"
    assert not any(item.fault for unit in units for item in source.read(unit))
    assert 1 <= still_open() <= 4
    documents.close_documents()
    assert still_open() == 0


def test_the_type_names_the_source() -> None:
    adapter: TypeAdapter[Source] = TypeAdapter(AnySource)
    made = adapter.validate_python({"name": "x", "type": "documents", "uri": "/x", "dpi": [90]})
    assert isinstance(made, DocumentSource) and made.dpi == (90,)


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
