"""The tables on disk: a row of scores per listed image, an index row per stored sample."""

from __future__ import annotations

import pyarrow as pa

from vae_corpus.score_types import Column

# What every row of the score table says besides its scores. `colour_space` is that of the file;
# the pixels that are scored and stored are sRGB.
PICTURE_COLUMNS = (
    Column(name="key", type=pa.string(), meaning="<source>-<16 hex digits of the sha256>"),
    Column(name="source", type=pa.string(), meaning="name of the source"),
    Column(name="unit", type=pa.string(), meaning="unit that it was read in"),
    Column(name="member", type=pa.string(), meaning="name inside the tar, table or document"),
    Column(name="uri", type=pa.string(), meaning="file that it was read from"),
    Column(name="offset", type=pa.int64(), meaning="where it begins in that file"),
    Column(name="bytes", type=pa.int64(), meaning="size of the encoded image"),
    Column(name="sha256", type=pa.string(), meaning="of the encoded image"),
    Column(name="content", type=pa.string(), meaning="auto, or document where the source says so"),
    Column(name="format", type=pa.string(), meaning="jpeg, png, webp, tiff..."),
    Column(name="width", type=pa.int32(), meaning="px, upright"),
    Column(name="height", type=pa.int32(), meaning="px, upright"),
    Column(
        name="colour_space",
        type=pa.string(),
        meaning="srgb, cmyk, lab, broken, or the name of the file's profile",
    ),
    Column(name="colour_converted", type=pa.bool_(), meaning="pixels were converted to sRGB"),
    Column(name="decode_note", type=pa.string(), meaning="harmless oddities of the file"),
    Column(
        name="jpeg_quality",
        type=pa.float32(),
        meaning="quality that the header's tables stand for, 1 to 100",
        title="JPEG quality",
    ),
)
# Only where an image could not be decoded; then it has no scores.
VERDICT_COLUMNS = (
    Column(name="slug", type=pa.string(), meaning="short reason"),
    Column(name="why", type=pa.string(), meaning="the same in words"),
)

# One row per stored sample, in a Parquet file beside each tar. `offset` and `bytes` are those of
# the image data inside the tar (not of its 512-byte header), so that one ranged read fetches it.
# Packed shards have further columns: those scores that are declared with `index=True`, see
# `PACKED_INDEX_SCHEMA` in filters/scores.py.
INDEX_SCHEMA = pa.schema(
    [
        pa.field("shard", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("ext", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("json_offset", pa.int64(), nullable=False),
        pa.field("json_bytes", pa.int64(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("rung", pa.int32(), nullable=False),
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("size_band", pa.string()),
        pa.field("density", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("parent", pa.string(), nullable=False),
    ]
)
