"""List what there is to read: every source says its units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa

from pipelines.sources import Source, Unit
from pipelines.stages.runner import Runner
from pipelines.workers.pulse import Pulse
from vae_corpus import storage

UNIT_SCHEMA = pa.schema(
    [
        ("unit_id", pa.string()),
        ("source", pa.string()),
        ("uri", pa.string()),
        ("start", pa.int64()),
        ("stop", pa.int64()),
        ("bytes", pa.int64()),
        ("members", pa.list_(pa.string())),
    ]
)


def list_units(sources: Sequence[Source], out: str, runner: Runner) -> list[Unit]:
    """The units of all sources by id, which are also written to `units.parquet`."""
    found = Pulse()
    units: list[Unit] = []
    runner.console.show(lambda: f"{found.read().get('files', 0):,} files, {len(units):,} units")
    with found.counting():
        for source in sources:
            units.extend(source.units())
    units.sort(key=lambda unit: unit.unit_id)
    table = pa.Table.from_pylist([asdict(unit) for unit in units], schema=UNIT_SCHEMA)
    if storage.commit_bytes(storage.join(out, "units.parquet"), storage.table_bytes(table)):
        runner.worked.add("list")
    return units
