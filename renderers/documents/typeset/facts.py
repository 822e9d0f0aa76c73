"""Names, places, dates, amounts and codes, drawn by rules: nobody's, but shaped like real ones."""

from __future__ import annotations

from renderers.documents.typeset import labels
from renderers.documents.typeset.pen import Pen, capitalised

_CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_CURRENCIES = {"en": ("$", "€", "£", "USD "), "zh": ("¥", "￥", "")}


def person(pen: Pen) -> str:
    """First and last name, or surname and one or two Chinese characters."""
    if pen.spoken() == "en":
        middle = f" {pen.dice.pick(_CODE)}." if pen.dice.random() < 0.2 else ""
        said = f"{pen.dice.pick(labels.GIVEN)}{middle} {pen.dice.pick(labels.FAMILY)}"
    else:
        count = 1 + (pen.dice.random() < 0.7)
        given = "".join(pen.dice.pick(labels.GIVEN_HAN) for _ in range(count))
        said = pen.dice.pick(labels.SURNAMES) + given
    return pen.checked(said)


def company(pen: Pen) -> str:
    kind = pen.dice.pick(labels.COMPANY)
    if pen.spoken() == "en":
        return pen.checked(f"{capitalised(pen.phrase(1, 2, 'en'))} {kind[0]}")
    return pen.checked(pen.dice.pick(labels.CITIES) + pen.phrase(1, 2, "zh") + kind[1])


def address(pen: Pen) -> str:
    number = 1 + pen.dice.below(299)
    if pen.spoken() == "en":
        street = f"{pen.dice.pick(labels.STREETS)} {pen.dice.pick(labels.STREET_KINDS)}"
        return f"{number} {street}, {pen.dice.pick(labels.TOWNS)} {10000 + pen.dice.below(89999)}"
    city, road = pen.dice.pick(labels.CITIES), pen.dice.pick(labels.ROADS)
    return pen.checked(f"{city}市{road}{number}号{1 + pen.dice.below(30)}室")


def place(pen: Pen) -> str:
    spoken = pen.spoken()
    return pen.checked(pen.dice.pick(labels.TOWNS if spoken == "en" else labels.CITIES))


def date(pen: Pen) -> str:
    """A day from 1990 to 2029 in one of the usual manners."""
    year, month, day = 1990 + pen.dice.below(40), 1 + pen.dice.below(12), 1 + pen.dice.below(28)
    kind = pen.dice.below(4)
    if kind == 0:
        return f"{year}-{month:02}-{day:02}"
    if pen.spoken() == "zh":
        return pen.checked(f"{year}年{month}月{day}日")
    name = labels.MONTHS[month - 1][0]
    return (f"{day} {name} {year}", f"{name} {day}, {year}", f"{month:02}/{day:02}/{year}")[
        kind - 1
    ]


def currency(pen: Pen) -> str:
    """A sign of money that the fonts have."""
    signs = _CURRENCIES["en" if pen.language == "en" else "zh"]
    sign = pen.dice.pick(signs)
    return sign if pen.writes(sign) else ""


def money(amount: float) -> str:
    """`12,345.60`."""
    return f"{amount:,.2f}"


def amount(pen: Pen, decades: float = 4.0) -> float:
    """Of as many figures as it happens to have, up to so many, in cents."""
    whole = 1 + pen.dice.below(9)
    for _ in range(pen.dice.below(int(decades))):
        whole = 10 * whole + pen.dice.below(10)
    return whole + pen.dice.pick((0.0, 0.5, 0.9, 0.99, pen.dice.below(100) / 100))


def code(pen: Pen) -> str:
    """Of letters and digits, as goods and invoices have them."""
    letters = "".join(pen.dice.pick(_CODE) for _ in range(1 + pen.dice.below(3)))
    digits = "".join(str(pen.dice.below(10)) for _ in range(3 + pen.dice.below(6)))
    return letters + pen.dice.pick(("-", "", "-")) + digits


def digits(pen: Pen, count: int) -> str:
    return "".join(str(pen.dice.below(10)) for _ in range(count))


def phone(pen: Pen) -> str:
    if pen.spoken() == "zh":
        return f"1{3 + pen.dice.below(7)}{digits(pen, 1)}-{digits(pen, 4)}-{digits(pen, 4)}"
    return f"+{1 + pen.dice.below(60)} ({digits(pen, 3)}) {digits(pen, 3)}-{digits(pen, 4)}"


def email(pen: Pen) -> str:
    first, last = pen.dice.pick(labels.GIVEN).lower(), pen.dice.pick(labels.FAMILY).lower()
    return f"{first}{pen.dice.pick('._-')}{last}@{pen.dice.pick(labels.TOWNS).lower()}.example"


def clock(pen: Pen, low: int = 7, high: int = 22) -> str:
    return f"{low + pen.dice.below(high - low):02}:{5 * pen.dice.below(12):02}"
