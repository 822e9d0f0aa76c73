"""Texts to render: paragraphs of real documents, topped up so that rare characters occur too.

Technical Chinese prose uses some 1,000 distinct characters, a reader meets 6,763: a share of the
texts is therefore drawn evenly from the whole character set of the language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fonts.charsets import character_set
from renderers.dice import Dice
from renderers.text_clean import paragraphs
from renderers.text_files import UnreadableText, documents

TOP_UP_SHARE = 0.15


@dataclass(frozen=True)
class TextSource:
    """Clean paragraphs of one language ("en" or "zh"), each on one line.

    ValueError when there are none: an empty source would make empty pages.
    """

    language: str
    paragraphs: tuple[str, ...]
    top_up_share: float = TOP_UP_SHARE

    def __post_init__(self) -> None:
        if self.language not in ("en", "zh"):
            raise ValueError(f"a text source is in en or zh; got {self.language!r}")
        if not self.paragraphs:
            raise ValueError(
                f"the {self.language} text source has no usable paragraph: give prose in that "
                "language, at least a line of it"
            )
        if not all(self.paragraphs):
            raise ValueError(f"the {self.language} text source has an empty paragraph")

    @classmethod
    def from_paths(
        cls, paths: Sequence[Path], *, language: str, top_up_share: float = TOP_UP_SHARE
    ) -> TextSource:
        """Read files and folders (see `text_files`); each paragraph once, in order of first sight.

        UnreadableText for a path that cannot be read, or when nothing in it is prose in `language`.
        """
        found = dict.fromkeys(
            paragraph
            for document in documents(paths)
            for paragraph in paragraphs(document, language)
        )
        if not found:
            places = ", ".join(map(str, paths)) or "no path at all"
            raise UnreadableText(f"no {language} prose in {places}")
        return cls(language, tuple(found), top_up_share)

    def draw(self, dice: Dice) -> str:
        """A paragraph, or for a `top_up_share` of the calls one of evenly drawn characters."""
        if dice.random() < self.top_up_share:
            return balanced(dice, self.language)
        return dice.pick(self.paragraphs)


def balanced(dice: Dice, language: str) -> str:
    """24 to 96 characters, drawn evenly from the character set of `language`, in short groups."""
    characters = character_set(language)
    count = 24 + dice.below(73)
    separator = "，" if language == "zh" else " "
    # Drawn all at once: single draws would cost as much as the rest of a recipe.
    drawn = list(map(characters.__getitem__, dice.many_below(len(characters), count)))
    at = 2 + dice.below(7)
    while at < count:
        drawn[at] = separator + drawn[at]
        at += 2 + dice.below(7)
    return "".join(drawn)


def mixed(dice: Dice, chinese: str, english: str) -> str:
    """`chinese` with one to four short runs of `english` words set into it, none of them twice."""
    words = english.split()
    pieces = re.split(r"(?<=[，。；、！？])", chinese)
    start = dice.below(len(words))
    for _ in range(1 + dice.below(4)):
        count = 1 + dice.below(4)
        run, start = " ".join(words[start : start + count]), start + count
        if not run:
            break
        pieces.insert(dice.below(len(pieces) + 1), f" {run} " if dice.random() < 0.6 else run)
    return "".join(pieces).strip()
