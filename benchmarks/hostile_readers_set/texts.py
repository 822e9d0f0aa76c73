"""Texts to be drawn, and settings, that are bombs or nonsense."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hostile_readers_set.case import ERROR, KEPT, Hostile, fates

_GOOD = [
    f"The good paragraph number {n} has enough letters to be prose of the language." for n in (0, 1)
]
_PROSE = ("The words of an English sentence come one after the other. " * 20).encode()


def cases() -> Iterator[Hostile]:
    for name, (file, make) in _TEXTS.items():
        yield Hostile(
            name=f"text_{name}",
            reader="text",
            make=_beside_good(file, make),
            fates=fates(KEPT, ERROR),
        )
    yield Hostile(name="text_pipes_and_links", reader="text", make=_places, fates=fates(KEPT))
    for name, data in _SETTINGS.items():
        yield Hostile(
            name=f"settings_{name}",
            reader="settings",
            make=lambda folder, data=data: (folder / "x.yaml").write_bytes(data),
            fates=fates(ERROR),
            good=0,
        )


def _beside_good(file: str, make: Callable[[], bytes]) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "good.txt").write_text("\n\n".join(_GOOD))
        (folder / file).write_bytes(make())

    return fill


def _places(folder: Path) -> None:
    (folder / "good.txt").write_text("\n\n".join(_GOOD))
    os.mkfifo(folder / "pipe.txt")
    (folder / "zero.txt").symlink_to("/dev/zero")
    (folder / "up").symlink_to("..")
    (folder / "nowhere.txt").symlink_to("nowhere")


def _parquet(column: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": column}), file, **options)
    return file.getvalue()


def _zeros_packed() -> bytes:
    return gzip.compress(bytes(128 << 20), 1) * 80


_TEXTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "json_of_100_mb_in_one_line": (
        "a.jsonl",
        lambda: b'{"text": "' + _PROSE * (100_000_000 // len(_PROSE)) + b'"}',
    ),
    "json_of_100_mb_without_spaces": (
        "a.jsonl",
        lambda: b'{"text": "' + b"a" * 100_000_000 + b'"}',
    ),
    "json_1000000_deep": ("a.jsonl", lambda: b'{"text": ' + b"[" * 1_000_000),
    "json_of_lists": ("a.jsonl", lambda: b'["text"]\n'),
    "json_of_numbers": ("a.jsonl", lambda: b"1\n2\n"),
    "json_null": ("a.jsonl", lambda: b"null\n"),
    "json_nan": ("a.jsonl", lambda: b'{"text": NaN}\n'),
    "json_of_a_number_of_a_mb": ("a.jsonl", lambda: b'{"text": ' + b"9" * 1_000_000 + b"}"),
    "json_of_100000_keys": (
        "a.jsonl",
        lambda: b"{" + b",".join(b'"k%d": 1' % n for n in range(100_000)) + b"}",
    ),
    "json_byte_order_mark": ("a.jsonl", lambda: b'\xef\xbb\xbf{"text": "' + _PROSE + b'"}'),
    "json_surrogates": ("a.jsonl", lambda: b'{"text": "\\ud800\\udfff \\udc00' + _PROSE + b'"}'),
    "json_line_separators": (
        "a.jsonl",
        lambda: '{"text": "a\u2028b\u2029c\x85d and some more words of prose"}'.encode(),
    ),
    "json_control_characters": ("a.jsonl", lambda: b'{"text": "\\u0000\\u001b[2J' + _PROSE + b'"}'),
    "utf_16": ("a.txt", lambda: _PROSE.decode().encode("utf-16")),
    "of_zeros": ("a.txt", lambda: bytes(50_000_000)),
    "of_newlines": ("a.txt", lambda: b"\n" * 50_000_000),
    "of_wide_spaces_and_form_feeds": ("a.txt", lambda: "\u3000\n\x0c".encode() * 400_000),
    "of_dots": ("a.txt", lambda: b". " * 20_000_000),
    "of_escapes": ("a.txt", lambda: b"\x1b[0" * 10_000_000),
    "of_accents": ("a.txt", lambda: b"a" + "\u0301\u0323".encode() * 1_000_000),
    "of_invisible_characters": ("a.txt", lambda: "\u200b\u202e\ufeff".encode() * 2_000_000),
    "of_one_word_of_50_mb": ("a.txt", lambda: b"a" * 50_000_000),
    "packed_10_gb": ("a.txt.gz", _zeros_packed),
    "packed_cut": ("a.txt.gz", lambda: gzip.compress(_PROSE)[:-9]),
    "packed_garbage": ("a.txt.gz", lambda: b"\x1f\x8b\x08" + bytes(range(256))),
    "html_of_open_tags": ("a.html", lambda: b"<a " * 1_000_000),
    "html_of_open_comments": ("a.html", lambda: b"<!--" * 300_000),
    "html_of_less_than": ("a.html", lambda: b"<" * 3_000_000),
    "html_of_open_ends": ("a.html", lambda: b"</a " * 300_000),
    "html_of_declarations": ("a.html", lambda: b"<![" * 300_000),
    "html_of_references": ("a.html", lambda: b"&#x" * 1_000_000),
    "html_1000000_deep": ("a.html", lambda: b"<div>" * 1_000_000 + _PROSE),
    "html_of_attributes": ("a.html", lambda: b"<p " + b"a=b " * 1_000_000 + b">" + _PROSE),
    "man_page": ("a.1", lambda: b".TH x\n" + b"\\f(" * 5_000_000),
    "table_of_ints": ("a.parquet", lambda: _parquet(pa.array([1, 2]))),
    "table_of_structs": ("a.parquet", lambda: _parquet(pa.array([{"a": 1}]))),
    "table_of_lists": ("a.parquet", lambda: _parquet(pa.array([["a"]]))),
    "table_of_bytes": ("a.parquet", lambda: _parquet(pa.array([_PROSE, b"\xff\xfe"]))),
    "table_of_no_utf8": (
        "a.parquet",
        lambda: _parquet(pa.array([b"\xff\xfe" * 20, _PROSE]).cast(pa.string(), safe=False)),
    ),
    "table_of_garbage": ("a.parquet", lambda: b"PAR1" + bytes(100) + b"PAR1"),
    "table_cut": ("a.parquet", lambda: _parquet(pa.array(["a"]))[:-20]),
    "table_bomb": (
        "a.parquet",
        lambda: _parquet(
            pa.array(["\0" * 1_000_000_000]), compression="zstd", use_dictionary=False
        ),
    ),
    "table_of_10000000_times_one_text": (
        "a.parquet",
        lambda: _parquet(
            pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(10_000_000, np.int32)), pa.array([_PROSE.decode()])
            )
        ),
    ),
    "warc_of_garbage": ("a.warc", lambda: b"WARC/1.0\r\n" * 100_000),
}

_LAUGHS = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%b]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)
)
_SETTINGS: dict[str, bytes] = {
    "object": b"out: !!python/object/apply:os.system ['touch owned']\n",
    "module": b"out: !!python/module:os\n",
    "name": b"out: !!python/name:os.system\n",
    "billion_laughs": _LAUGHS,
    "billion_laughs_in_a_setting": _LAUGHS + b"out: *a11\n",
    "billion_laughs_in_sources": _LAUGHS + b"sources: *a11\n",
    "10000_deep": b"sources: " + b"[" * 10_000,
    "itself": b"sources: &a [*a]\n",
    "list": b"- 1\n",
    "binary": bytes(range(256)),
    "number_of_a_mb": b"seed: " + b"9" * 1_000_000,
    "nan": b"plan: {min_clarity: .nan}\n",
    "merge_of_itself": b"a: &a {<<: *a}\n",
    "key_of_a_list": b"? [1, 2]\n: 3\n",
    "key_of_a_mb": b"k" * 1_000_000 + b": 1\n",
    "utf_16": "out: x\n".encode("utf-16"),
}
