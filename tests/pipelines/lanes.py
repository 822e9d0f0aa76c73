"""One lane of made-up photographs in several neighbourhoods, dealt to shards."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.config import PackSettings
from pipelines.planning.job import Neighbourhood
from pipelines.planning.shards import Draw, deal_left, draw_shards, left_over

A_SHARD = 200
SETTINGS = PackSettings(shard_samples=A_SHARD, shard_bytes=10**12)


def rows(count: int, seed: int) -> pa.Table:
    """Photographs of one lane that count by their number."""
    hashes = np.random.default_rng(seed).bytes(32 * count)
    same = {"kind": "general", "rung": 256, "side": 300, "width": 400, "height": 300}
    same |= {"format": "jpeg", "bytes": 30_000, "colour_converted": False}
    columns = {name: pa.array([value] * count) for name, value in same.items()}
    columns |= {
        "jpeg_quality": pa.array([90.0] * count, pa.float32()),
        "text_stage": pa.nulls(count, pa.string()),
        "tiles": pa.nulls(count, pa.list_(pa.struct([("width", pa.int32()), ("height", "int32")]))),
        "sha256": pa.array([hashes[32 * n : 32 * n + 32].hex() for n in range(count)]),
    }
    return pa.table(columns)


def _draws(counts: list[int]) -> list[Draw]:
    return [
        draw_shards(rows(count, n), SETTINGS, 0, alone=False)
        for n, count in enumerate(counts)
        if count
    ]


def shards(counts: list[int]) -> dict[tuple[int, int], int]:
    """Images of each shard, by neighbourhood (-1: of several) and number."""
    made = _draws(counts)
    units = [Neighbourhood(number=n, generation=0, units="") for n in range(len(made))]
    left = pa.concat_tables(left_over(d, u) for d, u in zip(made, units, strict=True))
    shared = {(r["neighbourhood"], r["piece"]): r["number"] for r in deal_left(left).to_pylist()}
    found: dict[tuple[int, int], int] = {}
    for n, draw in enumerate(made):
        for number, piece in zip(draw.number.tolist(), draw.piece.tolist(), strict=True):
            to = shared.get((n, piece))
            name = (n, number) if to is None else (-1, to)
            found[name] = found.get(name, 0) + 1
    return found
