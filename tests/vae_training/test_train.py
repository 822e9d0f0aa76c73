from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import vae_training.trainer as trainer_module
from vae_training import train
from vae_training.checkpoint import CheckpointError
from vae_training.config import TrainSettings
from vae_training.model import Autoencoder
from vae_training.optimizer import rate
from vae_training.ranks import Ranks
from vae_training.run import build_objective, open_data
from vae_training.trainer import NonFiniteLoss, Outcome, Trainer
from vae_training.validation import Pair, psnr, to_model, to_pixels

SCRIPT = Path(train.__file__)
SMALL = ["--model", "tiny", "--batch_pixels", "65536", "--validation_samples", "2"]


def run(
    corpus: Path, out: Path, stopped: Callable[[], bool] = lambda: False, **more: Any
) -> Outcome:
    """Train a few small steps on one thread: sums over several round differently."""
    torch.set_num_threads(1)
    given = {"steps": 6, "batch_pixels": 256 * 256, "validation_samples": 2, "threads": 1, **more}
    settings = TrainSettings(corpus=str(corpus), out=str(out), **given)
    data = open_data(settings, 1)
    objective, _ = build_objective(settings, data.curriculum)
    ranks = Ranks(device=torch.device("cpu"))
    return Trainer(settings, data, objective, ranks, clock=time.perf_counter, stopped=stopped).run()


def stop_after(steps: int) -> Callable[[], bool]:
    asked = iter(range(steps))
    return lambda: next(asked, None) is None


def losses(out: Path) -> list[tuple[int, float, float]]:
    rows = [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"], row["grad_norm"]) for row in rows]


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A run from start to end."""
    out = tmp_path_factory.mktemp("whole")
    return out, run(corpus, out)


def test_a_run_leaves_checkpoint_grid_and_model(whole: tuple[Path, Outcome]) -> None:
    out, outcome = whole
    assert outcome.step == 6 and outcome.checkpoint == out / "checkpoints" / "step-00000006"
    assert outcome.report is not None and set(outcome.report.psnr()) == {"general", "text_synth"}
    with Image.open(out / "grid.png") as grid:
        assert grid.width > 256
    model = Autoencoder.from_pretrained(out / "model")
    assert len(model.config.latents_mean) == model.config.latent_channels
    assert min(model.config.latents_std) > 0
    assert list((out / "tensorboard").iterdir())


def test_an_interrupted_run_has_the_losses_of_an_uninterrupted_one(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome]
) -> None:
    stopped = run(corpus, tmp_path, stop_after(3), workers=1)
    assert stopped.step == 3 and stopped.report is None
    assert run(corpus, tmp_path, workers=4).step == 6
    assert losses(tmp_path) == losses(whole[0])


def test_a_finished_run_does_nothing_more(corpus: Path, tmp_path: Path) -> None:
    first = run(corpus, tmp_path, steps=3)
    before = (first.checkpoint / "state.pt").stat().st_mtime_ns
    again = run(corpus, tmp_path, steps=3)
    assert again.step == 3
    assert (again.checkpoint / "state.pt").stat().st_mtime_ns == before
    assert again.report is not None and first.report is not None
    assert again.report.psnr() == first.report.psnr()


def test_rows_behind_the_last_checkpoint_are_written_once(corpus: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path, stop_after(2))
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write(json.dumps({"step": 2, "loss": 9.0, "grad_norm": 9.0}) + "\n")
    run(corpus, tmp_path)
    assert [step for step, *_ in losses(tmp_path)] == list(range(6))


def test_another_seed_in_the_same_folder_is_refused(
    corpus: Path, whole: tuple[Path, Outcome]
) -> None:
    with pytest.raises(CheckpointError, match="seed 0, now it is 1: choose another --out"):
        run(corpus, whole[0], seed=1)


def test_a_loss_that_is_no_number_stops_with_the_keys(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "to_model", lambda x: to_model(x) * float("nan"))
    with pytest.raises(NonFiniteLoss, match=r"step 0: loss nan.*test-256-\d+"):
        run(corpus, tmp_path)
    assert (tmp_path / "checkpoints" / "step-00000000").is_dir()


def test_the_warm_up_is_linear_and_the_cosine_ends_low() -> None:
    settings = TrainSettings(corpus="c", lr=1.0)
    rates = [rate(settings, step, 100) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and max(rates) == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True) and 0.04 < rates[-1] < 0.07
    assert rate(settings.model_copy(update={"schedule": "constant"}), 99, 100) == 1.0


def test_pixels_survive_the_way_to_the_model_and_back() -> None:
    pixels = torch.arange(192, dtype=torch.uint8).reshape(1, 8, 8, 3)
    assert torch.equal(to_pixels(to_model(pixels)), pixels)


def test_psnr_of_a_known_error() -> None:
    a = np.zeros((4, 4, 3), dtype=np.uint8)
    assert psnr(a, a) == 100.0
    assert psnr(a, a + 255) == 0.0
    assert psnr(a, a + 1) == pytest.approx(48.13, abs=0.01)


def test_a_grid_has_two_rows_per_kind() -> None:
    from vae_training.grid import draw_grid

    red = np.zeros((300, 280, 3), dtype=np.uint8) + np.array([255, 0, 0], dtype=np.uint8)
    pair = Pair(original=red, reconstruction=255 - red, psnr=1.0, skip_psnr=1.0)
    one, two = draw_grid({"a": [pair]}, "t"), draw_grid({"a": [pair], "b": [pair] * 3}, "t")
    assert two.height - one.height == one.height - 22
    assert one.getpixel((100, 150)) == (255, 0, 0)
    assert one.getpixel((100, 150 + 260)) == (0, 255, 255)


def test_the_command_says_what_is_off_and_where_to_look(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--corpus", str(corpus), "--out", str(tmp_path), "--steps", "3", *SMALL]
    assert train.main(arguments) == 0
    said = capsys.readouterr().out
    assert "align is off: general, mixed, large ask for it; give --dino PATH" in said
    assert "lpips is off" in said and "held out by key hash" in said
    assert str(tmp_path / "grid.png") in said and "skip alone" in said


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--corpus", "nowhere"], 1, "there is no nowhere/curriculum.json"),
        (["--corpus", "nowhere", "--model", "f8"], 2, "model"),
        (["--corpse", "x"], 2, "did you mean --corpus"),
        (["--corpus", "CORPUS", "--lpips_weights", "no.pth"], 1, "there is no file no.pth"),
        (["--corpus", "CORPUS", "--dino", "nothing"], 1, "download the folder of a DINOv2"),
        (["--corpus", "CORPUS", "--steps", "1"], 1, "1 steps are too few for 3 phases"),
    ],
)
def test_a_wrong_command_has_a_readable_error(
    corpus: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert train.main([str(corpus) if a == "CORPUS" else a for a in arguments]) == code
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_sigterm_saves_and_the_same_command_goes_on(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome]
) -> None:
    more = ["--steps", "6", "--threads", "1", "--out", str(tmp_path), *SMALL]
    command = [sys.executable, str(SCRIPT), "--corpus", str(corpus), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step"):
            process.send_signal(signal.SIGTERM)
            break
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "the same command resumes" in rest
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "resuming" in done.stdout
    assert losses(tmp_path) == losses(whole[0])


@pytest.mark.slow
def test_two_ranks_train_like_one(corpus: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run(corpus, one, steps=3, batch_multiple=2)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [str(SCRIPT), "--corpus", str(corpus), "--out", str(two), "--steps", "3"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "--threads", "1", *SMALL], env=environment, timeout=180, check=True)
    first, *rest = zip(losses(one), losses(two), strict=True)
    assert first[1] == pytest.approx(first[0], rel=1e-5)
    # AdamW divides small gradients by their own size, so rounding grows from step to step.
    for a, b in rest:
        assert b == pytest.approx(a, rel=1e-2)
