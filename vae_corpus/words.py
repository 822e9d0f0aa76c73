"""The words that every part shares: kinds, rungs, aspect buckets, bands, groups, sample keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

GENERAL, TEXT_REAL, DOCUMENT, TEXT_SYNTH = "general", "text_real", "document", "text_synth"
KINDS = (GENERAL, TEXT_REAL, DOCUMENT, TEXT_SYNTH)
RUNGS = (256, 512, 1024, 2048)
TOP, REST = "top", "rest"
DENSITIES = (TOP, REST)
# Languages and em sizes in px of synthetic text.
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


def sample_key(source: str, sha256_hex: str) -> str:
    """`<source>-<16 hex of the sha256 of the bytes>`: equal bytes get equal keys, anywhere."""
    return f"{source}-{sha256_hex[:16]}"


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


GROUP_COLUMNS = tuple(field.name for field in fields(Group))


def band_key(weights: Mapping[str, Any], language: str | None, size_band: str) -> str:
    """The key in weights of em sizes for a language: its own, such as "zh 5-7", before "5-7"."""
    own = f"{language} {size_band}"
    return own if own in weights else size_band
