"""Copies of a model on two ranks: the same steps whatever losses are on, and how they exchange."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.vae_training.runs import FORKED, SMALLEST, free_port
from vae_corpus.curriculum import LossWeights
from vae_training.distributed import Ranks, join, replicate
from vae_training.losses.dino import load_features
from vae_training.losses.lpips import Lpips
from vae_training.losses.objective import Objective
from vae_training.model import build

# As phases have them: LPIPS and alignment come and go.
_LOSSES = [(0.0, 0.0), (1.0, 0.5), (1.0, 0.0), (0.0, 0.5), (1.0, 0.5)]
_SIZES = [(16, 32), (32, 16), (16, 16)]


def losses(
    ranks: Ranks, judge: Lpips, dino: str, recompute: bool, adaptive: float | None, parts: int
) -> Any:
    """Loss and gradient norm of a few steps of whole batches, by what `parts` calls expect."""
    torch.manual_seed(0)
    objective = Objective(build(SMALLEST), judge, load_features(dino, None), adaptive=adaptive)
    objective.autoencoder.recompute_activations(recompute, None)
    wrapped = replicate(objective, ranks, parts=parts, gradients="fp32").train()
    assert wrapped.static_graph == (parts == 1)
    optimizer = torch.optim.SGD(objective.trained(), lr=1e-2)
    found = []
    for step, (lpips, align) in enumerate(_LOSSES):
        noise = torch.Generator().manual_seed(2 * step + ranks.rank)
        x = torch.rand(2, 3, *_SIZES[step % len(_SIZES)], generator=noise) * 2 - 1
        terms = wrapped(x, LossWeights(lpips=lpips, align=align))
        terms["loss"].backward()
        norm = torch.nn.utils.clip_grad_norm_(objective.trained(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        found.append((terms["loss"].item(), norm.item()))
    return found


def compare(rank: int, port: int, dino: str, out: Path) -> None:
    torch.set_num_threads(1)
    own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ.update(own | {"RANK": str(rank)})
    ranks = join("cpu", os.environ)
    torch.manual_seed(0)
    judge = Lpips()
    told = [
        [losses(ranks, judge, dino, recompute, adaptive, parts) for parts in (1, 2)]
        for recompute, adaptive in ((False, None), (False, 1e4), (True, 1e4))
    ]
    out.with_name(f"rank{rank}.json").write_text(json.dumps(told))
    ranks.close()


@pytest.mark.slow
def test_a_graph_taken_as_static_gives_the_losses_of_one_that_is_not(
    dino: str, tmp_path: Path
) -> None:
    given = (free_port(), dino, tmp_path / "told")
    processes = [FORKED.Process(target=compare, args=(rank, *given)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    one, two = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2))
    for pair, other in zip(one, two, strict=True):
        assert pair[0] == pair[1] and other[0] == other[1]
        # Each rank has its own images; the norm is of the gradient that they share.
        assert [norm for _, norm in pair[0]] == [norm for _, norm in other[0]]
        assert all(a != b for (a, _), (b, _) in zip(pair[0], other[0], strict=True))


def test_gradients_in_bf16_are_refused_where_no_gpu_exchanges_them() -> None:
    ranks: Any = SimpleNamespace(world=2, rank=0, device=torch.device("cpu"))
    objective = Objective(build("tiny"), None, None)
    with pytest.raises(ValueError, match="only GPUs exchange gradients so.*leave --gradients out"):
        replicate(objective, ranks, parts=1, gradients="bf16")
