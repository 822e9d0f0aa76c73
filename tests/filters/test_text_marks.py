"""Text marks follow what a page says, and neither how large nor where it says it."""

from __future__ import annotations

from collections import Counter

import pytest

from filters.text_marks import HAN_RUN_CHARS, KEPT_OF, RUN_CHARS, SCORE, text_marks
from tests.characters import set_in_lines, words_of, wrapped
from tests.pictures import page
from vae_corpus.characters import Characters, KnownText
from vae_corpus.score_types import Look

WORDS = words_of(400)


def hashes(characters: Characters) -> list[int]:
    return [mark["hash"] for mark in text_marks(characters)]


def of(text: str) -> list[int]:
    return hashes(set_in_lines([text]))


def test_the_same_text_has_the_same_marks_wherever_it_stands() -> None:
    narrow = set_in_lines(wrapped(WORDS, 30), em_px=8)
    wide = set_in_lines(wrapped(WORDS, 90), em_px=21.5, left=200, top=99)
    assert hashes(narrow) == hashes(wide) and len(hashes(wide)) > 100


def test_white_space_and_case_say_nothing() -> None:
    text = " ".join(WORDS[:40])
    assert of(text) == of(text.upper()) == of(text.replace(" ", "")) == of(text.replace(" ", "   "))


def test_letters_in_other_forms_are_the_same() -> None:
    plain = "the official offer of fluffy waffles 12345 affected all of us"
    ligatures = plain.replace("ffi", "ﬃ").replace("fl", "ﬂ").replace("ff", "ﬀ")
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in plain)
    assert of(plain) == of(ligatures) == of(wide) and of(plain)


def test_one_other_character_changes_at_most_a_run_for_each_of_its_places() -> None:
    text = "".join(WORDS)
    whole = Counter(of(text))
    for place in range(0, len(text), 97):
        changed = text[:place] + "@" + text[place + 1 :]
        other = Counter(of(changed))
        assert (whole - other).total() <= RUN_CHARS and (other - whole).total() <= RUN_CHARS


def test_runs_of_han_are_of_three() -> None:
    letters = [chr(0x4E00 + 7 * n) for n in range(900)]
    whole = Counter(of("".join(letters)))
    for place in range(0, 900, 59):
        changed = "".join([*letters[:place], "龘", *letters[place + 1 :]])
        assert (whole - Counter(of(changed))).total() <= HAN_RUN_CHARS
    # A run in Chinese that stands in both is a mark in both.
    alone = set(of("甲乙丙" + "".join(letters[:300]))) & set(whole)
    assert alone


def test_one_run_in_four_is_kept() -> None:
    for text in (
        "".join(words_of(3000)),
        "".join(chr(0x4E00 + (n * n) % 19000) for n in range(9000)),
    ):
        share = len(of(text)) / (len(text) - RUN_CHARS + 1)
        assert share == pytest.approx(1 / KEPT_OF, rel=0.05)


def test_a_mark_stands_at_its_first_character() -> None:
    text = "".join(WORDS)
    said = set_in_lines(wrapped([*text], 80), em_px=9.5, left=33.7, top=12.3)
    corners = {tuple(corner) for corner in said.boxes[:, :2].astype(int).tolist()}
    marks = text_marks(said)
    assert marks and all((mark["x"], mark["y"]) in corners for mark in marks)
    places = [(mark["y"], mark["x"]) for mark in marks]
    assert places == sorted(places) and len(set(places)) == len(places)


def test_the_marks_of_a_part_are_among_those_of_the_whole() -> None:
    lines = wrapped(WORDS, 60)
    whole = text_marks(set_in_lines(lines))
    part = text_marks(set_in_lines(lines[:10]))
    assert part == whole[: len(part)] and len(part) > 50


def test_places_beyond_the_page_are_held_in_range() -> None:
    for left in (-300.0, 70_000.0):
        marks = text_marks(set_in_lines(["".join(WORDS[:30])], left=left, top=left))
        assert marks and all(0 <= mark[side] <= 65535 for mark in marks for side in "xy")


@pytest.mark.parametrize("text", ["", "    ", "abcd", "甲乙", "ab cd"])
def test_little_text_has_no_marks(text: str) -> None:
    assert of(text) == []


def test_any_code_point_has_a_mark() -> None:
    assert of("".join(map(chr, (*range(0xD7C0, 0xD840), *range(0x10FF80, 0x110000)))))


def test_pages_in_doubt_and_pictures_have_none() -> None:
    prepared = SCORE.prepare(None)
    assert prepared is not None
    said = set_in_lines([" ".join(WORDS)])
    rgb = page(64, 64)
    assert prepared.measure(Look(rgb)) == {}
    assert prepared.measure(Look(rgb, known=KnownText(characters=said, doubt="unseen"))) == {}
    told = prepared.measure(Look(rgb, known=KnownText(characters=said)))
    assert told == {"text_marks": text_marks(said)}
