"""Texts that are bombs or nonsense: a sentence that says which file, or what is usable of it."""

from __future__ import annotations

import gzip
import json
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from renderers.text import files
from renderers.text.cleaning import clean, paragraphs
from renderers.text.files import UnreadableText, documents
from renderers.text.html import prose

_PROSE = "The words of an English sentence come one after the other."
_MOST_S = 3.0


@pytest.mark.parametrize(
    "line", ["[1]", "1", "null", '"text"', "[" * 200_000, '{"text": 1}', '{"text": [', "NaN"]
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "{_PROSE}"}}\n{line}\n')
    with pytest.raises(UnreadableText, match=r"a\.jsonl, line 2 ") as caught:
        list(documents([tmp_path]))
    assert len(str(caught.value)) < 1000


def test_keys_without_end_are_not_all_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({f"k{n}": 1 for n in range(10_000)}))
    with pytest.raises(UnreadableText, match="has the keys k0, k1") as caught:
        list(documents([tmp_path]))
    assert len(str(caught.value)) < 1000


def test_a_record_may_hold_separators_of_lines(tmp_path: Path) -> None:
    said = f"{_PROSE}\u2028{_PROSE}\u2029\x85{_PROSE}"
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": said}, ensure_ascii=False) + "\r\n")
    assert list(documents([tmp_path])) == [said]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.html.gz"])
def test_a_text_has_so_many_bytes_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data = _PROSE.encode() * 100
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert list(documents([tmp_path]))
    monkeypatch.setattr(files, "MAX_TEXT_BYTES", len(data) - 1)
    with pytest.raises(UnreadableText, match="split it"):
        list(documents([tmp_path]))


def table(path: Path, column: Any, **options: Any) -> None:
    pq.write_table(pa.table({"text": column}), path, **options)


@pytest.mark.parametrize("values", [[1, 2], [{"a": 1}], [["a"]], [b"\xff\xfe"]])
def test_a_column_of_something_else_is_named(tmp_path: Path, values: list[Any]) -> None:
    table(tmp_path / "a.parquet", pa.array(values))
    with pytest.raises(UnreadableText, match=r"a\.parquet has the columns text"):
        list(documents([tmp_path]))


def test_damage_and_text_that_is_none_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table(path, pa.array([b"\xff\xfe" * 20]).cast(pa.string(), safe=False))
    with pytest.raises(UnreadableText, match="cannot read"):
        list(documents([path]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableText, match="cannot read"):
        list(documents([path]))


def test_more_rows_than_bytes_and_bombs_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    places = pa.array(np.zeros(100_000, np.int32))
    table(path, pa.DictionaryArray.from_arrays(places, pa.array([_PROSE])))
    with pytest.raises(UnreadableText, match="100000 rows in"):
        list(documents([path]))
    table(path, pa.array([" " * (5 << 20)]), compression="zstd", use_dictionary=False)
    assert list(documents([path]))
    monkeypatch.setattr(files, "_ALWAYS_BYTES", 1 << 20)
    with pytest.raises(UnreadableText, match="without compression"):
        list(documents([path]))
    table(path, pa.array([" " * (5 << 20)]), compression="none", use_dictionary=False)
    assert list(documents([path]))


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("packed", [False, True])
def test_one_text_of_a_table_has_so_many_bytes_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: pa.DataType, packed: bool
) -> None:
    texts = [None, "", *[f"{n} {_PROSE}" for n in range(50)], "\u4e2d" * 100, _PROSE]
    column = pa.array(texts, type_)
    if packed and type_ != pa.string_view():
        column = column.dictionary_encode()
    table(tmp_path / "a.parquet", column, row_group_size=20)
    kept = [text for text in texts if text]
    monkeypatch.setattr(files, "_MAX_ONE_TEXT_BYTES", 300)
    assert list(documents([tmp_path])) == kept
    monkeypatch.setattr(files, "_MAX_ONE_TEXT_BYTES", 299)
    with pytest.raises(UnreadableText, match="a text of more than 299 bytes"):
        list(documents([tmp_path]))


def test_a_table_of_one_long_text_is_told_by_its_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table(tmp_path / "a.parquet", pa.array([_PROSE * 100]), use_dictionary=False)
    monkeypatch.setattr(files, "_MAX_ONE_TEXT_BYTES", len(_PROSE))
    monkeypatch.setattr(files, "_texts_of", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(UnreadableText, match="split it into rows"):
        list(documents([tmp_path]))


def test_a_table_of_large_texts_is_read_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"{n} {_PROSE}" for n in range(100)]
    table(tmp_path / "a.parquet", pa.array(texts), use_dictionary=False)
    lengths = []
    read = files._texts_of

    def counting(path: Path, column: Any) -> Any:
        lengths.append(len(column))
        return read(path, column)

    monkeypatch.setattr(files, "_BATCH_BYTES", 10 * len(texts[-1]))
    monkeypatch.setattr(files, "_texts_of", counting)
    assert list(documents([tmp_path])) == texts
    assert max(lengths) <= 10


def test_a_table_of_no_rows_is_no_text(tmp_path: Path) -> None:
    table(tmp_path / "a.parquet", pa.array([], pa.string()))
    assert list(documents([tmp_path])) == []


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0323" * 300_000,
        "\u3000\n\x0c" * 300_000,
        "\u4e2d" + "\n\x0c" * 300_000 + "a",
        _PROSE * 20_000,
    ],
)
def test_time_grows_with_the_length_of_a_text_and_not_faster(text: str) -> None:
    begun = time.process_time()
    for language in ("en", "zh"):
        list(paragraphs(text, language))
    assert time.process_time() - begun < _MOST_S


def test_marks_of_real_languages_stay() -> None:
    words = "Tie\u0302\u0301ng Vie\u0323\u0302t, cafe\u0301 and a\u0323\u0302\u0303 here"
    assert clean(words) == unicodedata.normalize("NFC", words)


def test_a_long_block_loses_no_word() -> None:
    (words,) = [[f"word{n} and some more of them." for n in range(80_000)]]
    text = " ".join(words)
    assert len(text) > 1 << 21
    found = " ".join(paragraphs(text, "en"))
    assert found.split() == text.split()


def test_space_between_han_stays_where_no_line_ends() -> None:
    text = "\u4e2d\u6587\u3000\u5b57\n\u53e5\u5b50 \u8bcd\u8bed\u548c\u66f4\u591a"
    (found,) = paragraphs(text, "zh")
    assert found == "\u4e2d\u6587 \u5b57\u53e5\u5b50 \u8bcd\u8bed\u548c\u66f4\u591a"


@pytest.mark.parametrize("mark", ["<a ", "<!--", "<!-- >", "</a ", "<![", "<", "<?"])
def test_marks_without_end_are_no_page(mark: str) -> None:
    begun = time.process_time()
    assert prose(mark * 100_000) == ""
    assert time.process_time() - begun < _MOST_S
    assert _PROSE in prose(f"<p>{_PROSE}</p><p>{_PROSE} {mark}")
