"""Which shards lie in a corpus, and which of them are not what the plan asks for.

One look lists the folders of shards, a thousand files a request. Only shards of which nothing is
known, or whose files are listed in another way than when they were looked into, are read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pipelines import ledger
from pipelines.pack import Shard
from vae_corpus import storage
from vae_corpus.storage import Entry

_LISTED_AT_ONCE = 16


@dataclass(frozen=True, kw_only=True)
class Look:
    """The files below `shards` at one moment, by path below the corpus, and what is known of them.

    It does not see what is made later: then look again.
    """

    folders: tuple[str, ...]
    files: dict[str, Entry]
    ledger: ledger.Ledger

    def not_committed(self, shards: Sequence[Shard]) -> list[Shard]:
        """The shards that are not there, not whole, or made by another recipe."""
        known: dict[str, str | None] = {}
        unknown: list[tuple[str, Entry, Entry]] = []
        for shard in shards:
            tar = self.files.get(f"{shard.name}.tar")
            index = self.files.get(f"{shard.name}.parquet")
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
            for path in self.files
            if path.endswith(suffix) and path.removesuffix(suffix) not in wanted
        ]

    def group_counts(self, shards: Sequence[str]) -> list[dict[str, Any]]:
        """Samples and bytes per group over these shards, all of them found committed."""
        return self.ledger.group_counts(shards)


def look(out: str, known: ledger.Ledger | None = None) -> Look:
    """List the shards of a corpus; what is known of them is read from it, or is `known`."""
    found = folders(out)
    with ThreadPoolExecutor(_LISTED_AT_ONCE) as pool:
        listed = pool.map(lambda folder: storage.listing(storage.join(out, folder)), found)
        files = {
            f"{folder}/{name}": entry
            for folder, entries in zip(found, listed, strict=True)
            for name, entry in entries.items()
        }
    return Look(folders=tuple(found), files=files, ledger=known or ledger.read(out))


def folders(out: str) -> list[str]:
    """Folders of shards below the corpus: `shards/<kind>/<rung>`."""
    return [
        f"shards/{kind}/{rung}"
        for kind in storage.folders(storage.join(out, "shards"))
        for rung in storage.folders(storage.join(out, "shards", kind))
    ]
