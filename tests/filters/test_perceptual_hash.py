from __future__ import annotations

import cv2
import numpy as np
import pytest
import simplejpeg

from filters.perceptual_hash import perceptual_hash
from tests.pictures import Rgb, jpeg, page, scene


def distances(a: Rgb, b: Rgb) -> tuple[int, int]:
    one, two = perceptual_hash(a), perceptual_hash(b)
    fine = int.from_bytes(one["phash_fine"], "big") ^ int.from_bytes(two["phash_fine"], "big")
    return (one["phash"] ^ two["phash"]).bit_count(), fine.bit_count()


def resized(rgb: Rgb, width: int, height: int) -> Rgb:
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA))


def test_shape_of_the_answer() -> None:
    found = perceptual_hash(scene(200, 120))
    assert 0 <= found["phash"] < 2**64
    assert len(found["phash_fine"]) == 32
    rgb = np.full((40, 70, 3), 99, np.uint8)
    flat = perceptual_hash(rgb)
    assert flat["luma_mean"] == pytest.approx(99) and flat["luma_std"] == pytest.approx(0)


@pytest.mark.parametrize("picture", (scene(320, 240, 3), page(480, 640, 1)))
def test_copies_stay_near(picture: Rgb) -> None:
    height, width = picture.shape[:2]
    half = resized(picture, width // 2, height // 2)
    for copy in (simplejpeg.decode_jpeg(jpeg(picture, 60)), half):
        coarse, fine = distances(picture, copy)
        assert coarse <= 4 and fine <= 24


def test_different_pictures_are_far() -> None:
    for a in range(4):
        for b in range(a):
            coarse, fine = distances(scene(320, 240, a), scene(320, 240, b))
            assert coarse > 8 and fine > 60


def test_pages_of_different_text_differ_in_the_fine_hash() -> None:
    pages = [page(480, 640, seed) for seed in range(5)]
    for a in range(5):
        for b in range(a):
            assert distances(pages[a], pages[b])[1] > 30


@pytest.mark.parametrize("size", ((1, 1), (1, 300), (64, 64), (3000, 20)))
def test_any_size_has_a_hash(size: tuple[int, int]) -> None:
    assert len(perceptual_hash(scene(*size))["phash_fine"]) == 32
