"""Metrics are those of the libraries that define them."""

from __future__ import annotations

import math
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.vae_training.conftest import picture
from tests.vae_training.evaluation import inception_weights, vgg_weights
from vae_corpus.seeds import generator
from vae_training.losses.lpips import load_lpips
from vae_training.metrics import similarity
from vae_training.metrics.fid import frechet_distance
from vae_training.metrics.inception import load_inception
from vae_training.metrics.intervals import mean_interval, paired_difference


def pair(width: int = 48, height: int = 36, noise: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    a = picture(256, 256, "pair")[:height, :width]
    grain = generator(0, "grain").integers(-noise, noise + 1, a.shape)
    return similarity.unit(a), similarity.unit(np.clip(a + grain, 0, 255).astype(np.uint8))


@pytest.fixture
def piq(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library, which takes networks from torchvision for metrics that are not used here."""
    models = ModuleType("torchvision.models")
    models.vgg16 = models.vgg19 = nn.Module  # type: ignore[attr-defined]
    models.inception = SimpleNamespace(  # type: ignore[attr-defined]
        InceptionA=nn.Module, InceptionC=nn.Module, InceptionE=nn.Module
    )
    torchvision = ModuleType("torchvision")
    torchvision.models = models  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("piq", reason="pip install --no-deps piq")


@pytest.mark.parametrize("size", [(11, 11), (48, 36), (256, 256)])
@pytest.mark.parametrize("noise", [2, 9, 60])
def test_psnr_and_ssim_are_those_of_piq(piq: Any, size: tuple[int, int], noise: int) -> None:
    x, y = pair(*size, noise=noise)
    ours = similarity.bounded_psnr(similarity.psnr(x, y))
    assert ours == pytest.approx(float(piq.psnr(x, y, data_range=1.0)), abs=1e-4)
    theirs = float(piq.ssim(x, y, data_range=1.0, downsample=False))
    assert similarity.ssim(x, y) == pytest.approx(theirs, abs=1e-4)


def test_equal_pictures_have_80_db_in_piq(piq: Any) -> None:
    x, _ = pair()
    assert similarity.psnr(x, x) == math.inf
    assert similarity.bounded_psnr(math.inf) == pytest.approx(float(piq.psnr(x, x)), abs=1e-4)


def test_psnr_by_hand() -> None:
    x = torch.zeros(1, 3, 4, 4)
    assert similarity.psnr(x, x + 0.1) == pytest.approx(20.0, abs=1e-5)


def test_ssim_by_hand() -> None:
    """Window by window in float64, as Wang et al. write it."""
    x, y = pair(14, 12)
    along = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(along, along) / along.sum() ** 2
    found = []
    for channel in range(3):
        a, b = (t[0, channel].double().numpy() for t in (x, y))
        for top in range(2):
            for left in range(4):
                p, q = (z[top : top + 11, left : left + 11] for z in (a, b))
                mp, mq = (p * window).sum(), (q * window).sum()
                vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
                cov = (window * (p - mp) * (q - mq)).sum()
                luminance = (2 * mp * mq + 1e-4) / (mp**2 + mq**2 + 1e-4)
                found.append(luminance * (2 * cov + 9e-4) / (vp + vq + 9e-4))
    assert similarity.ssim(x, y) == pytest.approx(np.mean(found), abs=1e-4)


def test_small_pictures_have_no_ssim_and_no_lpips(tmp_path: Path) -> None:
    x, y = pair(15, 10)
    assert similarity.ssim(x, y) is None
    model = load_lpips(str(vgg_weights(tmp_path / "vgg.pth")))
    assert similarity.lpips(model, x, y) is None
    assert similarity.lpips(model, *pair(16, 16)) is not None


def test_lpips_of_equal_pictures_is_zero_and_grows_with_noise(tmp_path: Path) -> None:
    model = load_lpips(str(vgg_weights(tmp_path / "vgg.pth")))
    x, _ = pair()
    little, much = (similarity.lpips(model, x, pair(noise=noise)[1]) for noise in (3, 40))
    assert similarity.lpips(model, x, x) == 0
    assert little is not None and much is not None and 0 < little < much


@pytest.mark.parametrize("count", [8, 200])
def test_frechet_distance_is_that_of_pytorch_fid(count: int) -> None:
    """With the root of a matrix by scipy, for fewer and more pictures than features."""
    linalg = pytest.importorskip("scipy.linalg", reason="pip install scipy")
    rng = generator(0, "features")
    mixing = rng.standard_normal((16, 16))
    a = rng.standard_normal((count, 16)) @ mixing
    b = rng.standard_normal((count, 16)) @ mixing * 1.2 + 0.3
    ca, cb = (np.cov(x, rowvar=False) for x in (a, b))
    shift = a.mean(axis=0) - b.mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = np.asarray(linalg.sqrtm(ca @ cb)).real
    theirs = shift @ shift + np.trace(ca) + np.trace(cb) - 2 * np.trace(root)
    assert frechet_distance(a, b) == pytest.approx(theirs, rel=1e-5 if count == 200 else 1e-3)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-8)


def test_frechet_distance_of_one_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="two pictures or more per set; got 1 and 3"):
        frechet_distance(np.zeros((1, 4)), np.zeros((3, 4)))


# What pytorch-fid 0.3.0 gives with these weights for this picture.
RECORDED = (0.837143, 2.135915, 0.0673426, 1.759338)
RECORDED_NORM = 43.39517


def test_features_are_those_of_pytorch_fid(tmp_path: Path) -> None:
    model = load_inception(str(inception_weights(tmp_path / "inception.pth")))
    x = similarity.unit(picture(64, 48, "features"))
    with torch.no_grad():
        features = model(torch.cat([x, x.flip(3)]))
    assert features.shape == (2, 2048)
    assert features[0, ::512].tolist() == pytest.approx(RECORDED, rel=1e-3)
    assert float(features[0].norm()) == pytest.approx(RECORDED_NORM, rel=1e-4)


def test_wrong_weights_for_fid_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no file .*pt_inception-2015-12-05-6726825d"):
        load_inception(str(tmp_path / "none.pth"))
    torch.save({"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "part.pth")
    with pytest.raises(ValueError, match="does not hold the weights of FID's InceptionV3"):
        load_inception(str(tmp_path / "part.pth"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(ValueError, match="does not hold the weights"):
        load_inception(str(tmp_path / "text.pth"))


def test_an_interval_holds_the_mean_and_leaves_infinity_out() -> None:
    values = generator(0, "values").normal(30, 2, 200).tolist()
    found = mean_interval([*values, math.inf])
    assert found is not None and found.pictures == 200
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    # 1.96 standard errors of 200 values.
    width = 2 * 1.96 * np.std(values, ddof=1) / math.sqrt(200)
    assert found.low < found.mean < found.high
    assert found.high - found.low == pytest.approx(width, rel=0.1)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval([math.inf]) is None and mean_interval([]) is None


def test_paired_differences_are_narrower_than_intervals() -> None:
    rng = generator(0, "pairs")
    hard = rng.normal(30, 5, 100)
    a, b = hard + rng.normal(0.2, 0.1, 100), hard + rng.normal(0, 0.1, 100)
    alone, difference = mean_interval(a.tolist()), paired_difference(a.tolist(), b.tolist())
    assert alone is not None and difference is not None
    assert difference.low > 0.1 and difference.mean == pytest.approx(np.mean(a - b), abs=1e-9)
    assert difference.high - difference.low < (alone.high - alone.low) / 10
