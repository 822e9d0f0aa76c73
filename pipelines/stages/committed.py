"""The shards of a corpus: which lie there, which are not as asked for, and making those."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipelines import engine
from pipelines.planning.shards import Shard
from pipelines.stages.runner import BuildFailed, Runner, tell_failures
from vae_corpus import storage, tar

# Looking at a shard is a few requests to an object store, which answer slowly.
_LOOKS_AT_ONCE = 32


def not_committed(out: str, shards: Sequence[Shard]) -> list[Shard]:
    """The shards that are not there, not whole, or made by another recipe."""
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        found = pool.map(lambda s: tar.is_committed(out, s.name, s.recipe), shards)
        return [shard for shard, there in zip(shards, found, strict=True) if not there]


def make_shards(
    runner: Runner,
    out: str,
    stage: str,
    shards: Sequence[Shard],
    make_work: Callable[[], engine.Work],
) -> None:
    """Make those that are not committed; BuildFailed when one cannot be made."""
    todo = not_committed(out, shards)
    if todo:
        # While shards are replaced the corpus is not whole: its commit mark must not stand.
        storage.remove(storage.join(out, "curriculum.json"))
    tasks = [
        engine.Task(task_id=s.name, payload=s, weight=s.samples, images=s.samples) for s in todo
    ]
    failures = runner.run(stage, tasks, make_work).failures
    if failures:
        raise BuildFailed(
            tell_failures("shards could not be made", failures)
            + "\nRun the same command again: only these shards are left."
        )


def folders(out: str) -> list[str]:
    """Folders of shards below the corpus: `shards/<kind>/<rung>`."""
    return [
        f"shards/{kind}/{rung}"
        for kind in storage.folders(storage.join(out, "shards"))
        for rung in storage.folders(storage.join(out, "shards", kind))
    ]


def strays(out: str, wanted: Collection[str]) -> list[str]:
    """Tars and indexes below the corpus that belong to no wanted shard, in order of removal."""
    return [
        f"{folder}/{name}"
        # Indexes first: a tar without one is not committed, so a stop in between is safe.
        for suffix in (".parquet", ".tar")
        for folder in folders(out)
        for name in storage.names(storage.join(out, folder), suffix)
        if f"{folder}/{name.removesuffix(suffix)}" not in wanted
    ]
