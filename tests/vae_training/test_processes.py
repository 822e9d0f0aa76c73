"""Runs of several processes, and runs that are stopped by a signal."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import psutil
import pytest
import torch

import vae_training.trainer as trainer_module
from tests.vae_training.runs import (
    CROP_PX,
    Forked,
    assert_close,
    command,
    losses,
    rows,
    run,
    torchrun,
)
from vae_training import train
from vae_training.model.pixels import to_model
from vae_training.trainer import Outcome

# Four images per rank, which go through the model in two parts, and are of several kinds.
_BATCH_PIXELS = 8 * CROP_PX**2
_BATCHES = ["--batch_pixels", str(_BATCH_PIXELS)]


def asked_to_stop_in_the_third_step() -> None:
    """SIGTERM comes to this process while it is in the middle of a step."""
    given = iter(range(100))

    def asked(pixels: torch.Tensor) -> torch.Tensor:
        if next(given) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return to_model(pixels)

    trainer_module.to_model = asked


def lean(arguments: list[str]) -> int:
    """Training does without the networks of diffusers, whose import takes a second."""
    code = train.main(arguments)
    assert "diffusers.models.unets" not in sys.modules
    return code


@pytest.mark.slow
def test_sigterm_saves_and_the_same_command_goes_on(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome]
) -> None:
    arguments = command(corpus, tmp_path, "--steps", "6")
    first = Forked(tmp_path / "first", arguments, before=asked_to_stop_in_the_third_step)
    last = first.finish().splitlines()[-1]
    assert f"{tmp_path / 'model'} is written at the end, not yet" in last
    assert last.endswith(f"resumes: python vae_training/train.py {shlex.join(arguments)}")
    assert not (tmp_path / "model").exists()
    second = Forked(tmp_path / "second", arguments, main=lean)
    assert f"resuming {tmp_path} at step 3" in second.finish()
    assert losses(tmp_path) == losses(whole[0])


@pytest.fixture(scope="module")
def one(corpus: Path, dino: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one rank with the batches of two."""
    out = tmp_path_factory.mktemp("one")
    more = {"batch_pixels": _BATCH_PIXELS, "accumulate": 2, "align_weight": "adaptive"}
    run(corpus, out, steps=6, lr_fan_in=30, batch_multiple=2, dino=dino, **more)
    return out


@pytest.fixture(scope="module")
def plain(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without alignment, whose weight depends on which images share a part."""
    out = tmp_path_factory.mktemp("plain")
    run(corpus, out, batch_pixels=_BATCH_PIXELS, batch_multiple=2)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["ddp", "fsdp"])
def test_two_ranks_train_like_one(
    corpus: Path, tmp_path: Path, dino: str, one: Path, sharding: str
) -> None:
    two = tmp_path / "two"
    more = ["--steps", "6", "--validate_every", "2", "--sharding", sharding]
    more += ["--dino", dino, "--align_weight", "adaptive"]
    more += [*_BATCHES, "--accumulate", "2", "--lr_fan_in", "30"]
    pair = Forked(tmp_path / "pair", command(corpus, two, *more), world=2)
    assert "validation after step 2" in pair.finish()
    assert_close(one, two, 6)
    weights = [[row["align_weight"] for row in rows(out)] for out in (one, two)]
    assert weights[1] == pytest.approx(weights[0], rel=1e-3) and min(weights[0]) > 0


@pytest.mark.slow
def test_two_nodes_train_like_one(corpus: Path, tmp_path: Path, plain: Path) -> None:
    more = ["--steps", "6", *_BATCHES, "--accumulate", "2"]
    Forked(tmp_path / "pair", command(corpus, tmp_path / "two", *more), world=2, nodes=2).finish()
    assert_close(plain, tmp_path / "two", 6)
    # A rank knows which kinds its own images are of.
    told = rows(plain)
    assert any({"psnr_general", "psnr_text_synth"} < set(row) for row in told)
    for a, b in zip(told, rows(tmp_path / "two"), strict=True):
        means = {name: value for name, value in a.items() if name.startswith("psnr_")}
        assert means and {name: b[name] for name in means} == pytest.approx(means, rel=1e-2)


def the_second_asked_to_stop_in_the_third_step() -> None:
    if os.environ["RANK"] == "1":
        asked_to_stop_in_the_third_step()


@pytest.mark.slow
def test_a_signal_to_one_of_two_sharded_ranks_stops_both_and_one_goes_on(
    corpus: Path, tmp_path: Path, plain: Path
) -> None:
    two = tmp_path / "two"
    more = ["--steps", "6", "--sharding", "fsdp", *_BATCHES]
    asked = the_second_asked_to_stop_in_the_third_step
    Forked(tmp_path / "pair", command(corpus, two, *more), world=2, before=asked).finish()
    assert len(losses(two)) == 3
    run(corpus, two, batch_pixels=_BATCH_PIXELS)
    assert_close(plain, two, 6)


@pytest.mark.slow
def test_torchrun_runs_the_file_and_a_signal_to_its_rank_is_no_failure(
    corpus: Path, tmp_path: Path
) -> None:
    process = torchrun(corpus, tmp_path, "--steps", "400")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step"):
            (rank,) = psutil.Process(process.pid).children()
            rank.send_signal(signal.SIGTERM)
            break
    said, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert f"the same command resumes: torchrun ... {train.__file__} --corpus {corpus}" in said
    assert 0 < len(losses(tmp_path)) < 400
