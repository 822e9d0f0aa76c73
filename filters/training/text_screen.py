"""The network of the text screen: what it is made of, how it is trained, how it is written.

It looks at a picture at a quarter, an eighth and a sixteenth of its size, and says for each square
of 8 px how likely it lies under writing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from filters.training import descent
from filters.training.descent import descend, start

STRIDE_PX = 8
UNKNOWN = 255
_WIDTHS = (8, 16, 32, 48)
# Samples are cut to this side, at places that are multiples of the stride.
_CROP_PX, _BATCH = 192, 32
# Squares with so large a share of writing are text; those below the first are none.
_NONE, _WHOLE = 0.1, 0.4


class Screen(nn.Module):
    """Logits [N, H / 8, W / 8] of float32[N, 3, H, W] in [0, 1]; sides are multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = _WIDTHS
        self.quarter = nn.Sequential(_halve(3, a), _halve(a, b), _Residual(b))
        self.eighth = nn.Sequential(_halve(b, c), _Residual(c), _Residual(c))
        self.sixteenth = nn.Sequential(_halve(c, d), *(_Residual(d) for _ in range(3)))
        self.back = nn.Conv2d(d, c, 1)
        self.mix = nn.Sequential(nn.Conv2d(c, 24, 3, padding=1, bias=False), *_normed(24))
        self.head = nn.Conv2d(24, 1, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        fine = self.eighth(self.quarter((rgb - 0.5) * 4))
        coarse = F.interpolate(self.back(self.sixteenth(fine)), scale_factor=2.0, mode="nearest")
        logits: Tensor = self.head(self.mix(F.relu(fine + coarse)))
        return logits[:, 0]


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.conv(x)))


def _halve(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, out, 3, stride=2, padding=1, bias=False), *_normed(out))


def _normed(width: int) -> tuple[nn.Module, ...]:
    return nn.BatchNorm2d(width), nn.ReLU()


def fit(
    pictures: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    epochs: int,
    seed: int = 0,
    tell: Callable[[str], None] = print,
) -> Screen:
    """Train on uint8[N, S, S, 3] and the share of writing in each square, uint8[N, S/8, S/8].

    Labels are 0 to 254, or `UNKNOWN`. One thread: the same samples and seed give the same weights.
    """
    rng = start(seed)
    net = Screen()

    def loss(step: int) -> Tensor:
        rgb, target, known = _batch(pictures, labels, rng)
        return _loss(net(rgb), target, known)

    return descend(net, loss, epochs * len(pictures) // _BATCH, tell)


def _batch(
    pictures: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Random cuts with changed tones: rgb float32[N, 3, S, S], target and known [N, S/8, S/8]."""
    chosen = rng.choice(len(pictures), _BATCH)
    room = (pictures.shape[1] - _CROP_PX) // STRIDE_PX
    y, x = rng.integers(0, room + 1, 2)
    rows, columns = (slice(at, at + _CROP_PX // STRIDE_PX) for at in (y, x))
    top, left = y * STRIDE_PX, x * STRIDE_PX
    cut = pictures[chosen, top : top + _CROP_PX, left : left + _CROP_PX]
    rgb = torch.from_numpy(cut).permute(0, 3, 1, 2).float() / 255
    label = torch.from_numpy(labels[chosen, rows, columns].astype(np.float32))
    known = (label < UNKNOWN).float()
    target = ((label / 254 - _NONE) / (_WHOLE - _NONE)).clamp(0, 1)
    if rng.random() < 0.3:
        rgb, target, known = rgb.flip(3), target.flip(2), known.flip(2)
    shape = (_BATCH, 1, 1, 1)
    gain, shift = rng.uniform(0.6, 1.25, shape), rng.uniform(-0.15, 0.15, shape)
    inverted = torch.from_numpy(rng.random(shape) < 0.25).float()
    rgb = (rgb - 0.5) * torch.from_numpy(gain).float() + 0.5 + torch.from_numpy(shift).float()
    rgb = rgb.clamp(0, 1)
    rgb = rgb * (1 - inverted) + (1 - rgb) * inverted
    if rng.random() < 0.3:
        rgb = rgb[:, torch.from_numpy(rng.permutation(3))]
    # Convolutions of so few channels are faster with the channels last.
    return rgb.contiguous(memory_format=torch.channels_last), target, known


def _loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy of squares, the wrong ones counting more, and of whole pictures.

    A picture with text should have three squares where text is that stand out, and one without
    should have none: that is what the cascade goes by.
    """
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * known
    with torch.no_grad():
        hard = (torch.sigmoid(logits) - target).abs() + 0.1
    squares = (each * hard).sum() / ((hard * known).sum() + 1)
    text = target * known
    has = text.flatten(1).sum(1) > 2
    none = (text.flatten(1).sum(1) == 0) & (known.flatten(1).amin(1) > 0)
    highest = logits.masked_fill(known == 0, -30).flatten(1).topk(3, 1).values.mean(1)
    inside = logits.masked_fill(text <= 0.5, -30).flatten(1).topk(3, 1).values.mean(1)
    whole = torch.where(has, F.softplus(-inside), F.softplus(highest))
    counted = (has | none).float()
    return squares + 0.25 * (whole * counted).sum() / (counted.sum() + 1)


class _Deployed(nn.Module):
    """From bytes to chances: uint8[1, H, W, 3] to float32[1, H / 8, W / 8]."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, rgb: Tensor) -> Tensor:
        return torch.sigmoid(self.net(rgb.permute(0, 3, 1, 2).float() / 255))


def write(net: Screen, path: Path) -> None:
    """As ONNX, with sides of any length that is a multiple of 16."""
    descent.write(
        _Deployed(net),
        torch.zeros(1, 256, 256, 3, dtype=torch.uint8),
        path,
        ("rgb", "chances"),
        {"rgb": {1: "height", 2: "width"}, "chances": {1: "rows", 2: "columns"}},
    )
