"""What a crop has to be, by language, and what language a text is (report, Evaluation, text)."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

SIDE_PX = 256
# Share by which the median glyph may miss its height. Our choice: the report says "about".
TOLERANCE = 0.15

# Of words in English prose 25 to 40 % are among these, in French or German below 8 %.
_FUNCTION_WORDS = frozenset(
    re.findall(r"\w+", "the of and to is for that with this are be as by it or from you can not")
)
_LEAST_FUNCTION_WORDS = 0.12
_LEAST_HAN = 0.6
_LEAST_LATIN = 0.95
_WORD = re.compile(r"[A-Za-z]+")
# Letters from the baseline to the full height; J and Q may reach below. Digits may be small ones.
_FULL_HEIGHT = frozenset("ABCDEFGHIKLMNOPRSTUVWXYZbdhkl")


@dataclass(frozen=True, kw_only=True)
class Standard:
    """Heights and counts for crops of a language.

    `glyph_px` is the height of the ink of a full character: of the median Han ideograph, and of the
    median capital or ascender in English. Our choice, the only reading under which the report's
    figures fit each other: English of 10 px type fills 256 x 256 px with about 1,000 characters,
    small letters of 10 px with 300 at most; with capitals of 10 px, 400 to 600 stand there.
    """

    language: str
    glyph_px: float
    least_chars: int
    most_chars: int
    ngram: int

    def fits(self, chars: int) -> bool:
        return self.least_chars <= chars <= self.most_chars

    def off(self, glyph_px: float) -> float:
        """By which share a height misses the one that is asked for."""
        return abs(glyph_px / self.glyph_px - 1)


ZH = Standard(language="zh", glyph_px=16, least_chars=200, most_chars=600, ngram=3)
EN = Standard(language="en", glyph_px=10, least_chars=300, most_chars=600, ngram=5)
STANDARDS = {standard.language: standard for standard in (ZH, EN)}


def is_han(character: str) -> bool:
    """Whether it is a Han ideograph: those of the basic plane, and all of plane 2 and 3."""
    code = ord(character)
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x3FFFF


def is_measured(character: str, standard: Standard) -> bool:
    """Whether its height counts: Han in Chinese, letters of full height in English."""
    return is_han(character) if standard is ZH else character in _FULL_HEIGHT


def standard_of(text: str) -> Standard | None:
    """Chinese by its characters, English by its commonest words; None for anything else."""
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return None
    if sum(map(is_han, letters)) >= _LEAST_HAN * len(letters):
        return ZH
    latin = sum(c.isascii() for c in letters)
    words = _WORD.findall(text.lower())
    common = sum(word in _FUNCTION_WORDS for word in words)
    if latin >= _LEAST_LATIN * len(letters) and common >= _LEAST_FUNCTION_WORDS * len(words):
        return EN
    return None


def is_sound(character: str) -> bool:
    """Whether a text layer that says this character can be believed."""
    return character != "\ufffd" and not unicodedata.category(character).startswith("C")


def joined(words: str) -> str:
    """A line's text: single spaces, and none beside a Han character or full-width sign.

    Typesetters put a gap there and text layers take it for a space, now here, now there.
    """
    text = re.sub(r"\s+", " ", words).strip()
    wide = [unicodedata.east_asian_width(c) in "WF" for c in text]
    last = len(text) - 1
    return "".join(
        c for i, c in enumerate(text) if c != " " or not (wide[i - 1] or wide[min(i + 1, last)])
    )
