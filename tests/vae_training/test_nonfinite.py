"""Steps with a NaN or infinite loss: skipped, told, and the same after any interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import vae_training.trainer as trainer_module
from tests.vae_training.runs import (
    CROP_PX,
    Forked,
    assert_same_weights,
    command,
    losses,
    opened,
    run,
    stop_after,
    weights,
)
from vae_training.model.pixels import to_model
from vae_training.trainer import Outcome
from vae_training.watch.nonfinite import NonFiniteLoss

Poison = Callable[..., None]


class Killed(Exception):
    """Stands for the end of a process that saves nothing."""


@pytest.fixture(scope="module")
def clean(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A run of good batches, stopped before it ends, and a checksum per step's images."""
    out, seen = tmp_path_factory.mktemp("clean"), list[int]()

    def recorded(pixels: torch.Tensor) -> torch.Tensor:
        seen.append(_checksum(pixels))
        return to_model(pixels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module, "to_model", recorded)
        run(corpus, out, stop_after(5))
    assert len(set(seen)) == 5
    return out, seen


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch, clean: tuple[Path, list[int]]) -> Poison:
    """Make the images of some steps NaN, whenever and however often they come."""

    def make(*steps: int) -> None:
        monkeypatch.setattr(trainer_module, "to_model", poisoned(*(clean[1][n] for n in steps)))

    return make


def poisoned(*bad: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda pixels: to_model(pixels) * (float("nan") if _checksum(pixels) in bad else 1.0)


@pytest.fixture(scope="module")
def at_once(
    corpus: Path, clean: tuple[Path, list[int]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Outcome]:
    """A whole run whose steps 2 and 3 are bad."""
    out = tmp_path_factory.mktemp("at-once")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module, "to_model", poisoned(*clean[1][2:4]))
        return out, run(corpus, out)


def _checksum(pixels: torch.Tensor) -> int:
    weights = torch.arange(pixels.numel(), dtype=torch.int64) % 8191
    return int((pixels.flatten().long() * weights).sum())


def kill_after(steps: int) -> Callable[[], bool]:
    asked = iter(range(steps))

    def stopped() -> bool:
        if next(asked, None) is None:
            raise Killed
        return False

    return stopped


def refusals(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "refused.jsonl").read_text().splitlines()]


def keys(out: Path, step: int) -> list[str]:
    found: list[str] = json.loads((out / f"refused-step-{step:08d}.json").read_text())["keys"]
    return found


def test_a_bad_batch_is_skipped_and_nothing_learned_from_it(
    corpus: Path,
    tmp_path: Path,
    poison: Poison,
    clean: tuple[Path, list[int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    poison(2)
    outcome = run(corpus, tmp_path)
    assert outcome.step == 6 and outcome.refused == 1
    assert [step for step, *_ in losses(tmp_path)] == [0, 1, 3, 4, 5]
    # Up to there the run is that of good batches; what it learned from is finite.
    assert losses(tmp_path)[:2] == losses(clean[0])[:2]
    assert all(weight.isfinite().all() for weight in weights(tmp_path).values())
    (row,) = refusals(tmp_path)
    assert row["step"] == 2 and row["scalars"]["loss"] == "nan"
    assert keys(tmp_path, 2) and row["images"] == "refused-step-00000002.json"
    assert f"not taken: step 2: loss nan, l1 nan, grad_norm nan; images {keys(tmp_path, 2)[0]}" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("end", "steps"), [(stop_after, 3), (stop_after, 4), (kill_after, 3), (kill_after, 5)]
)
def test_a_run_with_bad_batches_is_the_same_with_and_without_interruption(
    corpus: Path,
    tmp_path: Path,
    poison: Poison,
    at_once: tuple[Path, Outcome],
    end: Callable[[int], Callable[[], bool]],
    steps: int,
) -> None:
    poison(2, 3)
    try:
        run(corpus, tmp_path, end(steps), checkpoint_every=1)
    except Killed:
        assert end is kill_after
    again, (out, one) = run(corpus, tmp_path, workers=4), at_once
    assert losses(tmp_path) == losses(out) and len(losses(out)) == 4
    assert refusals(tmp_path) == refusals(out) and one.refused == again.refused == 2
    assert [keys(tmp_path, step) for step in (2, 3)] == [keys(out, step) for step in (2, 3)]
    assert_same_weights(out, tmp_path)


@pytest.mark.parametrize("allowed", [0, 2])
def test_too_many_in_a_row_end_the_run_at_the_state_before_the_first(
    corpus: Path, tmp_path: Path, poison: Poison, allowed: int
) -> None:
    poison(2, 3, 4)
    with pytest.raises(NonFiniteLoss, match=rf"step {2 + allowed}: loss nan.*(test|text)-256-"):
        run(corpus, tmp_path, nonfinite_steps=allowed, checkpoint_every=1)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == [
        "step-00000001",
        "step-00000002",
    ]
    assert len(refusals(tmp_path)) == allowed + 1
    # The same command meets the same batches again, however often.
    with pytest.raises(NonFiniteLoss, match=f"step {2 + allowed}: .*--nonfinite_steps"):
        run(corpus, tmp_path, nonfinite_steps=allowed)
    assert run(corpus, tmp_path, nonfinite_steps=3).step == 6


def test_a_taken_step_ends_a_row(corpus: Path, tmp_path: Path, poison: Poison) -> None:
    poison(1, 3)
    assert run(corpus, tmp_path, nonfinite_steps=1).refused == 2


def test_a_row_at_the_end_of_a_run_ends_with_it(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "to_model", lambda x: to_model(x) * float("nan"))
    outcome = run(corpus, tmp_path, steps=3)
    assert outcome.refused == 3 and outcome.checkpoint.name == "step-00000003"
    again = run(corpus, tmp_path, steps=3)
    assert again.refused == 3 and again.checkpoint == outcome.checkpoint


def bad_on_one_rank() -> None:
    """The third batch of rank 1 is NaN, and only its own."""
    given = iter(range(100))

    def half_bad(pixels: torch.Tensor) -> torch.Tensor:
        bad = next(given) == 2 and os.environ["RANK"] == "1"
        return to_model(pixels) * (float("nan") if bad else 1.0)

    trainer_module.to_model = half_bad


@pytest.mark.slow
def test_all_ranks_skip_what_is_bad_on_one_and_tell_its_images(
    corpus: Path, tmp_path: Path
) -> None:
    more = ["--steps", "4", "--batch_pixels", str(2 * CROP_PX**2), "--batch_multiple", "2"]
    pair = Forked(tmp_path / "log", command(corpus, tmp_path, *more), 2, before=bad_on_one_rank)
    assert "steps not taken, as loss or gradient was NaN or infinite: 1" in pair.finish()
    assert [step for step, *_ in losses(tmp_path)] == [0, 1, 3]
    data = opened(corpus, steps=4, crop_px=CROP_PX, batch_pixels=2 * CROP_PX**2, batch_multiple=2)
    state = data.order.start()
    for _ in range(2):
        state = data.order.select(state).after
    batch = [data.shards.key(row) for row in data.order.select(state).rows]
    assert keys(tmp_path, 2) == batch[1::2]


def test_a_gradient_that_is_not_finite_names_the_images_of_all(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exploded(*_: Any, **__: Any) -> torch.Tensor:
        return torch.tensor(float("inf"))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", exploded)
    with pytest.raises(NonFiniteLoss, match="grad_norm inf; images test-256"):
        run(corpus, tmp_path, nonfinite_steps=0)
    assert refusals(tmp_path)[0]["scalars"]["loss"] != "nan" and keys(tmp_path, 0)
