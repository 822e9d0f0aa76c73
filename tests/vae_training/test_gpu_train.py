"""The GPU benchmark runs to its end on a CPU too, down to the table and the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import gpu_train

SMALL = ["--device", "cpu", "--model", "tiny", "--px", "32", "--batch", "1", "--repeats", "1"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_steps_end_in_a_table_and_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The compiler takes minutes on a CPU: this one traces and compiles nothing.
    real = gpu_train.compile_halves
    monkeypatch.setattr(gpu_train, "compile_halves", lambda given: real(given, backend="eager"))
    steps = [step for step in gpu_train.STEPS if step != "compiled norms"]
    assert gpu_train.main([*SMALL, "--out", str(tmp_path), "--steps", *steps]) == 0
    facts = json.loads((tmp_path / "gpu_train.json").read_text())
    assert facts["device"] == "cpu" and facts["command"].startswith("python benchmarks/gpu_train")
    rows = facts["results"]["tiny 32 px"]
    assert list(rows) == steps
    for found in rows.values():
        assert found["batch"] == 1 and "mfu" not in found
        assert found["images_per_s"] == pytest.approx(1 / found["step_s"])
        assert found["first_step_s"] > 0
    assert "against plain" in capsys.readouterr().out


def test_a_step_that_fails_does_not_end_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(gpu_train, "compile_halves", broken)
    steps = ["--steps", "compiled", "plain"]
    assert gpu_train.main([*SMALL, "--out", str(tmp_path), *steps]) == 0
    rows = json.loads((tmp_path / "gpu_train.json").read_text())["results"]["tiny 32 px"]
    assert rows["compiled"] == "failed: RuntimeError: no compiler here"
    assert rows["plain"]["images_per_s"] > 0
    assert "no compiler here" in capsys.readouterr().out
