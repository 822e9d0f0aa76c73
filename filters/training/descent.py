"""Training small networks on one thread, and writing them for onnxruntime."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

_RATE, _WEIGHT_DECAY, _WARM_UP, _EMA = 3e-3, 1e-2, 0.1, 0.998
_TOLD_EVERY = 200

N = TypeVar("N", bound=nn.Module)


def descend(net: N, loss: Callable[[int], Tensor], steps: int, tell: Callable[[str], None]) -> N:
    """The running mean of the weights of `net` after so many steps of AdamW.

    `loss` gives the loss of a step, counted from 0. The rate rises over a tenth of the steps, then
    falls to 0 as a cosine. The same losses give the same weights.
    """
    optimizer = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _RATE, total_steps=steps, pct_start=_WARM_UP
    )
    mean = torch.optim.swa_utils.AveragedModel(
        net,
        avg_fn=_average,
        use_buffers=True,
    )
    begin, losses = time.monotonic(), []
    for step in range(steps):
        found = loss(step)
        optimizer.zero_grad()
        found.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        mean.update_parameters(net)
        losses.append(found.item())
        if (step + 1) % _TOLD_EVERY == 0 or step + 1 == steps:
            recent = float(np.mean(losses[-_TOLD_EVERY:]))
            past = time.monotonic() - begin
            left = past / (step + 1) * (steps - step - 1)
            tell(f"step {step + 1} of {steps}, loss {recent:.4f}, {past:.0f} s, {left:.0f} s left")
    trained = mean.module
    assert isinstance(trained, type(net))
    return trained.eval()


def _average(mean: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
    # A mean of few steps forgets the start sooner.
    keep = min(_EMA, (1 + int(count)) / (10 + int(count)))
    return mean * keep + new * (1 - keep)


def start(seed: int) -> np.random.Generator:
    """One thread and fixed seeds: the same samples give the same weights."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return np.random.default_rng(seed)


def write(
    net: nn.Module,
    example: Tensor,
    path: Path,
    names: tuple[str, str],
    lengths: dict[str, dict[int, str]],
) -> None:
    """As ONNX, with input and output of these names and sides of any of these `lengths`."""
    with warnings.catch_warnings():
        # The newer exporter gives the same graph in a hundred times the time.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            net.eval(),
            (example,),
            str(path),
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_axes=lengths,
            opset_version=17,
            dynamo=False,
        )
