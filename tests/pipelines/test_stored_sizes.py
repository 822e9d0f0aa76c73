"""How large shards are taken to become: exactly where bytes are kept, sensibly elsewhere."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipelines.config import PackSettings
from pipelines.planning.shards import draw_shards

TILE = {"x": 0, "y": 0, "width": 256, "height": 256, "chars": 9.0, "density": "top"}
# Headers, padding and a label, as tars have them.
IN_A_TAR = 2000


def size_bytes(given: dict[str, Any] | None = None, **changes: Any) -> float:
    row = {"kind": "general", "rung": 256, "side": 300, "width": 400, "height": 300}
    row |= {"format": "jpeg", "bytes": 30_000, "jpeg_quality": 90.0, "colour_converted": False}
    row |= {"text_stage": None, "tiles": None, "sha256": f"{7:064x}"} | changes
    types = {"tiles": pa.list_(pa.struct([(n, pa.type_for_alias(t)) for n, t in _TILE.items()]))}
    types |= {"jpeg_quality": pa.float32(), "text_stage": pa.string()}
    columns = {name: pa.array([value], types.get(name)) for name, value in row.items()}
    settings = PackSettings(shard_samples=10**9, **(given or {}))
    draw = draw_shards(pa.table(columns), settings, 0, alone=True)
    return float(draw.size[0]) * settings.shard_bytes


_TILE = {"x": "int32", "y": "int32", "width": "int32", "height": "int32"}
_TILE |= {"chars": "float", "density": "string"}
LARGE = {"side": 1200, "width": 1600, "height": 1200, "bytes": 400_000}
PAGE = {"kind": "document", "tiles": [TILE, TILE]}


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_what_keeps_its_bytes_is_known(format: str) -> None:
    assert size_bytes(format=format) == pytest.approx(30_000 + IN_A_TAR)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "tiff"])
@pytest.mark.parametrize("what", [LARGE, PAGE])
def test_every_size_is_that_of_a_picture(format: str, what: dict[str, Any]) -> None:
    pixels = 256 * 256 * 4 / 3 if what is LARGE else 2 * 256 * 256
    for quality in (90.0, None):
        size = size_bytes(**what, format=format, jpeg_quality=quality)
        assert 0.05 * pixels < size < 3 * pixels


@pytest.mark.parametrize("what", [LARGE, PAGE])
def test_more_to_see_takes_more(what: dict[str, Any]) -> None:
    for format in ("jpeg", "png"):
        few, many = (size_bytes(**(what | {"format": format, "bytes": n})) for n in (10**5, 10**6))
        assert few < many
    rough, fine = (size_bytes(**what, jpeg_quality=q) for q in (75.0, 97.0))
    # As many bytes at a low quality stand for more detail.
    assert rough > fine


def test_settings_that_store_less_are_known() -> None:
    low, high = (size_bytes({"jpeg_quality": q}, **LARGE) for q in (85, 96))
    assert low < 0.7 * high
    assert size_bytes({"text_format": "webp"}, **PAGE) < 0.7 * size_bytes(**PAGE)


def test_long_pictures_take_more_than_square_ones() -> None:
    square = size_bytes(**(LARGE | {"width": 1200, "bytes": 300_000}))
    long = size_bytes(**(LARGE | {"width": 3600, "bytes": 900_000}))
    assert long - IN_A_TAR == pytest.approx(3 * (square - IN_A_TAR), rel=0.01)
