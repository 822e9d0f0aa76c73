"""The cost model: straight lines through what was measured, nothing for what was not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import scale_model
from benchmarks.scale_figures import FIGURES, RESULTS, Amount, Measured
from benchmarks.scale_model import (
    DOCUMENT,
    IMAGES,
    Assumptions,
    first_short,
    stages,
    tables,
    times_s,
    whole,
)
from benchmarks.scale_tables import between_marks, short


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    """All figures, made up, each another."""
    for number, figure in enumerate(FIGURES.values(), start=2):
        path = tmp_path / figure.file
        data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        place = data
        for key in figure.keys[:-1]:
            place = place.setdefault(key, {})
        place[figure.keys[-1]] = number
        path.write_text(json.dumps(data))
    return Measured(tmp_path)


def test_the_document_shows_what_the_code_reckons() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    made = tables(Assumptions(), Measured())
    assert all(table in text for table in made.values())
    assert between_marks(text, made) == text


def test_what_was_not_measured_is_named_and_makes_least_values(tmp_path: Path) -> None:
    nothing = tables(Assumptions(), Measured(tmp_path))
    assert nothing["figures"].count("| not measured |") == len(FIGURES)
    assert "| all | not measured | not measured | not measured | not measured |" in nothing["work"]
    for file in {figure.file for figure in FIGURES.values()} - {"score_cost.json"}:
        (tmp_path / file).unlink(missing_ok=True)
    (tmp_path / "score_cost.json").write_text((RESULTS / "score_cost.json").read_text())
    assert "| score | ≥ " in tables(Assumptions(), Measured(tmp_path))["work"]


def test_with_all_figures_nothing_is_missing(measured: Measured) -> None:
    made = "".join(tables(Assumptions(), measured).values())
    assert "not measured" not in made and "≥" not in made


def test_a_file_without_its_figure_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "plan_scale.json").write_text('{"cpu_s": 3}')
    with pytest.raises(ValueError, match=r"plan_scale.json has no '10000000 / cpu_s_per_million'"):
        Measured(tmp_path)


def test_ten_times_the_images_are_ten_times_the_work(measured: Measured) -> None:
    a = Assumptions()
    for few, many in zip(IMAGES, IMAGES[1:], strict=False):
        small, large = (whole(stages(n, a, measured)) for n in (few, many))
        for field in dataclasses.fields(small):
            before, after = (getattr(s, field.name).known for s in (small, large))
            # The page of the report is the same for all.
            fixed = measured["report"].known if field.name == "driver_s" else 0
            assert before > 0 and after - fixed == pytest.approx((before - fixed) * many / few)


def test_every_figure_counts_for_something(measured: Measured) -> None:
    made = []
    for size_px in (256, 512, 1024):
        a = Assumptions(size_px=size_px, text=0.5)
        made.append(repr(stages(1e6, a, measured)))
    for name in FIGURES:
        before = measured.values[name]
        measured.values[name] = 3 * (before or 1)
        after = [
            repr(stages(1e6, Assumptions(size_px=px, text=0.5), measured))
            for px in (256, 512, 1024)
        ]
        assert after != made, name
        measured.values[name] = before


def test_every_assumption_counts_for_something(measured: Measured) -> None:
    usual = tables(Assumptions(), measured)
    for field in dataclasses.fields(Assumptions):
        other = 256 if field.name == "size_px" else field.default / 2
        made = tables(Assumptions(**{field.name: other}), measured)
        changed = {name for name in made if made[name] != usual[name]}
        assert changed > {"assumptions"}, field.name


@pytest.mark.parametrize(
    ("scarce", "name"),
    [
        ({"gbit_s_per_core": 1e-9}, "network"),
        ({"requests_s": 1e-9}, "requests"),
        ({"disk_mb_s_per_core": 1e-12}, "disk"),
        ({"cores": 1e-3, "gbit_s_per_core": 1e9, "disk_mb_s_per_core": 1e9}, "CPU"),
        ({"cores": 1e12}, "driver"),
    ],
)
def test_what_is_scarce_becomes_short(
    measured: Measured, scarce: dict[str, float], name: str
) -> None:
    a = Assumptions(**{"requests_s": 1e12} | scarce)
    assert first_short(times_s(whole(stages(1e9, a, measured)), a)) == name


def test_what_might_be_shorter_is_said() -> None:
    times = {"CPU": Amount(known=3), "disk": Amount(lacks=frozenset(["plan disk"]))}
    assert first_short(times) == "CPU; not measured: disk"


def test_figures_are_rounded_to_three_digits() -> None:
    shown = [short(Amount(known=n)) for n in (0, 0.01234, 12.34, 12_345, 9.87654e9)]
    assert shown == ["0", "0.0123", "12.3", "12,300", "9,880,000,000"]
    assert short(Amount(known=12, lacks=frozenset(["plan"]))) == "≥ 12"


def test_flags_are_the_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale_model.main(["--price_per_core_hour", "1"]) == 0
    assert "| `--price_per_core_hour` | 1 |" in capsys.readouterr().out
    assert scale_model.main(["--size_px", "300"]) == 2
    assert "256" in capsys.readouterr().err
    # The document keeps to the assumptions that it names.
    assert scale_model.main(["--pages", "0.5", "--write"]) == 2
