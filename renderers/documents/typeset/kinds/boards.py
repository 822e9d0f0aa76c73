"""Kinds that are looked at in pieces: slides, posters, listings, glossaries, résumés."""

from __future__ import annotations

import math
import string
from typing import Any

from renderers.documents.typeset import facts, tables
from renderers.documents.typeset.blocks import Block, Writer
from renderers.documents.typeset.kinds.kind import Contents
from renderers.text.code import STYLES, code_line


def slides(writer: Writer) -> Contents:
    """A title, then slides of bullets, tables, charts, pictures and text in one or two columns."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    # Without the headline, in em.
    high = (recipe.height_mm - 2 * recipe.margin_mm) * 72 / 25.4 / recipe.size_pt - 4
    made: list[Block] = []
    for number in range(recipe.pages):
        if number == 0 and dice.random() < 0.5:
            made.append(
                {
                    "is": "cover",
                    "text": pen.title(4, 9),
                    "under": pen.sentence(80),
                    "by": [facts.person(pen), facts.company(pen), facts.date(pen)],
                    "outline": pen.label("outline"),
                    "items": [pen.title(2, 5) for _ in range(4)],
                }
            )
            continue
        made.append(
            {"is": "slide", "text": pen.title(3, 7), "parts": _parts(writer, max(6.0, high))}
        )
    return {"foot": [facts.company(pen), pen.title(3, 5)], "blocks": made}


def _parts(writer: Writer, high: float) -> list[list[Block]]:
    """One or two columns of blocks, about as high as that, in em."""
    dice, recipe = writer.dice, writer.recipe
    columns = 1 + (dice.random() < 0.6)
    em = recipe.column_em() / columns
    letters = em * {"en": 2, "zh": 1, "mixed": 1.25}[recipe.language]
    pitch = 0.72 + recipe.leading_em
    # In a box of their own they have less.
    room = high * (0.8 if recipe.look == 3 and columns > 1 else 0.88)
    parts: list[list[Block]] = []
    for place in range(columns):
        kind, left, inner = dice.below(6), room, list[Block]()
        if recipe.math and dice.random() < 0.4:
            inner.append(writer.formula())
            left -= 6
        if place == 1 and kind < 3 and recipe.figures:
            inner = [_compact(writer.figure())]
            left = room - 0.6 * em - 4
        elif kind == 3 and recipe.tables:
            rows = max(3, min(12, int(left / 1.6) - 4))
            table = tables.numbers(writer.pen, rows, max(2, min(6, int(em / 6))))
            inner = [_compact(table)]
            left = room - 1.4 * rows - 5
        elif kind == 4:
            inner.insert(0, writer.par(int(letters * left / pitch * 0.85)))
            left = 0
        if left > 3:
            inner.append(_items(writer, left, letters, pitch))
        parts.append(inner)
    return parts


def _items(writer: Writer, high: float, letters: float, pitch: float) -> Block:
    """Bullets that stand about so many em high, in lines of so many letters."""
    bullets = writer.bullets(0)
    while high > 0:
        item = writer.pen.sentence(int(letters * 1.8))
        bullets["items"].append(item)
        high -= math.ceil(len(item) / (letters * 0.85)) * pitch + 0.3
    return bullets


def _compact(block: Block) -> Block:
    return {**block, "caption": block["caption"][:60]}


def poster(writer: Writer) -> Contents:
    """A headline across, and boxes of text, charts, pictures and tables in columns."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    keys = ["background", "objective", "method", "results", "discussion", "conclusion", "thanks"]
    boxes: list[Block] = []
    left = int(1.5 * recipe.room())
    while left > 0:
        title = pen.label(keys.pop(0)) if keys else pen.title(2, 5)
        mix = "ppbb" + "gg" * recipe.figures + "t" * recipe.tables + "f" * recipe.math
        inner = [writer.par(140)]
        for letter in (dice.pick(mix) for _ in range(1 + dice.below(3))):
            match letter:
                case "b":
                    inner.append(writer.bullets(3 + dice.below(3), 80))
                case "g":
                    inner.append(writer.figure())
                case "t":
                    inner.append(writer.table(4 + dice.below(5)))
                case "f":
                    inner.append(writer.formula())
                case _:
                    inner.append(writer.par(180))
        boxes.append({"is": "box", "text": title, "inner": inner})
        left -= 700 if recipe.language == "en" else 400
    return {
        "title": pen.title(5, 10),
        "by": ", ".join(facts.person(pen) for _ in range(2 + dice.below(4))),
        "of": facts.company(pen),
        "foot": f"{facts.email(pen)}   {facts.date(pen)}",
        "blocks": boxes,
    }


def listing(writer: Writer) -> Contents:
    """Program text with comments and strings out of the corpora, explained in between."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    blocks: list[Block] = []
    left = int(1.6 * recipe.room())
    width = int(recipe.column_em() * 1.5)
    while left > 0:
        lang = dice.pick(STYLES)
        text = _program(writer, lang, 6 + dice.below(20), width)
        blocks.append(writer.heading(1 + (dice.random() < 0.5)))
        blocks.append(writer.par(100 + dice.below(160)))
        number = f"{pen.label('listing')} {writer.count('listing')}"
        blocks.append({"is": "program", "label": number, "lines": text, "lang": lang})
        left -= sum(map(len, text)) + width * 4
    return {
        "title": pen.title(3, 6),
        "path": f"src/{pen.dice.pick(('core', 'io', 'util', 'net'))}/{facts.code(pen).lower()}",
        "blocks": blocks,
    }


_PRINTABLE = frozenset(string.printable)


def _program(writer: Writer, lang: str, count: int, width: int) -> list[str]:
    """Lines of at most `width` characters, Han counted double."""
    pen, dice, depth = writer.pen, writer.dice, 0
    lines = []
    for _ in range(count):
        line = code_line(dice, lang, depth)
        words = pen.phrase(2, 6) if line.words else ""
        # A quotation mark or a backslash would end the string in which the words stand.
        words = words.replace('"', "").replace("\\", "/")
        indent = "    " if lang != "json" else "  "
        said = indent * depth + line.before + words + line.after
        wide = sum(1 + (c not in _PRINTABLE) for c in said)
        if wide <= width:
            lines.append(said)
            depth = max(0, min(3, depth + line.deeper))
    return lines or ["pass"]


def glossary(writer: Writer) -> Contents:
    """Words with their meaning in the other language, in columns, and a text with notes."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    both = recipe.language == "mixed"
    blocks: list[Block] = []
    left = int(1.5 * recipe.room())
    while left > 0:
        blocks.append({"is": "unit", "text": f"{pen.label('unit_no')} {writer.count('unit')}"})
        terms = []
        for _ in range(10 + dice.below(16)):
            first, second = ("en", "zh") if recipe.look % 2 else ("zh", "en")
            term = pen.phrase(1, 2, first if both else None)
            sort = dice.pick(("n.", "v.", "adj.", "adv.", "vt.", "prep."))
            meaning = pen.phrase(1, 3, second if both else None)
            more = pen.sentence(90) if dice.random() < 0.5 else ""
            terms.append({"is": "term", "term": term, "sort": sort, "text": meaning, "more": more})
        if not both:
            terms.sort(key=lambda term: term["term"].lower())
        blocks += terms
        left -= sum(len(t["term"] + t["text"] + t["more"]) + 24 for t in terms)
        if dice.random() < 0.5:
            passage = writer.par(240)
            blocks += [{"is": "unit", "text": pen.label("text")}, passage]
            left -= 240
    return {
        "title": pen.label(dice.pick(("glossary", "vocabulary"))),
        "under": pen.title(3, 6),
        "blocks": blocks,
    }


def resume(writer: Writer) -> Contents:
    """A person at the side or on top, then work, schools, skills and what was written."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    keys = ["experience", "education", "projects", "publications", "awards"]
    blocks: list[Block] = []
    left = int(1.4 * recipe.room())
    while left > 0:
        name = pen.label(keys.pop(0)) if keys else pen.title(2, 3)
        blocks.append({"is": "part", "text": name})
        for _ in range(2 + dice.below(3)):
            year = 1985 + dice.below(38)
            entry: dict[str, Any] = {
                "is": "entry",
                "when": f"{year}-{year + 1 + dice.below(6)}",
                "what": pen.title(2, 4),
                "where": facts.company(pen),
                "items": [pen.sentence(100) for _ in range(1 + dice.below(4))],
            }
            blocks.append(entry)
            left -= sum(map(len, entry["items"])) + 120
    return {
        "name": facts.person(pen),
        "role": pen.title(2, 4),
        "profile_label": pen.label("profile"),
        "profile": pen.prose(160 if recipe.language == "en" else 90),
        "contact_label": pen.label("contact"),
        "contact": [facts.phone(pen), facts.email(pen), facts.address(pen)],
        "skills_label": pen.label("skills"),
        "skills": [{"text": pen.phrase(1, 2), "level": 1 + dice.below(5)} for _ in range(12)],
        "languages_label": pen.label("languages"),
        "languages": [pen.phrase(1, 2) for _ in range(5)],
        "interests_label": pen.label("interests"),
        "interests": [pen.sentence(60) for _ in range(6)],
        "blocks": blocks,
        **({"portrait": portrait} if (portrait := _portrait(writer)) else {}),
    }


def _portrait(writer: Writer) -> dict[str, Any] | None:
    wanted = writer.recipe.figures and writer.recipe.look > 1
    return writer.album.draw(writer.dice) if wanted else None
