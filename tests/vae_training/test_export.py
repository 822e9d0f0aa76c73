from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp

from vae_training.losses.objective import Objective
from vae_training.model import Autoencoder, build
from vae_training.state import export

SETTINGS = {"model": "tiny", "encoder_skip": None, "decoder_skip": "nsc"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Autoencoder]]:
    """A run with two checkpoints, whose weights and averages differ."""
    run, models = tmp_path_factory.mktemp("run"), {}
    for step in ("step-00000001", "step-00000002"):
        folder = run / "checkpoints" / step
        folder.mkdir(parents=True)
        torch.manual_seed(int(step[-1]))
        objective = Objective(build("tiny", decoder_skip="nsc"), None, None)
        average = build("tiny", decoder_skip="nsc")
        tensors = {"objective": objective.state_dict(), "ema": average.state_dict()}
        with warnings.catch_warnings():  # it warns that one process saves alone
            warnings.simplefilter("ignore")
            dcp.save(tensors, checkpoint_id=folder, no_dist=True)
        (folder / "info.json").write_text(json.dumps({"settings": SETTINGS}))
        models[f"{step} raw"], models[f"{step} ema"] = objective.autoencoder, average
    return run, models


@torch.no_grad()
def latents(model: Autoencoder) -> torch.Tensor:
    x = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return model.eval().encode(x).latent_dist.mode()


@pytest.mark.parametrize("kind", ["raw", "ema"])
@pytest.mark.parametrize("step", ["step-00000001", "step-00000002"])
def test_an_exported_model_gives_equal_latents(
    trained: tuple[Path, dict[str, Autoencoder]], tmp_path: Path, step: str, kind: str
) -> None:
    run, models = trained
    export.export(run / "checkpoints" / step, tmp_path / "out", raw=kind == "raw")
    assert (tmp_path / "out" / "diffusion_pytorch_model.safetensors").is_file()
    again = Autoencoder.from_pretrained(tmp_path / "out")
    assert again.config.decoder_skip == "nsc"
    assert torch.equal(latents(again), latents(models[f"{step} {kind}"]))


def test_the_command_takes_the_newest_checkpoint_and_its_statistics(
    trained: tuple[Path, dict[str, Autoencoder]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, models = trained
    out = tmp_path / "out"
    assert export.main([str(run), "--out", str(out)]) == 0
    assert "the run has not finished" in capsys.readouterr().out
    models["step-00000002 ema"].register_to_config(latents_mean=[0.5] * 64, scaling_factor=2.0)
    models["step-00000002 ema"].save_pretrained(run / "model")
    assert export.main([str(run), "--out", str(out)]) == 0
    again = Autoencoder.from_pretrained(out)
    assert again.config.scaling_factor == 2.0 and again.config.latents_mean == [0.5] * 64
    assert torch.equal(latents(again), latents(models["step-00000002 ema"]))


def test_what_cannot_be_exported_is_told(
    trained: tuple[Path, dict[str, Autoencoder]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, used, torn = (tmp_path / name for name in ("empty", "used", "torn"))
    for folder in (empty, used, torn):
        folder.mkdir()
    (used / "notes.txt").write_text("mine")
    (torn / "info.json").write_text(json.dumps({"settings": SETTINGS}))
    assert export.main([str(empty), "--out", str(tmp_path / "a")]) == 1
    assert "holds no checkpoint: give the folder of a run" in capsys.readouterr().err
    assert export.main([str(trained[0]), "--out", str(used)]) == 1
    assert "choose a new or empty folder" in capsys.readouterr().err
    assert export.main([str(torn), "--out", str(tmp_path / "b")]) == 1
    assert "cannot read" in capsys.readouterr().err
