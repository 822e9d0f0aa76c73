"""The phases of a curriculum: their settings, the default ones, and the curriculum made of them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from vae_corpus import storage
from vae_corpus.curriculum import VERSION, Phase, Ramp
from vae_corpus.settings import Settings
from vae_corpus.words import BAND_KEYS, DENSITIES, GENERAL, KINDS, RUNGS, SIZE_BANDS

Weight = float | tuple[float, float]


def _ends(weight: Weight) -> tuple[float, ...]:
    return weight if isinstance(weight, tuple) else (weight,)


def _check_ends(name: str, weight: Weight, largest: float) -> None:
    if not all(0 <= end <= largest for end in _ends(weight)):
        upper = "" if largest == math.inf else f" to {largest:g}"
        raise ValueError(f"{name} is a number from 0{upper} or [start, end]; got {weight!r}")


class AlignSettings(Settings):
    """Semantic alignment in a phase: weight and the margins of both terms, which may ramp too."""

    weight: Weight = Field(0.1, description="lambda_align")
    m_cos: Weight = Field(0.0, description="margin of the marginal cosine term, 0 to 2")
    m_dist: Weight = Field(0.0, description="margin of the distance matrix term, 0 to 2")

    @model_validator(mode="after")
    def _in_range(self) -> AlignSettings:
        for name, largest in (("weight", math.inf), ("m_cos", 2.0), ("m_dist", 2.0)):
            _check_ends(f"align.{name}", getattr(self, name), largest)
        return self


class PhaseSettings(Settings):
    """One step of the curriculum. A weight is a number, or [start, end]: a linear ramp."""

    name: str = Field(description="shown while it trains")
    samples: int = Field(ge=1, description="samples that the phase shows")
    rungs: dict[int, Weight] = Field(description="weights, e.g. {256: 1, 512: [0, 1]}")
    kinds: dict[str, Weight] = Field(description="weights, e.g. {general: 0.6, document: 0.4}")
    size_bands: dict[str, Weight] | None = Field(
        None,
        description="weights of em sizes inside text_synth, e.g. {5-7: 1, zh 5-7: 0.5}: one for a"
        " language goes before; none: equal",
    )
    densities: dict[str, Weight] | None = Field(
        None,
        description="weights of densities inside text_real and document, e.g. {top: 3, rest: 1};"
        " one not named is left out; none: as the corpus holds them",
    )
    align: AlignSettings = Field(AlignSettings(), description="semantic alignment")
    lambda_lpips: Weight = Field(1.0, description="weight of LPIPS")
    crop_px: int | None = Field(
        None, ge=1, description="side of the square cut from each image; none: all of its bucket"
    )

    @model_validator(mode="after")
    def _known(self) -> PhaseSettings:
        if unknown := set(self.kinds) - set(KINDS):
            raise ValueError(f"no such kind: {sorted(unknown)}; kinds are {list(KINDS)}")
        if unknown_rungs := set(self.rungs) - set(RUNGS):
            raise ValueError(f"no such rung: {sorted(unknown_rungs)}; rungs are {list(RUNGS)}")
        if unknown_bands := set(self.size_bands or {}) - set(BAND_KEYS):
            raise ValueError(
                f"no such size band: {sorted(unknown_bands)}; size bands are {list(SIZE_BANDS)},"
                " each also for one language, as in `zh 5-7`"
            )
        if unknown_densities := set(self.densities or {}) - set(DENSITIES):
            raise ValueError(
                f"no such density: {sorted(unknown_densities)}; densities are {list(DENSITIES)}"
            )
        weighted = [("rungs", self.rungs.values()), ("kinds", self.kinds.values())]
        for part, given in (("size_bands", self.size_bands), ("densities", self.densities)):
            if given is not None:
                weighted.append((part, given.values()))
        for name, weights in weighted:
            ends = [end for w in weights for end in _ends(w)]
            if any(end < 0 for end in ends) or not any(ends):
                raise ValueError(f"{name} needs weights of 0 or more, at least one above 0")
        _check_ends("lambda_lpips", self.lambda_lpips, math.inf)
        return self


# The report gives the order of the steps, not their lengths, ratios or margins; those are our
# choice. 162 M samples, about as many as VA-VAE was trained on, three in four of them at 256 px,
# where they are cheapest. General and text data are balanced from the second step on. Alignment
# takes the weights and margins of VA-VAE (strict with a large weight, then with a small one, then
# loose), and goes from one to the next in ramps.
DEFAULT_PHASES = (
    PhaseSettings(
        name="1-general-256",
        samples=120_000_000,
        rungs={256: 1.0},
        kinds={GENERAL: 1.0},
        align=AlignSettings(weight=0.5, m_cos=0.0, m_dist=0.0),
    ),
    PhaseSettings(
        name="2-real-text-512",
        samples=30_000_000,
        rungs={256: (0.7, 0.3), 512: (0.3, 0.7)},
        kinds={GENERAL: 0.5, "text_real": 0.25, "document": 0.25},
        align=AlignSettings(weight=(0.5, 0.1), m_cos=(0.0, 0.1), m_dist=(0.0, 0.05)),
    ),
    PhaseSettings(
        name="3-all-kinds-1024",
        samples=10_000_000,
        rungs={512: (0.7, 0.4), 1024: (0.3, 0.6)},
        kinds={GENERAL: 0.4, "text_real": 0.15, "document": 0.15, "text_synth": (0.15, 0.3)},
        size_bands={"5-7": (0.1, 0.25), "8-10": 0.25, "11-14": 0.25, "15-20": (0.4, 0.25)},
        align=AlignSettings(weight=0.1, m_cos=(0.1, 0.5), m_dist=(0.05, 0.25)),
    ),
    PhaseSettings(
        name="4-all-kinds-2048",
        samples=2_000_000,
        rungs={1024: (0.7, 0.4), 2048: (0.3, 0.6)},
        kinds={GENERAL: 0.4, "text_real": 0.15, "document": 0.15, "text_synth": 0.3},
        size_bands={"5-7": 0.25, "8-10": 0.25, "11-14": 0.25, "15-20": 0.25},
        align=AlignSettings(weight=0.1, m_cos=0.5, m_dist=0.25),
    ),
)


def make_curriculum(
    wanted: Sequence[PhaseSettings], seed: int, groups: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """The curriculum as JSON data, and a sentence for everything asked for that is not there.

    A kind or rung without samples loses its weight; a phase that keeps nothing is left out.
    """
    have = {(group["kind"], group["rung"]) for group in groups}
    phases, notices = [], []
    for phase in wanted:
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
    whole = {"version": VERSION, "seed": seed, "groups": groups, "phases": phases}
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
        crop_px=asked.crop_px,
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
