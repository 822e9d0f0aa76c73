"""Tars whose headers lie about sizes, break off, or are packed so that little becomes much."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from hostile_readers_set.case import (
    END,
    KEPT,
    Hostile,
    around,
    fates,
    good_pictures,
    header,
    long_name,
    member,
    padded,
    pax,
    record,
)
from hostile_readers_set.tar_members import tar

_BROKEN = ("broken_tar",)
_ANY = ("broken_tar", "file_too_large", "sparse_member", "empty", "not_an_image", "truncated", KEPT)


def cases() -> Iterator[Hostile]:
    yield from _sizes()
    yield from _attributes()
    yield from _sparse()
    yield from _halves()
    yield from _wrong_suffixes()
    yield from _packed()
    yield from _many()


def _sizes() -> Iterator[Hostile]:
    third = good_pictures()[3]
    binary = {
        "2_to_the_63": b"\x80" + (2**63).to_bytes(11, "big"),
        "2_to_the_80": b"\x80" + (2**80).to_bytes(11, "big"),
        "minus_1": b"\xff" * 12,
        "minus_512": b"\xff" + (256**11 - 512).to_bytes(11, "big"),
        "minus_huge": b"\xff" + bytes(11),
        "octal_of_8_gb": b"77777777777\0",
        "no_number": b"99999999999\0",
        "text": b"hello world!",
        "spaces": b" " * 12,
        "a_sign": b"-0000001000\0",
        "10_gb": b"\x80" + (10 * 2**30).to_bytes(11, "big"),
    }
    for name, raw in binary.items():
        data = around(header(b"x.jpg", raw) + padded(third))
        yield tar(f"size_{name}", data, *_ANY, good=1)
    for name, value in {
        "huge": b"9" * 18,
        "beyond_int64": b"9" * 30,
        "of_5000_digits": b"9" * 5000,
        "negative": b"-512",
        "text": b"many",
        "nan": b"nan",
        "too_small": b"16",
        "with_underscores": b"1_0",
    }.items():
        data = around(pax(record(b"size", value)) + member(b"x.jpg", third))
        yield tar(f"pax_size_{name}", data, *_ANY, good=1)
        data = around(pax(record(b"size", value), b"g") + member(b"x.jpg", third))
        yield tar(f"global_size_{name}", data, *_ANY, good=1)


def _attributes() -> Iterator[Hostile]:
    third = good_pictures()[3]
    one = member(b"x.jpg", third)
    records = {
        "of_length_0": b"0 path=a.jpg\n",
        "of_length_huge": b"999999999 path=a.jpg\n",
        "of_length_negative": b"-5 path=a.jpg\n",
        "without_equals": b"11 pathpat\n",
        "without_newline": b"15 path=abc.jpg",
        "garbage": bytes(range(256)) * 4,
        "mtime_nan": record(b"mtime", b"nan"),
        "mtime_infinite": record(b"mtime", b"1e999"),
        "uid_huge": record(b"uid", b"9" * 40),
        "charset_binary": record(b"hdrcharset", b"BINARY") + record(b"path", b"\xff.jpg"),
        "linkpath": record(b"linkpath", b"/etc/passwd"),
        "100000": b"".join(record(b"k%d" % n, b"v") for n in range(50_000)),
    }
    for name, raw in records.items():
        yield tar(f"pax_record_{name}", around(pax(raw) + one), *_ANY, good=1)
    everywhere = around(pax(record(b"path", b"same.jpg"), b"g") + one)
    yield tar("global_path_for_all", everywhere, KEPT, rows=3)
    yield tar("2_mb_of_attributes", around(pax(record(b"a", bytes(2 << 20))) + one), *_ANY, good=1)
    chain = b"".join(pax(record(b"comment", b"x")) for _ in range(20_000))
    yield tar("20000_headers_in_a_chain", around(chain + one), *_ANY, good=1)
    names = b"".join(long_name(b"n%d.jpg" % n) for n in range(20_000))
    yield tar("20000_long_names_in_a_chain", around(names + one), *_ANY, good=1)
    huge = header(b"././@LongLink", 2**40, kind=b"L") + one
    yield tar("a_long_name_of_a_tb", around(huge), *_ANY, good=1)
    wrong = bytearray(one)
    wrong[148:156] = b"000000\0 "
    yield tar("a_wrong_checksum", around(bytes(wrong)), *_BROKEN, good=1)
    yield tar("magic_of_no_tar", around(member(b"x.jpg", third, magic=b"garbag\0")), KEPT, rows=3)


def _sparse() -> Iterator[Hostile]:
    lines = b"0\n" * 20_000_000
    old = bytearray(header(b"hole.jpg", 0, kind=b"S", magic=b"ustar  \0"))
    old[386:410] = b"%011o\0%011o\0" % (0, 8**11 - 1)
    old[483:495] = b"%011o\0" % (8**11 - 1)
    yield tar("sparse_of_8_gb", around(_checked(old)), *_ANY, good=1)
    old[482] = 1  # more maps follow, each with 21 pieces and the promise of another
    more = bytearray(512)
    more[504] = 1
    for at in range(0, 504, 24):
        more[at : at + 24] = b"%011o\0%011o\0" % (1, 1)
    data = around(_checked(old) + bytes(more) * 200_000)
    yield tar("sparse_maps_of_100_mb", data, *_ANY, good=1)
    pieces = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
    pieces += record(b"GNU.sparse.name", b"hole.jpg") + record(b"GNU.sparse.realsize", b"9" * 18)
    body = b"20000000\n" + lines
    data = around(pax(pieces) + member(b"GNUSparseFile.0/hole.jpg", body))
    yield tar("pax_sparse_map_of_20000000", data, *_ANY, good=1)
    body = b"9999999999999\n" + b"0\n" * 2000
    data = around(pax(pieces) + member(b"GNUSparseFile.0/hole.jpg", body))
    yield tar("pax_sparse_map_that_lies", data, *_ANY, good=1)
    old_map = record(b"GNU.sparse.map", b",".join([b"0,1"] * 100_000))
    old_map += record(b"GNU.sparse.size", b"-1")
    data = around(pax(old_map) + member(b"GNUSparseFile.0/hole.jpg", bytes(512)))
    yield tar("pax_sparse_0_1", data, *_ANY, good=1)
    odd = record(b"GNU.sparse.map", b"a,b,c")
    yield tar("pax_sparse_of_letters", around(pax(odd) + member(b"h.jpg", b"")), *_ANY, good=1)


def _checked(block: bytearray) -> bytes:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _halves() -> Iterator[Hostile]:
    one, two, three, _ = good_pictures()
    parts = [member(b"0.jpg", one), member(b"1.jpg", two), member(b"2.jpg", three)]
    named = long_name(b"n" * 300 + b".jpg") + pax(record(b"comment", b"x")) + parts[2]
    whole = parts[0] + parts[1] + named + END
    edges = [0, 512, len(parts[0]), len(parts[0]) + 512, len(whole) - 1024, len(whole) - 512]
    cuts = sorted({*range(0, len(whole), 97), *(e + d for e in edges for d in (-1, 0, 1))})
    cuts = [cut for cut in cuts if 0 <= cut < len(whole)]

    def make(folder: Path) -> None:
        for cut in cuts:
            (folder / f"{cut:06d}.tar").write_bytes(whole[:cut])

    yield Hostile(
        name=f"half_tars_cut_in_{len(cuts)}_places",
        reader="webdataset",
        make=make,
        fates=fates("broken_tar", KEPT),
        good=3,
    )
    for suffix, pack in _PACK.items():
        packed = pack(whole)
        places = range(0, len(packed), max(1, len(packed) // 40))

        def make_packed(
            folder: Path, suffix: str = suffix, packed: bytes = packed, places: range = places
        ) -> None:
            for cut in places:
                (folder / f"{cut:06d}{suffix}").write_bytes(packed[:cut])

        yield Hostile(
            name=f"half_tars{suffix.replace('.', '_')}",
            reader="webdataset",
            make=make_packed,
            fates=fates("broken_tar", KEPT),
            # The others have one block, which is there or is not.
            good=2 if suffix in (".tar.gz", ".tar.xz") else 0,
        )


def _by_arrow(codec: str) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(data)
        return bytes(sink.getvalue())

    return pack


_PACK: dict[str, Callable[[bytes], bytes]] = {
    ".tar.gz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": _by_arrow("zstd"),
    ".tar.lz4": _by_arrow("lz4"),
}


def _wrong_suffixes() -> Iterator[Hostile]:
    plain = around(b"")
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("../../x.jpg", good_pictures()[0])
    contents = {
        "gzip_called_tar": ("x.tar", gzip.compress(plain)),
        "tar_called_gz": ("x.tar.gz", plain),
        "zstd_called_xz": ("x.tar.xz", _PACK[".tar.zst"](plain)),
        "zip_called_tar": ("x.tar", zipped.getvalue()),
        "jpeg_called_tar": ("x.tar", good_pictures()[0]),
        "html_called_tar": ("x.tar", b"<html>404 not found</html>"),
        "parquet_called_tar": ("x.tar", b"PAR1" + bytes(900) + b"PAR1"),
        "random_called_tar": ("x.tar", bytes((n * 193 + n // 7) % 256 for n in range(99_999))),
    }
    for name, (file, data) in contents.items():

        def make(folder: Path, file: str = file, data: bytes = data) -> None:
            (folder / f"a{file}").write_bytes(data)
            (folder / "b.tar").write_bytes(plain)

        yield Hostile(name=name, reader="webdataset", make=make, fates=fates("broken_tar"), rows=3)


def _packed() -> Iterator[Hostile]:
    """Each begins with good pictures and unpacks to 10 GB."""
    piece, times = 128 << 20, 80
    size = piece * times
    for suffix in _PACK:

        def make(folder: Path, start: bytes, suffix: str = suffix) -> None:
            block = _PACK[suffix](bytes(piece))
            with open(folder / f"x{suffix}", "wb") as file:
                file.write(_PACK[suffix](start))
                for _ in range(times):
                    file.write(block)

        good = member(b"good0.jpg", good_pictures()[0]) + member(b"good1.jpg", good_pictures()[1])
        word = suffix.rpartition(".")[2]
        for name, start in {
            f"bomb_{word}_after_the_end": good + END,
            f"bomb_{word}_in_a_picture": good
            + header(b"x.jpg", b"\x80" + size.to_bytes(11, "big")),
            f"bomb_{word}_in_a_caption": good
            + header(b"x.txt", b"\x80" + size.to_bytes(11, "big")),
        }.items():

            def start_with(folder: Path, start: bytes = start, make: object = make) -> None:
                make(folder, start)  # type: ignore[operator]

            yield Hostile(
                name=name,
                reader="webdataset",
                make=start_with,
                fates=fates("broken_tar", "file_too_large"),
            )
    big = header(b"x.jpg", 1000 << 20)

    def zeros(folder: Path) -> None:
        data = gzip.compress(around(big + bytes(1000 << 20)), 1)
        (folder / "x.tar.gz").write_bytes(data)

    yield Hostile(
        name="a_picture_of_a_gb_of_zeros_packed",
        reader="webdataset",
        make=zeros,
        fates=fates("not_an_image"),
        rows=3,
    )


def _many() -> Iterator[Hostile]:
    def tiny(extension: bytes, count: int) -> bytes:
        block = b"".join(header(b"%d.%b" % (n, extension)) for n in range(1000))
        return gzip.compress(around(block * (count // 1000)), 1)

    for name, extension, count, more in (
        ("captions", b"txt", 1_000_000, {"rows": 2, "passed_over": 1_000_000}),
        ("empty_pictures", b"jpg", 100_000, {"rows": 100_002}),
        ("links", b"lnk", 100_000, {"passed_over": 100_000}),
    ):
        yield Hostile(
            name=f"{count}_{name}",
            reader="webdataset",
            make=lambda folder, e=extension, c=count: (folder / "x.tgz").write_bytes(tiny(e, c)),
            fates=fates("empty"),
            **more,
        )
    stats = {
        "100_mb_in_one_line": b'{"successes": 2, "x": "' + b"a" * 100_000_000 + b'"}',
        "1000000_deep": b'{"x": ' + b"[" * 1_000_000,
        "nan": b'{"successes": NaN}',
        "infinite": b'{"successes": 1e999}',
        "a_number_of_4000_digits": b'{"successes": ' + b"9" * 4000 + b"}",
        "a_number_of_a_mb": b'{"successes": ' + b"9" * 1_000_000 + b"}",
        "byte_order_mark": b'\xef\xbb\xbf{"successes": 2}',
        "utf_16": '{"successes": 2}'.encode("utf-16"),
        "negative": b'{"successes": -1}',
        "key_twice": b'{"successes": 2, "successes": 99}',
        "garbage": bytes(range(256)),
    }
    for name, text in stats.items():

        def make(folder: Path, text: bytes = text) -> None:
            (folder / "x.tar").write_bytes(around(b""))
            (folder / "x_stats.json").write_bytes(text)

        yield Hostile(
            name=f"stats_{name}", reader="webdataset", make=make, fates=fates("count_differs")
        )
