"""Strings as they stand in tables, forms and formulas: amounts, dates, codes, equations."""

from __future__ import annotations

from renderers.arrays import Floats
from renderers.dice import Dice

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def write_numbers(drawn: Floats) -> list[str]:
    """Numbers with their unit or punctuation, 1 to 14 ASCII characters each.

    `drawn float64[n, 3]` are numbers from 0 up to 1 that decide on them.
    """
    return [_number(*row) for row in drawn.tolist()]


def _number(kind: float, size: float, rest: float) -> str:
    # As many numbers of each length up to six digits, and evenly drawn within a length: a
    # logarithm would not have the same bits everywhere.
    decade = int(6 * size)
    whole, part = int(10**decade * (1 + 9 * (6 * size - decade))), int(100 * rest)
    match int(8 * kind):
        case 0:
            return f"{whole:,}"
        case 1:
            return f"{whole % 10000}.{part:02}"
        case 2:
            return f"{whole % 1000}.{part % 10}%"
        case 3:
            return f"{1950 + whole % 90}-{1 + part % 12:02}-{1 + whole % 28:02}"
        case 4:
            return f"{part % 24:02}:{whole % 60:02}"
        case 5:
            return f"${whole:,}.{part:02}"
        case 6:
            return f"{_LETTERS[part % 24]}{whole % 100}-{part:02}"
        case _:
            return f"{'-' if part % 2 else '+'}{part // 10}.{part % 10}e{whole % 9}"


def equation_like(dice: Dice) -> str:
    """A line that looks like a formula, in printable ASCII."""
    names = "abcdefghknmpqrstuvwxyz"

    def term(depth: int) -> str:
        kind = dice.below(5 if depth else 3)
        if kind == 0:
            return f"{2 + dice.below(97)}{dice.pick(names)}"
        if kind == 1:
            return f"{dice.pick(names)}_{dice.below(10)}^{2 + dice.below(3)}"
        if kind == 2:
            return f"{dice.uniform(0, 10):.2f}"
        if kind == 3:
            return f"({term(depth - 1)} {dice.pick('+-*/')} {term(depth - 1)})"
        function = dice.pick(("sin", "cos", "log", "exp", "max", "sqrt"))
        return f"{function}({term(depth - 1)})"

    right = f" {dice.pick('+-*/')} ".join(term(2) for _ in range(1 + dice.below(3)))
    return f"{dice.pick(names)}({dice.pick(names)}) {dice.pick(('=', '<=', '>', '~'))} {right}"
