from __future__ import annotations

import numpy as np
import pytest

from renderers.dice import Dice
from renderers.text.code import STYLES, code_line


@pytest.mark.parametrize("style", STYLES)
def test_lines_are_printable_and_varied(style: str) -> None:
    dice = Dice(np.random.default_rng(1))
    lines = [code_line(dice, style, depth % 3) for depth in range(400)]
    said = [line.before + line.after for line in lines]
    assert all(text.isascii() and text.isprintable() and text for text in said)
    assert len(set(said)) > 180
    assert any(line.words for line in lines)


@pytest.mark.parametrize("style", STYLES)
def test_what_opens_a_block_goes_deeper(style: str) -> None:
    dice = Dice(np.random.default_rng(2))
    for _ in range(400):
        line = code_line(dice, style, 1)
        opens = (line.before + line.after).endswith(("{", ":"))
        assert (line.deeper > 0) == opens


def test_no_block_is_closed_that_is_not_open() -> None:
    dice = Dice(np.random.default_rng(3))
    for style in STYLES:
        assert min(code_line(dice, style, 0).deeper for _ in range(300)) == 0
        assert min(code_line(dice, style, 1).deeper for _ in range(300)) == -1
