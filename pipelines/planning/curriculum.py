"""Make the curriculum of a corpus: the groups that its shards hold, and the phases asked for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipelines.config import CorpusConfig
from pipelines.planning.phases import PhaseSettings, Weight
from vae_corpus import storage
from vae_corpus.curriculum import VERSION, Phase, Ramp


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
            phases.append(_phase(phase, rungs, kinds).to_json())
        else:
            notices.append(f"phase {phase.name} is left out: the corpus has nothing for it")
    shown = {(kind, int(rung)) for p in phases for kind in p["kinds"] for rung in p["rungs"]}
    unseen = Counter[tuple[str, int]]()
    for group in groups:
        if (where := (group["kind"], group["rung"])) not in shown:
            unseen[where] += group["samples"]
    notices += [
        f"{count:,} samples of {kind} at rung {rung} are in no phase: none weights both"
        for (kind, rung), count in sorted(unseen.items())
    ]
    whole = {"version": VERSION, "seed": config.seed, "groups": groups, "phases": phases}
    return whole, notices


def write_curriculum(out: str, curriculum: dict[str, Any]) -> bool:
    """Commit `curriculum.json`; True when it changed. It comes last: the corpus is then whole."""
    text = json.dumps(curriculum, indent=1, ensure_ascii=False) + "\n"
    return storage.commit_bytes(storage.join(out, "curriculum.json"), text.encode())


def _phase(asked: PhaseSettings, rungs: dict[int, Weight], kinds: dict[str, Weight]) -> Phase:
    align = asked.align
    return Phase(
        name=asked.name,
        samples=asked.samples,
        rungs={rung: _ramp(weight) for rung, weight in rungs.items()},
        kinds=_ramps(kinds),
        size_bands=None if asked.size_bands is None else _ramps(asked.size_bands),
        densities=None if asked.densities is None else _ramps(asked.densities),
        loss=_ramps(
            {
                "lpips": asked.lambda_lpips,
                "align": align.weight,
                "m_cos": align.m_cos,
                "m_dist": align.m_dist,
            }
        ),
    )


def _ramps(weights: Mapping[str, Weight]) -> dict[str, Ramp]:
    return {name: _ramp(weight) for name, weight in weights.items()}


def _ramp(weight: Weight) -> Ramp:
    return Ramp(*weight) if isinstance(weight, tuple) else Ramp(weight, weight)
