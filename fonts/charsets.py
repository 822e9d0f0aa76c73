"""The characters that small text must show: printable ASCII and GB2312 levels 1 and 2."""

from __future__ import annotations


def _gb2312(first_row: int, last_row: int) -> str:
    # A row of the code table is 94 cells; the last row of level 1 is not full.
    cells = (
        bytes((row, cell)) for row in range(first_row, last_row + 1) for cell in range(0xA1, 0xFF)
    )
    return "".join(pair.decode("gb2312", errors="ignore") for pair in cells)


ASCII_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
GB2312_LEVEL_1 = _gb2312(0xB0, 0xD7)  # 3,755 characters, by frequency of use
GB2312_LEVEL_2 = _gb2312(0xD8, 0xF7)  # 3,008 rarer ones
CHINESE_PUNCTUATION = "，。、；：？！“”‘’（）《》〈〉【】『』「」—…·～"


def character_set(language: str) -> str:
    """What a run in `language` (`en`, `zh`, `mixed`) should show at least once, without spaces."""
    if language == "en":
        return ASCII_PRINTABLE
    if language in ("zh", "mixed"):
        return ASCII_PRINTABLE + CHINESE_PUNCTUATION + GB2312_LEVEL_1 + GB2312_LEVEL_2
    raise ValueError(f"a language is en, zh or mixed; got {language!r}")
