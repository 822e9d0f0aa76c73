"""Tars and Parquet files that were made to harm: bounded, accounted for, and others are kept."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.sources import Item, ParquetSource, SourceError, WebDatasetSource, tar_files
from pipelines.sources import parquet as parquet_module
from pipelines.sources.base import Reading
from tests.pipelines.reading import A, B, assert_fetch_gives_the_same, read_all


def header(name: str, size: int | bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header with a right checksum; `size` as bytes stands as it is."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    block[124:136] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return member("pax", records, kind)


def record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    while len(b"%d" % size) + len(key) + len(value) + 3 != size:
        size = len(b"%d" % size) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (size, key, value)


def around(middle: bytes) -> bytes:
    return member("0.jpg", A) + middle + member("1.jpg", B) + bytes(1024)


def read_tar(root: Path, data: bytes, suffix: str = ".tar") -> list[Item]:
    (root / f"x{suffix}").write_bytes(data)
    return read_all(WebDatasetSource(name="w", uri=str(root)))


SIZES = {
    "2**63": b"\x80" + (2**63).to_bytes(11, "big"),
    "minus one": b"\xff" * 12,
    "minus 512": b"\xff" + (256**11 - 512).to_bytes(11, "big"),
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_size_that_no_file_has_is_a_fault_and_never_read_to_the_end(
    tmp_path: Path, size: bytes
) -> None:
    first, second = read_tar(tmp_path, around(header("x.jpg", size)))
    assert first.data == A
    assert second.data == b"" and second.fault is not None and second.fault[0] == "broken_tar"


@pytest.mark.parametrize("value", [b"9" * 18, b"9" * 30, b"-512"])
def test_so_is_one_of_a_pax_header(tmp_path: Path, value: bytes) -> None:
    items = read_tar(tmp_path, around(pax(record(b"size", value)) + member("x.jpg", B)))
    assert items[0].data == A
    assert {item.fault[0] for item in items[1:] if item.fault} >= {"broken_tar"}
    assert all(item.fault is not None for item in items[1:])


def test_headers_of_one_member_are_read_up_to_a_limit(tmp_path: Path) -> None:
    lines = b"9999999\n" + b"0\n" * 3_000_000
    sparse = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
    first, second = read_tar(tmp_path, around(pax(sparse) + member("hole.jpg", lines)))
    assert first.data == A
    assert second.fault is not None and "bytes of headers for one member" in second.fault[1]


def test_attributes_for_all_members_are_few(tmp_path: Path) -> None:
    many = b"".join(record(b"k%d" % n, b"v") for n in range(2000))
    first, second = read_tar(tmp_path, around(pax(many, tarfile.XGLTYPE) + member("x.jpg", B)))
    assert first.data == A
    assert second.fault is not None and "2000 attributes for all members" in second.fault[1]


def test_devices_are_counted(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(around(header("a.jpg", 0, tarfile.FIFOTYPE)))
    source = WebDatasetSource(name="w", uri=str(tmp_path))
    (unit,) = source.units()
    reading = Reading(source.read(unit))
    assert [item.data for item in reading] == [A, B]
    assert reading.passed_over == {"devices": 1}


def test_a_tar_unpacks_to_so_much_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_files, "_ALWAYS_BYTES", 10 << 20)
    good = member("0.jpg", A) + header("x.txt", 30 << 20)
    items = read_tar(tmp_path, gzip.compress(good + bytes(30 << 20) + member("1.jpg", B)), ".tgz")
    assert items[0].data == A and len(items) == 2
    assert items[1].fault is not None and "it unpacks to more than" in items[1].fault[1]
    # What compresses as pictures do may have any size.
    noise = np.random.default_rng(0).integers(0, 255, 20 << 20, np.uint8).tobytes()
    data = gzip.compress(member("0.jpg", A) + member("x.txt", noise) + member("1.jpg", B), 1)
    items = read_tar(tmp_path, data, ".tgz")
    assert [item.data for item in items] == [A, B]
    assert_fetch_gives_the_same(WebDatasetSource(name="w", uri=str(tmp_path)))


def test_a_packed_member_is_in_memory_once(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(gzip.compress(member("x.jpg", bytes(200 << 20)), 1))
    measure = f"""
import resource
from pipelines.sources import WebDatasetSource
source = WebDatasetSource(name="w", uri={str(tmp_path)!r})
(unit,) = source.units()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
assert [len(item.data) for item in source.read(unit)][0] == 200 << 20
print((peak() - before) / 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", measure], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 300


def test_zeros_without_end_after_the_end(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(member("0.jpg", A) + bytes(1024))
    with open(tmp_path / "x.tar", "ab") as file:
        file.truncate(1 << 40)
    first, second = read_all(WebDatasetSource(name="w", uri=str(tmp_path)))
    assert first.data == A
    assert second.fault is not None and "zeros after the end" in second.fault[1]


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b'{"successes": ' + b"9" * 4000 + b"}", b" " * 3_000_000 + b"{}"]
)
def test_counts_of_img2dataset_that_are_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "x_stats.json").write_bytes(text)
    items = read_tar(tmp_path, around(b""))
    assert [item.data for item in items] == [A, B]
    (tmp_path / "x_stats.json").write_text(json.dumps({"successes": 3}))
    assert len(read_all(WebDatasetSource(name="w", uri=str(tmp_path)))) == 3


def write_table(path: Path, column: Any, **options: Any) -> bytes:
    pq.write_table(pa.table({"image": column}), path, **options)
    return path.read_bytes()


def parquet(root: Path) -> ParquetSource:
    return ParquetSource(name="p", uri=str(root))


@pytest.mark.parametrize("kind", ["nulls", "one again and again"])
def test_more_rows_than_bytes_is_a_fault_beside_good_files(tmp_path: Path, kind: str) -> None:
    write_table(tmp_path / "a.parquet", pa.array([A, B]))
    rows = 100_000
    column = pa.nulls(rows, pa.binary())
    if kind != "nulls":
        places = pa.array(np.zeros(rows, np.int32))
        column = pa.DictionaryArray.from_arrays(places, pa.array([A]))
    write_table(tmp_path / "b.parquet", column)
    first, second, third = read_all(parquet(tmp_path))
    assert [first.data, second.data] == [A, B]
    assert third.fault is not None and third.fault[0] == "broken_parquet"
    assert f"{rows} rows in" in third.fault[1]


def test_a_bomb_is_told_by_its_footer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.sources import parquet as module

    monkeypatch.setattr(module, "_ALWAYS_BYTES", 1 << 20)
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    write_table(tmp_path / "b.parquet", pa.array([bytes(20 << 20)]), **options)
    (item,) = read_all(parquet(tmp_path))
    assert item.fault is not None and "unpacks to" in item.fault[1]


def test_a_footer_that_contradicts_itself_does_not_end_the_process(tmp_path: Path) -> None:
    """Arrow ends the process when it is asked for a column whose counts of levels are wrong."""
    whole = write_table(tmp_path / "a.parquet", pa.array([A, None, B]))
    length = int.from_bytes(whole[-8:-4], "little")
    script = f"""
from pathlib import Path
from pipelines.sources import ParquetSource, SourceError
path, whole = Path({str(tmp_path / "b.parquet")!r}), Path({str(tmp_path / "a.parquet")!r})
data, read, outcomes = whole.read_bytes(), 0, set()
for at in range(len(data) - 8 - {length}, len(data) - 8):
    for change in (0x02, 0x10, 0xff):
        path.write_bytes(data[:at] + bytes([data[at] ^ change]) + data[at + 1 :])
        source = ParquetSource(name="p", uri=str(path))
        try:
            items = [item for unit in source.units() for item in source.read(unit)]
            outcomes.add("fault" if any(item.fault for item in items) else "rows")
        except SourceError:
            outcomes.add("error")
        read += 1
assert read > 300 and outcomes >= {{"fault", "rows"}}, (read, outcomes)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def lying(rows: int) -> bytes:
    """A file of three rows, whose footer announces another number in its one row group."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"image": [A, A, B]}), sink, compression="none", use_dictionary=False)
    data = sink.getvalue()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = data[start:-8]
    # Numbers are zigzag: 3 is 6. The group's own count follows its size in bytes, as field 3.
    at = footer.rindex(b"\x16\x06")
    footer = footer[: at + 1] + bytes([2 * rows]) + footer[at + 2 :]
    return data[:start] + footer + data[-8:]


def test_rows_that_a_footer_announces_and_are_not_there_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(lying(9))
    with pq.ParquetFile(tmp_path / "x.parquet") as file:
        assert file.metadata.row_group(0).num_rows == 9
    *good, last = read_all(parquet(tmp_path))
    assert [item.data for item in good] in ([], [A, A, B])
    assert last.fault is not None and last.fault[0] == "broken_parquet"
    assert "to 8 were not read" in last.fault[1]


def test_errors_about_columns_have_a_length_for_people(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n" * 100_000: [1, 2]}), tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="no image column") as caught:
        list(parquet(tmp_path).units())
    assert len(str(caught.value)) < 2000


def test_rows_of_many_groups_are_found_again(tmp_path: Path) -> None:
    images = [A, B] * 50
    write_table(tmp_path / "x.parquet", pa.array(images), row_group_size=1)
    assert [item.data for item in read_all(parquet(tmp_path))] == images
    assert_fetch_gives_the_same(parquet(tmp_path))


def test_a_row_group_costs_the_same_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    counted = parquet_module.group_starts

    def counting(metadata: pq.FileMetaData) -> list[int]:
        nonlocal asked
        asked += metadata.num_row_groups
        return counted(metadata)

    monkeypatch.setattr(parquet_module, "group_starts", counting)
    write_table(tmp_path / "x.parquet", pa.array([A] * 200), row_group_size=1)
    (unit,) = parquet(tmp_path).units()
    assert len(list(parquet(tmp_path).read(unit))) == 200
    assert 0 < asked <= 2 * 200
