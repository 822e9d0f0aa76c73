"""Builds up to their shards, of a few tars of pictures and pages that make several neighbourhoods.

What each shard should hold is told by the plan alone, in another way than packing goes about it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from filters.scores import PACKED_INDEX_SCHEMA
from pipelines.config import CorpusConfig
from pipelines.guard import lease
from pipelines.planning import tables
from pipelines.report.console import Console
from pipelines.report.log import build_log
from pipelines.sources.originals import fetch_original
from pipelines.stages import pack
from pipelines.stages.committed import Stock
from pipelines.stages.list import list_units
from pipelines.stages.plan import plan_corpus
from pipelines.stages.runner import Runner
from pipelines.stages.score import score_units
from tests.pictures import encoded, jpeg, page, scene, write_tar
from vae_corpus import storage, tar

PLAN = {"min_clarity": 0.0, "min_clarity_text": 0.0, "rung_weights": {256: 1.0}}
_TARS, _PICTURES, _PAGES = 10, 7, 2


def write_inputs(root: Path) -> None:
    """Tars of JPEG and PNG pictures, and of pages that are cut into tiles."""
    for kind in ("pictures", "pages"):
        (root / kind).mkdir(parents=True)
    for n in range(_TARS):
        seeds = range(n * _PICTURES, (n + 1) * _PICTURES)
        pictures = {
            f"{seed}.{'jpg' if seed % 3 else 'png'}": jpeg(scene(270 + seed, 262, seed), 95)
            if seed % 3
            else encoded(scene(270 + seed, 262, seed), "png")
            for seed in seeds
        }
        write_tar(root / "pictures" / f"{n:02d}.tar", pictures)
        pages = {f"{n}-{p}.png": encoded(page(560, 300, 10 * n + p), "png") for p in range(_PAGES)}
        write_tar(root / "pages" / f"{n:02d}.tar", pages)


def config(root: str, out: str, **sections: Any) -> CorpusConfig:
    """Shards of six samples, neighbourhoods of four tars."""
    given: dict[str, Any] = {
        "out": out,
        "sources": [
            {"name": "pictures", "type": "webdataset", "uri": f"{root}/pictures"},
            {"name": "pages", "type": "webdataset", "uri": f"{root}/pages", "content": "document"},
        ],
        "score": {"text": False},
        "plan": PLAN,
        "pack": {"shard_samples": 6, "neighbourhood_units": 4},
        "engine": {"workers": 0},
    }
    return CorpusConfig.model_validate(given | sections)


def build(config: CorpusConfig) -> str:
    """List, score, plan and pack; the folder of the plan."""
    with lease.hold(config.out, print) as ticket, build_log(config.out) as log:
        runner = Runner(Console(quiet=True), ticket, log)
        sources = config.sources_by_name()
        listed = list_units(config, list(sources.values()), runner)
        with runner.start_engine(config.engine):
            scored = score_units(config, sources, listed, runner)
            plan = plan_corpus(config, scored, runner)
            pack.pack_shards(config, sources, plan, Stock(config.out), runner)
    return plan


def selected(plan: str) -> list[dict[str, Any]]:
    """All rows that are packed, neighbourhood by neighbourhood, each in its order."""
    paths = tables.paths(plan, tables.SELECTED)
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def planned_tars(config: CorpusConfig, plan: str) -> dict[str, bytes]:
    """What each shard should be, byte for byte: packed one by one, image after image."""
    sources = config.sources_by_name()
    job = pack.PackJob(
        settings=config.pack, score=config.score, sources=sources, plan=plan, out=config.out
    )
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in selected(plan):
        rows.setdefault(row["shard"], []).append(row)
    made = {}
    for shard, theirs in rows.items():
        file = io.BytesIO()
        writer = tar.ShardWriter(file, shard, PACKED_INDEX_SCHEMA)
        for row in theirs:
            for sample in pack.cut_samples(row, fetch_original(row, sources), job):
                writer.add(sample)
        index = writer.close()
        made[f"{shard}.tar"] = file.getvalue()
        marks = {"recipe": recipe_of(plan, shard), "tar_bytes": str(len(file.getvalue()))}
        made[f"{shard}.parquet"] = storage.table_bytes(index.replace_schema_metadata(marks))
    return made


def recipe_of(plan: str, shard: str) -> str:
    (found,) = [s.recipe for s in pack.read_shards(plan) if s.name == shard]
    return found
