from __future__ import annotations

import numpy as np
import pytest

from fonts.coverage import code_points
from renderers.setting import lines
from renderers.setting.line_breaks import CLASSES, NEVER_FIRST, NEVER_LAST


def _pieces(*texts: str) -> list[str]:
    """Several texts stand one after the other."""
    points = code_points("".join(texts)).copy()
    flags = np.zeros(len(points), dtype=np.uint8)
    lines.mark(points, np.cumsum(list(map(len, texts)), dtype=np.int32), CLASSES, flags, 0)
    stops = [*np.flatnonzero(flags & lines.START).tolist(), len(points)]
    return ["".join(texts)[a:b] for a, b in zip([0, *stops[:-1]], stops, strict=True)]


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


def test_a_text_does_not_know_the_one_before_it() -> None:
    assert _pieces("one ", "two three") == ["one two ", "three"]
