"""List what there is to read: every source says its units, which are dealt to neighbourhoods.

Units go to the local disk as they are found. Many are dealt in a process of their own: sorting them
takes memory that this one would keep for the rest of the build.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.config import CorpusConfig
from pipelines.planning import neighbourhoods
from pipelines.sources import Source, Unit
from pipelines.stages import dealing
from pipelines.stages.runner import Runner
from pipelines.stages.units import FOLDER, NUMBERS, UNIT_SCHEMA, Counted, Numbers
from pipelines.workers.pulse import Pulse
from vae_corpus import storage

# Units are written to the local disk so many at a time, while they are listed.
_SPOOLED_UNITS = 256
_FEW_UNITS = 5000


def list_units(config: CorpusConfig, sources: Sequence[Source], runner: Runner) -> Counted:
    """List all sources, and write the tables of units that are not there yet."""
    out = storage.join(config.out, FOLDER)
    found, by_source = Pulse(), Counter[str]()
    runner.console.show(
        lambda: f"{found.read().get('files', 0):,} files, {by_source.total():,} units"
    )
    of = {source.name: source for source in sources}
    size_bytes = 0
    with tempfile.TemporaryDirectory(prefix="vae-corpus-") as spool:
        with found.counting(), open(os.path.join(spool, dealing.FOUND), "wb") as numbers:
            for part, units in enumerate(_in_parts(sources)):
                by_source.update(unit.source for unit in units)
                size_bytes += sum(unit.bytes for unit in units)
                numbers.write(np.array([_numbers(of[u.source], u) for u in units], NUMBERS).data)
                table = pa.Table.from_pylist([asdict(u) for u in units], schema=UNIT_SCHEMA)
                pq.write_table(table, f"{spool}/{part:06d}.parquet", compression="zstd")
        count = by_source.total()
        share = size_bytes / count / config.pack.shard_bytes
        deal = functools.partial(
            dealing.deal_units, spool, out, config.pack.neighbourhood_units, share
        )
        if count > _FEW_UNITS:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
                names = child.submit(deal).result()
        else:
            names = deal()
        if neighbourhoods.write_list(out, names):
            runner.worked.add("list")
        _remove_all_but(out, names)
        return Counted(
            neighbourhoods=tuple(neighbourhoods.listed(out)),
            numbers=Numbers(os.path.join(spool, dealing.DEALT)),
            by_source=dict(sorted(by_source.items())),
        )


def _numbers(source: Source, unit: Unit) -> tuple[int, float, int, int, int]:
    """What is known of a unit; where it will stand nobody knows yet."""
    images = source.images(unit)
    weight = source.weight(unit)
    return int(unit.unit_id, 16), weight, -1 if images is None else images, 0, 0


def _in_parts(sources: Sequence[Source]) -> Iterator[list[Unit]]:
    part: list[Unit] = []
    for source in sources:
        for unit in source.units():
            part.append(unit)
            if len(part) == _SPOOLED_UNITS:
                yield part
                part = []
    if part:
        yield part


def _remove_all_but(folder: str, names: Sequence[str]) -> None:
    """Remove the tables of earlier deals."""
    wanted = set(names)
    for name in [n for n in storage.each_name(folder, ".parquet") if n not in wanted]:
        storage.remove(storage.join(folder, name))
