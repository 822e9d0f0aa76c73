"""Lines of program text, in the manner of Python, C and JSON: names, calls, operators, brackets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from renderers.dice import Dice

STYLES = ("python", "c", "json")

_NAMES = (
    "batch buffer cache column count data depth edge error field file flag group head index item "
    "key left length limit line list mask mode name node offset page path queue rate right row "
    "scale score seed size slot start state step sum table text time token total user value width"
)
_WORDS = _NAMES.split()
_TYPES = ("int", "float", "char *", "size_t", "bool", "uint8_t", "double")


class CodeLine(NamedTuple):
    """`before` and `after` of a line; `words` says that prose belongs in between.

    `deeper` is how the depth of the next lines changes.
    """

    before: str
    after: str = ""
    words: bool = False
    deeper: int = 0


def code_line(dice: Dice, style: str, depth: int) -> CodeLine:
    """A line of `style` ("python", "c" or "json") at a depth of indentation, in printable ASCII."""
    return _LINES[style](dice, depth)


def _name(dice: Dice) -> str:
    first, second = dice.pick(_WORDS), dice.pick(_WORDS)
    kind = dice.random()
    if kind < 0.5:
        return first
    if kind < 0.8:
        return f"{first}_{second}"
    return f"{first}{second.capitalize()}" if kind < 0.95 else f"{first}_{second}".upper()


def _number(dice: Dice) -> str:
    kind = dice.random()
    if kind < 0.5:
        return str(int(10 ** dice.uniform(0, 4)))
    if kind < 0.8:
        return f"{dice.uniform(0, 10):.{1 + dice.below(4)}g}"
    return f"0x{dice.below(1 << 16):04x}"


def _term(dice: Dice, depth: int = 2) -> str:
    kind = dice.below(7 if depth else 3)
    if kind < 2:
        return _name(dice)
    if kind == 2:
        return _number(dice)
    inner = _term(dice, depth - 1)
    if kind == 3:
        return f"{_name(dice)}[{inner}]"
    if kind == 4:
        return f"{dice.pick(_WORDS)}({inner}, {_term(dice, 0)})"
    sign = dice.pick(("+", "-", "*", "/", "%", "<<", "&", "|"))
    return f"{inner} {sign} {_term(dice, 0)}"


def _test(dice: Dice) -> str:
    sign = dice.pick(("<", "<=", "==", "!=", ">", ">="))
    return f"{_name(dice)} {sign} {_term(dice, 1)}"


def _python(dice: Dice, depth: int) -> CodeLine:
    kind = dice.below(10)
    if kind == 0:
        return CodeLine("# ", "", words=True)
    if kind == 1:
        return CodeLine(f'{dice.pick(("print", "log", "warn"))}("', '")', words=True)
    if kind == 2:
        start = dice.pick((f"if {_test(dice)}:", f"while {_test(dice)}:"))
        return CodeLine(start, deeper=1)
    if kind == 3:
        return CodeLine(f"for {dice.pick(_WORDS)} in {_term(dice, 1)}:", deeper=1)
    if kind == 4 and not depth:
        given = f"{_name(dice)}, {_name(dice)}={_number(dice)}"
        return CodeLine(f"def {_name(dice)}({given}):", deeper=1)
    if kind == 5 and depth:
        return CodeLine(f"return {_term(dice)}", deeper=-1)
    if kind == 6:
        return CodeLine(f"{_name(dice)}.{dice.pick(_WORDS)}({_term(dice)})")
    return CodeLine(f"{_name(dice)} {dice.pick(('=', '=', '+=', '*='))} {_term(dice)}")


def _c(dice: Dice, depth: int) -> CodeLine:
    kind = dice.below(9)
    if kind == 0:
        return CodeLine("// ", "", words=True)
    if kind == 1:
        return CodeLine('printf("', f'\\n", {_name(dice)});', words=True)
    if kind == 2:
        return CodeLine(f"if ({_test(dice)}) {{", deeper=1)
    if kind == 3:
        i = dice.pick(("i", "j", "k"))
        return CodeLine(f"for (int {i} = 0; {i} < {_name(dice)}; {i}++) {{", deeper=1)
    if kind in (4, 5) and depth:
        return CodeLine("}", deeper=-1)
    if kind == 6:
        return CodeLine(f"{dice.pick(_TYPES)} {_name(dice)} = {_term(dice)};")
    if kind == 7:
        return CodeLine(f"{_name(dice)}->{dice.pick(_WORDS)}({_term(dice)});")
    return CodeLine(f"{_name(dice)} = {_term(dice)};")


def _json(dice: Dice, depth: int) -> CodeLine:
    kind, key = dice.below(8), f'"{_name(dice)}": '
    if kind < 2:
        return CodeLine(f'{key}"', '",', words=True)
    if kind == 2:
        return CodeLine(key + "{", deeper=1)
    if kind == 3 and depth:
        return CodeLine("},", deeper=-1)
    if kind == 4:
        numbers = ", ".join(_number(dice) for _ in range(1 + dice.below(5)))
        return CodeLine(f"{key}[{numbers}],")
    if kind == 5:
        return CodeLine(f"{key}{dice.pick(('true', 'false', 'null'))},")
    return CodeLine(f"{key}{_number(dice)},")


_LINES: dict[str, Callable[[Dice, int], CodeLine]] = {
    "python": _python,
    "c": _c,
    "json": _json,
}
