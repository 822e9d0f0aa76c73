"""Take images out of a plan that is made; neighbourhoods that hold none of them stay untouched."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.config import PackSettings
from pipelines.planning import tables
from pipelines.planning.passes.settle import filled, with_taken_down, write_shards
from pipelines.planning.shards import recipe_base
from pipelines.planning.taken_down import TAKEN_DOWN, TakenDown
from vae_corpus import storage

_READS_AT_ONCE = 16
_ADDRESS = ("source", "uri", "offset", "member")


def take_out(plan: str, gone: TakenDown, pack: PackSettings, seed: int) -> int:
    """Bring a whole plan to what it would be had these images been taken down before it was made.

    How many were taken out. When it is stopped, the next call goes on.
    """
    facts = tables.facts(plan)
    assert facts is not None, f"{plan} is not whole"
    names = [
        storage.name_of(p).removesuffix(".parquet") for p in tables.paths(plan, tables.SELECTED)
    ]
    base = recipe_base(pack, seed)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        counts = pool.map(lambda name: _take_out(plan, name, gone, base), names)
        count = sum(counts)
    write_shards(plan)
    said = facts | {"taken_down": gone.digest}
    storage.commit_bytes(storage.join(plan, tables.FACTS), json.dumps(said).encode())
    return count


def lets_in(plan: str, gone: TakenDown) -> bool:
    """Whether the plan leaves out images that were taken down once and may come back now."""

    def holds(path: str) -> bool:
        rows = _table(path, ["key", "sha256", "source", "slug"])
        out = rows.filter(pc.equal(rows["slug"], TAKEN_DOWN)).combine_chunks()
        return not pc.all(gone.covers(out)).as_py() if len(out) else False

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return any(pool.map(holds, tables.paths(plan, tables.DROPPED)))


def _take_out(plan: str, name: str, gone: TakenDown, base: bytes) -> int:
    path = tables.path(plan, tables.SELECTED, name)
    if not pc.any(gone.covers(_table(path, ["key", "sha256", "source"]))).as_py():
        return 0
    kept, out = gone.split(_table(path))
    dropped = _table(tables.path(plan, tables.DROPPED, name))
    # An earlier call may have been stopped between the two tables.
    known = pc.is_in(_addresses(out), _addresses(dropped))
    made = {
        tables.DROPPED: with_taken_down(dropped, out.filter(pc.invert(known))),
        tables.FILLED: filled(base, name, kept),
        tables.SELECTED: kept,
    }
    for fate, table in made.items():
        storage.commit_table(tables.path(plan, fate, name), table)
    return len(out)


def _addresses(rows: pa.Table) -> pa.Array:
    parts = [pc.cast(rows[name], pa.string()) for name in _ADDRESS]
    return pc.binary_join_element_wise(*parts, "\n").combine_chunks()


def _table(path: str, columns: list[str] | None = None) -> pa.Table:
    with storage.open_read(path) as file:
        return pq.read_table(file, columns=columns).combine_chunks()
