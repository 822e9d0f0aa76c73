"""The InceptionV3 of FID (Heusel et al. 2017) in PyTorch: 2048 features per picture.

An implementation of our own of the network whose weights pytorch-fid publishes, because that
package imports torchvision, which must match the exact version of torch. A test holds the two
equal. Names of modules are those of the weights file. Besides the usual InceptionV3 (Szegedy et al.
2015), average pools leave their padding out of the mean, and the last block pools by maximum.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WEIGHTS_URL = (
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
    "pt_inception-2015-12-05-6726825d.pth"
)
FEATURES = 2048
_SIDE_PX = 299

# A convolution: the end of its name, channels, height and width of the kernel; with a stride of 2
# it has no padding, else it keeps the size. A branch runs its convolutions one after the other; a
# tuple among them is a fork, whose results stand side by side.
_Step = tuple[str, int, int, int]
_Branch = tuple["_Step | tuple[_Step, ...]", ...]


def _block_a(pooled: int) -> dict[str, _Branch]:
    return {
        "branch1x1": (("", 64, 1, 1),),
        "branch5x5": (("_1", 48, 1, 1), ("_2", 64, 5, 5)),
        "branch3x3dbl": (("_1", 64, 1, 1), ("_2", 96, 3, 3), ("_3", 96, 3, 3)),
        "branch_pool": (("", pooled, 1, 1),),
    }


def _block_c(width: int) -> dict[str, _Branch]:
    return {
        "branch1x1": (("", 192, 1, 1),),
        "branch7x7": (("_1", width, 1, 1), ("_2", width, 1, 7), ("_3", 192, 7, 1)),
        "branch7x7dbl": (
            ("_1", width, 1, 1),
            ("_2", width, 7, 1),
            ("_3", width, 1, 7),
            ("_4", width, 7, 1),
            ("_5", 192, 1, 7),
        ),
        "branch_pool": (("", 192, 1, 1),),
    }


_BLOCK_B: dict[str, _Branch] = {
    "branch3x3": (("", 384, 3, 3),),
    "branch3x3dbl": (("_1", 64, 1, 1), ("_2", 96, 3, 3), ("_3", 96, 3, 3)),
}
_BLOCK_D: dict[str, _Branch] = {
    "branch3x3": (("_1", 192, 1, 1), ("_2", 320, 3, 3)),
    "branch7x7x3": (("_1", 192, 1, 1), ("_2", 192, 1, 7), ("_3", 192, 7, 1), ("_4", 192, 3, 3)),
}
_BLOCK_E: dict[str, _Branch] = {
    "branch1x1": (("", 320, 1, 1),),
    "branch3x3": (("_1", 384, 1, 1), (("_2a", 384, 1, 3), ("_2b", 384, 3, 1))),
    "branch3x3dbl": (
        ("_1", 448, 1, 1),
        ("_2", 384, 3, 3),
        (("_3a", 384, 1, 3), ("_3b", 384, 3, 1)),
    ),
    "branch_pool": (("", 192, 1, 1),),
}
# Name, channels that come in, branches, pool.
_BLOCKS = (
    ("Mixed_5b", 192, _block_a(32), "average"),
    ("Mixed_5c", 256, _block_a(64), "average"),
    ("Mixed_5d", 288, _block_a(64), "average"),
    ("Mixed_6a", 288, _BLOCK_B, "stride"),
    ("Mixed_6b", 768, _block_c(128), "average"),
    ("Mixed_6c", 768, _block_c(160), "average"),
    ("Mixed_6d", 768, _block_c(160), "average"),
    ("Mixed_6e", 768, _block_c(192), "average"),
    ("Mixed_7a", 768, _BLOCK_D, "stride"),
    ("Mixed_7b", 1280, _BLOCK_E, "average"),
    ("Mixed_7c", 2048, _BLOCK_E, "maximum"),
)


class _Convolution(nn.Module):
    """Convolution, batch norm with fixed statistics, ReLU."""

    def __init__(
        self, width: int, channels: int, kernel: tuple[int, int], stride: int = 1, pad: bool = True
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if pad else 0
        self.conv = nn.Conv2d(width, channels, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Mixed(nn.Module):
    """Branches beside each other, their channels stacked; see `_Branch`."""

    def __init__(self, width: int, branches: dict[str, _Branch], pool: str) -> None:
        super().__init__()
        self.pool, self.branches = pool, branches
        for name, branch in branches.items():
            channels = width
            for number, step in enumerate(branch):
                fork = step if isinstance(step[0], tuple) else (step,)
                # Blocks that halve the sides do so in the last convolution of each branch.
                halves = pool == "stride" and number == len(branch) - 1
                for end, out, high, wide in fork:
                    part = _Convolution(
                        channels, out, (high, wide), 2 if halves else 1, pad=not halves
                    )
                    self.add_module(name + end, part)
                channels = fork[0][1] * len(fork)

    def forward(self, x: Tensor) -> Tensor:
        results = []
        for name, branch in self.branches.items():
            h = self._pooled(x) if name == "branch_pool" else x
            for step in branch:
                fork = step if isinstance(step[0], tuple) else (step,)
                h = torch.cat([self.get_submodule(name + end)(h) for end, *_ in fork], dim=1)
            results.append(h)
        if self.pool == "stride":
            results.append(F.max_pool2d(x, 3, stride=2))
        return torch.cat(results, dim=1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == "maximum":
            return F.max_pool2d(x, 3, stride=1, padding=1)
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class Inception(nn.Module):
    """float[B, 3, H, W] in [0, 1] -> features float[B, 2048] of the last pool. Frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Convolution(3, 32, (3, 3), stride=2, pad=False)
        self.Conv2d_2a_3x3 = _Convolution(32, 32, (3, 3), pad=False)
        self.Conv2d_2b_3x3 = _Convolution(32, 64, (3, 3))
        self.Conv2d_3b_1x1 = _Convolution(64, 80, (1, 1))
        self.Conv2d_4a_3x3 = _Convolution(80, 192, (3, 3), pad=False)
        for name, width, branches, pool in _BLOCKS:
            self.add_module(name, _Mixed(width, branches, pool))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = resized(x)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(2 * x - 1)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))
        x = F.max_pool2d(x, 3, stride=2)
        for name, *_ in _BLOCKS:
            x = self.get_submodule(name)(x)
        return x.mean(dim=(2, 3))


def resized(x: Tensor) -> Tensor:
    """float[B, 3, H, W] -> float[B, 3, 299, 299]; a batch of that size is unchanged.

    Bilinear without a filter against aliasing: what pytorch-fid does.
    """
    return F.interpolate(x, size=(_SIDE_PX, _SIDE_PX), mode="bilinear", align_corners=False)


def load_inception(path: str) -> Inception:
    """The network with the weights of a file; ValueError says what to download."""
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}: download {WEIGHTS_URL} and give its path")
    model = Inception()
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        # The classifier behind the features has no part in FID.
        kept = {name: value for name, value in weights.items() if not name.startswith("fc.")}
        model.load_state_dict(kept)
    except Exception as error:  # damage raises errors of many types
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} does not hold the weights of FID's InceptionV3 ({said}): download"
            f" {WEIGHTS_URL} and give its path"
        ) from None
    return model.eval()
