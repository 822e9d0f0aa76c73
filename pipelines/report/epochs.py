"""How often training shows what the corpus holds: samples shown by group, over all phases.

Follows the mixture of the trainer: a rung is drawn by its weight, in it a kind among those that
the rung has, in a kind its size bands or densities, and inside these every sample alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from vae_corpus.words import TEXT_SYNTH, band_key

# Points of a phase at which its ramps are read.
STEPS = 16
# A group that is shown so often is learned by heart.
MANY_EPOCHS = 10.0

Share = dict[tuple[str, int, str], float]


def shares_over_time(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Name and samples of each phase, and the shares of (kind, rung, part) at `STEPS` points."""
    held = _held(whole["groups"])
    return [
        {
            "name": phase["name"],
            "samples": phase["samples"],
            "points": [_shares(phase, held, (i + 0.5) / STEPS) for i in range(STEPS)],
        }
        for phase in whole["phases"]
    ]


def epochs(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per kind, rung and part: samples held, shown, and `epochs`, most first."""
    shown: dict[tuple[str, int, str], float] = defaultdict(float)
    for phase in shares_over_time(whole):
        for point in phase["points"]:
            for group, share in point.items():
                shown[group] += share * phase["samples"] / STEPS
    rows = []
    for (kind, rung, language, part), count in _held(whole["groups"]).items():
        n = shown.get((kind, rung, _name(language, part)), 0.0)
        rows.append(
            {
                "kind": kind,
                "rung": rung,
                "part": _name(language, part),
                "held": count,
                "shown": round(n),
                "epochs": round(n / count, 2),
            }
        )
    return sorted(rows, key=lambda r: (-r["epochs"], r["kind"], r["rung"], r["part"]))


def _held(groups: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int, str, str], int]:
    """Samples by kind, rung, language and part (size band or density); buckets are summed up."""
    held: dict[tuple[str, int, str, str], int] = defaultdict(int)
    for g in groups:
        part = g["size_band"] if g["kind"] == TEXT_SYNTH else g["density"]
        held[g["kind"], g["rung"], g["language"] or "", part or ""] += g["samples"]
    return dict(held)


def _name(language: str, part: str) -> str:
    return " ".join(p for p in (language, part) if p)


def _shares(
    phase: Mapping[str, Any], held: Mapping[tuple[str, int, str, str], int], progress: float
) -> Share:
    shares: Share = defaultdict(float)
    for rung, weight in phase["rungs"].items():
        at_rung: Share = {}
        for kind, ramp in phase["kinds"].items():
            at_rung |= _of_kind(phase, kind, int(rung), at(ramp, progress), held, progress)
        total = sum(at_rung.values())
        for group, share in at_rung.items():
            shares[group] += at(weight, progress) * share / total if total else 0.0
    total = sum(shares.values())
    return {group: share / total for group, share in shares.items() if share} if total else {}


def _of_kind(
    phase: Mapping[str, Any],
    kind: str,
    rung: int,
    weight: float,
    held: Mapping[tuple[str, int, str, str], int],
    progress: float,
) -> Share:
    weights = phase.get("size_bands" if kind == TEXT_SYNTH else "densities")
    members = [g for g in held if g[0] == kind and g[1] == rung]
    parts: dict[str, list[tuple[str, int, str, str]]] = defaultdict(list)
    for group in members:
        parts[_part(weights, kind, group[2], group[3])].append(group)
    part_weights = {
        p: 1.0 if not p or weights is None else at(weights.get(p, 0.0), progress) for p in parts
    }
    total = sum(part_weights.values())
    shares: Share = defaultdict(float)
    for part, groups in parts.items():
        count = sum(held[g] for g in groups)
        for g in groups:
            if total and count:
                share = weight * part_weights[part] / total * held[g] / count
                shares[kind, rung, _name(g[2], g[3])] += share
    return shares


def _part(weights: Mapping[str, Any] | None, kind: str, language: str, part: str) -> str:
    """What the phase weights a group as; nothing where it comes as the corpus holds it."""
    if kind == TEXT_SYNTH:
        return band_key(weights or {}, language, part) if part else ""
    return part if weights is not None else ""


def at(ramp: Any, progress: float) -> float:
    """A weight, or a ramp `[start, end]`, at `progress` in 0..1."""
    if isinstance(ramp, list | tuple):
        return float(ramp[0] + (ramp[1] - ramp[0]) * progress)
    return float(ramp)
