"""Small expressions over columns and settings that are SQL for DuckDB and JSON for a page.

One form, two readers: the plan runs `sql`, the report's page evaluates `to_json` (its evaluator is
`report/assets/rules.js`). Both take a comparison with nothing (NULL, null) for unknown, and both
compare numbers as the 32-bit floats that the score table holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Number = int | float


@dataclass(frozen=True, eq=False)
class Expression:
    """An operator and its parts. Built by the functions below and by `<`, `>=`, `>`, `&`, `|`."""

    operator: str
    parts: tuple[Any, ...]

    def __lt__(self, other: Any) -> Expression:
        return Expression("<", (self, other))

    def __gt__(self, other: Any) -> Expression:
        return Expression(">", (self, other))

    def __ge__(self, other: Any) -> Expression:
        return Expression(">=", (self, other))

    def __and__(self, other: Any) -> Expression:
        return Expression("and", (self, other))

    def __or__(self, other: Any) -> Expression:
        return Expression("or", (self, other))

    def __mul__(self, other: Any) -> Expression:
        return Expression("*", (self, other))

    def equals(self, other: Any) -> Expression:
        return Expression("=", (self, other))

    def differs(self, other: Any) -> Expression:
        return Expression("<>", (self, other))

    def sql(self, settings: Mapping[str, Number], columns: Mapping[str, str]) -> str:
        """SQL with the values of `settings`; `columns` gives the SQL of derived columns."""

        def text(part: Any) -> str:
            return part.sql(settings, columns) if isinstance(part, Expression) else _literal(part)

        if self.operator == "column":
            name = self.parts[0]
            return columns.get(name, name)
        if self.operator == "setting":
            return _literal(settings[self.parts[0]])
        if self.operator == "case":
            *cases, otherwise = self.parts
            whens = " ".join(f"WHEN {text(when)} THEN {text(then)}" for when, then in cases)
            return f"CASE {whens} ELSE {text(otherwise)} END"
        left, right = (text(part) for part in self.parts)
        return f"({left} {self.operator.upper()} {right})"

    def to_json(self) -> list[Any]:
        """`[operator, part, ...]`; a case is `["case", [when, then], ..., otherwise]`."""

        def plain(part: Any) -> Any:
            if isinstance(part, Expression):
                return part.to_json()
            return [plain(p) for p in part] if isinstance(part, tuple) else part

        return [self.operator, *(plain(part) for part in self.parts)]

    def settings(self) -> tuple[str, ...]:
        """Names of the settings that the expression reads, in order, each once."""
        return self._named("setting")

    def columns(self) -> tuple[str, ...]:
        """Names of the columns that the expression reads, in order, each once."""
        return self._named("column")

    def _named(self, operator: str) -> tuple[str, ...]:
        if self.operator == operator:
            return (self.parts[0],)
        names: dict[str, None] = {}
        for part in self.parts:
            for inner in part if isinstance(part, tuple) else (part,):
                if isinstance(inner, Expression):
                    names.update(dict.fromkeys(inner._named(operator)))
        return tuple(names)


def column(name: str) -> Expression:
    """A column of the row at hand."""
    return Expression("column", (name,))


def setting(name: str) -> Expression:
    """The value of a setting of the plan."""
    return Expression("setting", (name,))


def case(*cases: tuple[Expression, Any], otherwise: Any) -> Expression:
    """The value of the first case whose condition holds."""
    return Expression("case", (*cases, otherwise))


def _literal(value: str | Number | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    # Without the cast DuckDB would read 0.45 as a decimal and 1e-7 as a double.
    return str(value) if isinstance(value, int) else f"{value!r}::FLOAT"
