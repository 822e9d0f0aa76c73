"""Write `curriculum.json`: the groups that the shards hold, and the phases that weight them.

The curriculum is a file, not a byte order: another mix edits this file and rewrites no tar.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipelines.config import CorpusConfig
from pipelines.phases import PhaseSettings, Weight
from vae_corpus import storage

VERSION = 1
_GROUP = ("kind", "rung", "bucket", "language", "size_band", "density")


def group_counts(out: str, shards: Sequence[str]) -> list[dict[str, Any]]:
    """Samples and bytes per group over the indexes of `shards`, in a fixed order."""
    columns = ", ".join(_GROUP)
    paths = [storage.join(out, f"{shard}.parquet") for shard in shards]
    return storage.query(
        paths,
        f"""
        SELECT {columns}, count(*) AS samples, sum("bytes")::BIGINT AS "bytes"
        FROM stored GROUP BY ALL ORDER BY {", ".join(f"{name} NULLS FIRST" for name in _GROUP)}
        """,
    )


def make_curriculum(
    config: CorpusConfig, groups: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """The curriculum as JSON data, and a sentence for everything asked for that is not there.

    A kind or rung without samples loses its weight; a phase that keeps nothing is left out.
    """
    have = {(group["kind"], group["rung"]) for group in groups}
    phases, notices = [], []
    for phase in config.phases:
        rungs = {r: w for r, w in phase.rungs.items() if any((k, r) in have for k in phase.kinds)}
        kinds = {k: w for k, w in phase.kinds.items() if any((k, r) in have for r in rungs)}
        for what, asked, kept in (("rung", phase.rungs, rungs), ("kind", phase.kinds, kinds)):
            lost = [str(name) for name in asked if name not in kept]
            if lost:
                notices.append(f"phase {phase.name}: no samples of {what} {', '.join(lost)}")
        if kinds:
            phases.append(_phase(phase, rungs, kinds))
        else:
            notices.append(f"phase {phase.name} is left out: the corpus has nothing for it")
    whole = {"version": VERSION, "seed": config.seed, "groups": groups, "phases": phases}
    return whole, notices


def write_curriculum(out: str, curriculum: dict[str, Any]) -> bool:
    """Commit `curriculum.json`; True when it changed. It comes last: the corpus is then whole."""
    text = json.dumps(curriculum, indent=1, ensure_ascii=False) + "\n"
    return storage.commit_bytes(storage.join(out, "curriculum.json"), text.encode())


def _phase(
    phase: PhaseSettings, rungs: dict[int, Weight], kinds: dict[str, Weight]
) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": phase.name,
        "samples": phase.samples,
        "rungs": {str(rung): weight for rung, weight in rungs.items()},
        "kinds": kinds,
    }
    if phase.size_bands is not None:
        written["size_bands"] = phase.size_bands
    if phase.densities is not None:
        written["densities"] = phase.densities
    align = {"lambda": phase.align.weight, "m_cos": phase.align.m_cos, "m_dist": phase.align.m_dist}
    return written | {"align": align, "lambda_lpips": phase.lambda_lpips}
