"""The tables on disk: a row of scores per listed image, an index row per stored sample."""

from __future__ import annotations

import pyarrow as pa

_FLOATS = (
    "jpeg_quality",
    "clarity",
    "blur",
    "compression",
    "noise",
    "luma_mean",
    "luma_std",
    "chars_est",
    "chars_per_mpx",
    "max_chars_per_256_tile",
    "glyph_px_p50",
    "glyph_px_min",
    "text_area_share",
)


# `unit`, `member`, `uri`, `offset` and `bytes` are where the image was read; `slug` and `why` stand
# only where it could not be decoded, and then nothing else does. `colour_space` is that of the
# file: "srgb", "cmyk", "lab", "broken" or the name of its profile; the pixels that are scored and
# stored are sRGB. `decode_note` tells of harmless oddities.
SCORE_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("source", pa.string()),
        ("unit", pa.string()),
        ("member", pa.string()),
        ("uri", pa.string()),
        ("offset", pa.int64()),
        ("bytes", pa.int64()),
        ("sha256", pa.string()),
        ("content", pa.string()),
        ("format", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("colour_space", pa.string()),
        ("colour_converted", pa.bool_()),
        ("decode_note", pa.string()),
        ("phash", pa.uint64()),
        ("phash_fine", pa.binary(32)),
        ("script", pa.string()),
        ("text_stage", pa.string()),
        ("text_cells", pa.list_(pa.float32())),
        ("ink_cells", pa.list_(pa.uint8())),
        ("layout", pa.binary()),
        ("text_sketch", pa.binary()),
        *((name, pa.float32()) for name in _FLOATS),
        ("slug", pa.string()),
        ("why", pa.string()),
    ]
)

# One row per stored sample, in a Parquet file beside each tar. `offset` and `bytes` are those of
# the image data inside the tar (not of its 512-byte header), so that one ranged read fetches it.
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
        pa.field("clarity", pa.float32()),
        pa.field("chars_per_mpx", pa.float32()),
    ]
)
