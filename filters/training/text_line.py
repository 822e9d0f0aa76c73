"""The network that counts the characters of a line: what it is made of, and how it is trained.

It sees a line laid down, 24 px high, and says for each 4 px along it how many Han and how many
other characters stand there. Their sums are the counts; the means of its last layer tell the em and
whether the line is writing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from filters.training import descent
from filters.training.descent import descend, start

HEIGHT_PX, STRIDE_PX = 24, 4
_WIDTHS = (12, 24, 32, 48)
_BATCH = 64


class Line(NamedTuple):
    """A line laid down, uint8[24, W, 3], and the truth of it.

    `counts` float32[2] are its characters, Han and others; `em` is over the line's height; `text`
    is False for what the detector took for a line.
    """

    rgb: NDArray[np.uint8]
    counts: NDArray[np.float32]
    em: float
    text: bool


class LineCounter(nn.Module):
    """From lines float32[N, 3, 24, W] to characters [N, 2, W / 4], and em and text [N, 2].

    Lines have mean 0 and deviation 1. W is a multiple of 4; `em` is the logarithm of em over
    height, `text` a logit.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = _WIDTHS
        self.rows = nn.Sequential(
            *_layer(3, a, stride=(2, 2)),
            *_layer(a, b, stride=(2, 2)),
            *_layer(b, c, stride=(2, 1)),
            *_layer(c, c),
            nn.Conv2d(c, d, (3, 3), padding=(0, 1), bias=False),
            nn.BatchNorm2d(d),
            nn.ReLU(),
        )
        self.columns = nn.Sequential(
            nn.Conv1d(d, d, 5, padding=2, bias=False),
            nn.BatchNorm1d(d),
            nn.ReLU(),
            nn.Conv1d(d, d, 5, padding=2, bias=False),
            nn.BatchNorm1d(d),
            nn.ReLU(),
        )
        self.density = nn.Conv1d(d, 2, 1)
        self.whole = nn.Linear(d, 2)

    def forward(self, line: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        found = self.columns(self.rows(line)[:, :, 0])
        density = F.softplus(self.density(found))
        if mask is None:
            return density, self.whole(found.mean(2))
        mean = (found * mask[:, None]).sum(2) / mask.sum(1, keepdim=True)
        return density * mask[:, None], self.whole(mean)


def _layer(width: int, out: int, stride: tuple[int, int] = (1, 1)) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(width, out, 3, stride=stride, padding=1, bias=False)
    return conv, nn.BatchNorm2d(out), nn.ReLU()


def fit(
    lines: Sequence[Line],
    *,
    epochs: int,
    seed: int = 0,
    tell: Callable[[str], None] = print,
) -> LineCounter:
    """Train on one thread: the same lines and seed give the same weights."""
    rng = start(seed)
    net = LineCounter()
    batches = _batches(lines)
    order = [n for _ in range(epochs) for n in rng.permutation(len(batches)).tolist()]

    def loss(step: int) -> Tensor:
        return _loss(net, [lines[n] for n in batches[order[step]]], rng)

    return descend(net, loss, len(order), tell)


def _batches(lines: Sequence[Line]) -> list[NDArray[np.intp]]:
    """Lines of like length together."""
    order = np.argsort([line.rgb.shape[1] for line in lines], kind="stable")
    return [order[n : n + _BATCH] for n in range(0, len(order), _BATCH)]


def _loss(net: LineCounter, lines: Sequence[Line], rng: np.random.Generator) -> Tensor:
    width = max(line.rgb.shape[1] for line in lines)
    width += -width % STRIDE_PX
    pictures = np.zeros((len(lines), HEIGHT_PX, width, 3), np.float32)
    mask = np.zeros((len(lines), width // STRIDE_PX), np.float32)
    for n, line in enumerate(lines):
        own = line.rgb.shape[1]
        pictures[n, :, :own] = normed(line.rgb) * rng.choice([-1.0, 1.0])
        mask[n, : max(1, own // STRIDE_PX)] = 1
    rgb = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    if rng.random() < 0.3:
        rgb = rgb[:, torch.from_numpy(rng.permutation(3))]
    density, whole = net(rgb.contiguous(), torch.from_numpy(mask))
    truth = torch.from_numpy(np.stack([line.counts for line in lines]))
    em = torch.tensor([line.em for line in lines])
    text = torch.tensor([line.text for line in lines])
    counts = density.sum(2)
    total, wanted = counts.sum(1), truth.sum(1)
    # Relative errors of the whole, and of each script as a share of the whole.
    whole_count = (torch.log1p(total) - torch.log1p(wanted)).abs()
    scripts = (counts - truth).abs().sum(1) / (wanted + 1)
    size = (whole[:, 0] - torch.log(em.clamp(min=0.1))).abs()
    real = text.float()
    regressed = ((whole_count + 0.5 * scripts + 0.5 * size) * real).sum() / (real.sum() + 1)
    loss: Tensor = regressed + 0.5 * F.binary_cross_entropy_with_logits(whole[:, 1], real)
    return loss


def normed(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 of mean 0 and deviation 1 in all colours together: faint letters look like others."""
    values = rgb.astype(np.float32)
    values -= values.mean(axis=(0, 1))
    scaled: NDArray[np.float32] = values / max(1.0, float(values.std()))
    return scaled


class _Deployed(nn.Module):
    """uint8[1, 24, W, 3] to counts float32[2] (Han, others), em over height, and chance of text."""

    def __init__(self, net: LineCounter) -> None:
        super().__init__()
        self.net = net

    def forward(self, rgb: Tensor) -> Tensor:
        values = rgb.float()
        values = values - values.mean((1, 2), keepdim=True)
        values = values / (values**2).mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1.0)
        density, whole = self.net(values.permute(0, 3, 1, 2))
        em, text = torch.exp(whole[:, :1]), torch.sigmoid(whole[:, 1:])
        return torch.cat([density.sum(2), em, text], 1)[0]


def write(net: LineCounter, path: Path) -> None:
    """As ONNX, for lines of any length that is a multiple of 4 px."""
    example = torch.zeros(1, HEIGHT_PX, 64, 3, dtype=torch.uint8)
    descent.write(_Deployed(net), example, path, ("line", "found"), {"line": {2: "width"}})
