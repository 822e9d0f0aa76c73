"""The rules of the plan in words, with the values of one image and the settings in force."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from filters.scores import SCORE_SCHEMA
from pipelines.planning import rules
from pipelines.planning.settings import PlanSettings
from vae_corpus.expressions import Expression

# A rung is no threshold of its own.
_NAMES = {"min_rung": "smallest rung"}
_WORDS = {"=": "is", "<>": "is not"}


class Spoken:
    """The rules over one score row. Their answers are DuckDB's, as they are in the plan."""

    def __init__(self, row: dict[str, Any], s: PlanSettings) -> None:
        self._values = rules.values(s)
        self._db = duckdb.connect()
        self._db.register("scored", pa.Table.from_pylist([row], schema=SCORE_SCHEMA))
        self._db.execute(f"CREATE TABLE one AS SELECT *, {rules.kind_sql(s)} AS kind FROM scored")
        self.kind = str(self._ask("kind"))

    def close(self) -> None:
        self._db.close()

    def why_kind(self) -> str:
        """What made the kind: the case that holds, or that none does."""
        *cases, _ = rules.KIND.parts
        for when, _kind in cases:
            if self._value(when):
                return self.say(when)
        return "not " + ", not ".join(self.say(when) for when, _ in cases)

    def verdicts(self) -> list[tuple[str, str, str]]:
        """(slug, answer, words) of each rule in order; after the first yes none is asked."""
        told, decided = [], False
        for rule in rules.RULES:
            value = self._value(rule.when)
            answer = "not known" if value is None else "yes" if value else "no"
            told.append((rule.slug, "not asked" if decided else answer, self.say(rule.when)))
            decided |= bool(value)
        return told

    def say(self, part: Any) -> str:
        """`side 300 < min_side_px 256`."""
        if not isinstance(part, Expression):
            return shown(part)
        if part.operator == "column":
            return f"{part.parts[0]} {shown(self._value(part))}"
        if part.operator == "setting":
            name = part.parts[0]
            return f"{_NAMES.get(name, name)} {shown(self._values[name])}"
        if part.operator == "case":
            *cases, otherwise = part.parts
            return self.say(next((then for when, then in cases if self._value(when)), otherwise))
        left, right = (self.say(inner) for inner in part.parts)
        return f"{left} {_WORDS.get(part.operator, part.operator)} {right}"

    def _value(self, expression: Expression) -> Any:
        return self._ask(expression.sql(self._values, rules.DERIVED))

    def _ask(self, sql: str) -> Any:
        answer = self._db.execute(f"SELECT {sql} FROM one").fetchone()
        assert answer is not None
        return answer[0]


def shown(value: Any) -> str:
    """A number with four digits, whole ones whole; what was not measured as `-`."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
