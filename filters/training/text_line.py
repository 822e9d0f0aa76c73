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
_WIDTHS = (12, 24, 40, 64)
_BATCH = 64
# Lines of a batch lie beside each other in strips of this width, so far apart.
_STRIP_PX, _GAP_PX = 2048, 48


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
    """From lines float32[N, 3, 24, W] to their characters [L, 2], and em and text [L, 2].

    Lines have mean 0 and deviation 1. W is a multiple of 4; `em` is the logarithm of em over
    height, `text` a logit. Without `owner` each picture is a line, L = N. With it, int64[N, W / 4],
    several lines lie beside each other: it has the number of the line of each 4 px, L where there
    is none.
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
        # Each sees twice as far along the line as the one before.
        self.columns = nn.ModuleList(_Columns(d, reach) for reach in (1, 2, 4))
        self.context = nn.Linear(d, d)
        self.density = nn.Conv1d(d, 2, 1)
        self.whole = nn.Linear(d, 2)

    def forward(self, line: Tensor, owner: Tensor | None = None) -> tuple[Tensor, Tensor]:
        found = self.rows(line)[:, :, 0]
        inside = None if owner is None else (owner < owner.max())[:, None]
        for columns in self.columns:
            found = columns(found) if inside is None else columns(found) * inside
        mean = found.mean(2, keepdim=True) if owner is None else _per_line(found, owner, mean=True)
        # A letter of a few px is told by its company: most lines are of one script.
        context = self.context(mean.transpose(1, 2)).transpose(1, 2)
        if owner is not None:
            context = context[0][:, owner].transpose(0, 1)
        density = F.softplus(self.density(F.relu(found + context)))
        if owner is None:
            return density.sum(2), self.whole(mean[:, :, 0])
        counts = _per_line(density, owner, mean=False)[0, :, :-1].T
        return counts, self.whole(mean[0, :, :-1].T)


def _per_line(values: Tensor, owner: Tensor, *, mean: bool) -> Tensor:
    """Sums or means [1, C, L + 1] over the places of each line of [N, C, W]; the last of none."""
    flat = values.transpose(0, 1).flatten(1)
    lines = int(owner.max()) + 1
    sums = flat.new_zeros(len(flat), lines).index_add(1, owner.flatten(), flat)
    if not mean:
        return sums[None]
    return (sums / torch.bincount(owner.flatten(), minlength=lines).clamp(min=1))[None]


class _Columns(nn.Module):
    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 5, padding=2 * reach, dilation=reach, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.conv(x)))


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
    steps = epochs * len(lines) // _BATCH

    def loss(step: int) -> Tensor:
        # Of all lengths: norms see what they will see later, not the long or the short ones alone.
        return _loss(net, [lines[int(n)] for n in rng.integers(len(lines), size=_BATCH)], rng)

    return descend(net, loss, steps, tell)


def _loss(net: LineCounter, lines: Sequence[Line], rng: np.random.Generator) -> Tensor:
    pictures, owner = _beside(lines, rng)
    counts, whole = net(torch.from_numpy(pictures), torch.from_numpy(owner))
    truth = torch.from_numpy(np.stack([line.counts for line in lines]))
    em = torch.tensor([line.em for line in lines])
    text = torch.tensor([line.text for line in lines])
    total, wanted = counts.sum(1), truth.sum(1)
    # Relative errors of the whole, and of each script as a share of the whole.
    whole_count = (torch.log1p(total) - torch.log1p(wanted)).abs()
    scripts = (counts - truth).abs().sum(1) / (wanted + 1)
    size = (whole[:, 0] - torch.log(em.clamp(min=0.1))).abs()
    real = text.float()
    regressed = ((whole_count + scripts + 0.5 * size) * real).sum() / (real.sum() + 1)
    loss: Tensor = regressed + 0.5 * F.binary_cross_entropy_with_logits(whole[:, 1], real)
    return loss


def _beside(
    lines: Sequence[Line], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Lines beside each other in strips float32[N, 3, 24, W], and the number of each 4 px's line.

    The gaps are wider than any layer sees.
    """
    widths = [line.rgb.shape[1] // STRIDE_PX for line in lines]
    room = max(_STRIP_PX // STRIDE_PX, max(widths))
    places, row, column = [], 0, 0
    for width in widths:
        if column + width > room:
            row, column = row + 1, 0
        places.append((row, column))
        column += width + _GAP_PX // STRIDE_PX
    # A place of none at the end of each strip: the highest number is always that of none.
    pictures = np.zeros((row + 1, 3, HEIGHT_PX, (room + 1) * STRIDE_PX), np.float32)
    owner = np.full((row + 1, room + 1), len(lines), np.int64)
    for n, (line, width, (row, column)) in enumerate(zip(lines, widths, places, strict=True)):
        rgb = normed(line.rgb) * np.float32(rng.choice([-1.0, 1.0]))
        if rng.random() < 0.3:
            rgb = rgb[:, :, rng.permutation(3)]
        start = column * STRIDE_PX
        pictures[row, :, :, start : start + width * STRIDE_PX] = rgb.transpose(2, 0, 1)
        owner[row, column : column + width] = n
    return pictures, owner


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
        counts, whole = self.net(values.permute(0, 3, 1, 2))
        em, text = torch.exp(whole[:, :1]), torch.sigmoid(whole[:, 1:])
        return torch.cat([counts, em, text], 1)[0]


def write(net: LineCounter, path: Path) -> None:
    """As ONNX, for lines of any length that is a multiple of 4 px."""
    example = torch.zeros(1, HEIGHT_PX, 64, 3, dtype=torch.uint8)
    descent.write(_Deployed(net), example, path, ("line", "found"), {"line": {2: "width"}})
