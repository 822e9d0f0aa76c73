"""A rank that dies or hangs ends the others soon; torchrun resumes from the newest checkpoint."""

from __future__ import annotations

import functools
import itertools
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import vae_training.trainer as trainer_module
from tests.vae_training.runs import (
    CROP_PX,
    FORKED,
    Forked,
    assert_close,
    assert_same_weights,
    command,
    losses,
    run,
    steps_done,
)
from vae_training import train
from vae_training.model.pixels import to_model

# An image per rank.
_PAIRS: dict[str, Any] = {"batch_pixels": 2 * CROP_PX**2, "batch_multiple": 2, "steps": 12}
_FLAGS = [word for name, value in _PAIRS.items() for word in (f"--{name}", str(value))]
_FLAGS += ["--checkpoint_every", "3"]
_HIT = 8  # the step of the first life of a rank

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of one rank, with the batches of two."""
    out = tmp_path_factory.mktemp("alone")
    run(corpus, out, **_PAIRS)
    return out


def hit(mark: Path, number: signal.Signals) -> None:
    """`number` comes to the second rank, in the middle of a step, when a checkpoint is there."""
    steps = itertools.count()

    def struck(pixels: torch.Tensor) -> torch.Tensor:
        if os.environ["RANK"] == "1" and next(steps) == _HIT:
            while not any(mark.parent.glob("checkpoints/step-*")):
                time.sleep(0.01)
            mark.touch()
            os.kill(os.getpid(), number)
        return to_model(pixels)

    trainer_module.to_model = struck


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_rank_that_dies_or_hangs_ends_the_other_which_goes_on_alone(
    corpus: Path, tmp_path: Path, alone: Path, number: signal.Signals
) -> None:
    more = [*_FLAGS, "--timeout_s", "5"]
    mark = tmp_path / "hit"
    before = functools.partial(hit, mark, number)
    pair = Forked(tmp_path / "log", command(corpus, tmp_path, *more), world=2, before=before)
    try:
        said = pair.finish(1, ranks=slice(1))
        assert time.time() - mark.stat().st_mtime < 20
    finally:
        pair.kill()
    (line,) = [line for line in said.splitlines() if "error" in line]
    assert line.startswith("rank 0: error: another rank has ended, or was silent for --timeout_s 5")
    assert f"the same command resumes from the newest checkpoint in {tmp_path}" in line
    assert "Traceback" not in said and steps_done(tmp_path) == _HIT
    run(corpus, tmp_path, **_PAIRS | {"batch_multiple": 0})
    assert_close(alone, tmp_path, 12)


def launch(arguments: list[str], log: Path) -> None:
    """What torchrun does, but that ranks are forked and need not import all."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=2,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=1,
        monitor_interval=0.1,
        start_method="fork",
    )
    elastic_launch(config, mortal)(arguments)


def mortal(arguments: list[str]) -> None:
    """A rank; the second of them is killed once, in the middle of a step."""
    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        hit(Path(arguments[arguments.index("--out") + 1]) / "hit", signal.SIGKILL)
    sys.exit(train.main(arguments))


def test_torchrun_starts_a_killed_rank_again_and_the_run_is_that_without_the_kill(
    corpus: Path, tmp_path: Path
) -> None:
    at_once, out = tmp_path / "at once", tmp_path / "out"
    log = tmp_path / "launched.log"
    process = FORKED.Process(target=launch, args=(command(corpus, out, *_FLAGS), log))
    process.start()
    process.join(180)
    said = log.read_text()
    assert process.exitcode == 0, said
    assert "torchrun has started this run again, 1 times so far\nresuming" in said
    # The second checkpoint may not be written yet when the rank is killed.
    assert re.search("at step (3|6) of 12", said) and len(losses(out)) == 12
    Forked(tmp_path / "log", command(corpus, at_once, *_FLAGS), world=2).finish()
    assert losses(out) == losses(at_once)
    assert_same_weights(at_once, out)
