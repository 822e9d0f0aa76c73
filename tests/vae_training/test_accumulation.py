"""A batch in parts: the step of the whole batch, and one exchange between ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import vae_training.update as update_module
from vae_corpus.curriculum import LossWeights
from vae_training.config import TrainSettings
from vae_training.distributed import Ranks, join
from vae_training.losses.dino import load_features
from vae_training.losses.lpips import Lpips
from vae_training.losses.objective import Objective
from vae_training.model import build
from vae_training.update import Update

WEIGHTS = LossWeights(lpips=1.0, align=0.5)


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    alone = join("cpu", {})
    yield alone
    alone.close()


def prepared(ranks: Ranks, dino: str, **given: Any) -> Update:
    torch.manual_seed(0)
    objective = Objective(build("tiny"), Lpips(), load_features(dino, None))
    settings = TrainSettings(corpus="c", grad_clip=1e9, **given)
    update = Update(objective, settings, ranks)
    update.start()
    return update


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def gradients(update: Update) -> dict[str, torch.Tensor]:
    found = {}
    for name, weight in update.objective.named_parameters():
        if "projection" in name:  # fixed
            continue
        assert weight.grad is not None, name
        gradient = weight.grad
        found[name] = gradient.full_tensor() if isinstance(gradient, DTensor) else gradient
    return found


Step = tuple[list[str], torch.Tensor, dict[str, torch.Tensor]]


def step(update: Update) -> Step:
    """Scalars of a step, told by name, and the gradients."""
    names, told = update.gradients(images(5), WEIGHTS, 0)
    return names, told, gradients(update)


@pytest.fixture(scope="module")
def whole(dino: str) -> Step:
    """The step of a whole batch."""
    alone = join("cpu", {})
    try:
        return step(prepared(alone, dino))
    finally:
        alone.close()


@pytest.mark.parametrize(("accumulate", "sharding"), [(2, "ddp"), (3, "fsdp"), (99, "ddp")])
def test_parts_have_the_gradients_and_scalars_of_the_whole(
    ranks: Ranks, dino: str, whole: Step, sharding: str, accumulate: int
) -> None:
    names, told, wanted = whole
    parts = prepared(ranks, dino, accumulate=accumulate, sharding=sharding)
    again, told_in_parts, found = step(parts)
    assert again == names and {"lpips", "mcos", "mdms", "grad_norm"} < set(names)
    assert torch.allclose(told, told_in_parts, rtol=1e-5)
    for name, gradient in wanted.items():
        largest = gradient.abs().max().item()
        assert torch.allclose(gradient, found[name], rtol=1e-3, atol=1e-5 * largest), name


def test_ranks_exchange_gradients_once_a_step(
    ranks: Ranks, dino: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanges = []

    def hook(_, bucket):  # torch compares annotations, which are text here
        exchanges.append(bucket.index())
        done = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    def replicate(objective: Objective, _: Ranks, **__: Any) -> DistributedDataParallel:
        wrapped = DistributedDataParallel(objective, gradient_as_bucket_view=True)
        wrapped.register_comm_hook(None, hook)
        return wrapped

    monkeypatch.setattr(update_module, "replicate", replicate)
    update = prepared(ranks, dino, accumulate=3)
    for _ in range(2):
        exchanges.clear()
        update.gradients(images(5), WEIGHTS, 0)
        assert exchanges and sorted(exchanges) == sorted(set(exchanges))
        update.discard()


def test_an_adaptive_weight_is_that_of_each_part(ranks: Ranks, dino: str) -> None:
    torch.manual_seed(0)
    objective = Objective(build("tiny"), None, load_features(dino, None), adaptive=1e4)
    update = Update(objective, TrainSettings(corpus="c", accumulate=2), ranks)
    update.start()
    seen = []
    for part in images(2).split(1):
        names, told = update.gradients(part, WEIGHTS, 0)
        seen.append(told[names.index("align_weight")].item())
        update.discard()
    names, told = update.gradients(images(2), WEIGHTS, 0)
    mean = sum(seen) / 2
    assert seen[0] != seen[1]
    assert told[names.index("align_weight")].item() == pytest.approx(mean, rel=1e-4)
