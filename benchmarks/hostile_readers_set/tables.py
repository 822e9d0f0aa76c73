"""Parquet files of wrong types, with footers that lie, and that hold more than they seem to."""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hostile_readers_set.case import ERROR, KEPT, Hostile, fates, good_pictures

_BROKEN = ("broken_parquet",)
_ANY = ("broken_parquet", "empty", "not_an_image", "no_bytes", KEPT, ERROR)


def cases() -> Iterator[Hostile]:
    yield from _types()
    yield from _values()
    yield from _files()
    yield from _lies()
    yield from _bombs()


def written(columns: dict[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file.getvalue()


def good() -> bytes:
    return written({"image": pa.array(good_pictures()[:2], pa.binary())})


def table(name: str, data: bytes | Callable[[], bytes], *slugs: str, **more: Any) -> Hostile:
    """The hostile file beside a good one, of the same source."""

    def make(folder: Path) -> None:
        (folder / "a.parquet").write_bytes(good())
        (folder / "b.parquet").write_bytes(data if isinstance(data, bytes) else data())

    return Hostile(name=name, reader="parquet", make=make, fates=fates(*slugs), **more)


def _types() -> Iterator[Hostile]:
    one, two, *_ = good_pictures()
    ints = pa.array([1, 2], pa.int64())
    wrong = {
        "ints": ints,
        "floats": pa.array([float("nan"), 1.5]),
        "strings": pa.array(["a.jpg", "http://169.254.169.254/x.jpg"]),
        "lists_of_ints": pa.array([list(one[:50]), None]),
        "lists_of_images": pa.array([[one], [two, None]]),
        "lists_of_structs": pa.array([[{"bytes": one}]]),
        "maps": pa.array([[("k", one)]], pa.map_(pa.string(), pa.binary())),
        "struct_without_bytes": pa.array([{"data": one, "path": "a"}]),
        "struct_with_bytes_of_ints": pa.array([{"bytes": 1, "path": "a"}]),
        "struct_with_bytes_of_lists": pa.array([{"bytes": [one], "path": "a"}]),
        "fixed_size": pa.array([b"abcd"], pa.binary(4)),
        "decimals": pa.array([1], pa.decimal128(9)),
        "times": pa.array([1], pa.timestamp("ns")),
        "nulls_of_no_type": pa.nulls(3),
        "deep_struct": _deep(40),
    }
    for name, column in wrong.items():
        yield table(f"column_of_{name}", written({"image": column}), ERROR)
    yield table("no_columns", written({}), ERROR)
    many = {f"c{n}": ints for n in range(5000)}
    yield table("5000_columns", written(many), ERROR)
    twice = pa.Table.from_arrays([pa.array([one]), pa.array([two])], ["image", "image"])
    file = io.BytesIO()
    pq.write_table(twice, file)
    yield table("one_name_twice", file.getvalue(), ERROR, *_ANY)
    odd_name = {"im\x1b[2J\nage\0": pa.array([one])}
    yield table("column_name_of_control_characters", written(odd_name), KEPT)
    long_name = {"n" * 1_000_000: ints}
    yield table("column_name_of_a_mb", written(long_name), ERROR)
    dotted = {"image.bytes": pa.array([one]), "image": pa.array([1])}
    yield table("column_name_with_a_dot", written(dotted), KEPT, *_ANY)


def _deep(depth: int) -> pa.Array:
    column = pa.array([1])
    for _ in range(depth):
        column = pa.StructArray.from_arrays([column], ["a"])
    return column


def _values() -> Iterator[Hostile]:
    third = good_pictures()[3]
    binary = pa.array([third, None, b"", b"\xff\xd8\xff"], pa.binary())
    for name, column in {
        "dictionary": binary.dictionary_encode(),
        "large_binary": binary.cast(pa.large_binary()),
        "binary_view": binary.cast(pa.binary_view()),
    }.items():
        yield table(f"values_{name}", written({"image": column}), "empty", "truncated", rows=6)
    nested = pa.array(
        [
            {"bytes": third, "path": "../../etc/passwd", "more": [1]},
            {"bytes": None, "path": "file:///etc/passwd"},
            {"bytes": None, "path": "http://169.254.169.254/latest/meta-data"},
            {"bytes": b"", "path": None},
            None,
        ],
        pa.struct({"bytes": pa.binary(), "path": pa.string(), "more": pa.list_(pa.int64())}),
    )
    data = written({"image": nested})
    yield table("paths_to_elsewhere", data, KEPT, "no_bytes", "empty", rows=7)
    raw = pa.array([b"\xff\xfe" * 20, b"\x1b[2J\0</script>"]).cast(pa.string(), safe=False)
    structs = pa.StructArray.from_arrays([pa.array([third, third]), raw], ["bytes", "path"])
    yield table("paths_of_garbage", written({"image": structs}), KEPT, rows=4)
    paths = pa.array([{"bytes": third, "path": "p" * 10_000_000}])
    yield table("a_path_of_10_mb", written({"image": paths}), KEPT, rows=3)
    pickled = pa.array([b"cposix\nsystem\n(S'touch owned'\ntR."])
    yield table("a_pickle_as_picture", written({"image": pickled}), "not_an_image", rows=3)
    yield table("all_null", written({"image": pa.nulls(9, pa.binary())}), "empty", rows=11)


def _files() -> Iterator[Hostile]:
    whole = good()
    yield table("0_rows", written({"image": pa.array([], pa.binary())}), rows=2)
    contents = {
        "nothing": b"",
        "only_magic": b"PAR1",
        "magic_twice": b"PAR1PAR1",
        "encrypted": b"PARE" + whole[4:-4] + b"PARE",
        "garbage": bytes((n * 193 + n // 7) % 256 for n in range(50_000)),
        "html": b"<html>404</html>",
        "zeros": bytes(100_000),
        "first_half": whole[: len(whole) // 2],
        "second_half": whole[len(whole) // 2 :],
        "arrow_file": b"ARROW1\0\0" + bytes(100) + b"ARROW1",
        "no_footer": b"PAR1" + bytes(8) + struct.pack("<I", 0) + b"PAR1",
        "footer_longer_than_file": whole[:-8] + struct.pack("<I", 2**31) + b"PAR1",
        "footer_negative": whole[:-8] + struct.pack("<I", 2**32 - 1) + b"PAR1",
        "footer_of_100_mb_of_garbage": b"PAR1"
        + b"\x15" * 100_000_000
        + struct.pack("<I", 10**8)
        + b"PAR1",
        "footer_of_structs_without_end": b"PAR1"
        + b"\x1c" * 1_000_000
        + struct.pack("<I", 10**6)
        + b"PAR1",
        "footer_of_lists_without_end": b"PAR1"
        + b"\x19\xfc\xff\xff\xff\xff\x0f" * 9
        + struct.pack("<I", 63)
        + b"PAR1",
    }
    for name, data in contents.items():
        yield table(f"file_of_{name}", data, *_BROKEN, rows=3)
    for step in (3, 17):

        def cut(folder: Path, step: int = step) -> None:
            (folder / "a.parquet").write_bytes(whole)
            for size in range(0, len(whole), len(whole) // (10 * step)):
                (folder / f"b{size:06d}.parquet").write_bytes(whole[:size])

        yield Hostile(name=f"half_files_{step}", reader="parquet", make=cut, fates=fates(*_BROKEN))


def _lies() -> Iterator[Hostile]:
    """One byte of a footer or of a page is another one, all over the file."""
    third = good_pictures()[3][:700]
    whole = written({"image": pa.array([third, None, b""]), "n": pa.array([1, 2, 3])})
    length = int.from_bytes(whole[-8:-4], "little")
    for part, places in {
        "footer": range(len(whole) - 8 - length, len(whole) - 8, 3),
        "pages": range(4, len(whole) - 8 - length, 7),
    }.items():
        for name, change in _CHANGES.items():

            def make(
                folder: Path, places: range = places, change: Callable[[int], int] = change
            ) -> None:
                (folder / "a.parquet").write_bytes(good())
                for at in places:
                    data = bytearray(whole)
                    data[at] = change(data[at])
                    (folder / f"b{at:06d}.parquet").write_bytes(data)

            # Each file that cannot be listed would end the listing: one at a time is what counts.
            slugs = (*_ANY, "truncated", "corrupt", "unsupported_format")
            yield Hostile(
                name=f"{part}_{name}", reader="parquet", make=make, fates=fates(*slugs), good=0
            )


_CHANGES: dict[str, Callable[[int], int]] = {
    "inverted": lambda byte: byte ^ 0xFF,
    "all_ones": lambda byte: 0xFF,
    "one_more": lambda byte: (byte + 2) % 256,
}


def _bombs() -> Iterator[Hostile]:
    third = good_pictures()[3]
    for codec in ("zstd", "gzip", "brotli"):
        bomb = functools.partial(_packed_value, 1_500_000_000, codec)
        yield table(f"page_bomb_{codec}", bomb, *_ANY)
    rows = pa.nulls(3_000_000, pa.binary())
    yield table("3000000_nulls_in_few_bytes", written({"image": rows}), *_BROKEN)
    repeated = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(3_000_000, np.int32)), pa.array([third])
    )
    yield table("3000000_times_one_picture", written({"image": repeated}), *_BROKEN)

    def groups(folder: Path) -> None:
        schema = pa.schema([("image", pa.binary())])
        row = pa.table({"image": [b"\xff"]}, schema)
        (folder / "a.parquet").write_bytes(good())
        options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
        with pq.ParquetWriter(folder / "b.parquet", schema, **options) as writer:
            for _ in range(100_000):
                writer.write_table(row)

    yield Hostile(
        name="100000_row_groups",
        reader="parquet",
        make=groups,
        fates=fates("not_an_image"),
        rows=100_002,
    )


def _packed_value(size: int, codec: str) -> bytes:
    return written(
        {"image": pa.array([bytes(size)], pa.binary())},
        compression=codec,
        use_dictionary=False,
        write_statistics=False,
    )
