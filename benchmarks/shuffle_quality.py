"""How well training is shuffled by blocks of shards, against a permutation of all samples.

    python benchmarks/shuffle_quality.py

An index is made up: 10^6 images in 500 shards of 2,000. A shard has four fifths of one source of 50
and the rest of all; neighbouring shards have the same one. Four tiles of a page lie in one shard.
`clarity` stands for any score: a mean per source, a drift from page to page, and chance. Streams:

- `full`: a permutation of all samples, as training was ordered before;
- `8`, `32`, `128`: blocks of so many shards, as training is ordered (`vae_training/data/blocks`);
- `8 by chance`, ...: the same blocks, each in a permutation, not dealt evenly from its shards.

Measured over an epoch:

- `source`, `parent`: how much more often than for two images of the corpus drawn by chance those at
  a distance (`lags`) are of one source or parent; `clarity`: its autocorrelation;
- `batches_with_one_parent_twice`: of 256 images;
- `batch_clarity_spread`: standard deviation of the mean of a batch, over that of independent draws.

And sharing, for 8 and 64 nodes of 8 ranks with 16 images each: the share of images that are read on
a node which is not the home of their shard, and of how many shards a node reads images in an epoch
for 100 in all, at home and elsewhere. Writes benchmarks/results/shuffle_quality.json and .png.
"""

from __future__ import annotations

import datetime
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vae_corpus.seeds import generator, permuted
from vae_corpus.words import GENERAL, Group
from vae_training.data.blocks import Blocks
from vae_training.data.index import Runs
from vae_training.data.sharing import assign

_RESULTS = Path(__file__).parent / "results"
ROWS, SHARDS, SOURCES, TILES = 10**6, 500, 50, 4
_EACH = ROWS // SHARDS
LAGS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536, 262144]
BLOCKS = (8, 32, 128)
NODES = (8, 64)
_BATCH = 256
_COLOURS = {"full": "black", "8": "#d62728", "32": "#1f77b4", "128": "#2ca02c"}

Column = NDArray[Any]


def made_up() -> dict[str, Column]:
    """Source, parent and clarity of each row; rows of a shard lie together."""
    rng = generator(0, "shuffle quality")
    pages = ROWS // TILES
    main = np.arange(pages) * SOURCES // pages
    source = np.where(rng.random(pages) < 0.8, main, rng.integers(SOURCES, size=pages))
    drift = np.zeros(pages)
    noise = rng.normal(size=pages)
    for page in range(1, pages):
        drift[page] = 0.95 * drift[page - 1] + noise[page] * np.sqrt(1 - 0.95**2)
    clarity = rng.normal(size=SOURCES)[source] + drift
    return {
        "source": np.repeat(source, TILES),
        "parent": np.repeat(np.arange(pages), TILES),
        "clarity": np.repeat(clarity, TILES) + rng.normal(size=ROWS),
    }


def in_blocks(shuffle_shards: int) -> tuple[Column, Column]:
    """Rows in the order of training, and the place of the shard of each."""
    first = np.arange(SHARDS, dtype=np.int64) * _EACH
    runs = Runs(
        shard=np.arange(SHARDS, dtype=np.int32),
        group=np.zeros(SHARDS, dtype=np.int32),
        first=first,
        count=np.full(SHARDS, _EACH),
    )
    group = Group(kind=GENERAL, rung=256, bucket="256x256")
    none = np.empty(0, dtype=np.int64)
    walked = Blocks((group,), runs, none, shuffle_shards=shuffle_shards, seed=0)
    drawn = walked.next(0, 0, ROWS)
    assert len(np.unique(drawn.rows)) == ROWS
    return drawn.rows, drawn.places


def by_chance(pair: tuple[Column, Column], shuffle_shards: int) -> tuple[Column, Column]:
    """The same blocks, each in a permutation of its samples."""
    rng, size = generator(0, "by chance", shuffle_shards), shuffle_shards * _EACH
    starts = range(0, ROWS, size)
    order = [at + rng.permutation(min(size, ROWS - at)) for at in starts]
    places = np.concatenate(order)
    return pair[0][places], pair[1][places]


def quality(rows: Column, columns: dict[str, Column]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in ("source", "parent"):
        values = columns[name][rows]
        counts = np.bincount(values).astype(float)
        expected = float((counts * (counts - 1)).sum() / (ROWS * (ROWS - 1)))
        told[name] = [float((values[lag:] == values[:-lag]).mean()) - expected for lag in LAGS]
    clarity = columns["clarity"][rows]
    centred = (clarity - clarity.mean()) / clarity.std()
    told["clarity"] = [float((centred[lag:] * centred[:-lag]).mean()) for lag in LAGS]
    batches = ROWS // _BATCH
    some = slice(0, batches * _BATCH)
    parents = np.sort(columns["parent"][rows][some].reshape(batches, -1), axis=1)
    twice = (np.diff(parents, axis=1) == 0).any(axis=1)
    told["batches_with_one_parent_twice"] = float(twice.mean())
    means = centred[some].reshape(batches, -1).mean(axis=1)
    told["batch_clarity_spread"] = float(means.std() * np.sqrt(_BATCH))
    return told


def sharing(pair: tuple[Column, Column], nodes: int) -> dict[str, float]:
    rows, places = pair
    world, batch = nodes * 8, nodes * 8 * 16
    away, seen = 0, {True: set[int](), False: set[int]()}
    batches = ROWS // batch
    for number in range(batches):
        some = slice(number * batch, (number + 1) * batch)
        node = assign(places[some].tolist(), nodes, world) // 8
        at_home = node == places[some] % nodes
        away += int((~at_home).sum())
        for home in (True, False):
            pairs = node[at_home == home] * SHARDS + rows[some][at_home == home] // _EACH
            seen[home].update(np.unique(pairs).tolist())
    return {
        "share_away_from_home": away / (batches * batch),
        "shards_at_home_per_node_of_100": 100 * len(seen[True]) / nodes / SHARDS,
        "shards_away_per_node_of_100": 100 * len(seen[False]) / nodes / SHARDS,
    }


def plot(streams: dict[str, dict[str, Any]], path: Path) -> None:
    """Three panels, source, parent and clarity by lag: even blocks drawn through, others dotted."""
    width, height, gap, top = 420, 300, 70, 40
    image = Image.new("RGB", (3 * (width + gap) + 20, height + top + 90), "white")
    draw = ImageDraw.Draw(image)
    for panel, name in enumerate(("source", "parent", "clarity")):
        left = gap + panel * (width + gap)
        values = np.array([stream[name] for stream in streams.values()])
        low, high = float(min(values.min(), 0)), float(values.max())
        low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)

        def at(lag: int, value: float, left: int = left, low: float = low, high: float = high):
            across = np.log2(lag) / np.log2(LAGS[-1])
            return left + across * width, top + height * (high - value) / (high - low)

        draw.rectangle((left, top, left + width, top + height), outline="grey")
        draw.line([at(1, 0), at(LAGS[-1], 0)], fill="lightgrey")
        draw.text((left, top - 18), f"{name} (0: two drawn by chance)", fill="black")
        for value in (low, 0.0, high):
            draw.text((left - 52, at(1, value)[1] - 6), f"{value:.1e}", fill="black")
        for lag in LAGS[::3]:
            draw.text((at(lag, low)[0] - 8, top + height + 4), str(lag), fill="black")
        for stream, told in streams.items():
            points = [at(lag, v) for lag, v in zip(LAGS, told[name], strict=True)]
            colour = _COLOURS[stream.split()[0]]
            if stream in _COLOURS:
                draw.line(points, fill=colour, width=2)
            for x, y in points:
                draw.ellipse((x - 2, y - 2, x + 2, y + 2), outline=colour)
    for number, (stream, colour) in enumerate(_COLOURS.items()):
        said = "permutation of all" if stream == "full" else f"blocks of {stream} shards"
        draw.text((gap + 180 * number, top + height + 40), said, fill=colour)
    draw.text(
        (gap, top + height + 60), "lag in images; circles alone: blocks by chance", fill="grey"
    )
    image.save(path)


def main() -> None:
    columns = made_up()
    whole = permuted(np.arange(ROWS), ROWS, 0, 0, 0)
    pairs = {str(n): in_blocks(n) for n in BLOCKS}
    pairs |= {f"{n} by chance": by_chance(pairs[str(n)], n) for n in BLOCKS}
    streams = {"full": quality(whole, columns)}
    streams |= {name: quality(rows, columns) for name, (rows, _) in pairs.items()}
    result = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "rows": ROWS,
        "shards": SHARDS,
        "lags": LAGS,
        "streams": streams,
        "sharing": {
            f"{nodes} nodes": {name: sharing(pair, nodes) for name, pair in pairs.items()}
            for nodes in NODES
        },
    }
    (_RESULTS / "shuffle_quality.json").write_text(json.dumps(result, indent=1) + "\n")
    plot(streams, _RESULTS / "shuffle_quality.png")
    for name, told in streams.items():
        lags = {n: [round(x, 5) for x in told[n][:12:4]] for n in ("source", "parent", "clarity")}
        rest = {n: round(v, 4) for n, v in told.items() if n not in lags}
        print(name, lags, rest)
    print(json.dumps(result["sharing"], indent=1))


if __name__ == "__main__":
    main()
