"""Pack shards: each neighbourhood fills its own, and leaves parts of others, which are then joined.

What is committed stays. The shards of a neighbourhood are made in one pass over its originals; only
where there are fewer neighbourhoods than workers do several tasks share those of one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq

from pipelines import engine
from pipelines.config import CorpusConfig
from pipelines.planning import tables
from pipelines.planning.shards import Shard
from pipelines.sources import Source
from pipelines.stages.committed import Stock, find_todo, make_shards
from pipelines.stages.packing import parts
from pipelines.stages.packing.cut import cut_samples
from pipelines.stages.packing.job import PackError, PackJob, PackTask, Target
from pipelines.stages.packing.neighbourhood import make_packer
from pipelines.stages.runner import Runner
from vae_corpus import storage

__all__ = ["PackError", "PackJob", "cut_samples", "make_packer", "pack_shards"]

# Workers that there may be where the settings do not say.
_WORKERS = 16


def pack_shards(
    config: CorpusConfig, sources: dict[str, Source], plan: str, stock: Stock, runner: Runner
) -> list[Shard]:
    """Make the shards of a plan that are not there; BuildFailed when one cannot be made."""
    out, shards = config.out, read_shards(plan)
    todo = find_todo(stock, shards)
    shared = [shard for shard in todo if shard.parts]
    needed = {part for shard in shared for part in shard.parts}
    lacking = parts.missing(out, plan, needed)
    job = PackJob(settings=config.pack, score=config.score, sources=sources, plan=plan, out=out)
    workers = _WORKERS if config.engine.workers is None else config.engine.workers
    tasks = PackTasks(todo, lacking, workers)
    if len(tasks) or not shared:
        make_shards(runner, "pack", tasks, functools.partial(make_packer, job), tasks.names)
    if shared:
        make = functools.partial(parts.make_joiner, out)
        joins = [
            engine.Task(task_id=s.name, payload=s, weight=s.samples, images=s.samples)
            for s in shared
        ]
        make_shards(runner, "pack", joins, make)
        parts.remove(out)
    return shards


def read_shards(plan: str) -> list[Shard]:
    """The shards of a plan, by name."""
    with storage.open_read(storage.join(plan, tables.SHARDS)) as file:
        rows = pq.read_table(file).to_pylist()
    return [
        Shard(
            name=row["shard"],
            recipe=row["recipe"],
            samples=row["samples"],
            neighbourhood=row["neighbourhood"],
            parts=tuple(row["parts"]),
        )
        for row in rows
    ]


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Something to be made of a neighbourhood; of a part nobody knows how large it is."""

    target: Target
    samples: int


class PackTasks:
    """Passes over neighbourhoods that make these shards and parts, as the engine's `Tasks`."""

    def __init__(self, shards: Sequence[Shard], lacking: Sequence[Target], workers: int) -> None:
        self.images = sum(shard.samples for shard in shards if not shard.parts)
        made: dict[str, list[_Piece]] = {}
        for shard in shards:
            if not shard.parts:
                target = Target(name=shard.name, recipe=shard.recipe)
                made.setdefault(shard.neighbourhood, []).append(
                    _Piece(target=target, samples=shard.samples)
                )
        each = {part: shard.samples // len(shard.parts) for shard in shards for part in shard.parts}
        for part in lacking:
            made.setdefault(parts.neighbourhood_of(part.name), []).append(
                _Piece(target=part, samples=each[part.name])
            )
        ways = max(1, -(-workers // max(1, len(made))))
        self._pieces = {
            f"{neighbourhood}.{way}": pieces[way::ways]
            for neighbourhood, pieces in made.items()
            for way in range(min(ways, len(pieces)))
        }
        self._weights = {name: _weight(pieces) for name, pieces in self._pieces.items()}
        self.total_weight = sum(self._weights.values())

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[engine.Task]:
        for name in sorted(self._pieces, key=lambda name: (-self._weights[name], name)):
            pieces = self._pieces[name]
            yield engine.Task(
                task_id=name,
                payload=PackTask(
                    neighbourhood=name.partition(".")[0],
                    targets=tuple(piece.target for piece in pieces),
                ),
                weight=self._weights[name],
                images=sum(p.samples for p in pieces if not _is_part(p)),
                pieces=len(pieces),
            )

    def names(self, task_id: str) -> str:
        """The shards of a task, for people."""
        found = [piece.target.name for piece in self._pieces[task_id]]
        return found[0] + (f" and {len(found) - 1} more" if len(found) > 1 else "")


def _is_part(piece: _Piece) -> bool:
    return piece.target.name.startswith(f"{parts.FOLDER}/")


def _weight(pieces: Sequence[_Piece]) -> int:
    return max(1, sum(piece.samples for piece in pieces))
