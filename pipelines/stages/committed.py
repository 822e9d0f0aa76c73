"""The shards of a corpus: which lie there, which are not as asked for, and making those.

One look lists the folders of shards, a thousand files a request. Only shards of which nothing is
known, or whose files are listed in another way than when they were looked into, are read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pipelines import engine
from pipelines.planning.shards import Shard
from pipelines.stages import ledger
from pipelines.stages.runner import BuildFailed, Runner, tell_failures
from vae_corpus import storage
from vae_corpus.storage import Entry

_LISTED_AT_ONCE = 16
# Files of so many shards that are known from before are listed beside those of others.
_SHARDS_IN_A_ROW = 2500


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files below `shards` at one moment, by path below the corpus."""

    folders: tuple[str, ...]
    files: dict[str, Entry]


class Stock:
    """The shards that lie in a corpus, and what is known of them.

    `listing` is looked up when it is first asked for, and again after `forget`.
    """

    def __init__(self, out: str) -> None:
        self.out = out
        self.ledger = ledger.read(out)
        self._listing: Listing | None = None

    @property
    def listing(self) -> Listing:
        if self._listing is None:
            self._listing = _list(self.out, self.ledger.names())
        return self._listing

    def forget(self) -> None:
        """Shards were made, or may have been changed: list them again before the next answer."""
        self._listing = None

    def not_committed(self, shards: Sequence[Shard]) -> list[Shard]:
        """The shards that are not there, not whole, or made by another recipe."""
        known: dict[str, str | None] = {}
        unknown: list[tuple[str, Entry, Entry]] = []
        files = self.listing.files
        for shard in shards:
            tar, index = files.get(f"{shard.name}.tar"), files.get(f"{shard.name}.parquet")
            if tar is None or index is None:
                continue
            known[shard.name] = self.ledger.recipe(shard.name, tar, index)
            if known[shard.name] is None:
                unknown.append((shard.name, tar, index))
        found = known | self.ledger.learn(unknown)
        return [shard for shard in shards if found.get(shard.name) != shard.recipe]

    def strays(self, wanted: Collection[str]) -> list[str]:
        """Tars and indexes that belong to no wanted shard, in order of removal."""
        return [
            path
            # Indexes first: a tar without one is not committed, so a stop in between is safe.
            for suffix in (".parquet", ".tar")
            for path in self.listing.files
            if path.endswith(suffix) and path.removesuffix(suffix) not in wanted
        ]

    def remove(self, path: str) -> None:
        """Remove a file below the corpus."""
        storage.remove(storage.join(self.out, path))
        del self.listing.files[path]

    def group_counts(self, shards: Sequence[str]) -> list[dict[str, Any]]:
        """Samples and bytes per group over these shards, all of them found committed."""
        return self.ledger.group_counts(shards)


def find_todo(stock: Stock, shards: Sequence[Shard]) -> list[Shard]:
    """Those of these shards that are to be made; where there are any, the corpus is not whole."""
    todo = stock.not_committed(shards)
    stock.ledger.save()
    if todo:
        stock.forget()
        # While shards are replaced the corpus is not whole: its commit mark must not stand.
        storage.remove(storage.join(stock.out, "curriculum.json"))
    return todo


def make_shards(
    runner: Runner,
    stage: str,
    tasks: engine.Tasks | Sequence[engine.Task],
    make_work: Callable[[], engine.Work],
    names: Callable[[str], str] = str,
) -> None:
    """Run tasks that make shards; BuildFailed, with the `names` of tasks, when one cannot."""
    failures = runner.run(stage, tasks, make_work).failures
    if failures:
        raise BuildFailed(
            tell_failures(
                "shards could not be made",
                failures,
                {failure.task_id: names(failure.task_id) for failure in failures},
            )
            + "\nRun the same command again: only these shards are left."
        )


def _list(out: str, known: Sequence[str]) -> Listing:
    found = folders(out)
    cuts: dict[str, list[str]] = {folder: [] for folder in found}
    for name in known[_SHARDS_IN_A_ROW::_SHARDS_IN_A_ROW]:
        folder, _, stem = name.rpartition("/")
        cuts.setdefault(folder, []).append(stem)
    with ThreadPoolExecutor(_LISTED_AT_ONCE) as pool:
        listed = pool.map(lambda f: storage.listing(storage.join(out, f), cuts[f]), found)
        files = {
            f"{folder}/{name}": entry
            for folder, entries in zip(found, listed, strict=True)
            for name, entry in entries.items()
        }
    return Listing(folders=tuple(found), files=files)


def folders(out: str) -> list[str]:
    """Folders of shards below the corpus: `shards/<kind>/<rung>`."""
    return [
        f"shards/{kind}/{rung}"
        for kind in storage.folders(storage.join(out, "shards"))
        for rung in storage.folders(storage.join(out, "shards", kind))
    ]
