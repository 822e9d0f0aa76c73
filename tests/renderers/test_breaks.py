from __future__ import annotations

import pytest

from renderers.breaks import NEVER_FIRST, NEVER_LAST, opportunities


def _pieces(text: str) -> list[str]:
    stops = opportunities(text).tolist()
    return [text[a:b] for a, b in zip([0, *stops[:-1]], stops, strict=True)]


def test_latin_breaks_after_spaces_and_inner_hyphens() -> None:
    assert _pieces("a well-known fact") == ["a ", "well-", "known ", "fact"]


def test_han_breaks_between_characters_and_keeps_latin_words() -> None:
    assert _pieces("使用dpkg命令") == ["使", "用", "dpkg", "命", "令"]


@pytest.mark.parametrize("mark", [c for c in NEVER_FIRST if c not in NEVER_LAST + "'\""])
def test_no_line_begins_with_closing_punctuation(mark: str) -> None:
    assert all(not piece.startswith(mark) for piece in _pieces(f"汉字{mark}汉字")[1:])


@pytest.mark.parametrize("mark", NEVER_LAST)
def test_no_line_ends_with_an_opening_bracket(mark: str) -> None:
    assert all(not piece.endswith(mark) for piece in _pieces(f"汉字{mark}汉字"))


def test_double_dashes_and_ellipses_stay_whole() -> None:
    for pair in ("——", "……"):
        assert any(pair in piece for piece in _pieces(f"他说{pair}好"))


def test_empty_text_has_no_place_to_break_but_its_end() -> None:
    assert opportunities("").tolist() == [0]
