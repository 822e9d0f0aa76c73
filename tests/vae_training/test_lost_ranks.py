"""A rank that dies or hangs ends the others soon; torchrun resumes from the newest checkpoint."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil
import pytest

from tests.vae_training.runs import (
    Forked,
    assert_close,
    assert_same_weights,
    command,
    losses,
    run,
    steps_done,
    torchrun,
)

# An image of 64 px per rank: a hundred steps take seconds.
_SMALL = ["--crop_px", "64", "--batch_pixels", str(2 * 64 * 64), "--batch_multiple", "2"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of one rank, with the batches of two."""
    out = tmp_path_factory.mktemp("alone")
    run(corpus, out, steps=None, crop_px=64, batch_pixels=2 * 64 * 64, batch_multiple=2)
    return out


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_rank_that_dies_or_hangs_ends_the_other_which_goes_on_alone(
    corpus: Path, tmp_path: Path, alone: Path, number: signal.Signals
) -> None:
    more = [*_SMALL, "--checkpoint_every", "3", "--timeout_s", "5"]
    pair = Forked(tmp_path / "log", command(corpus, tmp_path, *more), world=2)
    try:
        saved = tmp_path / "checkpoints"
        pair.signal_once(lambda: any(saved.glob("step-*")), 1, number)
        began = time.monotonic()
        said = pair.finish(1, ranks=slice(1))
        assert time.monotonic() - began < 20
    finally:
        pair.kill()
    (line,) = [line for line in said.splitlines() if "error" in line]
    assert line.startswith("rank 0: error: another rank has ended, or was silent for --timeout_s 5")
    assert f"the same command resumes from the newest checkpoint in {tmp_path}" in line
    assert "Traceback" not in said and any(saved.glob("step-*"))
    assert 3 <= steps_done(tmp_path) < steps_done(alone)
    run(corpus, tmp_path, steps=None, crop_px=64, batch_pixels=2 * 64 * 64)
    assert_close(alone, tmp_path, steps_done(alone))


def test_torchrun_starts_a_killed_rank_again_and_the_run_is_that_without_the_kill(
    corpus: Path, tmp_path: Path
) -> None:
    at_once, out = tmp_path / "at once", tmp_path / "out"
    more = [*_SMALL, "--steps", "80", "--checkpoint_every", "7"]
    process = torchrun(corpus, out, *more, restarts=1)
    while steps_done(out) < 16:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    psutil.Process(process.pid).children()[-1].kill()
    killed_at = steps_done(out)
    Forked(tmp_path / "log", command(corpus, at_once, *more), world=2).finish()
    said, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert "torchrun has started this run again, 1 times so far\nresuming" in said
    assert 16 <= killed_at < 80 and len(losses(out)) == 80
    assert losses(out) == losses(at_once)
    assert_same_weights(at_once, out)
