"""Kinds in boxes: exam sheets, invoices, forms, menus, timetables, calendars."""

from __future__ import annotations

from typing import Any

from renderers.documents.typeset import facts, formulas
from renderers.documents.typeset.blocks import Block, Writer
from renderers.documents.typeset.kinds.kind import Contents
from renderers.documents.typeset.labels import MONTHS, UNITS, WEEKDAYS


def exam(writer: Writer) -> Contents:
    """Questions with four choices, with blanks, with lines to write on."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    blocks: list[Block] = []
    left, number = int(2.2 * recipe.room()), 0
    parts = [key for key in ("choice", "blanks", "true_false", "short_answer", "compute")]
    if not recipe.math:
        parts.remove("compute")
    for key in dict.fromkeys([*parts, "choice"]):
        points = dice.pick((1, 2, 3, 5, 10))
        blocks.append(
            {"is": "part", "text": pen.label(key), "points": f"{points} {pen.label('points')}"}
        )
        share = left // len(parts)
        while share > 0:
            number += 1
            question = _question(writer, key, f"{number}.")
            blocks.append(question)
            share -= 130 if recipe.language == "en" else 90
    return {
        "title": f"{pen.title(2, 4)} {pen.label('exam')}",
        "fields": [pen.label(key) for key in ("name", "class", "student_no", "score")],
        "time": f"{pen.label('time')}: {30 * (2 + dice.below(4))} {pen.label('minutes')}",
        "note": pen.sentence(120),
        "blocks": blocks,
    }


def _question(writer: Writer, key: str, number: str) -> Block:
    pen, dice = writer.pen, writer.dice
    stem: list[Any] = [pen.sentence(110)]
    if writer.recipe.math and (key == "compute" or dice.random() < 0.3):
        stem += [" ", {"math": formulas.inline(dice)}]
    question: Block = {"is": "question", "number": number, "stem": stem}
    if key == "choice":
        wide = writer.recipe.column_em() > 26
        low, high = dice.pick(((1, 1), (2, 4), (3, 6)) if wide else ((2, 3), (2, 4)))
        question["choices"] = [f"{letter}. {pen.phrase(low, high)}" for letter in "ABCD"]
        question["across"] = 4 if high == 1 else 2
    elif key == "blanks":
        words = pen.phrase(2, 4)
        question["blank"] = [words, pen.phrase(2, 4)]
    elif key == "true_false":
        question["box"] = True
    elif key == "compute":
        question["math"] = formulas.displayed(dice, depth=2)
        question["lines"] = 0
    else:
        question["lines"] = 1 + dice.below(3)
    return question


def invoice(writer: Writer) -> Contents:
    """Seller, buyer, a table of goods whose sums are right, terms, signatures."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    sign, rate = facts.currency(pen), dice.pick((0, 3, 6, 13, 20))
    lines = (recipe.height_mm - 2 * recipe.margin_mm) * 72 / 25.4 / recipe.size_pt / 1.6
    rows = []
    for number in range(1, 6 + int(lines * dice.uniform(0.3, 0.8))):
        unit, count = facts.amount(pen, 4), 1 + dice.below(40)
        cells = [str(number), facts.code(pen), pen.phrase(1, 4), pen.told(dice.pick(UNITS))]
        rows.append([*cells, str(count), facts.money(unit), facts.money(unit * count)])
    keys = ("number", "model", "item", "unit", "quantity", "price", "amount")
    kind = dice.pick(("invoice", "quotation", "receipt", "order"))
    contents = {
        "title": pen.label(kind),
        "facts": [
            [pen.label("number"), facts.code(pen)],
            [pen.label("date"), facts.date(pen)],
            [pen.label("due"), facts.date(pen)],
            [pen.label("tax_no"), facts.digits(pen, 15)],
        ],
        "parties": [_party(writer, key) for key in ("seller", "bill_to", "ship_to")],
        "head": [pen.label(key) for key in keys],
        "blocks": rows,
        "rate": rate,
        "sums": [
            [pen.label("subtotal"), sign],
            [f"{pen.label('tax')} {rate}%", sign],
            [pen.label("total"), sign],
        ],
        "terms_label": pen.label("terms"),
        "terms": [pen.sentence(110) for _ in range(3 + dice.below(4))],
        "bank": [
            f"{pen.label('bank')}: {facts.company(pen)}",
            f"{pen.label('account')}: {facts.digits(pen, 16)}",
        ],
        "signs": [pen.label("signature"), pen.label("approved")],
    }
    add_up(contents)
    return contents


def _party(writer: Writer, key: str) -> dict[str, Any]:
    pen = writer.pen
    lines = [facts.company(pen), facts.address(pen), facts.phone(pen)]
    return {"label": pen.label(key), "lines": lines}


def add_up(contents: Contents) -> None:
    """Makes the sums of an invoice those of its rows."""
    total = sum(float(row[-1].replace(",", "")) for row in contents["blocks"])
    tax = round(total * contents["rate"] / 100, 2)
    for line, value in zip(contents["sums"], (total, tax, total + tax), strict=True):
        line[1] = line[1].rstrip("0123456789.,") + facts.money(value)


_FIELDS = (
    *("applicant", "sex", "birth", "nationality", "marital", "phone", "email", "position"),
    *("department", "education", "id_no", "employer", "postcode", "bank", "account", "address"),
)
# So many stand two in a row, the others have a row of their own.
_PAIRED = 10


def form(writer: Writer) -> Contents:
    """Named fields, most filled in, boxes to tick, room for reasons, and how to fill it all in."""
    pen, dice = writer.pen, writer.dice
    values = {
        **{"applicant": facts.person, "birth": facts.date, "phone": facts.phone},
        **{"email": facts.email, "employer": facts.company, "address": facts.address},
        **{"nationality": facts.place, "bank": facts.company},
    }
    fields: list[dict[str, Any]] = []
    for key in _FIELDS:
        field: dict[str, Any] = {"label": pen.label(key)}
        if key == "sex":
            field["options"] = [pen.label("male"), pen.label("female")]
        elif key == "marital":
            field["options"] = [pen.label("single"), pen.label("married")]
        elif key in ("id_no", "account", "postcode"):
            field["boxes"] = list(facts.digits(pen, 6 if key == "postcode" else 14))
        else:
            field["value"] = values[key](pen) if key in values else pen.phrase(1, 3)
            if dice.random() < 0.15:
                field["value"] = ""
        if "options" in field:
            field["ticked"] = dice.below(2)
        fields.append(field)
    questions = [
        {"text": pen.sentence(100), "ticked": dice.below(3)} for _ in range(4 + dice.below(6))
    ]
    return {
        "title": pen.label("form"),
        "under": pen.title(3, 6),
        "number": f"{pen.label('number')} {facts.code(pen)}",
        "pairs": fields[:_PAIRED],
        "rows": fields[_PAIRED:],
        "yes": pen.label("yes"),
        "no": pen.label("no"),
        "questions": questions,
        "reason_label": pen.label("reason"),
        "reason": pen.prose(200),
        "instructions_label": pen.label("instructions"),
        "blocks": [f"{n}. {pen.sentence(140)}" for n in range(1, 31)],
        "office": pen.label("office_use"),
        "office_fields": [pen.label(key) for key in ("approved", "date", "remarks")],
        "signs": [pen.label("signature"), pen.label("date")],
    }


def menu(writer: Writer) -> Contents:
    """Sections of things with prices, some of them described, or a plain list of prices."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    sign = facts.currency(pen)
    described = recipe.look in (0, 2)
    keys = ["starters", "mains", "soups", "noodles", "specials", "desserts", "drinks"]
    if dice.random() < 0.35:
        keys = []
    sections: list[Block] = []
    line = int(recipe.column_em() * (2 if recipe.language == "en" else 1))
    left = int(1.5 * recipe.room() / line)
    while left > 0:
        name = pen.label(keys.pop(0)) if keys else pen.title(1, 3)
        sections.append({"is": "section", "text": name})
        for _ in range(5 + dice.below(7)):
            item: Block = {
                "is": "item",
                "text": _dish(writer),
                "price": f"{sign}{facts.amount(pen, 3):.{dice.pick((0, 2, 2))}f}",
            }
            if described and dice.random() < 0.6:
                item["about"] = pen.sentence(80)
            sections.append(item)
            left -= 1 + ("about" in item)
        left -= 2
    return {
        "title": pen.label(dice.pick(("menu", "price_list"))),
        "house": facts.company(pen),
        "foot": f"{pen.label('open')} {facts.clock(pen, 7, 11)}-{facts.clock(pen, 18, 23)}",
        "address": f"{facts.address(pen)}  {facts.phone(pen)}",
        "blocks": sections,
    }


def _dish(writer: Writer) -> str:
    pen = writer.pen
    if writer.recipe.language == "mixed" and writer.dice.random() < 0.7:
        return f"{pen.phrase(1, 2, 'zh')} {pen.title(1, 3)}"
    return pen.title(1, 3)


def timetable(writer: Writer) -> Contents:
    """Lessons by weekday and hour, or departures, or the agenda of a meeting."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    if recipe.look == 0:
        head = [pen.label(key) for key in ("train", "from", "departs", "to", "arrives", "price")]
        rows = [
            [facts.code(pen), facts.place(pen), facts.clock(pen), facts.place(pen)]
            + [facts.clock(pen), facts.money(facts.amount(pen, 3))]
            for _ in range(140)
        ]
    elif recipe.look == 1:
        head = [pen.label(key) for key in ("time", "agenda", "speaker", "place")]
        rows = [
            [f"{_hour(n)}-{_hour(n + 1)}", pen.sentence(70), facts.person(pen), facts.place(pen)]
            for n in range(60)
        ]
    else:
        spoken = int(pen.spoken() == "zh")
        days = WEEKDAYS[: 5 + 2 * (dice.random() < 0.4)]
        head = [pen.label("time"), *(pen.checked(day[spoken]) for day in days)]
        rows = []
        for hour in range(8, 8 + 11):
            if hour == 12:
                rows.append([f"12:00 {pen.label('break')}"])
                continue
            cells = [_lesson(writer) for _ in days]
            rows.append([f"{hour:02}:00-{hour:02}:45", *cells])
    return {
        "title": f"{pen.title(2, 4)} {pen.label('timetable' if recipe.look > 1 else 'schedule')}",
        "under": f"{facts.date(pen)} - {facts.date(pen)}",
        "head": head,
        "blocks": rows,
        "notes": [pen.sentence(110) for _ in range(3)],
    }


def _hour(number: int) -> str:
    minutes = 8 * 60 + 25 * number
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def _lesson(writer: Writer) -> str:
    if writer.dice.random() < 0.12:
        return ""
    room = f"{writer.dice.pick('ABCDE')}{100 + writer.dice.below(500)}"
    pen = writer.pen
    return f"{pen.title(1, 2)} {room} {facts.person(pen)} {pen.sentence(40)}"


def calendar(writer: Writer) -> Contents:
    """A month with what happens on its days, or all months of a year."""
    pen, dice, recipe = writer.pen, writer.dice, writer.recipe
    year = 1990 + dice.below(45)
    spoken = int(pen.spoken() == "zh")
    months = range(12) if recipe.look < 2 else [dice.below(12)]
    made = []
    for month in months:
        first, days = _month(year, month)
        cells: list[dict[str, Any]] = [{"day": "", "text": ""} for _ in range(first)]
        for day in range(1, days + 1):
            busy = len(list(months)) == 1 and dice.random() < 0.8
            said = pen.sentence(44 if recipe.language == "en" else 22) if busy else ""
            cells.append({"day": str(day), "text": said})
        made.append({"name": pen.checked(MONTHS[month][spoken]), "cells": cells})
    short = [pen.checked((day[0][:3], day[1][-1])[spoken]) for day in WEEKDAYS]
    return {
        "title": f"{year} {pen.label('calendar')}",
        "week": short,
        "months": made,
        "blocks": [f"{facts.date(pen)}  {pen.sentence(100)}" for _ in range(110)],
    }


def _month(year: int, month: int) -> tuple[int, int]:
    """The weekday of the first day, 0 for Monday, and the number of days; months count from 0."""
    import calendar

    return calendar.monthrange(year, month + 1)
