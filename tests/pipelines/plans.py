"""Plans of made-up score tables, without a build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.scores import SCORE_SCHEMA
from pipelines.config import CorpusConfig
from pipelines.planning import tables
from pipelines.planning.job import Neighbourhood
from pipelines.planning.neighbourhoods import write_list
from pipelines.stages import plan
from pipelines.stages.units import UNIT_SCHEMA
from vae_corpus import storage

Tables = dict[str, list[Any]]
Row = dict[str, Any]


def make(tmp_path: Path, rows: list[Row], **sections: Any) -> Tables:
    """The tables of the plan of these score rows, all of one neighbourhood."""
    return make_all(tmp_path, [rows], CorpusConfig(**sections))


def make_all(
    folder: Path,
    neighbourhoods: Sequence[Sequence[Row]],
    config: CorpusConfig,
    generations: Sequence[int] = (),
) -> Tables:
    """The same of several neighbourhoods."""
    job = job_of(folder, neighbourhoods, config, generations)
    plan.make_plan(job)
    return read(job.folder)


def job_of(
    folder: Path,
    neighbourhoods: Sequence[Sequence[Row]],
    config: CorpusConfig,
    generations: Sequence[int] = (),
) -> Any:
    """A plan to be made of score rows, which are written unit by unit."""
    dealt = []
    for number, rows in enumerate(neighbourhoods):
        units = sorted({row["unit"] for row in rows}) or ["none"]
        for unit in units:
            theirs = [row for row in rows if row["unit"] == unit]
            table = pa.Table.from_pylist(theirs, schema=SCORE_SCHEMA)
            storage.commit_table(str(folder / "scores" / f"{unit}.parquet"), table)
        listed = pa.Table.from_pylist([{"unit_id": unit} for unit in units], schema=UNIT_SCHEMA)
        generation = generations[number] if generations else 0
        name = f"{generation:03d}-{number:06d}-{'0' * 16}.parquet"
        path = str(folder / "units" / name)
        storage.commit_table(path, listed)
        dealt.append(Neighbourhood(number=number, generation=generation, units=path))
    names = [storage.name_of(each.units) for each in dealt]
    write_list(str(folder / "units"), names)
    sources = {row["source"] for rows in neighbourhoods for row in rows}
    scores, out = str(folder / "scores"), str(folder / "plan")
    return plan.plan_job(config, scores, out, dealt, tuple(sources))


def read(folder: str) -> Tables:
    """The tables of a finished plan; rows in the order of neighbourhoods."""
    assert tables.facts(folder) is not None
    made = {
        fate: [
            row for path in tables.paths(folder, fate) for row in pq.read_table(path).to_pylist()
        ]
        for fate in tables.FATES
    }
    made["shards"] = pq.read_table(storage.join(folder, tables.SHARDS)).to_pylist()
    return made
