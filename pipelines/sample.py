"""The words that every part shares: sample keys, kinds, rungs, aspect buckets, shard index rows.

A leaf module: it imports nothing of ours, so that renderers and the trainer can speak of samples
without pulling in the data engine.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

GENERAL, TEXT_REAL, DOCUMENT, TEXT_SYNTH = "general", "text_real", "document", "text_synth"
KINDS = (GENERAL, TEXT_REAL, DOCUMENT, TEXT_SYNTH)
RUNGS = (256, 512, 1024, 2048)
TOP, REST = "top", "rest"
DENSITIES = (TOP, REST)
# Of synthetic text: what it is written in, and its em sizes in px.
LANGUAGES = ("en", "zh", "mixed")
SIZE_BANDS = ("5-7", "8-10", "11-14", "15-20")
BAND_KEYS = (*SIZE_BANDS, *(f"{name} {band}" for name in LANGUAGES for band in SIZE_BANDS))

# Width and height at rung 256. All sides are multiples of 32, the largest compression, and all
# areas lie within 7 % of 256 x 256, so that a batch costs about the same in every bucket.
_BUCKETS_256 = (
    (256, 256),
    (288, 224),
    (224, 288),
    (320, 192),
    (192, 320),
    (384, 160),
    (160, 384),
)


class Bucket(NamedTuple):
    """An aspect-ratio class inside a rung: the exact size in px that its samples are cropped to."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @classmethod
    def parse(cls, name: str) -> Bucket:
        """`"288x224"` -> `Bucket(288, 224)`; ValueError for anything else."""
        try:
            width, height = (int(part) for part in name.split("x"))
        except ValueError:
            raise ValueError(f"a bucket is named like 288x224, not {name!r}") from None
        return cls(width, height)


def buckets(rung: int) -> tuple[Bucket, ...]:
    """The buckets of a rung, the square one first."""
    if rung < 256 or rung % 256:
        raise ValueError(f"a rung is a multiple of 256 px; got {rung}")
    scale = rung // 256
    return tuple(Bucket(w * scale, h * scale) for w, h in _BUCKETS_256)


def nearest_bucket(width: int, height: int, rung: int) -> Bucket | None:
    """The bucket with the nearest aspect ratio among those that fit in `width` x `height` px.

    None when none fits. An image whose shorter side is at least `rung` always fits the square.
    """
    ratio = math.log(width / height)
    fitting = [b for b in buckets(rung) if b.width <= width and b.height <= height]
    return min(fitting, key=lambda b: abs(math.log(b.width / b.height) - ratio), default=None)


def sample_key(source: str, sha256_hex: str) -> str:
    """`<source>-<16 hex of the sha256 of the bytes>`: equal bytes get equal keys, anywhere."""
    return f"{source}-{sha256_hex[:16]}"


def generator(seed: int, *parts: str | int) -> np.random.Generator:
    """A random generator that depends on `seed` and `parts` alone: never on time or worker."""
    digest = hashlib.sha256(json.dumps([seed, *parts]).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


@dataclass(frozen=True, kw_only=True)
class Group:
    """The unit of mixing.

    Synthetic text carries a language and a band of em sizes in px; tiles of real text and of
    documents carry a density, `top` or `rest` (None where text was not measured).
    """

    kind: str
    rung: int
    bucket: str
    language: str | None = None
    size_band: str | None = None
    density: str | None = None


def band_key(weights: Mapping[str, Any], language: str | None, size_band: str) -> str:
    """The key in weights of em sizes for a language: its own, such as "zh 5-7", before "5-7"."""
    own = f"{language} {size_band}"
    return own if own in weights else size_band


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
