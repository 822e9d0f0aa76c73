"""Blocks of text set with faces: running text, characters at random, numbers, one word to a page.

Running text is of one country and one subject; characters drawn at random from those that GB2312
and Big5 call frequent show all strokes, also of faces that only Taiwan or Japan reads.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from text_composites import Ink, drawn_ink

from fonts.faces import Face
from renderers.text.corpora import TextSource

# A face writes Chinese when it has so many of the frequent characters.
_LEAST_HAN = 1000
_MARKS = "，。、；：！？（）「」《》“”"
_DIGITS = "0123456789" * 3 + ".,:-/$%+ "


def drawn(
    faces: Sequence[Face],
    texts: dict[str, TextSource],
    em: float,
    room: int,
    rng: np.random.Generator,
) -> Ink:
    """A block of `em` px that may be as wide as `room` px, of one family drawn at random."""
    language = "zh" if rng.random() < 0.5 else "en"
    families = _families(tuple(faces), language)
    members = families[int(rng.integers(len(families)))]
    face = members[int(rng.integers(len(members)))]
    vertical = language == "zh" and rng.random() < 0.08
    # From one word to many lines; most blocks are small.
    width = float(np.exp(rng.uniform(np.log(1.5 * em), np.log(max(room * 0.95, 2 * em)))))
    count = (
        1 if rng.random() < 0.4 else 1 + int(rng.integers(1, max(2, min(16, int(room / em / 1.6)))))
    )
    columns = max(2, int(width / em / (1.0 if language == "zh" else 0.52)))
    lines = [_line(texts[language], language, columns, face, rng) for _ in range(count)]
    return drawn_ink(face, lines, em, float(rng.uniform(1.1, 1.7)), rng.random() < 0.3, vertical)


@functools.lru_cache
def _families(faces: tuple[Face, ...], language: str) -> list[list[Face]]:
    """Faces that write the language, family by family: some have one face and some thirty."""
    found: dict[str, list[Face]] = {}
    for face in faces:
        if language in face.languages or language == "zh" and len(_han_of(face)) >= _LEAST_HAN:
            found.setdefault(face.family, []).append(face)
    return list(found.values())


def _line(
    source: TextSource, language: str, columns: int, face: Face, rng: np.random.Generator
) -> str:
    kind = rng.random()
    if kind < 0.12:
        text = "".join(_DIGITS[int(i)] for i in rng.integers(len(_DIGITS), size=columns))
    elif language == "en":
        text = _running(source, columns, rng, at_word=True)
        if kind < 0.3:
            text = text.upper() if kind < 0.2 else text.title()
    else:
        text = _running(source, columns, rng, at_word=False)
        if kind < 0.5 or sum(not face.covers(c) for c in text) > 0.05 * len(text):
            text = _at_random(face, columns, rng)
    # Some faces lack rare characters; a box for them is no text.
    text = "".join(c if face.covers(c) else "一" if language == "zh" else "e" for c in text).strip()
    return text or ("一二" if language == "zh" else "Title")


def _running(source: TextSource, columns: int, rng: np.random.Generator, *, at_word: bool) -> str:
    text = source.paragraphs[int(rng.integers(len(source.paragraphs)))]
    start = int(rng.integers(max(1, len(text) - columns)))
    if at_word:
        start = text.rfind(" ", 0, start) + 1
    return text[start : start + columns]


def _at_random(face: Face, columns: int, rng: np.random.Generator) -> str:
    """Han characters that the face has, with marks, and sometimes Latin letters in between."""
    stock, marks = _han_of(face), rng.random(columns) < 0.08
    picked = (stock[int(i)] for i in rng.integers(len(stock), size=columns))
    text = [
        _MARKS[int(rng.integers(len(_MARKS)))] if mark else char
        for char, mark in zip(picked, marks, strict=True)
    ]
    if columns > 3 and rng.random() < 0.3:
        start, length = int(rng.integers(columns - 1)), int(rng.integers(1, 1 + columns // 2))
        letters = rng.integers(33, 127, size=min(length, columns - start))
        text[start : start + len(letters)] = [chr(int(letter)) for letter in letters]
    return "".join(text)


@functools.cache
def _han_of(face: Face) -> str:
    return "".join(char for char in _frequent() if face.covers(char))


@functools.lru_cache
def _frequent() -> str:
    """The characters that GB2312 and Big5 have on their first level, each once."""
    simplified = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    traditional = (
        bytes((row, cell))
        for row in range(0xA4, 0xC7)
        for cell in (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    )
    known = [pair.decode("gb2312", "ignore") for pair in simplified]
    known += [pair.decode("big5", "ignore") for pair in traditional]
    return "".join(dict.fromkeys(char for char in "".join(known) if "\u4e00" <= char <= "\u9fff"))
