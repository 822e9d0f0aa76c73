"""Strings as they stand in tables, forms and formulas: amounts, dates, codes, equations."""

from __future__ import annotations

import numpy as np


def number_like(rng: np.random.Generator) -> str:
    """A number with its unit or punctuation, 1 to 14 ASCII characters."""
    # One call for three draws: a page of tables has hundreds of numbers.
    drawn = rng.random(3).tolist()
    kind, whole, part = int(8 * drawn[0]), int(10 ** (6 * drawn[1])), int(100 * drawn[2])
    if kind == 0:
        return f"{whole:,}"
    if kind == 1:
        return f"{whole % 10000}.{part:02d}"
    if kind == 2:
        return f"{whole % 1000}.{part % 10}%"
    if kind == 3:
        return f"{1950 + whole % 90}-{1 + part % 12:02d}-{1 + whole % 28:02d}"
    if kind == 4:
        return f"{part % 24:02d}:{whole % 60:02d}"
    if kind == 5:
        return f"${whole:,}.{part:02d}"
    if kind == 6:
        return f"{'ABCDEFGHJKLMNPQRSTUVWXYZ'[part % 24]}{whole % 100}-{part:02d}"
    return f"{'-' if part % 2 else '+'}{part / 10:.1f}e{whole % 9}"


def equation_like(rng: np.random.Generator) -> str:
    """A line that looks like a formula, in printable ASCII."""
    names = "abcdefghknmpqrstuvwxyz"

    def name() -> str:
        return names[int(rng.integers(len(names)))]

    def term(depth: int) -> str:
        kind = int(rng.integers(5 if depth else 3))
        if kind == 0:
            return f"{int(rng.integers(2, 99))}{name()}"
        if kind == 1:
            return f"{name()}_{int(rng.integers(10))}^{int(rng.integers(2, 5))}"
        if kind == 2:
            return f"{rng.uniform(0, 10):.2f}"
        if kind == 3:
            return f"({term(depth - 1)} {'+-*/'[int(rng.integers(4))]} {term(depth - 1)})"
        function = ("sin", "cos", "log", "exp", "max", "sqrt")[int(rng.integers(6))]
        return f"{function}({term(depth - 1)})"

    right = f" {'+-*/'[int(rng.integers(4))]} ".join(
        term(2) for _ in range(int(rng.integers(1, 4)))
    )
    return f"{name()}({name()}) {('=', '<=', '>', '~')[int(rng.integers(4))]} {right}"
