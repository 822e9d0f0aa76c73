"""Texts to render: paragraphs of real documents, topped up so that rare characters occur too.

Technical Chinese prose uses some 1,000 distinct characters, a reader meets 6,763: a share of the
texts is therefore drawn evenly from the whole character set of the language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fonts.charsets import character_set
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

    def draw(self, rng: np.random.Generator) -> str:
        """A paragraph, or for a `top_up_share` of the calls one of evenly drawn characters."""
        if rng.random() < self.top_up_share:
            return balanced(rng, self.language)
        return self.paragraphs[int(rng.integers(len(self.paragraphs)))]


def balanced(rng: np.random.Generator, language: str) -> str:
    """24 to 96 characters, drawn evenly from the character set of `language`, in short groups."""
    characters = character_set(language)
    count = int(rng.integers(24, 97))
    drawn = "".join(map(characters.__getitem__, rng.integers(len(characters), size=count).tolist()))
    groups, at = [], 0
    for length in rng.integers(2, 9, size=count).tolist():
        if at >= count:
            break
        groups.append(drawn[at : at + length])
        at += length
    return ("，" if language == "zh" else " ").join(groups)


def mixed(rng: np.random.Generator, chinese: str, english: str) -> str:
    """`chinese` with one to four short runs of `english` words set into it, none of them twice."""
    words = english.split()
    pieces = re.split(r"(?<=[，。；、！？])", chinese)
    start = int(rng.integers(len(words)))
    for _ in range(int(rng.integers(1, 5))):
        count = int(rng.integers(1, 5))
        run, start = " ".join(words[start : start + count]), start + count
        if not run:
            break
        pieces.insert(int(rng.integers(len(pieces) + 1)), f" {run} " if rng.random() < 0.6 else run)
    return "".join(pieces).strip()
