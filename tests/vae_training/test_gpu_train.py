"""The GPU benchmark runs to its end on a CPU too, down to the file, and nothing in it can hang."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import gpu_train
from benchmarks.gpu import worker as worker_module
from benchmarks.gpu.plan import Cell, Setup, plan
from benchmarks.gpu.variants import widen_rgb
from benchmarks.gpu.worker import Worker
from tests.vae_training.runs import FORKED, SMALLEST
from vae_training.model import build

import diffusers  # isort: skip

TINY: dict[str, Any] = {"model": "tiny", "px": 32, "batch": 1}
SIDES = [32, 48]
FIRST = f"{SMALLEST} 32 px"


def run(out: Path, *more: str, name: str = "gpu_train.json") -> dict[str, Any]:
    assert gpu_train.main(["--device", "cpu", "--out", str(out), *more]) == 0
    facts: dict[str, Any] = json.loads((out / name).read_text())
    return facts


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """The file and the words of everything, from end to end, in a process that is forked.

    A single step on a CPU is noise: whatever was faster by chance, "plain" alone is kept.
    """
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as said:
        patch.setattr(gpu_train, "_GAIN", 1e9)
        patch.setattr(worker_module, "_CONTEXT", FORKED)
        given = ("--model", SMALLEST, "--px", *map(str, SIDES), "--name", "other.json")
        facts = run(tmp_path_factory.mktemp("whole"), *given, name="other.json")
    return facts, said.getvalue()


@pytest.fixture(scope="module")
def real(whole: tuple[dict[str, Any], str]) -> dict[str, Any]:
    """What is measured of a model made with diffusers, by group."""
    results: dict[str, Any] = whole[0]["results"]
    return results


@pytest.mark.slow
def test_every_cell_is_measured_but_those_that_need_a_gpu(
    whole: tuple[dict[str, Any], str], real: dict[str, Any]
) -> None:
    facts, said = whole
    assert facts["skipped"] == [] and facts["device"] == "cpu"
    planned = list(plan([SMALLEST], SIDES, 1))
    assert {(c.group, c.step) for c in planned} == {
        (group, step) for group, rows in real.items() for step in rows
    }
    failed = {step for rows in real.values() for step, row in rows.items() if "failed" in row}
    assert failed == {"blocks fused in Triton"}
    assert "images/s" in said


@pytest.mark.slow
def test_all_kinds_of_cells_end_in_the_file(real: dict[str, Any]) -> None:
    rows = real[FIRST]
    assert rows["plain"]["images_per_s"] == pytest.approx(1 / rows["plain"]["step_s"])
    assert rows["compiled blocks"]["loss"] == pytest.approx(rows["plain"]["loss"], rel=1e-5)
    assert rows["profile of the best not compiled"]["kernels"]
    full = real[f"{FIRST}, full loss"]["as torch has it"]
    assert full["lpips"] > 0 and full["align_weight"] > 0


@pytest.mark.slow
def test_without_diffusers_it_is_the_same_model_and_what_hangs_or_fails_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "_END_S", 0.1)
    options = {"warmup": 0, "repeats": 1, "backend": "eager", "stand_in": True}
    cell = Cell(group="a", step="b", **TINY)
    worker = Worker("cpu", options)
    try:
        assert "ended" in worker.measure(cell, Setup(), 0.2)["failed"]
        assert worker.start()["diffusers"] == "stand-in"
        unknown = Cell(group="a", step="b", **{**TINY, "model": "huge"})
        assert "unknown model" in worker.measure(unknown, Setup(), 100)["failed"]
        found = worker.measure(cell, Setup(), 100)
    finally:
        worker.stop()
    monkeypatch.setattr(worker_module, "_CONTEXT", FORKED)
    real = Worker("cpu", {**options, "stand_in": False})
    try:
        assert real.start()["diffusers"] == diffusers.__version__
        assert found["loss"] == real.measure(cell, Setup(), 100)["loss"] > 0
    finally:
        real.stop()


def test_what_no_time_is_left_for_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is measured, so nobody has to be there who could.
    idle = SimpleNamespace(start=lambda: {"device": "cpu"}, stop=lambda: None)
    monkeypatch.setattr(gpu_train, "Worker", lambda *_: idle)
    facts = run(tmp_path, "--budget-s", "1", "--only", "plain")
    assert facts["skipped"] == ["tiny 32 px: plain"] and facts["results"] == {}


def test_only_changes_that_help_are_kept(tmp_path: Path) -> None:
    book = gpu_train.Book(tmp_path / "x.json", {}, Setup())
    speeds = {"plain": 10.0, "channels_last": 20.0, "phases": 15.0, "compiled levels": 30.0}
    for cell in plan(["tiny"], [32], 1):
        if cell.step in speeds and cell.group == "tiny 32 px":
            found = {"images_per_s": speeds[cell.step], "step_s": 1.0, "first_step_s": 1.0}
            book.note(cell, book.setup(cell), found)
    eager = Setup(channels_last=True)
    other = Cell(group="other", step="c", change={"tf32": True}, **TINY)
    assert book.setup(other) == Setup(channels_last=True, compiled="levels", tf32=True)
    assert book.setup(Cell(group="other", step="d", base="eager", **TINY)) == eager
    assert book.setup(Cell(group="tiny 32 px", step="e", base="plain", **TINY)) == Setup()


def test_colours_in_eight_channels_are_the_same_model() -> None:
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = []
    for change in (lambda model: None, lambda model: widen_rgb(model, inputs=True)):
        torch.manual_seed(0)
        model = build("tiny", decoder_skip="nsc", encoder_skip="nsc")
        change(model)
        image = model(x).sample
        image.square().mean().backward()
        found.append([image, *(p.grad for p in model.parameters() if p.grad is not None)])
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_fused_blocks_have_the_gradients_of_float64() -> None:
    code = (
        "import torch; from benchmarks.gpu.equality import errors;"
        "found = errors('cpu', torch.float32, side=6);"
        "assert len(found) == 28 and max(found.values()) < 1e-5, found"
    )
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


@pytest.mark.slow
def test_the_step_of_the_trainer_itself_is_measured(real: dict[str, Any]) -> None:
    rows = real[f"{FIRST}, the trainer itself"]
    assert list(rows) == ["L1", "full loss", "full loss, adaptive"]
    assert rows["L1"]["loss"] == pytest.approx(rows["L1"]["l1"])
    assert rows["full loss"]["lpips"] > 0 and rows["full loss, adaptive"]["align_weight"] > 0
    assert all(row["grad_norm"] > 0 for row in rows.values())
