"""What packing processes are told: the settings, where things lie, and what is to be made."""

from __future__ import annotations

from dataclasses import dataclass

from filters.settings import ScoreSettings
from pipelines.config import PackSettings
from pipelines.sources import Source
from vae_corpus import storage


class PackError(RuntimeError):
    """An image that was scored does not decode now, or shards were left out; the message says."""


@dataclass(frozen=True, kw_only=True)
class PackJob:
    """What a worker needs to pack shards."""

    settings: PackSettings
    score: ScoreSettings
    sources: dict[str, Source]
    plan: str
    out: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """A tar to be made with its index: a shard, or a part of shards."""

    name: str
    recipe: str


@dataclass(frozen=True, kw_only=True)
class PackTask:
    """Tars of one neighbourhood that are made in one pass over its originals."""

    neighbourhood: str
    targets: tuple[Target, ...]


def is_committed(out: str, target: Target) -> bool:
    """Whether a tar lies there whole, made by this recipe."""
    marks = storage.parquet_metadata(storage.join(out, f"{target.name}.parquet"))
    if marks is None or marks.get("recipe") != target.recipe:
        return False
    size = storage.size_bytes(storage.join(out, f"{target.name}.tar"))
    return marks.get("tar_bytes") == str(size)
