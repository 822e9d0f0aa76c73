"""Our LPIPS beside the package of its authors, both from the same random VGG weights."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from vae_training.losses.lpips import load_lpips


def vgg16(**_: object) -> SimpleNamespace:
    """The layers that torchvision numbers `features.0` to `features.30`, with random weights."""
    layers: list[nn.Module] = []
    width = 3
    for channels in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if not channels:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU(inplace=True)]
        nn.init.kaiming_normal_(layers[-2].weight)
        nn.init.uniform_(layers[-2].bias, -0.1, 0.1)
        width = channels
    return SimpleNamespace(features=nn.Sequential(*layers))


@pytest.mark.parametrize("size", [(16, 16), (37, 21)])
def test_lpips_and_its_gradient_are_those_of_the_reference_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    # The package takes the layers alone from torchvision, which must match torch to the digit.
    models = ModuleType("torchvision.models")
    models.vgg16 = vgg16
    torchvision = ModuleType("torchvision")
    torchvision.models = models
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    lpips = pytest.importorskip("lpips", reason="pip install --no-deps lpips")
    torch.manual_seed(0)
    theirs = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False).double()
    trunk = {
        f"features.{number}.{name}": value.float()
        for part in theirs.net.children()
        for number, layer in part.named_children()
        for name, value in layer.state_dict().items()
    }
    torch.save(trunk, tmp_path / "vgg16.pth")
    ours = load_lpips(str(tmp_path / "vgg16.pth")).double()
    y = torch.rand(2, 3, *size, dtype=torch.float64) * 2 - 1
    found = []
    for model in (ours, theirs):
        x = (0.9 * y).clone().requires_grad_()
        value = model(x, y).mean()
        value.backward()
        found.append((value.item(), x.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6) and found[0][0] > 1e-4
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-4, atol=1e-6 * found[1][1].abs().max())
