"""What writes the words of a document: prose cut out of the corpora, labels, both in what is shown.

Every string that a pen gives is one that the fonts of the document write; what they cannot write
is drawn again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from renderers.dice import Dice
from renderers.documents.typeset.labels import LABELS
from renderers.text.corpora import TextSource, mixed

_TRIES = 200
_DRAWN_AT_ONCE = 16
_SENTENCE = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+")
_PIECE = re.compile(r"[，。；：、！？（）《》“”‘’「」【】\s,.;:!?()\"']+")
_EDGES = " ,.;:!?'\"()[]{}<>*-–—_/\\|=+&^`“”‘’"
# What titles and cells of tables are made of; paths, figures and signs are left to the prose.
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]{0,15}")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_LONG_WORD = re.compile(r"[!-~]{17}")
# The mark of a list or the number of a section, of which the line was cut.
_MARK = re.compile(r"^(?:[-*+•·$>]|--|o|\d+(?:\.\d+)*\.)\s+")
_SMALL_WORDS = "a an and as at but by for from in into nor of on or the to up with"
_SMALL = frozenset(_SMALL_WORDS.split())
# Of text in both languages: Chinese with some English in it, Chinese alone, and the rest English.
_BOTH, _CHINESE = 0.55, 0.3


class Unwritable(ValueError):
    """The fonts of a document cannot write its texts."""


class Pen:
    """Writes in one language ("en", "zh" or "mixed"); `covers` says what the fonts can write.

    Of addresses, paths and the like only so much is kept as is `longest`: nothing breaks them, and
    they would stand out of a narrow column.
    """

    def __init__(
        self,
        dice: Dice,
        language: str,
        texts: Mapping[str, TextSource],
        covers: Callable[[str], bool],
        longest: int,
    ) -> None:
        self.dice, self.language = dice, language
        self._texts, self._covers = texts, covers
        self._unbroken = re.compile(rf"([!-~]{{{longest}}})[!-~]+")
        self._left: dict[str, list[str]] = {"en": [], "zh": []}
        self._labels: dict[str, str] = {}

    def paragraph(self, limit: int = 600) -> str:
        """Of at most so many characters, or a few more where no sentence ends before."""
        text = self._mixed() if self.language == "mixed" else self._prose(self.language)
        return _shortened(_unmarked(text), limit)

    def prose(self, characters: int) -> str:
        """A paragraph put together until it has about so many characters."""
        said = self.paragraph()
        while len(said) < characters:
            glue = " " if said[-1].isascii() else ""
            said += glue + self.paragraph(max(40, characters - len(said)))
        return _shortened(said, max(40, characters + 60))

    def sentence(self, limit: int = 90) -> str:
        """A sentence of at most so many characters, cut where there is none."""
        language = self.spoken()
        for _ in range(_TRIES):
            text = [_unmarked(s.strip()) for s in _SENTENCE.split(self._plain(language))]
            fitting = [s for s in text if 12 <= len(s) <= limit and _reads(s, language)]
            if fitting:
                return self.dice.pick(fitting)
        return self._cut(self.paragraph(), limit)

    def phrase(self, low: int = 2, high: int = 5, language: str | None = None) -> str:
        """So many words of English, or twice as many characters of Chinese."""
        language = language or self.spoken()
        count = low + self.dice.below(high - low + 1)
        return self._english(count) if language == "en" else self._chinese(2 * count)

    def title(self, low: int = 4, high: int = 9) -> str:
        """A phrase with capitals, as it stands in headings."""
        return capitalised(self.phrase(low, high))

    def words(self, low: int, high: int) -> list[str]:
        """Single words, that many, no two alike as far as there are enough."""
        count = low + self.dice.below(high - low + 1)
        found = dict.fromkeys(self.phrase(1, 2) for _ in range(3 * count))
        return list(found)[:count]

    def label(self, key: str) -> str:
        """A word of `labels.LABELS`, the same each time."""
        if key not in self._labels:
            self._labels[key] = self.told(LABELS[key])
        return self._labels[key]

    def told(self, pair: tuple[str, str]) -> str:
        """One of an English and a Chinese wording, or both in a document of both."""
        said = pair[0] if self.language == "en" else pair[1]
        if self.language == "mixed" and self.dice.random() < 0.5:
            said = self.dice.pick((pair[0], f"{pair[1]} {pair[0]}"))
        return self.checked(said)

    def writes(self, text: str) -> bool:
        """Whether the fonts write `text`."""
        return self._covers(text)

    def checked(self, text: str) -> str:
        """`text`. Unwritable when the fonts do not write it."""
        if not self._covers(text):
            raise Unwritable(f"the fonts of the document do not write {text!r}")
        return text

    def spoken(self) -> str:
        """`en` or `zh`, either in a document of both."""
        if self.language == "mixed":
            return "en" if self.dice.random() < 0.35 else "zh"
        return self.language

    def _prose(self, language: str) -> str:
        left = self._left[language]
        for _ in range(_TRIES):
            if not left:
                left += self._texts[language].sample(self.dice, _DRAWN_AT_ONCE)
            text = left.pop()
            if self._covers(text):
                return self._unbroken.sub(r"\1", text)
        raise Unwritable(f"the fonts of the document write none of {_TRIES} texts in {language}")

    def _plain(self, language: str) -> str:
        """A text as it stands in the corpus, and none of evenly drawn characters."""
        paragraphs = self._texts[language].paragraphs
        for _ in range(_TRIES):
            text = self.dice.pick(paragraphs)
            if self._covers(text):
                return self._unbroken.sub(r"\1", text)
        raise Unwritable(f"the fonts of the document write none of {_TRIES} texts in {language}")

    def _mixed(self) -> str:
        kind = self.dice.random()
        if kind < _BOTH:
            return mixed(self.dice, self._prose("zh"), self._prose("en"))
        return self._prose("zh" if kind < _BOTH + _CHINESE else "en")

    def _english(self, count: int) -> str:
        for _ in range(_TRIES):
            words = [w for w in (w.strip(_EDGES) for w in self._plain("en").split()) if w]
            words = [w for w in words if _WORD.fullmatch(w)]
            start = self.dice.below(max(1, len(words) - count + 1))
            run = words[start : start + count]
            # A phrase does not begin or end with a small word.
            while run and run[-1].lower() in _SMALL:
                run.pop()
            while run and run[0].lower() in _SMALL:
                run.pop(0)
            if run:
                return " ".join(run)
        raise Unwritable(f"no words to be had in {_TRIES} English texts")

    def _chinese(self, count: int) -> str:
        for _ in range(_TRIES):
            pieces = [p for p in _PIECE.split(self._plain("zh")) if _HAN.fullmatch(p)]
            if not pieces:
                continue
            at = self.dice.below(len(pieces))
            run = pieces[at]
            while len(run) < count and at + 1 < len(pieces):
                at += 1
                run += pieces[at]
            return run[:count]
        raise Unwritable(f"no words to be had in {_TRIES} Chinese texts")

    def _cut(self, text: str, limit: int) -> str:
        if len(text) <= limit:
            return text
        run = text[:limit]
        cut = run.rfind(" ") if text.isascii() else -1
        return run[:cut] if cut > limit // 2 else run


def capitalised(text: str) -> str:
    """Title case, which leaves small words, names and Chinese alone."""
    words = text.split(" ")
    return " ".join(
        word if at and word in _SMALL else word[:1].upper() + word[1:]
        for at, word in enumerate(words)
    )


def _unmarked(text: str) -> str:
    return _MARK.sub("", text) or text


def _reads(sentence: str, language: str) -> bool:
    """Whether it is mostly words that fit into a cell, and not a command or a list of files."""
    if _LONG_WORD.search(sentence):
        return False
    if language == "en":
        letters = sum(c.isalpha() or c == " " for c in sentence)
        return letters >= 0.9 * len(sentence) and " " in sentence
    return len("".join(_HAN.findall(sentence))) >= 0.6 * len(sentence)


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    said = ""
    for sentence in _SENTENCE.split(text):
        if said and len(said) + len(sentence) > limit:
            break
        said += (" " if said and said[-1].isascii() else "") + sentence
    if len(said) <= limit + 60:
        return said
    cut = said.rfind(" ", 0, limit)
    return said[: cut if cut > limit // 2 else limit]
