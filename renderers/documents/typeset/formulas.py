"""Formulas out of a grammar, as trees that the template `formulas.typ` builds: never as source.

A tree is a string (each character a symbol of its own) or a list of an operator and its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from renderers.dice import Dice

Tree = Any

_LATIN = "abcdfghkmnpqrstuvwxyzABCEFGHKLMPQRSTUVWX"
_GREEK = "αβγδεζηθκλμνξπρστφχψωΓΔΘΛΞΠΣΦΨΩ"
_FUNCTIONS = ("sin", "cos", "tan", "log", "exp", "ln", "max", "min", "det", "rank", "tr", "Var")
_RELATIONS = ("=", "=", "=", "≤", "≥", "<", "≈", "≡", "∼", "∝", "≠", "→", "⊂", "∈")
_SIGNS = ("+", "−", "+", "−", "⋅", "×", "⊗", "⊕", "∘", "±")
_SETS = "ℝℤℕℂℚ"
_ACCENTS = ("hat", "bar", "tilde", "vec", "dot")


def displayed(dice: Dice, lines: int = 1, depth: int = 3) -> Tree:
    """A formula set apart, of one line or of several that are aligned at their relation.

    `depth` is how deep its parts are nested, 3 about half as wide as a page.
    """
    if lines == 1:
        return ["row", _left(dice), dice.pick(_RELATIONS), _sum(dice, depth)]
    lefts = [_left(dice), *[""] * (lines - 1)]
    return ["lines", *(["row", left, ["align"], "=", _sum(dice, depth)] for left in lefts)]


def inline(dice: Dice) -> Tree:
    """A short one, low enough for a line of text."""
    kind = dice.below(5)
    if kind == 0:
        return ["row", _variable(dice), "∈", _power(dice, dice.pick(_SETS))]
    if kind == 1:
        return ["row", _variable(dice), dice.pick("=<>≤≥≈"), _number(dice)]
    if kind == 2:
        return [
            "row",
            dice.pick(_LATIN),
            ["paren", _variable(dice)],
            "=",
            _power(dice, "x"),
            "+",
            "1",
        ]
    if kind == 3:
        return _indexed(dice)
    return ["row", _variable(dice), dice.pick(_SIGNS), _indexed(dice)]


def _number(dice: Dice) -> str:
    kind = dice.below(3)
    if kind == 0:
        return str(1 + dice.below(12))
    if kind == 1:
        return f"{dice.uniform(0, 10):.{1 + dice.below(3)}f}"
    return str(dice.below(1000))


def _variable(dice: Dice) -> Tree:
    letter = dice.pick(_LATIN if dice.random() < 0.65 else _GREEK)
    kind = dice.random()
    if kind < 0.12:
        return ["accent", dice.pick(_ACCENTS), letter]
    return ["bold", letter] if kind < 0.2 else letter


def _index(dice: Dice) -> Tree:
    return dice.pick(("i", "j", "k", "n", "0", "1", "t", "i+1", "ij", "k−1", "m", "2n"))


def _indexed(dice: Dice) -> Tree:
    kind = dice.below(3)
    base = _variable(dice)
    if kind == 0:
        return ["attach", base, _index(dice), ""]
    if kind == 1:
        return ["attach", base, "", _exponent(dice)]
    return ["attach", base, _index(dice), _exponent(dice)]


def _exponent(dice: Dice) -> Tree:
    return dice.pick(("2", "n", "3", "−1", "∗", "T", "k", "2n", "′", "m+1", "†"))


def _power(dice: Dice, base: Tree) -> Tree:
    return ["attach", base, "", _exponent(dice)]


def _left(dice: Dice) -> Tree:
    kind = dice.below(6)
    if kind == 0:
        return ["row", dice.pick(_LATIN + "ΦΨΓ"), ["paren", ["row", _variable(dice), ",", "t"]]]
    if kind == 1:
        return ["frac", ["row", "∂", _variable(dice)], ["row", "∂", dice.pick("xyzt")]]
    if kind == 2:
        return [
            "row",
            ["attach", ["op", "lim"], ["row", dice.pick("nxkt"), "→", "∞"], ""],
            _indexed(dice),
        ]
    if kind == 3:
        return ["row", ["blackboard", "E"], ["bracket", _power(dice, dice.pick("XYZ"))]]
    return _indexed(dice)


def _sum(dice: Dice, depth: int) -> Tree:
    parts: list[Tree] = [_term(dice, depth)]
    for _ in range(dice.below(3)):
        parts += [dice.pick(_SIGNS[:6]), _term(dice, depth - 1)]
    return ["row", *parts]


def _term(dice: Dice, depth: int) -> Tree:
    if depth <= 0:
        return _indexed(dice) if dice.random() < 0.5 else _variable(dice)
    return dice.pick(_TERMS)(dice, depth - 1)


def _big(dice: Dice, depth: int) -> Tree:
    sign, i = dice.pick("∑∑∑∏⋃⨁"), dice.pick("ijkn")
    below = ["row", i, "=", dice.pick("01")]
    return ["row", ["attach", sign, below, dice.pick(("n", "N", "∞", "m−1"))], _term(dice, depth)]


def _integral(dice: Dice, depth: int) -> Tree:
    low, high = dice.pick((("0", "∞"), ("a", "b"), ("−∞", "∞"), ("0", "1"), ("Ω", ""), ("0", "2π")))
    x = dice.pick("xytuτ")
    sign = dice.pick("∫∫∫∮∬")
    return ["row", ["attach", sign, low, high], _term(dice, depth), " ", ["upright", "d"], x]


def _fraction(dice: Dice, depth: int) -> Tree:
    return ["frac", _sum(dice, depth - 1), _sum(dice, depth - 1)]


def _root(dice: Dice, depth: int) -> Tree:
    return ["root", dice.pick(("", "", "3", "n")), _sum(dice, depth - 1)]


def _bracketed(dice: Dice, depth: int) -> Tree:
    inner = [
        dice.pick(("paren", "paren", "bracket", "norm", "abs", "angle")),
        _sum(dice, depth - 1),
    ]
    return ["attach", inner, "", _exponent(dice)] if dice.random() < 0.4 else inner


def _applied(dice: Dice, depth: int) -> Tree:
    return ["row", ["op", dice.pick(_FUNCTIONS)], ["paren", _sum(dice, depth - 1)]]


def _matrix(dice: Dice, depth: int) -> Tree:
    rows, columns = 2 + dice.below(2), 1 + dice.below(3)
    cells = [[_term(dice, dice.below(2)) for _ in range(columns)] for _ in range(rows)]
    return ["matrix", dice.pick("[([|"), cells]


def _cases(dice: Dice, depth: int) -> Tree:
    count = 2 + dice.below(2)
    return [
        "cases",
        *(["row", _term(dice, 1), ",", "  ", _variable(dice), dice.pick("<≥=≠>"), _number(dice)]
          for _ in range(count)),
    ]  # fmt: skip


def _plain(dice: Dice, depth: int) -> Tree:
    return ["row", _number(dice), _indexed(dice)]


_TERMS: tuple[Callable[[Dice, int], Tree], ...] = (
    *(_big, _integral, _fraction, _root, _bracketed, _applied, _fraction, _plain, _plain),
    *(_matrix, _cases),
)
