from __future__ import annotations

import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.setting.shaping import Shaper
from renderers.setting.typesetting import Galley
from renderers.text.numbers import write_numbers
from renderers.text.phrases import Phrases
from tests.tiny_font import CHINESE, write_font

PARAGRAPHS = ("One two three, four five.", "* Six seven-eight nine", "春眠不觉晓，处处闻啼鸟。")


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "all.ttf", ASCII_PRINTABLE + CHINESE)
    return discover([folder], cache=folder / "cache")[0]


def _phrases(face: Face) -> tuple[Phrases, Galley]:
    galley = Galley(Shaper(), [face])
    return Phrases(galley, galley.write(PARAGRAPHS)), galley


def _cut(phrases: Phrases, galley: Galley, characters: int, fresh: str) -> list[str]:
    """`fresh` has an "f" for each phrase that begins a paragraph and a "-" for each other."""
    texts = phrases.cut(
        np.full(len(fresh), characters, dtype=np.int32), np.array([c == "f" for c in fresh])
    )
    return [galley.text(begin, end) for begin, end, _ in texts.tolist()]


def test_phrases_go_through_the_paragraphs_and_have_clean_ends(face: Face) -> None:
    phrases, galley = _phrases(face)
    assert _cut(phrases, galley, 9, "--------") == [
        "One two",
        "three",
        "four",
        "five",
        "Six",
        "seven",
        "eight",
        "nine",
    ]
    assert _cut(phrases, galley, 9, "---") == ["春眠不觉晓，处处闻", "啼鸟"]


def test_a_phrase_longer_than_wanted_is_a_whole_word(face: Face) -> None:
    assert _cut(*_phrases(face), 2, "--") == ["One", "two"]


def test_a_fresh_phrase_begins_a_paragraph_and_the_rest_comes_last(face: Face) -> None:
    phrases, galley = _phrases(face)
    assert _cut(phrases, galley, 9, "fff") == ["One two", "Six", "春眠不觉晓，处处闻"]
    whole = phrases.whole(1_000)
    assert [galley.text(begin, end) for begin, end, _ in whole.tolist()] == [
        "three, four five.",
        "seven-eight nine",
    ]
    # What the last phrase left is cut on.
    assert _cut(phrases, galley, 9, "--") == ["啼鸟"]
    assert not len(phrases.whole(1))


def test_whole_paragraphs_come_in_order_until_there_are_enough_characters(face: Face) -> None:
    phrases, galley = _phrases(face)
    for wanted, got in ((1, 1), (1_000, 2), (1, 0)):
        assert len(phrases.whole(wanted)) == got
    assert _cut(phrases, galley, 9, "-") == []


def test_no_texts_and_empty_ones_give_no_phrases(face: Face) -> None:
    for texts in ([], ["", ""], ["", " ， "]):
        galley = Galley(Shaper(), [face])
        phrases = Phrases(galley, galley.write(texts))
        assert _cut(phrases, galley, 4, "f-f") == []
    galley = Galley(Shaper(), [face])
    phrases = Phrases(galley, galley.write(["", "abcdef ghi", ""]))
    assert _cut(phrases, galley, 4, "---") == ["abcdef", "ghi"]


def test_numbers_are_short_printable_and_of_all_kinds() -> None:
    found = write_numbers(np.random.default_rng(0).random((4000, 3)))
    assert all(number.isascii() and number.isprintable() for number in found)
    assert {len(number) for number in found} <= set(range(1, 15))
    shapes = {"".join("9" if c.isdigit() else c for c in number) for number in found}
    assert {"9", "999,999", "99.99", "99.9%", "9999-99-99", "99:99", "$99,999.99"} <= shapes
    assert {"A99-99", "-9.9e9", "+9.9e9"} <= shapes
    assert not any(number.startswith("0") for number in found if "," in number)


def test_numbers_at_the_edges_of_their_draws() -> None:
    edge = np.nextafter(1.0, 0.0)
    drawn = np.array([[0, edge, 0], [0, 0, 0], [5 / 8, edge, edge], [edge, edge, edge]])
    assert write_numbers(drawn) == ["999,999", "1", "$999,999.99", "-9.9e0"]
