"""Recipes in, PDFs out: writes the contents, checks that the fonts have them, fits the pages."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fonts.faces import Face
from renderers.dice import Dice
from renderers.documents.typeset import typst
from renderers.documents.typeset.album import Album
from renderers.documents.typeset.blocks import Writer, strings
from renderers.documents.typeset.families import LATIN_IN_CHINESE, Families
from renderers.documents.typeset.kinds import KINDS, Contents
from renderers.documents.typeset.pen import Pen, Unwritable
from renderers.documents.typeset.recipe import MAX_PAGES, TypesetRecipe
from renderers.text.corpora import TextSource
from vae_corpus.seeds import generator

# A document is fitted in so many tries, until no more of a page is left than this.
_STEPS, _NEARLY, _FIRST_GUESS = 10, 0.08, 0.6
# So many blocks are tried in the room that is left over.
_MORE = 3
_CHINA = {"lang": "zh", "region": "cn"}
_TEMPLATES = ("common.typ", "formulas.typ", "charts.typ", "day.tmTheme", "night.tmTheme")


@dataclass(frozen=True, kw_only=True)
class Typeset:
    """A document: its PDF, how many pages it has, and what it says (see `blocks.strings`)."""

    recipe: TypesetRecipe
    contents: Contents
    pages: int
    pdf: bytes


class Typesetter:
    """Sets documents in `faces`, with words out of `texts` ("en", "zh") and figures of `pictures`.

    The same recipe, texts, faces and pictures give the same bytes, in any process.
    """

    def __init__(
        self,
        faces: Sequence[Face],
        texts: Mapping[str, TextSource],
        pictures: Sequence[Path] = (),
    ) -> None:
        self.families = Families(faces)
        self._texts = dict(texts)
        self._album = Album(pictures)

    def pdf(self, recipe: TypesetRecipe) -> bytes:
        """The bytes of `typeset`."""
        return self.typeset(recipe).pdf

    def typeset(self, recipe: TypesetRecipe) -> Typeset:
        """The document of a recipe, of one to MAX_PAGES pages.

        NoFamily when its families are not among the faces, Unwritable when they cannot write its
        texts, TypesettingFault when typst refuses it.
        """
        contents = self.contents(recipe)
        with tempfile.TemporaryDirectory(prefix="vae-corpus-typeset-") as folder:
            for name in _pictures(contents):
                (Path(folder) / name).write_bytes(self._album.file(name))
            pages = self._fit(recipe, contents, Path(folder))
            pdf = typst.compiled(self._job(recipe, contents, Path(folder)))
        return Typeset(recipe=recipe, contents=contents, pages=pages, pdf=pdf)

    def contents(self, recipe: TypesetRecipe) -> Contents:
        """What the document is to say, before it is cut to its pages."""
        if recipe.kind not in KINDS:
            raise ValueError(f"kinds of documents are {list(KINDS)}; got {recipe.kind!r}")
        needed = ("en", "zh") if recipe.language == "mixed" else (recipe.language,)
        if lacking := [language for language in needed if language not in self._texts]:
            raise Unwritable(f"a document in {recipe.language} needs texts in {lacking}")
        families = self.families

        def covers(text: str) -> bool:
            return all(families.covers(names, text) for names in dict.fromkeys(recipe.roles))

        dice = Dice(generator(recipe.seed, "typeset", recipe.kind))
        # A letter of code is .6 em wide, one of prose half an em.
        longest = max(10, int(1.4 * recipe.column_em()))
        pen = Pen(dice, recipe.language, self._texts, covers, longest)
        contents = KINDS[recipe.kind].compose(Writer(pen, recipe, self._album))
        for text in strings(contents):
            if not covers(text.replace("\n", " ")):
                raise Unwritable(f"the fonts of the document do not write {text!r}")
        return contents

    def _fit(self, recipe: TypesetRecipe, contents: Contents, folder: Path) -> int:
        """Cuts `contents["blocks"]` to about what the pages hold; returns how many there are."""
        blocks, settle = contents["blocks"], KINDS[recipe.kind].settle

        def end(chosen: list[Any]) -> float:
            contents["blocks"] = _without_end(chosen)
            if settle:
                settle(contents)
            return _filled(typst.asked(self._job(recipe, contents, folder), "end"), recipe)

        chosen, at = _most(blocks, recipe.pages, end)
        # Where the next block was too large a smaller one may have room.
        following = blocks[len(chosen) + 1 : len(chosen) + 12]
        for other in [block for block in following if _stands_alone(block)][:_MORE]:
            if at > recipe.pages - _NEARLY:
                break
            more = [*_without_end(chosen), other]
            if (then := end(more)) <= recipe.pages:
                chosen, at = more, then
        pages = math.ceil(end(chosen))
        if pages > MAX_PAGES:
            why = f"a {recipe.kind} of {pages} pages, {MAX_PAGES} are allowed"
            raise typst.TypesettingFault(why)
        return pages

    def _job(self, recipe: TypesetRecipe, contents: Contents, folder: Path) -> typst.Job:
        look = asdict(recipe)
        for role in ("body", "headings_in", "mono"):
            look[role] = _as_typst_asks(look[role])
        look |= {"lang": "en", "region": "us"} if recipe.language == "en" else _CHINA
        given = json.dumps({"look": look, "contents": contents}, ensure_ascii=False)
        fonts = self.families.fonts_with_math if recipe.math else self.families.fonts
        files = {
            typst.MAIN: template(f"{recipe.kind}.typ"),
            **{name: template(name) for name in _TEMPLATES},
            "document.json": given.encode(),
        }
        return typst.Job(files=files, fonts=fonts, folder=folder)


def _most(
    blocks: list[Any], pages: int, end: Callable[[list[Any]], float]
) -> tuple[list[Any], float]:
    """The first blocks that end on the last of `pages`, nearly as many as do so, and where.

    `end` tells where some of them end; it grows about as their number does, so it is guessed from
    what is known where the page is full.
    """
    low, high = (0, 0.0), (len(blocks) + 1, math.inf)
    count = math.ceil(_FIRST_GUESS * len(blocks))
    for step in range(_STEPS):
        at = end(blocks[:count])
        if at <= pages:
            low = (count, at)
        else:
            high = (count, at)
        if high[0] - low[0] <= 1 or pages - low[1] < _NEARLY:
            break
        if high[1] == math.inf:
            guess = count * pages / at
        elif step % 3 == 2:
            guess = (low[0] + high[0]) / 2
        else:
            share = (pages - low[1]) / (high[1] - low[1])
            guess = low[0] + (high[0] - low[0]) * share
        count = min(max(int(guess), low[0] + 1), high[0] - 1)
    return blocks[: max(1, low[0])], low[1]


def _filled(end: dict[str, float], recipe: TypesetRecipe) -> float:
    """The pages that a document fills that ends there: 1.5 is the middle of the second."""
    point = 72 / 25.4
    margin, high = recipe.margin_mm * point, recipe.height_mm * point
    wide = (recipe.width_mm * point - 2 * margin) / recipe.columns
    down = min(1.0, max(0.01, (end["y"] - margin) / (high - 2 * margin)))
    column = min(recipe.columns - 1, max(0, int((end["x"] - margin + 1) / wide)))
    if end["pages"] > end["page"]:
        return end["pages"] - 0.5
    return end["page"] - 1 + (column + down) / recipe.columns


def typeset_documents(
    recipes: Iterable[TypesetRecipe], typesetter: Typesetter
) -> Iterator[Typeset]:
    """The documents of recipes, one after the other."""
    return map(typesetter.typeset, recipes)


@cache
def template(name: str) -> bytes:
    """A file of `renderers/documents/templates`."""
    return (files("renderers.documents") / "templates" / name).read_bytes()


def _as_typst_asks(names: Sequence[str]) -> list[dict[str, str]]:
    if len(names) == 1:
        return [{"name": names[0]}]
    return [{"name": names[0], "covers": LATIN_IN_CHINESE}, {"name": names[1]}]


def _without_end(blocks: list[Any]) -> list[Any]:
    """A heading at the end has nothing to stand over."""
    while len(blocks) > 1 and _kind(blocks[-1]) in _HEADINGS:
        blocks = blocks[:-1]
    return blocks


_HEADINGS = ("heading", "headline", "byline", "part", "section", "unit")


_ALONE = (
    *("par", "bullets", "quote", "table", "figure", "formula", "statement", "box", "entry"),
    *("question", "item", "term", "program"),
)


def _kind(block: Any) -> str:
    return str(block.get("is", "")) if isinstance(block, dict) else ""


def _stands_alone(block: Any) -> bool:
    return _kind(block) in _ALONE


def _pictures(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _pictures(each)
    elif isinstance(value, dict):
        if "picture" in value:
            yield value["picture"]
        for each in value.values():
            yield from _pictures(each)
