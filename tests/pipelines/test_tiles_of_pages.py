"""Tiles of many pages at once are those of each page alone, done in plain steps."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from filters.scores import SCORE_SCHEMA
from pipelines.planning.settings import PlanSettings
from pipelines.planning.tiles import SCHEMA, cut_tiles, judge_row
from tests.pipelines.slow_tiles import tile_row
from vae_corpus.seeds import generator
from vae_corpus.tiles import draws, figures, marks, strips

NAMES = ("sha256", "width", "height", "text_lines", "ink_cells", "page_regions", "text_marks")
ROWS = pa.schema([*(SCORE_SCHEMA.field(name) for name in NAMES), ("rung", pa.int32())])
SETTINGS = (
    PlanSettings(),
    PlanSettings(max_tiles_per_image=2, figure_share=0.6, min_tile_chars_per_256=3),
    PlanSettings(rung_weights={256: 1.0, 1024: 1.0}, figure_share=0, top_chars_per_256=5),
    PlanSettings(min_ink_levels=0, min_tile_chars_per_256=0, figure_share=0.9),
)


def _sizes(rng: np.random.Generator) -> tuple[int, int, int]:
    """A width, a height and a rung: tiny, page-like, long, or exactly as large as a bucket."""
    rung = int(rng.choice([256, 256, 512]))
    kind = rng.integers(4)
    if kind == 0:
        return int(rng.integers(64, 300)), int(rng.integers(64, 300)), 256
    if kind == 1:
        return rung, rung, rung
    low, high = rung, rung * 3
    return int(rng.integers(low, high)), int(rng.integers(low, high)), rung


def _lines(rng: np.random.Generator, width: int, height: int) -> list[dict[str, Any]] | None:
    kind = rng.integers(7)
    if kind == 0:
        return None if rng.random() < 0.5 else []
    count = int(rng.integers(1, 40 if kind < 4 else 400))
    x, y = rng.integers(-20, width + 20, count), rng.integers(-20, height + 20, count)
    wide, high = rng.integers(1, max(2, width // 2), count), rng.integers(6, 30, count)
    if kind in (1, 5):
        # Set as a page is set, so that many places are as good as each other.
        x, y, wide, high = x // 60 * 60, y // 17 * 17, np.full(count, 48), np.full(count, 11)
    if kind == 2:
        # Columns, lines without extent, and lines turned round.
        wide, high = rng.integers(-4, 20, count), rng.integers(-4, height, count)
    if kind == 3:
        x, y, wide, high = np.zeros(count), np.zeros(count), np.full(count, width), high
    many = rng.integers(0, 40, count) if kind == 5 else rng.uniform(0, 60, count)
    names = ("x0", "y0", "x1", "y1", "chars")
    columns = [x, y, x + wide, y + high, many.astype(np.float32)]
    whole = [*(column.astype(int).tolist() for column in columns[:4]), columns[4].tolist()]
    return [dict(zip(names, line, strict=True)) for line in zip(*whole, strict=True)]


def page(n: int) -> dict[str, Any]:
    rng = np.random.default_rng(n)
    width, height, rung = _sizes(rng)
    cells = -(-width // 32) * -(-height // 32)
    ink = rng.integers(0, 256, cells) * (rng.random(cells) < rng.choice([0.0, 0.03, 0.5]))
    boxes = rng.integers(-10, [[width], [height]], (int(rng.integers(1, 6)), 2, 1))
    regions = [
        {"kind": "figure", "x0": x, "y0": y, "x1": x + w, "y1": y + h}
        for ((x,), (y,)), w, h in zip(
            boxes.tolist(),
            rng.integers(1, 500, 9).tolist(),
            rng.integers(1, 500, 9).tolist(),
            strict=False,
        )
    ]
    # Marks at the borders of tiles that begin at 0, few hashes so that some come twice.
    edges = [0, 1, 127, 128, 255, 256, 257, 65535]
    spots = [
        {
            "x": int(rng.choice(edges) if rng.random() < 0.3 else rng.integers(0, width)),
            "y": int(rng.choice(edges) if rng.random() < 0.3 else rng.integers(0, height)),
            "hash": int(rng.integers(0, 1 << int(rng.choice([4, 32])))),
        }
        for _ in range(int(rng.integers(0, 300)))
    ]
    return {
        "sha256": hashlib.sha256(str(n).encode()).hexdigest(),
        **{"width": width, "height": height, "rung": rung},
        "text_lines": _lines(rng, width, height),
        "ink_cells": None if rng.random() < 0.4 else ink.tolist(),
        "page_regions": [None, [], regions][int(rng.integers(3))],
        "text_marks": None if rng.random() < 0.4 else spots,
    }


@pytest.fixture(scope="module")
def pages() -> list[dict[str, Any]]:
    return [page(n) for n in range(500)]


def table(pages: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(pages, schema=ROWS)


@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_many_pages_are_cut_as_each_alone(
    pages: list[dict[str, Any]], settings: PlanSettings
) -> None:
    found = cut_tiles(table(pages), settings, 7)
    assert found.schema == SCHEMA
    found.validate(full=True)
    counts: Counter[str] = Counter()
    for row, ours in zip(pages, found.to_pylist(), strict=True):
        told = tile_row(row, settings, 7)
        assert ours == told, row["sha256"]
        counts["tiles"] += len(ours["tiles"])
        counts["blank"] += ours["blank_tiles"]
        counts["said"] += sum(map(len, ours["said"]))
        counts["none fits"] += ours["bucket"] is None
        counts["smaller"] += ours["text_rung"] not in (None, row["rung"])
        counts["top"] += sum(tile["density"] == "top" for tile in ours["tiles"])
    assert all(counts[name] for name in ("tiles", "said", "none fits", "top"))
    # Where nothing is asked of a tile, none is blank, and the first rung has some.
    asks = settings.min_ink_levels > 0
    assert bool(counts["blank"]) == asks
    assert not asks or counts["smaller"]


def test_where_a_batch_is_cut_changes_nothing(pages: list[dict[str, Any]]) -> None:
    rows = table(pages[:300])
    whole = cut_tiles(rows, SETTINGS[0], 0)
    parts = [rows.slice(at, 37) for at in range(0, 300, 37)]
    apart = pa.Table.from_batches([cut_tiles(part, SETTINGS[0], 0) for part in parts])
    assert apart.to_pylist() == whole.to_pylist()
    assert cut_tiles(pa.Table.from_batches(parts), SETTINGS[0], 0).equals(whole)
    assert cut_tiles(rows.slice(0, 0), SETTINGS[0], 0).num_rows == 0
    back = rows.take(pa.array(range(299, -1, -1)))
    assert cut_tiles(back, SETTINGS[0], 0).to_pylist() == whole.to_pylist()[::-1]


def test_the_story_of_a_row_has_its_tiles(pages: list[dict[str, Any]]) -> None:
    slugs: Counter[str | None] = Counter()
    some = pages[:200]
    for row, told in zip(some, cut_tiles(table(some), SETTINGS[1], 0).to_pylist(), strict=True):
        cut = judge_row(row, SETTINGS[1], 0)
        assert (str(cut.bucket) if cut.bucket else None) == told["bucket"]
        assert told["bucket"] is None or cut.rung == told["text_rung"]
        kept = [one.tile for one in cut.judged if one.slug is None]
        assert [(t["x"], t["y"]) for t in told["tiles"]] == [(t.x, t.y) for t in kept]
        slugs.update(one.slug for one in cut.judged)
    assert set(slugs) == {None, "few_chars", "blank", "too_many"}


def test_damaged_scores_are_named() -> None:
    row = page(0) | {"ink_cells": [1, 2, 3]}
    with pytest.raises(ValueError, match="ink_cells of .* are 3, but"):
        cut_tiles(table([row]), SETTINGS[0], 0)
    row = page(0) | {"width": None}
    with pytest.raises(ValueError, match="width is missing in 1"):
        cut_tiles(table([row]), SETTINGS[0], 0)


def test_draws_are_those_of_the_generator_of_each_page() -> None:
    keys = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(400)] + ["ä'\"", ""]
    seeds = draws.digests(3, "name", keys)
    counts = np.array([[0, 1, 2, 3, 5, 6, 7, 3_000_000_000][n % 8] for n in range(len(keys))])
    sizes, skipped = np.arange(len(keys)) % 40, np.arange(len(keys)) % 3
    drawn, chances = draws.integers(seeds, counts), draws.chances(seeds)
    orders = np.split(draws.orders(seeds, skipped, sizes), sizes.cumsum()[:-1])
    for n, key in enumerate(keys):
        assert drawn[n] == (generator(3, "name", key).integers(counts[n]) if counts[n] else -1)
        rng = generator(3, "name", key)
        assert [rng.random(), rng.random()] == chances[n].tolist()
        rng = generator(3, "name", key)
        rng.random(int(skipped[n]))
        assert rng.permutation(int(sizes[n])).tolist() == orders[n].tolist()


def test_loops_are_compiled_for_one_kind_of_arrays(pages: list[dict[str, Any]]) -> None:
    # Each further one would take seconds more of every first build.
    cut_tiles(table(pages[:50]), SETTINGS[0], 0)
    judge_row(pages[0], SETTINGS[0], 0)
    loops = (strips._tiles, figures._add, marks._said, draws._integers, draws._orders)
    assert [len(loop.signatures) for loop in loops] == [1] * len(loops)
