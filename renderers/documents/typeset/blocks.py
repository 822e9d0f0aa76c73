"""What the text of a document is made of: headings, paragraphs, formulas, figures, tables, lists.

Blocks are dictionaries whose `is` names the template's function; all other strings in them, but
for those under the keys of `UNSAID`, are shown as they stand.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from renderers.documents.typeset import facts, formulas, tables
from renderers.documents.typeset.album import Album
from renderers.documents.typeset.pen import Pen
from renderers.documents.typeset.recipe import TypesetRecipe

Block = dict[str, Any]
Run = str | dict[str, Any]

# Keys whose strings say how something is shown, and are not shown themselves.
UNSAID = frozenset(("is", "chart", "picture", "lang", "math", "align", "mark"))
_MANY = 400


class Writer:
    """Writes blocks for a recipe, and counts figures, tables, formulas and headings."""

    def __init__(self, pen: Pen, recipe: TypesetRecipe, album: Album) -> None:
        self.pen, self.dice, self.recipe, self.album = pen, pen.dice, recipe, album
        self._counts: dict[str, int] = {}
        self._heads = [0, 0, 0]

    def count(self, what: str) -> int:
        self._counts[what] = self._counts.get(what, 0) + 1
        return self._counts[what]

    def heading(self, level: int, text: str | None = None) -> Block:
        """The first is of the first level."""
        level = level if self._heads[0] else 1
        self._heads[level - 1] += 1
        self._heads[level:] = [0] * (3 - level)
        said = text or self.pen.title(2, 6)
        return {"is": "heading", "level": level, "number": self._number(level), "text": said}

    def par(self, characters: int, *, notes: bool = False, cites: int = 0) -> Block:
        """A paragraph of about so many characters, with emphasis, formulas, footnotes, citations.

        `cites` is how many works there are to be cited.
        """
        said = self.pen.prose(characters)
        extras: list[Run] = []
        if self.recipe.math and self.dice.random() < 0.6:
            extras += [{"math": formulas.inline(self.dice)} for _ in range(1 + self.dice.below(2))]
        if self.dice.random() < 0.25:
            extras.append({"strong": self.pen.phrase(1, 3)})
        if self.dice.random() < 0.15:
            extras.append({"emph": self.pen.phrase(1, 4)})
        if cites and self.dice.random() < 0.6:
            extras.append(f"[{1 + self.dice.below(cites)}]")
        if notes and self.dice.random() < 0.25:
            extras.append({"note": self.pen.sentence(110)})
        return {"is": "par", "runs": self._spread(said, extras)}

    def formula(self) -> Block:
        lines = 1 if self.dice.random() < 0.75 else 2 + self.dice.below(2)
        numbered = self.dice.random() < 0.6
        number = f"({self.count('formula')})" if numbered else ""
        depth = 3 if self.recipe.column_em() > 30 else 2
        tree = formulas.displayed(self.dice, lines, depth)
        return {"is": "formula", "math": tree, "number": number}

    def figure(self) -> Block:
        """A picture where there are any, or a chart."""
        picture = None
        if self.recipe.figures and self.dice.random() < 0.6:
            picture = self.album.draw(self.dice)
        block = tables.chart(self.pen)
        if picture is not None:
            block = {"is": "figure", **picture, "caption": block["caption"]}
        return {**block, "label": f"{self.pen.label('figure')} {self.count('figure')}"}

    def table(self, rows: int | None = None, columns: int | None = None) -> Block:
        """As many columns as stand side by side in a column of the page."""
        fitting = max(2, min(8, int(self.recipe.column_em() / 6)))
        columns = min(fitting, columns or 3 + self.dice.below(5))
        rows = rows or 4 + self.dice.below(9)
        if columns < 3:
            block = tables.numbers(self.pen, rows, columns)
        else:
            block = tables.table(self.pen, rows, columns)
        return {**block, "label": f"{self.pen.label('table')} {self.count('table')}"}

    def bullets(self, count: int, limit: int = 90, *, ordered: bool | None = None) -> Block:
        ordered = self.dice.random() < 0.4 if ordered is None else ordered
        items = [self.pen.sentence(limit) for _ in range(count)]
        return {"is": "bullets", "ordered": ordered, "items": items}

    def statement(self) -> Block:
        """A theorem, lemma, definition or the like, and what it states."""
        kind = self.dice.pick(("theorem", "lemma", "definition", "example", "remark", "proof"))
        label = self.pen.label(kind)
        if kind != "proof":
            label += f" {self._heads[0] or 1}.{self.count('statement')}"
        inner: list[Block] = [self.par(60 + self.dice.below(140))]
        if self.recipe.math and self.dice.random() < 0.7:
            inner.append(self.formula())
        return {"is": "statement", "label": label, "inner": inner}

    def quote(self) -> Block:
        return {"is": "quote", "text": self.pen.sentence(140), "by": facts.person(self.pen)}

    def flow(self, characters: int, mix: str, *, cites: int = 0, length: int = 0) -> list[Block]:
        """Blocks for about so many characters; `mix` has a letter for each sort, drawn evenly.

        h heading, s subheading, p paragraph, f formula, g figure, t table, b bullets, q quotation,
        x statement. `length` is that of a paragraph; 0: as it comes.
        """
        made: list[Block] = []
        left = characters
        for letter in itertools.islice(self._letters(mix), _MANY):
            if left < 0:
                break
            block = self._block(letter, length or 120 + self.dice.below(420), cites)
            made.append(block)
            left -= weight(block, self.recipe)
        return made

    def _letters(self, mix: str) -> Iterator[str]:
        """Each heading is followed by a paragraph, and no two things set apart by each other."""
        last = "h"
        while True:
            letter = self.dice.pick(mix)
            if letter != "p" and last != "p":
                letter = "p"
            if letter == "t" and not self.recipe.tables:
                letter = "p"
            if letter == "g" and not self.recipe.figures:
                letter = "p"
            if letter == "f" and not self.recipe.math:
                letter = "p"
            yield letter
            last = letter

    def _block(self, letter: str, length: int, cites: int) -> Block:
        match letter:
            case "h":
                return self.heading(1)
            case "s":
                return self.heading(2)
            case "f":
                return self.formula()
            case "g":
                return self.figure()
            case "t":
                return self.table()
            case "b":
                return self.bullets(3 + self.dice.below(4))
            case "q":
                return self.quote()
            case "x":
                return self.statement()
        return self.par(length, notes=bool(cites), cites=cites)

    def _number(self, level: int) -> str:
        manner = self.recipe.numbering
        if not manner or level > 2:
            return ""
        counted = self._heads[:level]
        if manner == "1.1":
            return ".".join(map(str, counted))
        if level == 2:
            return f"{counted[0]}.{counted[1]}"
        first = min(counted[0], 9)
        return (_ROMAN[first] if manner == "I." else _LETTERS[first]) + "."

    def _spread(self, said: str, extras: list[Run]) -> list[Run]:
        """`said` with the extras put between its words."""
        if not extras:
            return [said]
        stops = [n + 1 for n, c in enumerate(said) if c in " ，。；：、" and 4 < n < len(said) - 4]
        if len(stops) < len(extras):
            return [said, " ", *extras]
        places = sorted(self.dice.pick(stops) for _ in extras)
        runs: list[Run] = []
        begin = 0
        for place, extra in zip(places, extras, strict=True):
            runs += [said[begin:place], extra, " "]
            begin = place
        return [*runs, said[begin:]]


_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_LETTERS = " ABCDEFGHI"


def strings(value: Any) -> Iterator[str]:
    """What is shown of contents, in the order in which it stands in them; formulas left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key not in UNSAID:
                yield from strings(each)


def weight(block: Block, recipe: TypesetRecipe) -> int:
    """About how many characters of body text would take as much room."""
    line = int(recipe.column_em() * (2 if recipe.language == "en" else 1))
    said = sum(map(len, strings(block)))
    match block["is"]:
        case "figure":
            return 12 * line + said
        case "table":
            return (len(block["rows"]) + 3) * line
        case "formula":
            return 4 * line
        case "heading":
            return 2 * line
        case "bullets":
            return said + len(block["items"]) * line // 2
    return said + line // 2
