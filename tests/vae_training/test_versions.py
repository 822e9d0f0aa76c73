"""What is written for later readers has a VERSION, which changes if and only if its bytes do."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.vae_training.data.made_up import runs_of
from tests.versions import assert_recorded
from vae_corpus import curriculum
from vae_corpus.curriculum import Phase, Ramp
from vae_corpus.words import GENERAL, TEXT_SYNTH, Group
from vae_training.config import TrainSettings
from vae_training.data.loader import Loader
from vae_training.data.mixture import Mixtures
from vae_training.data.order import BatchSize, Order
from vae_training.data.schedule import Schedule
from vae_training.distributed import join
from vae_training.losses.objective import Objective
from vae_training.model import build
from vae_training.optimizer import make_optimizer
from vae_training.state import snapshot
from vae_training.state.ema import Ema

PHASE = Phase(
    name="small",
    samples=8,
    rungs={256: Ramp(1.0, 1.0)},
    kinds={GENERAL: Ramp(1.0, 0.5), TEXT_SYNTH: Ramp(0.0, 0.5)},
    loss={name: Ramp(0.5, 0.25) for name in ("lpips", "align", "m_cos", "m_dist")},
)
GROUPS = tuple(Group(kind=kind, rung=256, bucket="256x256") for kind in (GENERAL, TEXT_SYNTH))


def curriculum_bytes() -> bytes:
    return json.dumps(PHASE.to_json()).encode()


def checkpoint_bytes() -> bytes:
    """Names and shapes of tensors, keys of the JSON part, and the data that a state stands for."""
    settings, ranks = TrainSettings(corpus="c", lr_fan_in=0), join("cpu", {})
    objective = Objective(build("tiny"), None, None)
    optimizer = make_optimizer(objective, settings)
    for weight in objective.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    order = Order(
        groups=GROUPS,
        runs=runs_of([[4, 4], [4, 4]], [(0, 1), (0, 1)]),
        left_out=np.empty(0, dtype=np.int64),
        corpus="made up",
        schedule=Schedule(steps=(4,)),
        mixtures=Mixtures((PHASE,), GROUPS, [8, 8]),
        size=BatchSize(pixels=8 * 256 * 256),
        shuffle_shards=32,
        seed=0,
    )
    try:
        held = snapshot.tensors(objective, Ema(objective.autoencoder, 0.9), optimizer, ranks)
        info = snapshot.info(settings, order.start(), order, ranks)
    finally:
        ranks.close()
    shapes = {
        f"{part} {name}": list(getattr(value, "shape", []))
        for part in ("objective", "ema", "optimizer")
        for name, value in held[part].items()
    }
    shards: Any = SimpleNamespace(reader=SimpleNamespace(expect=lambda now, then: None))
    loader = Loader(shards=shards, order=order, workers=1)
    plans = [(chosen.rows, places) for chosen, places in loader._plans(order.start(), 4)]
    return json.dumps([shapes, sorted(held), sorted(info), info["corpus_digest"], plans]).encode()


# What is written -> the file of its VERSION, that, and bytes made from a small input.
WRITTEN: dict[str, tuple[str, int, Callable[[], bytes]]] = {
    "curriculum.json": ("vae_corpus/curriculum.py", curriculum.VERSION, curriculum_bytes),
    "checkpoints": ("vae_training/state/snapshot.py", snapshot.VERSION, checkpoint_bytes),
}
RECORDED = {
    "curriculum.json": (1, "df992d9ca935ebab"),
    "checkpoints": (5, "32509baa0d6cce60"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_bytes_and_version_change_together(name: str) -> None:
    file, version, made = WRITTEN[name]
    assert_recorded(name, file, version, made(), RECORDED[name])
