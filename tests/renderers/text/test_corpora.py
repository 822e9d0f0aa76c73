from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fonts.charsets import ASCII_PRINTABLE, GB2312_LEVEL_1, GB2312_LEVEL_2, character_set
from renderers.dice import Dice
from renderers.text.cleaning import clean, paragraphs
from renderers.text.corpora import TextSource, mixed
from renderers.text.files import UnreadableText, documents

ENGLISH = "The rain had stopped by noon, and the roofs of the mill were steaming."
CHINESE = "在打包项目中，很难避免遇到与你意见不和的人。"


def test_the_character_sets_have_their_published_sizes() -> None:
    assert (len(ASCII_PRINTABLE), len(GB2312_LEVEL_1), len(GB2312_LEVEL_2)) == (94, 3755, 3008)


def test_cleaning_composes_and_drops_what_does_not_print() -> None:
    assert clean("cafe\u0301 \u200bau\x07 lait\ufeff") == "café au lait"
    assert clean("Chapter 1 ........ 7") == "Chapter 1 7"
    assert clean("smile \U0001f600 now") == "smile now"


@pytest.mark.parametrize("broken", ["cafÃ© au lait", "itâ€™s", "锟斤拷锟斤拷", "a \ufffd b"])
def test_mojibake_is_refused(broken: str) -> None:
    assert clean(broken) == ""


def test_words_from_right_to_left_are_refused() -> None:
    assert clean("Latin words and שלום in one line") == ""
    assert clean("words and العربية") == ""
    assert clean("Latin words and Ωμέγα in one line")


def test_lines_are_joined_as_the_script_wants_it() -> None:
    assert list(paragraphs("one line\nof English prose", "en")) == ["one line of English prose"]
    assert list(paragraphs("很难避免遇到\n与你意见不和", "zh")) == ["很难避免遇到与你意见不和"]


def test_long_documents_come_in_pieces_that_lose_nothing() -> None:
    pieces = list(paragraphs(" ".join([ENGLISH] * 40), "en"))
    assert len(pieces) > 3
    assert max(map(len, pieces)) <= 600
    assert " ".join(pieces) == " ".join([ENGLISH] * 40)


def test_each_kind_of_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(ENGLISH, encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(json.dumps({"id": 1, "text": CHINESE}), encoding="utf-8")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(CHINESE.encode("gb18030")))
    (tmp_path / "d").write_text(f"{ENGLISH}\n%\n{ENGLISH[::-1]}\n%\n", encoding="utf-8")
    pq.write_table(pa.table({"n": [1], "content": [ENGLISH]}), tmp_path / "e.parquet")
    (tmp_path / "f.1").write_text(
        '.\\" note\n.TH F 1\n.SH NAME\n\\fBf\\fR \\- does things', encoding="utf-8"
    )
    found = [text.strip() for text in documents([tmp_path])]
    assert found[:3] == [ENGLISH, CHINESE, CHINESE]
    assert found[3:5] == [ENGLISH, ENGLISH[::-1]]
    assert found[-2] == ENGLISH
    assert found[-1].split() == ["NAME", "f", "-", "does", "things"]


def test_unusable_paths_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableText, match="no such text"):
        list(documents([tmp_path / "nowhere"]))
    (tmp_path / "bits.txt").write_bytes(bytes(range(128, 256)))
    with pytest.raises(UnreadableText, match="bits.txt"):
        list(documents([tmp_path / "bits.txt"]))
    (tmp_path / "bits.txt").write_text(ENGLISH, encoding="utf-8")
    with pytest.raises(UnreadableText, match="no zh prose"):
        TextSource.from_paths([tmp_path / "bits.txt"], language="zh")


def test_an_empty_source_is_an_error() -> None:
    with pytest.raises(ValueError, match="no usable paragraph"):
        TextSource("en", ())
    with pytest.raises(ValueError, match="empty paragraph"):
        TextSource("en", (ENGLISH, ""))


def test_top_up_reaches_every_character() -> None:
    dice = Dice(np.random.default_rng(0))
    for language, draws in (("en", 120), ("zh", 2000)):
        source = TextSource(language, (ENGLISH,), top_up_share=1.0)
        seen = set("".join(source.sample(dice, draws)))
        assert set(character_set(language)) <= seen


def test_mixing_keeps_the_chinese_and_adds_english() -> None:
    text = mixed(Dice(np.random.default_rng(1)), CHINESE, ENGLISH)
    assert [c for c in text if c in set(CHINESE)] == list(CHINESE)
    assert any(word in text for word in ENGLISH.split())


def test_no_english_word_is_set_into_a_paragraph_twice() -> None:
    words = [f"word{number}" for number in range(12)]
    counts = []
    for seed in range(60):
        text = mixed(Dice(np.random.default_rng(seed)), CHINESE, " ".join(words))
        found = re.findall(r"word\d+?(?=word|\D|$)", text)
        assert len(found) == len(set(found)) > 0
        counts.append(len(found))
    assert max(counts) > 6
