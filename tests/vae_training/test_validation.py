from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vae_training.metrics.psnr import psnr, psnr_sums
from vae_training.model.pixels import to_model, to_pixels
from vae_training.validation import Pair
from vae_training.watch.picture_grid import compose_grid


def test_pixels_survive_the_way_to_the_model_and_back() -> None:
    pixels = torch.arange(192, dtype=torch.uint8).reshape(1, 8, 8, 3)
    assert torch.equal(to_pixels(to_model(pixels)), pixels)


def test_psnr_of_a_known_error() -> None:
    a = np.zeros((4, 4, 3), dtype=np.uint8)
    assert psnr(a, a + 255) == 0.0
    assert psnr(a, a + 2) == pytest.approx(42.11, abs=0.01)
    assert psnr(a, a) == psnr(a, a + 1) == pytest.approx(48.13, abs=0.01)


def test_steps_and_validations_measure_psnr_alike() -> None:
    rng = np.random.default_rng(0)
    for spread in (0, 1, 30):
        a = rng.integers(0, 226, (40, 40, 3)).astype(np.uint8)
        b = a + rng.integers(0, spread + 1, a.shape).astype(np.uint8)
        error = float(np.mean((a / 127.5 - b / 127.5) ** 2))
        sums = psnr_sums([error, math.inf], ["general", "document"], ["general"])
        assert sums == pytest.approx([psnr(a, b), 1.0])


def test_a_grid_has_two_rows_per_kind() -> None:
    red = np.zeros((300, 280, 3), dtype=np.uint8) + np.array([255, 0, 0], dtype=np.uint8)
    pair = Pair(original=red, reconstruction=255 - red, psnr=1.0, skip_psnr=1.0)
    one, two = compose_grid({"a": [pair]}, "t"), compose_grid({"a": [pair], "b": [pair] * 3}, "t")
    assert two.width > one.width and one.height < two.height < 2 * one.height
    colours = [one.getpixel((100, y)) for y in range(one.height)]
    assert colours.count((255, 0, 0)) == colours.count((0, 255, 255)) == 256
    assert colours.index((255, 0, 0)) < colours.index((0, 255, 255)), "originals are above"
