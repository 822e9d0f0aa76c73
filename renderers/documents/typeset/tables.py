"""Tables of words and numbers, and the series that charts show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from renderers.documents.typeset import facts
from renderers.documents.typeset.pen import Pen

Block = dict[str, Any]


def _percent(pen: Pen) -> Callable[[], str]:
    places = pen.dice.below(3)
    return lambda: f"{pen.dice.uniform(0, 100):.{places}f}%"


def _decimal(pen: Pen) -> Callable[[], str]:
    places, high = 1 + pen.dice.below(3), pen.dice.pick((1.0, 10.0, 100.0))
    return lambda: f"{pen.dice.uniform(0, high):.{places}f}"


def _whole(pen: Pen) -> Callable[[], str]:
    high = pen.dice.pick((100, 1000, 100_000, 10_000_000))
    return lambda: f"{pen.dice.below(high):,}"


def _signed(pen: Pen) -> Callable[[], str]:
    return lambda: f"{pen.dice.uniform(-30, 30):+.1f}"


def _spread(pen: Pen) -> Callable[[], str]:
    sign = "±" if pen.writes("±") else "/"
    return lambda: f"{pen.dice.uniform(10, 99):.1f}{sign}{pen.dice.uniform(0, 5):.1f}"


def _marked(pen: Pen) -> Callable[[], str]:
    return lambda: f"{pen.dice.uniform(0, 1):.3f}" + pen.dice.pick(("", "", "*", "**"))


_COLUMNS = (_percent, _decimal, _whole, _signed, _spread, _marked, _decimal, _whole)


def numbers(pen: Pen, rows: int, columns: int, *, grouped: bool = False) -> Block:
    """A table whose first column names the rows; each other column has numbers of one sort.

    `grouped` puts a row with a name alone above every few rows.
    """
    head = [pen.phrase(1, 2), *(pen.phrase(1, 1) for _ in range(columns - 1))]
    sorts = [pen.dice.pick(_COLUMNS)(pen) for _ in range(columns - 1)]
    body = []
    for number in range(rows):
        if grouped and number % 6 == 0:
            body.append([pen.phrase(2, 3)])
        body.append([pen.phrase(1, 2), *(sort() for sort in sorts)])
    if pen.dice.random() < 0.4:
        body.append([pen.label("total"), *(sort() for sort in sorts)])
    return {"is": "table", "caption": pen.sentence(60), "head": head, "rows": body}


def yearly(pen: Pen, rows: int, years: int) -> Block:
    """A table as yearbooks have it: places or things by years, with a growth in the last column."""
    first = 1990 + pen.dice.below(28)
    head = [pen.label("region"), *(str(first + n) for n in range(years)), pen.label("growth")]
    body = []
    for _ in range(rows):
        value, cells = facts.amount(pen, 5), []
        name = facts.place(pen) if pen.dice.random() < 0.4 else pen.phrase(1, 2)
        for _ in range(years):
            value *= pen.dice.uniform(0.93, 1.14)
            cells.append(f"{value:,.1f}")
        body.append([name, *cells, f"{pen.dice.uniform(-9, 15):.1f}%"])
    return {"is": "table", "caption": pen.title(3, 6), "head": head, "rows": body}


def worded(pen: Pen, rows: int) -> Block:
    """A table of things, what is to be said of them, and a number."""
    head = [pen.label("item"), pen.label("note"), pen.label("number")]
    body = [[pen.phrase(1, 2), pen.sentence(48), facts.code(pen)] for _ in range(rows)]
    return {"is": "table", "caption": pen.title(3, 6), "head": head, "rows": body}


def table(pen: Pen, rows: int, columns: int) -> Block:
    """One of these."""
    kind = pen.dice.random()
    if kind < 0.6:
        return numbers(pen, rows, columns, grouped=pen.dice.random() < 0.3)
    return yearly(pen, rows, max(2, columns - 2)) if kind < 0.85 else worded(pen, rows)


def chart(pen: Pen) -> Block:
    """Bars, lines or a pie: `series` of numbers in [0, 1] with names, `ticks` of the axes."""
    shape = pen.dice.pick(("bars", "lines", "pie", "bars", "rows", "dots"))
    count = 1 if shape in ("pie", "rows") else 1 + pen.dice.below(3)
    points = 4 + pen.dice.below(4) if shape != "lines" else 6 + pen.dice.below(8)
    series = []
    for _ in range(count):
        value, values = pen.dice.uniform(0.2, 0.8), []
        for _ in range(points):
            value += pen.dice.uniform(-0.25, 0.25)
            value = min(0.98, max(0.06, value))
            values.append(round(value, 3))
        # One alone says in the caption what it is.
        series.append({"name": pen.phrase(1, 1) if count > 1 else "", "values": values})
    if shape in ("pie", "rows"):
        names = [pen.phrase(1, 1) for _ in range(points)]
    else:
        start = 1980 + pen.dice.below(30)
        step = pen.dice.pick((1, 1, 2, 5))
        # Of many, every other one is named.
        every = 1 + (points > 7)
        names = [str(start + step * n) if n % every == 0 else "" for n in range(points)]
    top = pen.dice.pick((1, 10, 100, 50, 2.5, 400))
    ticks = [] if shape in ("pie", "rows") else [f"{top * n / 4:g}" for n in range(5)]
    return {
        **{"is": "figure", "chart": shape, "series": series, "names": names, "ticks": ticks},
        "caption": pen.sentence(80),
    }
