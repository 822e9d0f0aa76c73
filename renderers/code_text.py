"""Lines of program text, in the manner of Python, C and JSON: names, calls, operators, brackets."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

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


def code_line(rng: np.random.Generator, style: str, depth: int) -> CodeLine:
    """A line of `style` ("python", "c" or "json") at a depth of indentation, in printable ASCII."""
    return _LINES[style](rng, depth)


def _pick(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _name(rng: np.random.Generator) -> str:
    first, second = _pick(rng, _WORDS), _pick(rng, _WORDS)
    kind = rng.random()
    if kind < 0.5:
        return first
    if kind < 0.8:
        return f"{first}_{second}"
    return f"{first}{second.capitalize()}" if kind < 0.95 else f"{first}_{second}".upper()


def _number(rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.5:
        return str(int(10 ** rng.uniform(0, 4)))
    if kind < 0.8:
        return f"{rng.uniform(0, 10):.{int(rng.integers(1, 5))}g}"
    return f"0x{int(rng.integers(1 << 16)):04x}"


def _term(rng: np.random.Generator, depth: int = 2) -> str:
    kind = int(rng.integers(7 if depth else 3))
    if kind < 2:
        return _name(rng)
    if kind == 2:
        return _number(rng)
    inner = _term(rng, depth - 1)
    if kind == 3:
        return f"{_name(rng)}[{inner}]"
    if kind == 4:
        return f"{_pick(rng, _WORDS)}({inner}, {_term(rng, 0)})"
    sign = _pick(rng, ("+", "-", "*", "/", "%", "<<", "&", "|"))
    return f"{inner} {sign} {_term(rng, 0)}"


def _test(rng: np.random.Generator) -> str:
    sign = _pick(rng, ("<", "<=", "==", "!=", ">", ">="))
    return f"{_name(rng)} {sign} {_term(rng, 1)}"


def _python(rng: np.random.Generator, depth: int) -> CodeLine:
    kind = int(rng.integers(10))
    if kind == 0:
        return CodeLine("# ", "", words=True)
    if kind == 1:
        return CodeLine(f'{_pick(rng, ("print", "log", "warn"))}("', '")', words=True)
    if kind == 2:
        start = _pick(rng, [f"if {_test(rng)}:", f"while {_test(rng)}:"])
        return CodeLine(start, deeper=1)
    if kind == 3:
        return CodeLine(f"for {_pick(rng, _WORDS)} in {_term(rng, 1)}:", deeper=1)
    if kind == 4 and not depth:
        return CodeLine(f"def {_name(rng)}({_name(rng)}, {_name(rng)}={_number(rng)}):", deeper=1)
    if kind == 5 and depth:
        return CodeLine(f"return {_term(rng)}", deeper=-1)
    if kind == 6:
        return CodeLine(f"{_name(rng)}.{_pick(rng, _WORDS)}({_term(rng)})")
    return CodeLine(f"{_name(rng)} {_pick(rng, ('=', '=', '+=', '*='))} {_term(rng)}")


def _c(rng: np.random.Generator, depth: int) -> CodeLine:
    kind = int(rng.integers(9))
    if kind == 0:
        return CodeLine("// ", "", words=True)
    if kind == 1:
        return CodeLine('printf("', f'\\n", {_name(rng)});', words=True)
    if kind == 2:
        return CodeLine(f"if ({_test(rng)}) {{", deeper=1)
    if kind == 3:
        i = _pick(rng, ("i", "j", "k"))
        return CodeLine(f"for (int {i} = 0; {i} < {_name(rng)}; {i}++) {{", deeper=1)
    if kind in (4, 5) and depth:
        return CodeLine("}", deeper=-1)
    if kind == 6:
        return CodeLine(f"{_pick(rng, _TYPES)} {_name(rng)} = {_term(rng)};")
    if kind == 7:
        return CodeLine(f"{_name(rng)}->{_pick(rng, _WORDS)}({_term(rng)});")
    return CodeLine(f"{_name(rng)} = {_term(rng)};")


def _json(rng: np.random.Generator, depth: int) -> CodeLine:
    kind, key = int(rng.integers(8)), f'"{_name(rng)}": '
    if kind < 2:
        return CodeLine(f'{key}"', '",', words=True)
    if kind == 2:
        return CodeLine(key + "{", deeper=1)
    if kind == 3 and depth:
        return CodeLine("},", deeper=-1)
    if kind == 4:
        numbers = ", ".join(_number(rng) for _ in range(int(rng.integers(1, 6))))
        return CodeLine(f"{key}[{numbers}],")
    if kind == 5:
        return CodeLine(f"{key}{_pick(rng, ('true', 'false', 'null'))},")
    return CodeLine(f"{key}{_number(rng)},")


_LINES: dict[str, Callable[[np.random.Generator, int], CodeLine]] = {
    "python": _python,
    "c": _c,
    "json": _json,
}
