"""One declaration of rules: SQL for the plan, JSON for the page; both say what was said before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipelines.planning import rules
from pipelines.planning.settings import PlanSettings
from tests.pipelines.browser import browser, needs_chromium

SETTINGS = (
    PlanSettings(),
    PlanSettings(min_clarity=0.7, min_clarity_text=0.5, min_side_px=300, max_aspect=1.15),
    PlanSettings(min_clarity=1e-7, min_ink_levels=0, rung_weights={512: 1.0}),
    PlanSettings(min_text_chars_per_256=0.1, max_aspect=1, min_clarity=1, min_clarity_text=1),
)
SCORES = ("clarity", "noise", "compression", "blur")


def random_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows around all thresholds, many of them just on one, with gaps in every column."""
    rng = np.random.default_rng(seed)
    some = np.float32([0, 0.1, 0.2, 0.45, 0.5, 0.7, 1])

    def maybe(value: Any) -> Any:
        return None if rng.random() < 0.08 else value

    rows = []
    for n in range(count):
        scores = {name: maybe(float(rng.choice(some))) for name in SCORES}
        width, height = (int(v) for v in rng.integers(230, 620, 2))
        if rng.random() < 0.2:
            width, height = 300, 345  # an aspect of 1.15 to the digit
        density = float(rng.choice(np.float32([0, 0.1, 39.99999, 40, 40.00001, 300])))
        rows.append(
            {
                "id": n,
                "content": str(rng.choice(["auto", "document"])),
                "width": width,
                "height": height,
                "ink_cells": maybe([int(v) for v in rng.integers(0, 12, 3)]),
                "chars_est": maybe(float(rng.choice(np.float32([0, 5])))),
                "max_chars_per_256_tile": maybe(density),
                **scores,
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    floats = {name: pa.float32() for name in (*SCORES, "chars_est", "max_chars_per_256_tile")}
    whole = {name: pa.int32() for name in ("id", "width", "height")}
    others = {"content": pa.string(), "ink_cells": pa.list_(pa.uint8())}
    given = pa.Table.from_pylist(rows, schema=pa.schema(whole | others | floats))
    db.register("given", given)
    db.execute("CREATE TABLE rows AS FROM given")
    return db


def by_rules(db: duckdb.DuckDBPyConnection, s: PlanSettings) -> list[Any]:
    kinds = f"SELECT *, {rules.kind_sql(s)} AS kind FROM rows"
    return db.sql(f"SELECT kind, {rules.slug_sql(s)} FROM ({kinds}) ORDER BY id").fetchall()


def by_hand(row: dict[str, Any], s: PlanSettings) -> tuple[str, str | None]:
    """The same rules in Python, written out once more, with 32-bit floats."""

    def below(left: Any, right: Any) -> bool:
        return left is not None and right is not None and np.float32(left) < np.float32(right)

    def reaches(left: Any, right: Any) -> bool:
        return left is not None and right is not None and np.float32(left) >= np.float32(right)

    kind = "general"
    if row["content"] == "document":
        kind = "document"
    elif reaches(row["max_chars_per_256_tile"], s.min_text_chars_per_256):
        kind = "text_real"
    side, long_side = sorted((row["width"], row["height"]))
    if side < s.min_side_px or side < min(s.rung_weights):
        return kind, "too_small"
    if np.float32(long_side) > np.float32(side) * np.float32(s.max_aspect):
        return kind, "too_elongated"
    if kind != "general" and row["ink_cells"] and max(row["ink_cells"]) < s.min_ink_levels:
        return kind, "blank"
    if below(row["clarity"], s.min_clarity if kind == "general" else s.min_clarity_text):
        noise, compression, blur = row["noise"], row["compression"], row["blur"]
        if reaches(noise, blur) and reaches(noise, compression):
            return kind, "noisy"
        return kind, "compressed" if reaches(compression, blur) else "blurred"
    return kind, "no_text" if kind != "general" and row["chars_est"] == 0 else None


@pytest.mark.parametrize("s", SETTINGS, ids=range(len(SETTINGS)))
def test_the_sql_of_the_rules_says_what_they_mean(s: PlanSettings) -> None:
    rows = random_rows(1500, seed=3)
    found = by_rules(table(rows), s)
    assert found == [by_hand(row, s) for row in rows]


def test_random_rows_meet_every_rule() -> None:
    db = table(random_rows(1500, seed=3))
    met = {slug for s in SETTINGS for _, slug in by_rules(db, s)}
    assert met == {rule.slug for rule in rules.RULES} | {None}


def test_the_rules_name_settings_and_columns_that_exist() -> None:
    named = set(rules.values(PlanSettings())) - {"min_rung"}
    assert named <= set(PlanSettings.model_fields)


@needs_chromium
def test_the_page_decides_as_the_plan_does() -> None:
    rows = random_rows(1500, seed=4)
    db = table(rows)
    derived = ", ".join(f"{rules.DERIVED.get(name, name)} AS {name}" for name in rules.COLUMNS)
    answer = db.sql(f"SELECT {derived} FROM rows ORDER BY id").to_arrow_table()
    columns = {name: answer[name].to_pylist() for name in rules.COLUMNS}
    script = Path(rules.__file__).parents[1] / "report" / "assets" / "rules.js"
    with browser() as chromium:
        page = chromium.new_page()
        page.set_content("<!doctype html><title>rules</title>")
        page.add_script_tag(content=script.read_text())
        for s in SETTINGS:
            found = page.evaluate(
                "([declared, columns, settings, count]) => {"
                "  const decide = Rules.make(declared, columns, settings);"
                "  return Array.from({length: count}, (_, i) => decide(i)); }",
                [rules.to_json(), columns, rules.values(s), len(rows)],
            )
            assert [tuple(pair) for pair in found] == by_rules(db, s)
