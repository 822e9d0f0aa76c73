from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vae_training.runs import opened, settings_of
from vae_corpus.settings import SettingsError
from vae_training.assemble import build_objective
from vae_training.distributed import join
from vae_training.update import Update
from vae_training.warm_up import Kind, kinds_of_batches, warm_up


@pytest.mark.parametrize("world", [1, 2])
def test_it_meets_every_batch_of_the_run_and_the_largest_first(corpus: Path, world: int) -> None:
    data = opened(corpus, steps=40, batch_pixels=8 * 256 * 256, batch_multiple=2)
    state, met = data.order.start(), set()
    for _ in range(data.order.schedule.total):
        chosen = data.order.select(state)
        weights = data.curriculum.phases[chosen.phase].loss_weights(chosen.progress)
        met.add(
            Kind(
                bucket=chosen.bucket,
                images=len(chosen.rows) // world,
                lpips=weights.lpips > 0,
                align=weights.align > 0,
            )
        )
        state = chosen.after
    kinds = kinds_of_batches(data, 0, world)
    assert met <= set(kinds) and len(met) > 1
    pixels = [kind.images * kind.bucket.width * kind.bucket.height for kind in kinds]
    assert pixels == sorted(pixels, reverse=True)
    last = data.curriculum.phases[-1].name
    assert set(kinds_of_batches(data, len(data.curriculum.phases) - 1, world).values()) == {last}


def test_it_leaves_nothing_behind_and_says_what_does_not_fit(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, data, ranks = settings_of(corpus, tmp_path), opened(corpus), join("cpu", {})
    try:
        objective, _ = build_objective(settings, data.curriculum)
        before = {name: value.clone() for name, value in objective.state_dict().items()}
        update = Update(objective, settings, ranks)
        update.start()
        how: dict[str, Any] = {"clock": time.perf_counter, "stopped": lambda: False}
        said = warm_up(update, data, ranks, 0, **how)
        count = len(kinds_of_batches(data, 0, 1))
        assert count > 1 and said.startswith(f"warmed up {count} of {count} kinds of batches")
        assert all(torch.equal(before[n], v) for n, v in objective.state_dict().items())
        assert all(p.grad is None for p in objective.parameters())
        assert not update.optimizer.state

        def full(*_: object) -> None:
            raise torch.cuda.OutOfMemoryError

        monkeypatch.setattr(update, "gradients", full)
        with pytest.raises(SettingsError, match=r"phase .*px a rank do not fit.*--accumulate N"):
            warm_up(update, data, ranks, 0, **how)
        monkeypatch.undo()
        said = warm_up(update, data, ranks, 0, clock=time.perf_counter, stopped=lambda: True)
        assert said.startswith(f"warmed up 1 of {count} kinds of batches")
    finally:
        ranks.close()
