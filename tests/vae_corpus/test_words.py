from __future__ import annotations

import pytest

from vae_corpus.seeds import generator
from vae_corpus.words import RUNGS, Bucket, buckets


@pytest.mark.parametrize("rung", RUNGS)
def test_buckets_suit_every_compression_and_cost_the_same(rung: int) -> None:
    for bucket in buckets(rung):
        assert bucket.width % 32 == bucket.height % 32 == 0
        assert bucket.width * bucket.height == pytest.approx(rung * rung, rel=0.07)


def test_bucket_names_round_trip() -> None:
    assert Bucket.parse(str(Bucket(288, 224))) == (288, 224)
    with pytest.raises(ValueError, match="288x224"):
        Bucket.parse("wide")


def test_generator_depends_on_all_its_parts_and_nothing_else() -> None:
    first = generator(1, "a", 2).integers(1 << 60)
    assert generator(1, "a", 2).integers(1 << 60) == first
    for other in ((2, "a", 2), (1, "b", 2), (1, "a", 3), (1, "a", 2, 0)):
        assert generator(*other).integers(1 << 60) != first
