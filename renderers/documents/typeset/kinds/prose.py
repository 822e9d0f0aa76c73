"""Kinds that are read from top to bottom: papers, lecture notes, reports, newspapers, letters."""

from __future__ import annotations

from renderers.documents.typeset import facts, tables
from renderers.documents.typeset.blocks import Block, Writer, weight
from renderers.documents.typeset.kinds.kind import Contents

# More than the pages hold: what is too much is cut off.
_OVERFULL = 1.5
_SECTIONS = ("introduction", "related", "method", "results", "discussion", "conclusion")


def paper(writer: Writer) -> Contents:
    """A title, authors, an abstract in a box or not, sections, and the works that are cited."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    works = [_work(writer, number) for number in range(1, 9 + dice.below(12))]
    room = int(_OVERFULL * recipe.room())
    blocks: list[Block] = []
    mix = "ppppssgtb" + "ff" * recipe.math
    for key in _SECTIONS:
        share = room // len(_SECTIONS)
        blocks.append(writer.heading(1, pen.label(key)))
        blocks.append(writer.par(200 + dice.below(300), notes=True, cites=len(works)))
        blocks += writer.flow(share, mix, cites=len(works))
    authors = [
        {"name": facts.person(pen), "of": facts.company(pen), "mail": facts.email(pen)}
        for _ in range(1 + dice.below(4))
    ]
    return {
        "title": pen.title(6, 12),
        "authors": authors,
        "abstract_label": pen.label("abstract"),
        "abstract": pen.prose(420 if recipe.language == "en" else 220),
        "keywords_label": pen.label("keywords"),
        "keywords": pen.words(3, 6),
        "head": f"{pen.title(2, 4)} {facts.digits(pen, 2)} ({1990 + dice.below(38)})",
        "blocks": blocks,
        "works_label": pen.label("references"),
        "works": works,
    }


def _work(writer: Writer, number: int) -> str:
    pen, dice = writer.pen, writer.dice
    authors = ", ".join(facts.person(pen) for _ in range(1 + dice.below(3)))
    first = 1 + dice.below(900)
    pages = f"{dice.below(60)}({1 + dice.below(12)}): {first}-{first + 3 + dice.below(30)}"
    year = 1970 + dice.below(58)
    return f"[{number}] {authors}. {pen.title(4, 9)}. {pen.title(2, 4)}, {pages}, {year}."


def lecture(writer: Writer) -> Contents:
    """Notes full of formulas: definitions, theorems, proofs, examples and exercises."""
    pen, recipe = writer.pen, writer.recipe
    blocks = [writer.heading(1), writer.par(220)]
    blocks += writer.flow(int(_OVERFULL * recipe.room()), "ppsxxxxffffbh", length=110)
    return {
        "title": pen.title(3, 7),
        "course": pen.title(2, 4),
        "number": f"{pen.label('lecture')} {1 + writer.dice.below(24)}",
        "by": facts.person(pen),
        "date": facts.date(pen),
        "blocks": blocks,
    }


def report(writer: Writer) -> Contents:
    """A yearbook's or a company's: key figures on top, then tables, charts and text."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    keys = ("revenue", "profit", "growth", "assets", "population", "output", "income", "cost")
    chosen = dice.below(len(keys) - 3)
    figures = [
        {
            "name": pen.label(key),
            "value": f"{facts.amount(pen, 5):,.1f}",
            "change": f"{dice.uniform(-20, 30):+.1f}%",
        }
        for key in keys[chosen : chosen + 3 + dice.below(2)]
    ]
    blocks: list[Block] = [writer.heading(1), writer.par(260)]
    left = int(_OVERFULL * recipe.room())
    columns = max(3, min(8, int(recipe.column_em() / 6)))
    while left > 0:
        more: list[Block] = [writer.heading(1 + (dice.random() < 0.6)), writer.par(160)]
        if dice.random() < 0.75:
            rows = 6 + dice.below(14)
            more.append(writer.table(rows, columns))
        if dice.random() < 0.4:
            more.append(writer.figure())
        if dice.random() < 0.4:
            more.append(writer.bullets(3 + dice.below(3)))
        blocks += more
        left -= sum(weight(block, recipe) for block in more)
    title = pen.label(dice.pick(("report", "yearbook")))
    return {
        "title": f"{1990 + dice.below(38)} {title}",
        "company": facts.company(pen),
        "highlights": pen.label("highlights"),
        "figures": figures,
        "blocks": blocks,
        "source": f"{pen.label('source')}: {facts.company(pen)}",
    }


def newspaper(writer: Writer) -> Contents:
    """A masthead, a lead story across, and articles in narrow columns."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    left = int(1.3 * recipe.room())
    blocks: list[Block] = []
    while left > 0:
        article: list[Block] = [
            {"is": "headline", "level": 1 + dice.below(3), "text": pen.title(3, 8)},
            {"is": "byline", "text": f"{facts.person(pen)}, {facts.place(pen)}"},
        ]
        article += [writer.par(140 + dice.below(300)) for _ in range(2 + dice.below(5))]
        if recipe.figures and dice.random() < 0.45:
            article.insert(2 + dice.below(2), writer.figure())
        if dice.random() < 0.15:
            article.append(writer.quote())
        blocks += article
        left -= sum(weight(block, recipe) for block in article)
    picture = writer.album.draw(dice) if recipe.figures else None
    return {
        "masthead": pen.title(2, 3) if recipe.language == "en" else pen.phrase(2, 3, "zh"),
        "ears": [
            facts.date(pen),
            f"{pen.label('number')} {facts.digits(pen, 5)}",
            pen.sentence(40),
        ],
        "price": f"{pen.label('price')} {facts.currency(pen)}{facts.money(1 + dice.below(5))}",
        "sections": [pen.label(key) for key in ("news", "culture", "science", "sports", "opinion")],
        "lead": {
            "text": pen.title(5, 9),
            "under": pen.sentence(100),
            **({"picture": picture["picture"], "caption": pen.sentence(80)} if picture else {}),
        },
        "blocks": blocks,
    }


def letter(writer: Writer) -> Contents:
    """A letterhead, who it goes to, what it is about, and its paragraphs."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    to = facts.person(pen)
    mark = "：" if recipe.language != "en" else ","
    blocks: list[Block] = []
    left = int(1.5 * recipe.room())
    while left > 0:
        length = 120 + dice.below(300)
        blocks.append(writer.par(length))
        if dice.random() < 0.15:
            blocks.append(writer.bullets(3))
        if dice.random() < 0.1 and recipe.tables:
            blocks.append(tables.worded(pen, 4) | {"label": pen.label("table")})
        left -= length
    return {
        "company": facts.company(pen),
        "lines": [facts.address(pen), facts.phone(pen), facts.email(pen)],
        "to": [to, facts.company(pen), facts.address(pen)],
        "date": facts.date(pen),
        "subject": f"{pen.label('subject')}: {pen.title(3, 7)}",
        "greeting": f"{pen.label('dear')} {to}{mark if pen.writes(mark) else ''}",
        "blocks": blocks,
        "regards": pen.label("regards"),
        "by": [facts.person(pen), pen.phrase(1, 2)],
        "foot": f"{pen.label('enclosed')}: {pen.phrase(2, 5)}",
    }
