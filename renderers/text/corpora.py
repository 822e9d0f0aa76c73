"""Texts to render: paragraphs of real documents, topped up so that rare characters occur too.

Technical Chinese prose uses some 1,000 distinct characters, a reader meets 6,763: a share of the
texts is therefore drawn evenly from the whole character set of the language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fonts.charsets import character_set
from fonts.coverage import code_points
from renderers.dice import Dice
from renderers.text.cleaning import paragraphs
from renderers.text.files import UnreadableText, documents

TOP_UP_SHARE = 0.15
# The fewest and the most characters of a text that is drawn for this.
_TOP_UP = (24, 96)
_MEAN_TOP_UP = sum(_TOP_UP) / 2


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
        """Read files and folders (see `text.files`); each paragraph once, in order of first sight.

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

    @cached_property
    def mean_length(self) -> float:
        """Of a drawn text, in characters."""
        prose = sum(map(len, self.paragraphs)) / len(self.paragraphs)
        return prose + self.top_up_share * (_MEAN_TOP_UP - prose)

    def sample(self, dice: Dice, count: int) -> list[str]:
        """Paragraphs; a `top_up_share` of them, by chance, are of evenly drawn characters."""
        drawn = list(map(self.paragraphs.__getitem__, dice.many_below(len(self.paragraphs), count)))
        topped_up = np.flatnonzero(dice.rng.random(count) < self.top_up_share).tolist()
        for place, text in zip(
            topped_up, balanced(dice, self.language, len(topped_up)), strict=True
        ):
            drawn[place] = text
        return drawn


def balanced(dice: Dice, language: str, count: int) -> list[str]:
    """Texts of characters drawn evenly from the character set of `language`, in short groups.

    Each has 24 to 96 of them.
    """
    low, high = _TOP_UP
    ends = np.cumsum([low + draw for draw in dice.many_below(high + 1 - low, count)]).tolist()
    # Drawn all at once: single draws would cost as much as the rest of a recipe.
    total = ends[-1] if ends else 0
    everything = _code_points(language)
    places = dice.many_below(len(everything), total)
    drawn = everything[places].tobytes().decode("utf-32-le")
    groups = dice.many_below(7, total // 2 + count)
    separator = "，" if language == "zh" else " "
    texts, begin = [], 0
    for end in ends:
        pieces = []
        while begin < end:
            after = min(begin + 2 + groups.pop(), end)
            pieces.append(drawn[begin:after])
            begin = after
        texts.append(separator.join(pieces))
    return texts


@cache
def _code_points(language: str) -> npt.NDArray[np.uint32]:
    return code_points(character_set(language)).copy()


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
