"""Make clean paragraphs out of raw documents: NFC, no control characters, no mojibake.

A paragraph is one line of text. Lines of the document are joined, with a space between Latin words
and without one between Han characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

MIN_CHARS, MAX_CHARS = 6, 600
# A block that is longer, such as a file in one line, is cleaned in parts.
_MAX_BLOCK_CHARS = 1 << 20
# More marks on one letter are noise, and bringing them in order takes the square of their number.
# The limit is that of Unicode's Stream-Safe Text Format (UAX 15, section 13).
_MAX_MARKS = 30

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OVERSTRIKE = re.compile(r".\x08")
_WIDE = r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f]"
_BETWEEN_WIDE = re.compile(rf"(?<={_WIDE})\s+(?={_WIDE})")
_WHITE = re.compile(r"\s+")
# Leaders, rules and ASCII boxes: no one reads them, and they crowd out words.
_RULE = re.compile(r"([.\-_=*~#+|·—])(?:\s?\1){3,}")
_HAN = re.compile(r"[\u3400-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_SENTENCE_END = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+")
# UTF-8 read as Latin-1 or cp1252 (first two), UTF-8 read as GBK, and uninitialised memory.
_MOJIBAKE = re.compile(r"[ÃÂ][\u0080-\u00bf]|â€|ï»¿|锟斤|斤拷|烫烫|屯屯|[\ufffd\u0080-\u009f]")
# Hebrew, Arabic, Syriac, Thaana and their presentation forms.
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe]")


def paragraphs(document: str, language: str) -> Iterator[str]:
    """The usable paragraphs of `document` in `language` ("en" or "zh"), 6 to 600 characters."""
    text = _OVERSTRIKE.sub("", _ANSI.sub("", document)).replace("\r\n", "\n")
    for block in re.split(r"\n[ \t]*\n", text):
        for part in _parts(block):
            line = clean(_BETWEEN_WIDE.sub(_joined, part))
            if line and is_language(line, language):
                yield from _pieces(line)


def _parts(block: str) -> Iterator[str]:
    start = 0
    while len(block) - start > _MAX_BLOCK_CHARS:
        end = block.rfind(" ", start, start + _MAX_BLOCK_CHARS) + 1 or start + _MAX_BLOCK_CHARS
        yield block[start:end]
        start = end
    yield block[start:]


def _joined(white: re.Match[str]) -> str:
    return "" if "\n" in white[0] else white[0]


def clean(text: str) -> str:
    """NFC, one line, only characters that print.

    "" for mojibake, and for text with words that run from right to left: lines do not.
    """
    if text.isascii():
        text = text.translate(_CONTROLS)
        return _WHITE.sub(" ", _RULE.sub(" ", text)).strip()
    text = unicodedata.normalize("NFC", _stacked().sub(r"\1", text))
    if _MOJIBAKE.search(text) or _RIGHT_TO_LEFT.search(text):
        return ""
    # Cf holds joiners and direction marks, Co private use, Cn unassigned, So emoji and dingbats.
    text = "".join(
        c if c.isascii() or unicodedata.category(c) not in _UNPRINTABLE else " " for c in text
    )
    text = "".join(c if c >= " " and c != "\x7f" else " " for c in text)
    return _WHITE.sub(" ", _RULE.sub(" ", text)).strip()


_CONTROLS = dict.fromkeys([*range(32), 127], " ")
_UNPRINTABLE = {"Cc", "Cf", "Co", "Cn", "Cs", "So", "Zl", "Zp"}


@cache
def _stacked() -> re.Pattern[str]:
    marks = "".join(chr(c) for c in range(0x300, 0x1F000) if unicodedata.combining(chr(c)))
    return re.compile(f"([{marks}]{{{_MAX_MARKS}}})[{marks}]+")


def is_language(line: str, language: str) -> bool:
    """Whether enough of `line` is prose of that language (and not a table or a listing)."""
    if len(line) < MIN_CHARS:
        return False
    han, latin = len(_HAN.findall(line)), len(_LATIN.findall(line))
    if language == "zh":
        return han >= 0.35 * len(line)
    return latin >= 0.6 * len(line) and not han


def _pieces(line: str) -> Iterator[str]:
    piece = ""
    for sentence in _SENTENCE_END.split(line):
        if piece and len(piece) + len(sentence) > MAX_CHARS:
            yield piece
            piece = ""
        glue = " " if piece and piece[-1].isascii() else ""
        piece += glue + sentence[:MAX_CHARS]
    if len(piece) >= MIN_CHARS:
        yield piece
