"""The cost of training at scale: straight lines through what was measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks import training_model
from benchmarks.scale_tables import between_marks
from benchmarks.training_model import DOCUMENT, Assumptions, measured, phases, run, tables
from pipelines.planning.phases import DEFAULT_PHASES


def test_the_document_shows_what_the_code_reckons() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    made = tables(Assumptions(), measured())
    assert all(table in text for table in made.values())
    assert between_marks(text, made) == text


def test_phases_show_the_images_that_the_curriculum_says() -> None:
    for phase, given in zip(phases(), DEFAULT_PHASES, strict=True):
        assert sum(phase.images.values()) == pytest.approx(given.samples)
        assert set(phase.images) == set(given.rungs)


def test_more_gpus_take_less_time_for_the_same_price_and_ask_as_much_of_each_node() -> None:
    found = measured()
    few, many = (run("f16c128", gpus, Assumptions(), found) for gpus in (8, 512))
    assert many.hours == pytest.approx(few.hours / 64) and many.price == pytest.approx(few.price)
    assert many.node_mb_s == pytest.approx(few.node_mb_s)
    # A node alone has every shard at home.
    shards = 64 * few.requests_s
    assert many.requests_s == pytest.approx(shards + many.images_s * found["away 64"])
    half = run("f16c128", 8, dataclasses.replace(Assumptions(), scaling=0.5), found)
    assert half.hours == pytest.approx(2 * few.hours)


def test_what_is_not_measured_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=training_model._GPU_FILE):
        measured(tmp_path)
