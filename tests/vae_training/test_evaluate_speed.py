"""`--speed`: a process for every cell, and a reason where there is no figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vae_training.evaluation import run
from tests.vae_training.test_adapters import CASES
from tests.vae_training.test_init import CASES as TUNED
from vae_training.evaluation import speed, speed_cell
from vae_training.model import build
from vae_training.model.cost import cost, forward_flops

import diffusers  # isort: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speed") / "tiny"
    build("tiny").save_pretrained(folder)
    return folder


def cell(source: Path | str, **more: Any) -> dict[str, Any]:
    given = {"source": str(source), "px": 32, "batch": 2, "device": "cpu", "dtype": "fp32"}
    return {**given, "threads": 1, "compile": False, "tiling": False, "repeats": 2, **more}


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in capsys.readouterr().out.splitlines():
        found |= json.loads(line)
    return found


def test_cells_run_in_processes_and_are_written(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)  # a relative folder is found all the same
    words = ("--speed", "--model", "tiny", "--speed_sizes", "32", "--speed_batch", "1")
    words += ("--speed_repeats", "3", "--threads", "1", "--out", str(tmp_path))
    assert run(*words) == 0
    found = json.loads((tmp_path / "speed.json").read_text())
    (only,) = found["cells"]
    assert (only["model"], only["px"], only["batch"]) == ("tiny", 32, 1) and "reason" not in only
    for part in ("encode", "decode"):
        assert len(only[part]["seconds"]) == 3
        assert only[part]["images_per_s"] == pytest.approx(1 / only[part]["median_s"])
        # A small model beside Python and PyTorch: more than it, less than a large one.
        assert 5e7 < only[part]["peak_bytes"] < 2e9
    assert only["flops"]["encode"] == cost("tiny", 32).encode_flops
    assert only["both"]["images_per_s"] < only["decode"]["images_per_s"]
    assert (found["dtype"], found["compile"], found["tiling"]) == ("fp32", False, False)
    table = (tmp_path / "speed.md").read_text()
    assert "| tiny | 32 | 1 |" in table and table in capsys.readouterr().out


def test_a_limit_of_time_is_a_reason_and_spares_larger_sizes(tiny: Path, tmp_path: Path) -> None:
    settings = {"sizes": (64, 32), "batch": 1, "repeats": 1, "limit_s": 0.05, "compile": False}
    settings |= {"tiling": False, "dtype": "fp32", "device": "cpu", "threads": 1}
    found = speed.measure({"tiny": str(tiny)}, settings, tmp_path, lambda _: None)
    assert [c["reason"] for c in found["cells"]] == [
        "over the limit of 0.05 s",
        "not tried: 32 px: over the limit of 0.05 s",
    ]
    assert "not tried" in speed.markdown(found)


def test_baselines_without_weights_have_no_flops(capsys: pytest.CaptureFixture[str]) -> None:
    speed_cell._measure(cell("jpeg-q10"))
    found = told(capsys)
    assert set(found) == {"both"} and found["both"]["images_per_s"] > 0


@pytest.mark.parametrize("case", ["AutoencoderKL", "AutoencoderKLWan-2.2", "AutoencoderRAE"])
def test_any_class_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    config = TUNED.get(case) or CASES[case][1]
    getattr(diffusers, case.split("-")[0])(**config).save_pretrained(tmp_path)
    speed_cell._measure(cell(tmp_path, px=64, dtype="bf16"))
    found = told(capsys)
    assert set(found) == {"flops", "loaded_bytes", "encode", "decode"}
    assert min(found["flops"].values()) > 0


def test_a_size_that_does_not_fit_is_a_reason(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(speed_cell.Refused, match="40 is no multiple of 16"):
        speed_cell._measure(cell(tiny, px=40))
    diffusers.AutoencoderRAE(**CASES["AutoencoderRAE"][1]).save_pretrained(tmp_path)
    with pytest.raises(speed_cell.Refused, match="it takes 64 x 64 px alone"):
        speed_cell._measure(cell(tmp_path, px=32))


def test_tiles_are_those_of_a_class(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speed_cell._measure(cell(tiny, tiling=True))
    assert "decode" in told(capsys)
    diffusers.AutoencoderKLWan(**TUNED["AutoencoderKLWan"]).save_pretrained(tmp_path)
    with pytest.raises(speed_cell.Refused, match="AutoencoderKLWan is not called in tiles here"):
        speed_cell._measure(cell(tmp_path, tiling=True))


def test_no_memory_is_a_reason(
    tiny: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(speed_cell, "_part", full)
    monkeypatch.setattr("sys.argv", ["speed_cell", json.dumps(cell(tiny))])
    assert speed_cell.main() == 1
    assert told(capsys)["reason"] == "out of memory"


def test_flops_are_those_of_any_call() -> None:
    layer = torch.nn.Linear(8, 4, device="meta")
    assert forward_flops(lambda x: layer(x), torch.empty(3, 8, device="meta")) == 2 * 3 * 8 * 4


def test_speed_needs_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--speed") == 2
    assert "--speed needs models" in capsys.readouterr().err
