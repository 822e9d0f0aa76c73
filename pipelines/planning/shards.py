"""Which shard each kept image goes to, and a recipe hash over what each shard will hold.

Shards are fair draws of their neighbourhood: inside a lane (kind, rung, extension) a seeded hash
decides who goes together. What fills no shard of even size is left for a second, smaller draw among
all neighbourhoods of its generation, in pieces that stay together. Where all that is left of a lane
fills none either, some neighbourhoods give up their last shard for it, in pieces too.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from filters.scores import COLUMNS
from pipelines.config import PackSettings
from pipelines.planning import database
from pipelines.planning.job import Neighbourhood
from pipelines.planning.ranks import hash_bytes, prefixes
from pipelines.planning.recipes import shard_recipe
from pipelines.planning.stored_sizes import stored_bytes_sql
from renderers import documents
from vae_corpus.pictures import decode
from vae_corpus.seeds import generator, mixed
from vae_corpus.words import GENERAL

# Raised when the same plan would give other shards.
PACK_VERSION = 6

# All that decides what a shard holds of an image, and so its recipe. Where the image was read does
# not: the same corpus at another place has the same recipes.
PACKED = (
    *("key", "source", "member", "sha256", "format", "width", "height", "colour_converted"),
    *("kind", "rung", "bucket", "tiles", "ext", "text_stage"),
    *(column.name for column in COLUMNS if column.label or column.index),
)

# What `text_stage` says of a page whose characters its source told.
KNOWN = "known"
# General images up to this many times the rung keep their original bytes.
KEEP_ORIGINAL_UP_TO = 1.5
# Formats that are kept as they are, with the extension that WebDataset readers know. The others
# (GIF, BMP, TIFF...) are stored as PNG, which loses nothing. What had to be converted to sRGB is
# never kept: whoever reads it without its profile would see other colours.
KEPT_FORMATS = {"jpeg": "jpg", "png": "png", "webp": "webp"}


# Where a score goes to, and as what, decides bytes as well.
_SCORES_PACKED = [
    [column.name, str(column.type), column.label, column.index]
    for column in COLUMNS
    if column.label or column.index
]
DECODED_BY = decode.VERSION
LABELLED_BY = documents.VERSION


def is_large(row: Mapping[str, Any]) -> bool:
    """Whether a general image is stored smaller than it is."""
    return bool(min(row["width"], row["height"]) > row["rung"] * KEEP_ORIGINAL_UP_TO)


def is_decoded(row: Mapping[str, Any]) -> bool:
    """Whether packing decodes an image, or keeps its bytes."""
    if row["kind"] != GENERAL or is_large(row) or row["colour_converted"]:
        return True
    return row["format"] not in KEPT_FORMATS


def is_labelled(row: Mapping[str, Any]) -> bool:
    """Whether the tiles of a row have labels of what they say: those of pages that are drawn."""
    return bool(row["kind"] != GENERAL and row["text_stage"] == KNOWN)


# Shards that share a lane evenly are at most by so much larger or smaller than is asked.
_UNEVEN = 0.15
# What is left is cut into pieces of this share of a shard.
_PIECE = 1 / 8
# Of a rest that is no further off nothing more is asked; up to so many shards are given up for one
# that is. From 2.55 shards on any lane is even within the limit above.
_NEARLY = 0.1
_MOST_SPARE = 3

# Rows of a lane that are left for the shards of a generation, or that may be, piece by piece.
LEFT_SCHEMA = pa.schema(
    [
        ("generation", pa.int32()),
        ("lane", pa.string()),
        ("neighbourhood", pa.int64()),
        ("piece", pa.int32()),
        ("spare", pa.bool_()),
        ("size", pa.float64()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Where the kept rows of a neighbourhood go.

    `ext` and `lane` of each row; `number` of its shard among those of its lane, or -1 where it is
    left over; `piece` says in which piece. Rows of the last shard of a lane have a piece as well,
    in which they go if that shard is given up; others have -1. `size` is a row's share of a shard.
    """

    ext: list[str]
    lane: NDArray[np.object_]
    number: NDArray[np.int64]
    piece: NDArray[np.int64]
    size: NDArray[np.float64]


def draw_shards(rows: pa.Table, pack: PackSettings, seed: int, *, alone: bool) -> Draw:
    """Deal kept rows to shards; `alone`: no other neighbourhood of the generation takes what is
    left, and shards are as even as they can be.

    A shard holds images of one extension, because readers that build tables ask for that, and for
    the same reason labels with lines of text in all of its tiles, or in none.
    """
    large = f"side > rung * {KEEP_ORIGINAL_UP_TO}"
    kept = " ".join(f"WHEN '{name}' THEN '{ext}'" for name, ext in KEPT_FORMATS.items())
    with database.connect() as db:
        db.register("rows", rows)
        answer: Any = db.sql(
            f"""
            SELECT ext, format('{{}}-{{}}-{{}}{{}}', kind, rung, ext, labels) AS lane,
                   greatest(samples / {pack.shard_samples}, stored_bytes / {pack.shard_bytes})
                       AS size
            FROM (SELECT kind, rung,
                CASE WHEN kind = '{GENERAL}' THEN 1 ELSE len(tiles) END AS samples,
                CASE WHEN kind <> '{GENERAL}' THEN '{pack.text_format}'
                     WHEN {large} THEN 'jpg'
                     WHEN colour_converted THEN CASE format WHEN 'jpeg' THEN 'jpg' ELSE 'png' END
                     ELSE CASE format {kept} ELSE 'png' END END AS ext,
                CASE WHEN kind <> '{GENERAL}' AND text_stage = '{KNOWN}'
                     THEN '-lines' ELSE '' END AS labels,
                {stored_bytes_sql(pack, KEPT_FORMATS, large)} AS stored_bytes
            FROM rows)
            """
        )
        made = answer.to_arrow_table()
    lanes = np.array(made["lane"].to_pylist(), np.object_)
    size = made["size"].to_numpy(zero_copy_only=False).astype(np.float64)
    salt = generator(seed, "shards").integers(0, 1 << 63, dtype=np.uint64)
    place = mixed(prefixes(hash_bytes(rows)) ^ salt)
    number, piece = (np.full(len(rows), -1) for _ in range(2))
    for lane in sorted(set(lanes.tolist())):
        at = np.flatnonzero(lanes == lane)
        at = at[np.argsort(place[at], kind="stable")]
        number[at], piece[at] = _deal(size[at], alone=alone)
    return Draw(ext=made["ext"].to_pylist(), lane=lanes, number=number, piece=piece, size=size)


def _deal(size: NDArray[np.float64], *, alone: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number of the shard of each row in drawn order, or -1, and the number of its piece, or -1."""
    ends = np.cumsum(size)
    place, total = ends - size / 2, float(ends[-1])
    count = _even_count(total)
    if alone or _off(total) <= _UNEVEN:
        number = np.minimum(place * count / total, count - 1).astype(np.int64)
        if alone:
            return number, np.full(len(size), -1)
        place = place * count / total
    else:
        count = math.floor(total)
        number = np.where(place >= count, -1, place.astype(np.int64))
    # From the start of the last shard.
    piece = np.floor((place - max(0, count - 1)) / _PIECE).astype(np.int64)
    return number, np.maximum(piece, -1)


def _even_count(total: float) -> int:
    """How many shards so much of a lane makes, so that they differ least from what is asked."""
    few = max(1, math.floor(total))
    return min((few, few + 1), key=lambda count: abs(total / count - 1))


def _off(total: float) -> float:
    """How far from a shard each of them is then."""
    return abs(total / _even_count(total) - 1)


def left_over(draw: Draw, neighbourhood: Neighbourhood) -> pa.Table:
    """The pieces of each lane that are left, or may be, as `LEFT_SCHEMA`."""
    cut = draw.piece >= 0
    spare = draw.number[cut] >= 0
    found: dict[tuple[str, int, bool], float] = {}
    pieces = zip(draw.lane[cut].tolist(), draw.piece[cut].tolist(), spare.tolist(), strict=True)
    for piece, size in zip(pieces, draw.size[cut].tolist(), strict=True):
        found[piece] = found.get(piece, 0.0) + size
    rows = [
        {"lane": lane, "piece": piece, "spare": spare, "size": size}
        for (lane, piece, spare), size in sorted(found.items())
    ]
    same = {"generation": neighbourhood.generation, "neighbourhood": neighbourhood.number}
    return pa.Table.from_pylist([row | same for row in rows], schema=LEFT_SCHEMA)


def deal_left(left: pa.Table) -> pa.Table:
    """The pieces that are taken, with the number of their shard in their generation and lane."""
    with database.connect() as db:
        db.register("pieces", left)
        # Spare ones of the first few neighbourhoods are enough.
        answer: Any = db.sql(
            f"""
            SELECT * FROM pieces QUALIFY NOT spare OR {_MOST_SPARE} >= dense_rank()
                OVER (PARTITION BY generation, lane, spare ORDER BY neighbourhood)
            ORDER BY generation, lane, neighbourhood, piece
            """
        )
        rows = answer.to_arrow_table().to_pylist()
    taken: list[dict[str, Any]] = []
    for _, group in itertools.groupby(rows, key=lambda r: (r["generation"], r["lane"])):
        pieces = _taken(list(group))
        if pieces:
            numbers, _ = _deal(np.array([row["size"] for row in pieces]), alone=True)
            taken += [row | {"number": n} for row, n in zip(pieces, numbers.tolist(), strict=True)]
    return pa.Table.from_pylist(taken, schema=LEFT_SCHEMA.append(pa.field("number", pa.int64())))


def _taken(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is left of a lane, with as few spare shards as make it nearly even, or as can be."""
    left = [row for row in rows if not row["spare"]]
    if not left:
        return []
    givers = sorted({row["neighbourhood"] for row in rows if row["spare"]})
    choices = [
        [row for row in rows if not row["spare"] or row["neighbourhood"] in givers[:count]]
        for count in range(len(givers) + 1)
    ]
    # The first one of equals.
    return min(choices, key=lambda some: max(_NEARLY, _off(sum(row["size"] for row in some))))


def shard_name(pack: PackSettings, lane: str, neighbourhood: Neighbourhood, number: int) -> str:
    """The path of a shard of a neighbourhood below the corpus, without extension."""
    return _path(pack, lane, f"{neighbourhood.name}-{number:03d}")


def shared_name(pack: PackSettings, lane: str, generation: int, number: int) -> str:
    """The path of a shard of what is left over in a generation."""
    return _path(pack, lane, f"rest{generation:03d}-{number:05d}")


def part_name(pack: PackSettings, lane: str, neighbourhood: Neighbourhood) -> str:
    """The path of a tar of what a neighbourhood leaves of a lane, from which shards are made."""
    return f"parts/{neighbourhood.generation:03d}/{pack.lane}-{lane}-{neighbourhood.name}"


def _path(pack: PackSettings, lane: str, last: str) -> str:
    kind, rung, _ = lane.split("-", 2)
    return f"shards/{kind}/{rung}/{pack.lane}-{lane}-{last}"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One shard to be made: its path below the corpus without extension, and its recipe.

    It is packed with the others of its `neighbourhood`, or put together from `parts`.
    """

    name: str
    recipe: str
    samples: int
    neighbourhood: str = ""
    parts: tuple[str, ...] = ()


def recipe_base(pack: PackSettings, seed: int) -> bytes:
    """What decides the bytes of all shards alike."""
    # How shards are filled shows in what they hold.
    filled = {"shard_bytes", "shard_samples", "neighbourhood_units"}
    base = [PACK_VERSION, pack.model_dump(exclude=filled), seed, _SCORES_PACKED]
    return json.dumps(base, sort_keys=True).encode()


def recipe(base: bytes, rows: pa.Table) -> str:
    """16 hex digits over what a shard will hold: these selected rows, in this order."""
    text = pc.not_equal(rows["kind"], GENERAL)
    shorter = pc.min_element_wise(rows["width"], rows["height"])
    large = pc.greater(shorter, pc.multiply(rows["rung"], KEEP_ORIGINAL_UP_TO))
    kept = pc.is_in(rows["format"], pa.array(list(KEPT_FORMATS)))
    decoded = pc.or_(pc.or_(text, large), pc.or_(rows["colour_converted"], pc.invert(kept)))
    known = pc.and_(text, pc.fill_null(pc.equal(rows["text_stage"], KNOWN), False))
    whole = rows.select([*PACKED, "shard"])
    # Pixels are the decoder's; bytes that are kept are not.
    for name, by, version in (("decoded", decoded, DECODED_BY), ("labelled", known, LABELLED_BY)):
        said = pc.if_else(pc.fill_null(by, False), f"{version}", pa.scalar(None, pa.string()))
        whole = whole.append_column(name, said)
    return shard_recipe(base, whole)
