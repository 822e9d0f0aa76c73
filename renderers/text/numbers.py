"""Strings as they stand in tables, forms and formulas: amounts, dates, codes, equations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.arrays import Floats, Ints
from renderers.compiled import EXACT
from renderers.dice import Dice

_LETTERS = np.frombuffer(b"ABCDEFGHJKLMNPQRSTUVWXYZ", dtype=np.uint8).astype(np.uint32)
_ZERO, _COMMA, _POINT, _MINUS, _PLUS, _COLON, _PERCENT, _DOLLAR, _E = map(ord, "0,.-+:%$e")
# The longest has six digits in groups, a sign and two decimals.
_LONGEST = 16


def write_numbers(drawn: Floats) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Numbers with their unit or punctuation, 1 to 14 ASCII characters each.

    `drawn float64[n, 3]` are numbers from 0 up to 1 that decide on them. Gives their code points,
    one number after the other, and where each of them ends, `int32[n]`.
    """
    out = np.empty(_LONGEST * len(drawn), dtype=np.uint32)
    ends = np.empty(len(drawn), dtype=np.int32)
    return out[: _write(drawn, _LETTERS, out, ends)], ends


@njit(**EXACT)
def _write(drawn, letters, out, ends):  # type: ignore[no-untyped-def]
    at = 0
    for i in range(len(drawn)):
        kind, part = np.int64(8 * drawn[i, 0]), np.int64(100 * drawn[i, 2])
        # As many numbers of each length up to six digits, and evenly drawn within a length: a
        # logarithm would not have the same bits everywhere.
        size = 6 * drawn[i, 1]
        decade = np.int64(size)
        whole = np.int64(10**decade * (1 + 9 * (size - decade)))
        if kind == 0:
            at = _grouped(out, at, whole)
        elif kind == 1:
            at = _digits(out, at, whole % 10000, 1)
            at = _digits(out, _sign(out, at, _POINT), part, 2)
        elif kind == 2:
            at = _digits(out, at, whole % 1000, 1)
            at = _digits(out, _sign(out, at, _POINT), part % 10, 1)
            at = _sign(out, at, _PERCENT)
        elif kind == 3:
            at = _digits(out, at, 1950 + whole % 90, 4)
            at = _digits(out, _sign(out, at, _MINUS), 1 + part % 12, 2)
            at = _digits(out, _sign(out, at, _MINUS), 1 + whole % 28, 2)
        elif kind == 4:
            at = _digits(out, at, part % 24, 2)
            at = _digits(out, _sign(out, at, _COLON), whole % 60, 2)
        elif kind == 5:
            at = _grouped(out, _sign(out, at, _DOLLAR), whole)
            at = _digits(out, _sign(out, at, _POINT), part, 2)
        elif kind == 6:
            at = _digits(out, _sign(out, at, letters[part % 24]), whole % 100, 1)
            at = _digits(out, _sign(out, at, _MINUS), part, 2)
        else:
            at = _digits(out, _sign(out, at, _MINUS if part % 2 else _PLUS), part // 10, 1)
            at = _digits(out, _sign(out, at, _POINT), part % 10, 1)
            at = _digits(out, _sign(out, at, _E), whole % 9, 1)
        ends[i] = at
    return at


@njit(**EXACT)
def _sign(out, at, sign):  # type: ignore[no-untyped-def]
    out[at] = sign
    return at + 1


@njit(**EXACT)
def _digits(out, at, value, least):  # type: ignore[no-untyped-def]
    """Writes a whole number with `least` digits or more; where it ends."""
    count = least
    while value >= 10**count:
        count += 1
    for k in range(count - 1, -1, -1):
        out[at + k] = _ZERO + value % 10
        value //= 10
    return at + count


@njit(**EXACT)
def _grouped(out, at, value):  # type: ignore[no-untyped-def]
    """Writes a whole number below a million, its thousands set off by a comma."""
    if value < 1000:
        return _digits(out, at, value, 1)
    at = _digits(out, at, value // 1000, 1)
    return _digits(out, _sign(out, at, _COMMA), value % 1000, 3)


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
