"""Tars as they are met: odd members, links, compression, the counts of img2dataset."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import json
import lzma
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.sources import FolderSource, Item, SourceError, WebDatasetSource
from pipelines.sources.base import Reading
from tests.pictures import encoded, scene, write_tar
from tests.pipelines.reading import A, B, C, assert_fetch_gives_the_same, names, read_all, slugs


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(data))


def faults(items: list[Item]) -> dict[str, tuple[str, str]]:
    return {item.member: item.fault for item in items if item.fault is not None}


def passed_over(source: WebDatasetSource) -> dict[str, int]:
    (unit,) = source.units()
    reading = Reading(source.read(unit))
    assert list(reading)
    return dict(reading.passed_over)


def test_every_image_has_a_row_and_the_rest_is_counted(tmp_path: Path) -> None:
    png = encoded(scene(40, 40), "png")
    known = "heic heif jxl jp2 j2k jpe pjpeg psd svg ico qoi JPG tif avif"
    images = {f"0.{extension}": A for extension in known.split()}
    images |= {"sub/no-extension": A, "1.rgba": png, "2.jpg@large": B, "empty.jpg": b"", "3.": C}
    others = {"0.json": b"{}", "1.json": b"{}", "0.txt": b"GIF89a, a format", "0.cls": b"1"}
    others |= {"0.npy": png, "0.mp3": A, "0.pyd": b"", "0.notes": b"no image", "0.zero": b""}
    write_tar(tmp_path / "x.tar", images | others)
    source = WebDatasetSource(name="w", uri=str(tmp_path))
    assert [item.member for item in read_all(source)] == list(images)
    assert_fetch_gives_the_same(source)
    counts = {".json": 2, ".txt": 1, ".cls": 1, ".npy": 1, ".mp3": 1, ".pyd": 1}
    assert passed_over(source) == counts | {".notes": 1, ".zero": 1}


def test_patterns_choose_among_the_members(tmp_path: Path) -> None:
    members = {"./0.jpg": A, "./0.mask.png": B, "./depth/0.png": C, "./0.json": b"{}"}
    write_tar(tmp_path / "x.tar", members)
    source = WebDatasetSource(name="w", uri=str(tmp_path))
    (before,) = source.units()
    chosen = {"exclude": ("*.mask.png", "depth/*")}
    only = WebDatasetSource(name="w", uri=str(tmp_path), **chosen)
    assert names(source) == ["./0.jpg", "./0.mask.png", "./depth/0.png"]
    assert names(only) == ["./0.jpg"]
    assert names(source.model_copy(update={"include": ("*.png",)})) == names(source)[1:]
    (after,) = only.units()
    assert before.unit_id != after.unit_id


def test_links_to_images_are_images(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        add(tar, "first.jpg", type=tarfile.SYMTYPE, linkname="sub/0.jpg")
        add(tar, "sub/0.jpg", A)
        add(tar, "sub/1.jpg", B)
        add(tar, "hard.jpg", type=tarfile.LNKTYPE, linkname="./sub/1.jpg")
        add(tar, "sub/soft.jpg", type=tarfile.SYMTYPE, linkname="../hard.jpg")
        add(tar, "soft", type=tarfile.SYMTYPE, linkname="sub/0.jpg")
        add(tar, "folder", type=tarfile.DIRTYPE)
        add(tar, "latest", type=tarfile.SYMTYPE, linkname="folder")
        add(tar, "0.json", type=tarfile.SYMTYPE, linkname="sub/0.jpg")
        add(tar, "lost.jpg", type=tarfile.SYMTYPE, linkname="../../etc/passwd")
        add(tar, "self.jpg", type=tarfile.SYMTYPE, linkname="self.jpg")
    source = WebDatasetSource(name="w", uri=str(tmp_path))
    items = {item.member: item for item in read_all(source)}
    assert {name: item.data for name, item in items.items() if item.fault is None} == {
        "sub/0.jpg": A,
        "sub/1.jpg": B,
        "first.jpg": A,
        "hard.jpg": B,
        "sub/soft.jpg": B,
        "soft": A,
    }
    lost = faults(list(items.values()))
    assert sorted(lost) == ["lost.jpg", "self.jpg"]
    assert lost["lost.jpg"][0] == "unreadable" and "etc/passwd" in lost["lost.jpg"][1]
    assert_fetch_gives_the_same(source)
    assert passed_over(source) == {".json": 1, "links": 1}


def old_gnu_sparse(name: str, pieces: list[tuple[int, bytes]], size: int) -> bytes:
    """A member in the old GNU format: its header holds up to four pieces (offset, length)."""
    info = tarfile.TarInfo(name)
    info.type, info.size = tarfile.GNUTYPE_SPARSE, sum(len(data) for _, data in pieces)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    for at, (offset, data) in enumerate(pieces):
        header[386 + 24 * at : 410 + 24 * at] = b"%011o\0%011o\0" % (offset, len(data))
    header[483:495] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    body = b"".join(data for _, data in pieces)
    return bytes(header) + body + bytes(-len(body) % 512)


def pax_sparse(name: str, version: str, pieces: list[tuple[int, bytes]], size: int) -> bytes:
    """A member in one of the three sparse formats of pax headers."""
    body = b"".join(data for _, data in pieces)
    extents = [(offset, len(data)) for offset, data in pieces]
    headers = {"GNU.sparse.name": name, "GNU.sparse.size": str(size)}
    if version == "1.0":
        lines = [len(extents), *(number for extent in extents for number in extent)]
        before = "".join(f"{number}\n" for number in lines).encode()
        body = before + bytes(-len(before) % 512) + body
        headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name}
        headers["GNU.sparse.realsize"] = str(size)
    else:
        headers["GNU.sparse.numblocks"] = str(len(extents))
        headers["GNU.sparse.map"] = ",".join(str(n) for extent in extents for n in extent)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, f"GNUSparseFile.0/{name}", body, pax_headers=headers)
        end = tar.offset
    made = file.getvalue()[:end]
    if version == "0.0":
        # This one repeats a keyword, which a mapping cannot hold: pairs stand where the map stood.
        pairs = b"".join(
            record(b"GNU.sparse.offset", b"%d" % o) + record(b"GNU.sparse.numbytes", b"%d" % n)
            for o, n in extents
        )
        old = record(b"GNU.sparse.map", headers["GNU.sparse.map"].encode())
        start = made.index(old)
        size_field = int(made[124:135], 8) - len(old) + len(pairs)
        records = made[512:start] + pairs + made[start + len(old) : 512 + int(made[124:135], 8)]
        assert len(records) == size_field
        header = bytearray(made[:512])
        header[124:136] = b"%011o\0" % size_field
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        rest = made[512 + -(-int(made[124:135], 8) // 512) * 512 :]
        made = bytes(header) + records + bytes(-len(records) % 512) + rest
    return made


def record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    while len(b"%d" % size) + len(key) + len(value) + 3 != size:
        size = len(b"%d" % size) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (size, key, value)


@pytest.mark.parametrize("version", ["gnu", "0.0", "0.1", "1.0"])
def test_a_sparse_member_is_a_fault_that_names_it(tmp_path: Path, version: str) -> None:
    pieces = [(0, b"BM" + bytes(510)), (4096, b"x" * 512)]
    if version == "gnu":
        member = old_gnu_sparse("hole.bmp", pieces, 100_000)
    else:
        member = pax_sparse("hole.bmp", version, pieces, 100_000)
    write_tar(tmp_path / "a", {"0.jpg": A})
    write_tar(tmp_path / "b", {"1.jpg": B})
    first = (tmp_path / "a").read_bytes()[: 512 + -(-len(A) // 512) * 512]
    (tmp_path / "x.tar").write_bytes(first + member + (tmp_path / "b").read_bytes())
    with tarfile.open(tmp_path / "x.tar") as tar:
        (found,) = (m for m in tar if m.name == "hole.bmp")
        assert found.issparse() and found.size == 100_000
    source = WebDatasetSource(name="w", uri=str(tmp_path))
    items = read_all(source)
    assert [item.member for item in items] == ["0.jpg", "hole.bmp", "1.jpg"]
    ((slug, why),) = faults(items).values()
    assert slug == "sparse_member" and "--sparse" in why
    assert_fetch_gives_the_same(source)


@pytest.mark.parametrize(("size", "fits"), [(100_000, True), (2_000_000, False)])
def test_a_header_of_any_size_is_not_read(tmp_path: Path, size: int, fits: bool) -> None:
    with tarfile.open(tmp_path / "x.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "0.jpg", A)
        add(tar, "1.jpg", B, pax_headers={"comment": "x" * size})
    first, second = read_all(WebDatasetSource(name="w", uri=str(tmp_path)))
    assert first.data == A
    if fits:
        assert second.data == B
    else:
        assert second.fault is not None and second.fault[0] == "broken_tar"
        assert "1048576 are the most" in second.fault[1]


def test_a_chain_of_headers_is_a_fault(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a", "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "0.jpg", A, pax_headers={"comment": "x"})
    whole = (tmp_path / "a").read_bytes()
    (tmp_path / "x.tar").write_bytes(whole[:1024] * 5000 + whole[1024:])
    ((slug, _),) = faults(read_all(WebDatasetSource(name="w", uri=str(tmp_path)))).values()
    assert slug == "broken_tar"


def test_members_that_are_no_images_are_not_kept(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for number in range(3000):
            add(tar, f"{number}.txt")
        add(tar, "0.jpg", A)
        add(tar, "1.jpg", type=tarfile.SYMTYPE, linkname="0.jpg")
    source = WebDatasetSource(name="w", uri=str(tmp_path))
    (unit,) = source.units()
    before = headers_in_memory()
    for item in source.read(unit):
        assert item.data == A and headers_in_memory() - before < 100


def headers_in_memory() -> int:
    return sum(type(thing) is tarfile.TarInfo for thing in gc.get_objects())


def test_a_member_of_any_size_is_not_read(tmp_path: Path) -> None:
    write_tar(tmp_path / "x.tar", {"0.jpg": A, "1.jpg": bytes(len(A) + 1)})
    items = read_all(WebDatasetSource(name="w", uri=str(tmp_path), max_file_bytes=len(A)))
    assert items[0].data == A
    assert faults(items)["1.jpg"][0] == "file_too_large"


def by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def compress(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as file:
            file.write(data)
        return sink.getvalue().to_pybytes()

    return compress


COMPRESS = {
    "tar.gz": gzip.compress,
    "tgz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": by_arrow("zstd"),
    "tar.lz4": by_arrow("lz4"),
}


def compressed(root: Path, suffix: str, keep: float = 1.0) -> WebDatasetSource:
    with tarfile.open(root / "plain", "w") as tar:
        for number, data in enumerate((A, B, C) * 5):
            add(tar, f"{number:02d}.jpg", data)
            add(tar, f"{number:02d}.txt", bytes(200_000))
        add(tar, "link.jpg", type=tarfile.LNKTYPE, linkname="01.jpg")
    plain = (root / "plain").read_bytes()
    # Written in two runs, as when a file was appended to.
    data = b"".join(COMPRESS[suffix](part) for part in (plain[:300_000], plain[300_000:]))
    (root / f"x.{suffix}").write_bytes(data[: int(len(data) * keep)])
    return WebDatasetSource(name="w", uri=str(root))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_tars_are_read_and_fetched(tmp_path: Path, suffix: str) -> None:
    source = compressed(tmp_path, suffix)
    items = read_all(source)
    assert [item.data for item in items] == [A, B, C] * 5 + [B] and not slugs(source)
    assert_fetch_gives_the_same(source)
    random.Random(0).shuffle(items)
    for item in items:
        assert source.fetch(item.uri, item.offset, len(item.data)) == item.data


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.6])
def test_a_compressed_tar_that_breaks_off_is_a_fault(
    tmp_path: Path, suffix: str, keep: float
) -> None:
    *good, last = read_all(compressed(tmp_path, suffix, keep))
    assert all(item.fault is None for item in good)
    assert last.fault is not None and last.fault[0] == "broken_tar"
    assert last.member == f"(rest of x.{suffix})"


def tar_of_images(count: int) -> tuple[bytes, int]:
    """A tar, and where its last member ends."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number in range(count):
            add(tar, f"{number:03d}.jpg", (A, B, C)[number % 3])
        end = tar.offset
    return file.getvalue(), end


@pytest.mark.parametrize("suffix", COMPRESS)
def test_stray_bytes_after_a_whole_archive_lose_no_image(tmp_path: Path, suffix: str) -> None:
    plain, end = tar_of_images(30)
    for data in (plain, plain[:end]):
        (tmp_path / f"x.{suffix}").write_bytes(COMPRESS[suffix](data) + b"garbage!")
        items = read_all(WebDatasetSource(name="w", uri=str(tmp_path)))
        assert [item.data for item in items if item.fault is None] == [A, B, C] * 10


@pytest.mark.parametrize(
    # lz4 compresses 64 KiB at a time, of which a decoder has all or nothing.
    ("suffix", "kept"),
    [("tar.gz", 59), ("tar.xz", 59), ("tar.lz4", 45)],
)
def test_a_cut_loses_no_image_before_it(tmp_path: Path, suffix: str, kept: int) -> None:
    plain, end = tar_of_images(60)
    data = COMPRESS[suffix](plain[:end])
    (tmp_path / f"x.{suffix}").write_bytes(data[:-40])
    *good, last = read_all(WebDatasetSource(name="w", uri=str(tmp_path)))
    assert last.fault is not None and last.fault[0] == "broken_tar"
    assert len(good) >= kept and [item.data for item in good[:3]] == [A, B, C]


def test_in_order_of_address_a_compressed_tar_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.sources import tar_files

    opened = []
    decompressor = tar_files._decompressor

    def count(*args: object) -> object:
        opened.append(args)
        return decompressor(*args)

    monkeypatch.setattr(tar_files, "_decompressor", count)
    source = compressed(tmp_path, "tar.gz")
    items = sorted(read_all(source), key=lambda item: item.offset)
    before = len(opened)
    for item in items:
        source.fetch(item.uri, item.offset, len(item.data))
    assert len(opened) == before + 1


def test_a_compressed_tar_under_a_plain_name_says_so(tmp_path: Path) -> None:
    source = compressed(tmp_path, "tgz")
    (tmp_path / "x.tgz").rename(tmp_path / "x.tar")
    ((_, why),) = faults(read_all(source)).values()
    assert "must end in .tar.gz" in why


def test_a_broken_tar_is_named(tmp_path: Path) -> None:
    write_tar(tmp_path / "00007.tar", {"0.jpg": A})
    (tmp_path / "00007.tar").write_bytes((tmp_path / "00007.tar").read_bytes()[:2000])
    (item,) = read_all(WebDatasetSource(name="w", uri=str(tmp_path)))
    assert item.member == "(rest of 00007.tar)"


@pytest.mark.parametrize("uri", ["", "/*.tar", "/00000.tar"])
def test_the_counts_of_img2dataset_are_compared(tmp_path: Path, uri: str) -> None:
    members = {f"{n}.{e}": A for n in range(3) for e in ("jpg", "json", "mask.png")}
    write_tar(tmp_path / "00000.tar", members)
    source = WebDatasetSource(name="w", uri=f"{tmp_path}{uri}")
    stats = tmp_path / "00000_stats.json"
    stats.write_text(json.dumps({"count": 5, "successes": 3}))
    assert not slugs(source)
    stats.write_text(json.dumps({"count": 5, "successes": 4}))
    assert len(read_all(source)) == 7
    ((slug, why),) = faults(read_all(source)).values()
    assert slug == "count_differs" and "counts 4 images, 00000.tar holds 3" in why
    for text in ("no json", "[]", "{}", '{"successes": null}'):
        stats.write_text(text)
        assert not slugs(source)


def test_a_folder_of_nothing_but_tars_names_their_type(tmp_path: Path) -> None:
    write_tar(tmp_path / "00000.tar", {"0.jpg": A})
    for name in ("00000_stats.json", "00000.parquet"):
        (tmp_path / name).write_text("{}")
    source = FolderSource(name="f", uri=str(tmp_path))
    with pytest.raises(SourceError, match=r"1 of the 3 files .*`type: webdataset`"):
        list(source.units())
    (tmp_path / "00000.tar").rename(tmp_path / "00000.tgz")
    with pytest.raises(SourceError, match="webdataset"):
        list(source.units())
    (tmp_path / "00000.tgz").unlink()
    with pytest.raises(SourceError, match=r"1 of .* are Parquet files .*`type: parquet`"):
        list(source.units())


def test_a_tar_among_images_says_what_reads_it(tmp_path: Path) -> None:
    write_tar(tmp_path / "x.tar", {"0.jpg": A})
    (tmp_path / "a.jpg").write_bytes(A)
    (tmp_path / "b.tar").write_bytes(B)
    items = read_all(FolderSource(name="f", uri=str(tmp_path), max_file_bytes=5000))
    said = faults(items)
    assert said["x.tar"][0] == "not_an_image" and "webdataset" in said["x.tar"][1]
    assert len(said) == 1
