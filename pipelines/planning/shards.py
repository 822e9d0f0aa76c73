"""Which shard each kept image goes to, and a recipe hash over what each shard will hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from filters.scores import COLUMNS
from pipelines.config import PackSettings
from renderers import documents
from vae_corpus.pictures import decode
from vae_corpus.words import GENERAL

# Raised when the same plan would give other shards.
PACK_VERSION = 4

# All that decides what a shard holds of an image, and so its recipe. Where the image was read does
# not: the same corpus at another place has the same recipes.
PACKED = (
    *("key", "source", "member", "sha256", "format", "width", "height", "colour_converted"),
    *("kind", "rung", "bucket", "tiles", "ext", "text_stage"),
    *(column.name for column in COLUMNS if column.label or column.index),
)

# What `text_stage` says of a page whose characters its source told.
KNOWN = "known"
# Stored bytes per pixel, to close shards at about the wanted size before anything is encoded.
_JPEG_BYTES_PER_PX = 0.5
_TILE_BYTES_PER_PX = 0.6
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


def assign_shards(db: duckdb.DuckDBPyConnection, pack: PackSettings, seed: int) -> None:
    """`selected`: what is kept, in packing order, with the name of its shard.

    Inside a kind and rung the order is that of a seeded hash: any run of samples is a fair draw.
    A shard holds images of one extension, because readers that build tables ask for that, and for
    the same reason labels with lines of text in all of its tiles, or in none.
    """
    limit, samples = pack.shard_bytes, pack.shard_samples
    kept = " ".join(f"WHEN '{name}' THEN '{ext}'" for name, ext in KEPT_FORMATS.items())
    db.execute(
        f"""
        CREATE TEMP TABLE selected AS
        WITH sized AS (
            SELECT * EXCLUDE (slug, duplicate_of),
                md5(concat('{seed}', 'order', sha256)) AS place,
                CASE WHEN kind = '{GENERAL}' THEN 1 ELSE len(tiles) END AS samples,
                CASE WHEN kind <> '{GENERAL}' THEN '{pack.text_format}'
                     WHEN side > rung * {KEEP_ORIGINAL_UP_TO} THEN 'jpg'
                     WHEN colour_converted THEN CASE format WHEN 'jpeg' THEN 'jpg' ELSE 'png' END
                     ELSE CASE format {kept} ELSE 'png' END END AS ext,
                CASE WHEN kind <> '{GENERAL}' AND text_stage = '{KNOWN}'
                     THEN '-lines' ELSE '' END AS labels,
                CASE WHEN kind <> '{GENERAL}'
                     THEN len(tiles) * tiles[1].width * tiles[1].height * {_TILE_BYTES_PER_PX}
                     WHEN side <= rung * {KEEP_ORIGINAL_UP_TO} THEN "bytes"
                     ELSE rung::BIGINT * rung * {_JPEG_BYTES_PER_PX} END AS stored_bytes
            FROM within WHERE slug IS NULL),
        filled AS (
            SELECT *, greatest(floor((sum(stored_bytes) OVER lane - stored_bytes) / {limit}),
                               floor((sum(samples) OVER lane - samples) / {samples})) AS raw
            FROM sized
            WINDOW lane AS (PARTITION BY kind, rung, ext, labels ORDER BY place, id
                            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)),
        numbered AS (
            SELECT *, dense_rank() OVER (same ORDER BY raw) - 1 AS number FROM filled
            WINDOW same AS (PARTITION BY kind, rung, ext, labels))
        SELECT * EXCLUDE (raw, number, stored_bytes, samples, labels),
            format('shards/{{}}/{{}}/{pack.lane}-{{}}-{{}}-{{}}{{}}-{{:06d}}',
                   kind, rung, kind, rung, ext, labels, number) AS shard
        FROM numbered
        """
    )


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One shard to be made: its path below the corpus without extension, and its recipe."""

    name: str
    recipe: str
    samples: int


class Recipes:
    """One hash per shard over what it will hold, built while the selected rows stream by."""

    def __init__(self, pack: PackSettings, seed: int) -> None:
        base = [PACK_VERSION, pack.model_dump(), seed, _SCORES_PACKED]
        self._base = json.dumps(base, sort_keys=True).encode()
        self._hashes: dict[str, Any] = {}
        self._samples: dict[str, int] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        for row in batch.select(["shard", *PACKED]).to_pylist():
            shard = row["shard"]
            if shard not in self._hashes:
                self._hashes[shard] = hashlib.sha256(self._base)
                self._samples[shard] = 0
            # Pixels are the decoder's; bytes that are kept are not.
            by: Any = DECODED_BY if is_decoded(row) else None
            by = [by, LABELLED_BY] if is_labelled(row) else by
            whole = json.dumps([row, by], sort_keys=True, default=str)
            self._hashes[shard].update(whole.encode())
            self._samples[shard] += len(row["tiles"]) if row["tiles"] is not None else 1

    def table(self) -> pa.Table:
        return pa.table(
            {
                "shard": pa.array(self._hashes, pa.string()),
                "recipe": pa.array([h.hexdigest()[:16] for h in self._hashes.values()]),
                "samples": pa.array(self._samples.values(), pa.int64()),
            }
        )
