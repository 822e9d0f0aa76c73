"""Characters of pages that no renderer drew: set in lines, each in a box of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vae_corpus.characters import Characters


def set_in_lines(
    lines: Sequence[str],
    *,
    em_px: float = 10.0,
    left: float = 20.0,
    top: float = 20.0,
    pitch: float = 2.0,
) -> Characters:
    """Lines one below the other, `pitch` em apart; each character is half an em wide, an em high.

    White space takes its place and has no ink.
    """
    boxes: list[tuple[float, float, float, float]] = []
    numbers: list[int] = []
    for number, line in enumerate(lines):
        y = top + number * pitch * em_px
        for place, character in enumerate(line):
            x = left + place * em_px / 2
            inked = not character.isspace()
            boxes.append((x, y, x + em_px / 2, y + em_px) if inked else (0, 0, 0, 0))
            numbers.append(number)
    count = len(boxes)
    return Characters(
        text="".join(lines),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        em_px=np.full(count, em_px, np.float32),
        line=np.array(numbers, np.int32),
        font=np.zeros(count, np.int32),
        fonts=("Plain",),
    )


def words_of(count: int, seed: int = 0) -> list[str]:
    """Words of four to nine letters, all but surely different ones."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(rng.choice(letters, int(rng.integers(4, 10)))) for _ in range(count)]


def wrapped(words: Sequence[str], width: int) -> list[str]:
    """Words in lines of at most so many characters, where none is longer."""
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) > width and lines[-1]:
            # Two lines share no gap: a space ends the one.
            lines[-1] += " "
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
