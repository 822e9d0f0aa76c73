from __future__ import annotations

import pytest

from pipelines.sample import RUNGS, Bucket, buckets, generator, nearest_bucket


@pytest.mark.parametrize("rung", RUNGS)
def test_buckets_suit_every_compression_and_cost_the_same(rung: int) -> None:
    for bucket in buckets(rung):
        assert bucket.width % 32 == bucket.height % 32 == 0
        assert bucket.width * bucket.height == pytest.approx(rung * rung, rel=0.07)


@pytest.mark.parametrize(
    ("size", "name"),
    [
        ((300, 300), "256x256"),
        ((400, 300), "288x224"),
        ((300, 400), "224x288"),
        ((480, 270), "320x192"),
        ((600, 256), "384x160"),
    ],
)
def test_nearest_bucket_has_the_nearest_ratio(size: tuple[int, int], name: str) -> None:
    assert str(nearest_bucket(*size, 256)) == name


def test_an_image_as_large_as_the_rung_always_has_a_bucket() -> None:
    for long_side in range(256, 1024, 7):
        bucket = nearest_bucket(long_side, 256, 256)
        assert bucket is not None
        assert bucket.width <= long_side and bucket.height <= 256


def test_a_small_image_has_no_bucket() -> None:
    assert nearest_bucket(200, 150, 256) is None


def test_bucket_names_round_trip() -> None:
    assert Bucket.parse(str(Bucket(288, 224))) == (288, 224)
    with pytest.raises(ValueError, match="288x224"):
        Bucket.parse("wide")


def test_generator_depends_on_all_its_parts_and_nothing_else() -> None:
    first = generator(1, "a", 2).integers(1 << 60)
    assert generator(1, "a", 2).integers(1 << 60) == first
    for other in ((2, "a", 2), (1, "b", 2), (1, "a", 3), (1, "a", 2, 0)):
        assert generator(*other).integers(1 << 60) != first
