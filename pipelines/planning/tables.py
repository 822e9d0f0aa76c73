"""Where the tables of a plan lie: one of each kind for every neighbourhood, and one of shards."""

from __future__ import annotations

import json
from typing import Any

from vae_corpus import storage

SELECTED, DROPPED, REJECTED = FATES = ("selected", "dropped", "rejected")
# What each neighbourhood fills of which shard, and the list of all shards.
FILLED, SHARDS = "filled", "shards.parquet"
_WRITTEN = (*FATES, FILLED)
# Written last: while it is there, the plan is whole.
FACTS = "plan.json"


def paths(plan: str, fate: str) -> list[str]:
    """The tables of one fate, by neighbourhood."""
    folder = storage.join(plan, fate)
    return [storage.join(folder, name) for name in storage.names(folder, ".parquet")]


def path(plan: str, fate: str, neighbourhood: str) -> str:
    """The table of one fate of a neighbourhood."""
    return storage.join(plan, fate, f"{neighbourhood}.parquet")


def lost(plan: str) -> list[str]:
    """Tables of a whole plan that are not there any more, by name below its folder."""
    there = {name: set(storage.names(storage.join(plan, name), ".parquet")) for name in _WRITTEN}
    every = set().union(*there.values())
    found = [f"{fate}/{name}" for fate in _WRITTEN for name in sorted(every - there[fate])]
    # A fate that has lost all of its tables says nothing of its own.
    found += [fate for fate in _WRITTEN if not there[fate]]
    return found + ([] if SHARDS in storage.names(plan, SHARDS) else [SHARDS])


def facts(plan: str) -> dict[str, Any] | None:
    """What a plan says of itself; None while it is not whole."""
    try:
        said: dict[str, Any] = json.loads(storage.read_bytes(storage.join(plan, FACTS)))
    except (FileNotFoundError, ValueError):
        return None
    return said
