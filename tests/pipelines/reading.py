"""Sources as the tests of each kind read them."""

from __future__ import annotations

from pipelines.sources import Item, Source
from tests.pictures import jpeg, scene

A, B, C = (jpeg(scene(80, 64, seed)) for seed in range(3))


def read_all(source: Source) -> list[Item]:
    return [item for unit in source.units() for item in source.read(unit)]


def names(source: Source) -> list[str]:
    return sorted(item.member for item in read_all(source))


def slugs(source: Source) -> list[str]:
    return [item.fault[0] for item in read_all(source) if item.fault is not None]


def assert_fetch_gives_the_same(source: Source) -> None:
    for item in read_all(source):
        if item.fault is None:
            assert source.fetch(item.uri, item.offset, len(item.data)) == item.data
