"""Draws recipes of typeset documents: kind, language, sheet, fonts and colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from renderers.dice import Dice
from renderers.documents.typeset import typst
from renderers.documents.typeset.colours import draw_colours
from renderers.documents.typeset.families import Families, Family
from renderers.documents.typeset.kinds import KINDS, PAPERS
from renderers.documents.typeset.recipe import (
    HEADINGS,
    LANGUAGES,
    NUMBERINGS,
    RULES,
    Names,
    TypesetRecipe,
)
from vae_corpus.settings import Settings

# Chinese documents whose Latin letters are of a Latin family.
_TWO_FAMILIES = 0.5
_LOOKS = 4


class TypesetSettings(Settings):
    """Which documents are typeset."""

    kinds: dict[str, float] = Field(
        {name: 1.0 for name in KINDS}, description="weights of the kinds of documents"
    )
    languages: dict[str, float] = Field(
        {"en": 1.0, "zh": 1.0, "mixed": 0.6}, description="weights of the languages"
    )

    @field_validator("kinds", "languages")
    @classmethod
    def _known(cls, weights: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        known = KINDS if info.field_name == "kinds" else LANGUAGES
        if unknown := set(weights) - set(known):
            raise ValueError(f"there are {list(known)}; got {sorted(unknown)}")
        if not any(weights.values()) or min(weights.values()) < 0:
            raise ValueError("weights are 0 or more, and one of them is more")
        return weights


def draw_typeset(
    rng: np.random.Generator, families: Families, settings: TypesetSettings | None = None
) -> TypesetRecipe:
    """A document of one of the kinds. NoFamily when no font given writes its language."""
    settings = settings or TypesetSettings()
    dice = Dice(rng)
    name = _weighted(dice, settings.kinds)
    language = _weighted(dice, settings.languages)
    kind = KINDS[name]
    paper = dice.pick(kind.papers)
    width, height = PAPERS[paper]
    columns = dice.pick(kind.columns)
    size = round(dice.uniform(*kind.size_pt), 1)
    margin = round(dice.uniform(*kind.margin_mm) * min(1.0, width / 180), 1)
    # A column of at least 13 em: in a narrower one words and tables stand out of it.
    while columns > 1 and (width - 2 * margin) * 72 / 25.4 / columns / size < 15:
        columns -= 1
    math = dice.random() < kind.math
    body, headings, mono = _roles(dice, families, language, math)
    colours = draw_colours(dice, dark=kind.dark, tinted=kind.tinted)
    chinese = language != "en"
    return TypesetRecipe(
        kind=name,
        language=language,
        seed=int(rng.integers(2**62)),
        paper=paper,
        width_mm=width,
        height_mm=height,
        margin_mm=margin,
        columns=columns,
        pages=dice.pick(kind.pages),
        body=body,
        headings_in=headings,
        mono=mono,
        weight=_weight(dice, families[body[-1]], 350, 500),
        heading_weight=_weight(dice, families[headings[-1]], 500, 900),
        size_pt=size,
        leading_em=round(dice.uniform(0.5, 0.85) if chinese else dice.uniform(0.45, 0.75), 3),
        tracking_em=round(dice.uniform(0.0, 0.04), 3) if dice.random() < 0.15 else 0.0,
        justify=dice.random() < kind.justify,
        indent_em=(2.0 if chinese else 1.2) if dice.random() < 0.55 else 0.0,
        ground=colours.ground,
        ink=colours.ink,
        accent=colours.accent,
        panel=colours.panel,
        hues=colours.hues,
        dark=colours.dark,
        rules=dice.pick(RULES),
        headings=dice.pick(HEADINGS),
        numbering=dice.pick(NUMBERINGS),
        look=dice.below(_LOOKS),
        math=math,
        figures=dice.random() < 0.7,
        tables=dice.random() < 0.8,
        typesetter=typst.version(),
    )


def _roles(dice: Dice, families: Families, language: str, math: bool) -> tuple[Names, Names, Names]:
    """Families of body, headings and code."""

    def pick(*, monospaced: bool, among: Sequence[Family] = ()) -> Names:
        written = "en" if language == "en" else "zh"
        usable = families.writing(written, monospaced=monospaced, math=math)
        first = dice.pick(usable).name
        if language == "en" or dice.random() >= _TWO_FAMILIES:
            return (first,)
        latin = families.writing("en", monospaced=monospaced, math=math)
        return dice.pick(latin).name, first

    body = pick(monospaced=False)
    headings = body if dice.random() < 0.5 else pick(monospaced=False)
    return body, headings, pick(monospaced=True)


def _weight(dice: Dice, family: Family, low: int, high: int) -> int:
    usable = [weight for weight in family.weights if low <= weight <= high]
    return dice.pick(usable or family.weights)


def _weighted(dice: Dice, weights: Mapping[str, float]) -> str:
    at = dice.random() * sum(weights.values())
    for name, weight in weights.items():
        at -= weight
        if at < 0:
            return name
    return next(reversed([name for name, weight in weights.items() if weight]))
