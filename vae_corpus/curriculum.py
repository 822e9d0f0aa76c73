"""`curriculum.json`: the groups of a corpus, and the ordered phases that weight them.

One model for whoever writes the file and whoever trains by it. The curriculum is a file, not a byte
order: another mix edits this file and rewrites no tar.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import fsspec

from vae_corpus.words import Group

VERSION = 1


class CorpusError(ValueError):
    """The corpus cannot be trained on as it is; the message names the file and the way out."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """What a phase asks of the loss at one step."""

    lpips: float = 0.0
    align: float = 0.0
    m_cos: float = 0.0
    m_dist: float = 0.0


@dataclass(frozen=True)
class Ramp:
    """A weight that goes linearly from `start` to `end` over its phase."""

    start: float
    end: float

    def at(self, progress: float) -> float:
        """The weight at `progress` in 0..1."""
        return self.start + (self.end - self.start) * progress

    @property
    def used(self) -> bool:
        return self.start > 0 or self.end > 0

    def to_json(self) -> float | list[float]:
        """A number, or `[start, end]`."""
        return self.start if self.start == self.end else [self.start, self.end]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One step of the curriculum.

    `size_bands` None means equal weight for every band of synthetic text; `densities` None means
    that dense and other tiles of real text come as often as the corpus holds them. `crop_px` is the
    side of the square that is cut from each image; None: all of its bucket.
    """

    name: str
    samples: int
    rungs: dict[int, Ramp]
    kinds: dict[str, Ramp]
    size_bands: dict[str, Ramp] | None = None
    densities: dict[str, Ramp] | None = None
    crop_px: int | None = None
    loss: dict[str, Ramp] = field(default_factory=dict)

    def loss_weights(self, progress: float) -> LossWeights:
        """The weights of the loss at `progress` in 0..1 of the phase."""
        return LossWeights(**{name: ramp.at(progress) for name, ramp in self.loss.items()})

    @property
    def constant(self) -> bool:
        """True when the mixture does not change over the phase."""
        weights = (self.rungs, self.kinds, self.size_bands or {}, self.densities or {})
        return all(ramp.start == ramp.end for group in weights for ramp in group.values())

    def to_json(self) -> dict[str, Any]:
        """The phase as it stands in the file."""
        loss = {name: ramp.to_json() for name, ramp in self.loss.items()}
        written: dict[str, Any] = {
            "name": self.name,
            "samples": self.samples,
            "rungs": {str(rung): ramp.to_json() for rung, ramp in self.rungs.items()},
            "kinds": _weights(self.kinds),
        }
        for part in ("size_bands", "densities"):
            if (weights := getattr(self, part)) is not None:
                written[part] = _weights(weights)
        if self.crop_px is not None:
            written["crop_px"] = self.crop_px
        align = {"lambda": loss["align"], "m_cos": loss["m_cos"], "m_dist": loss["m_dist"]}
        return written | {"align": align, "lambda_lpips": loss["lpips"]}


@dataclass(frozen=True, kw_only=True)
class Curriculum:
    """The phases, and how many samples the corpus says it holds per group."""

    phases: tuple[Phase, ...]
    groups: dict[Group, int]


def read_curriculum(corpus: str) -> Curriculum:
    """Read `corpus/curriculum.json`, a local folder or fsspec URL; CorpusError when it is wrong."""
    path = f"{corpus.rstrip('/')}/curriculum.json"
    try:
        with fsspec.open(path, "rb") as file:
            data = json.load(file)
    except FileNotFoundError:
        raise CorpusError(
            f"there is no {path}: give the folder of a finished corpus, or build one"
        ) from None
    except ValueError as error:
        raise CorpusError(f"{path} is not valid JSON ({error}): build the corpus again") from None
    if not isinstance(data, dict) or data.get("version") != VERSION:
        version = data.get("version") if isinstance(data, dict) else None
        raise CorpusError(f"{path} has version {version!r}; this trainer reads version {VERSION}")
    try:
        groups = {_group(g): int(g["samples"]) for g in data["groups"]}
        phases = tuple(_phase(p) for p in data["phases"])
    except (KeyError, TypeError, ValueError) as error:
        said = f"lacks {error}" if isinstance(error, KeyError) else f"is wrong: {error}"
        raise CorpusError(f"{path} {said}: mend it, or build the corpus again") from None
    if not phases:
        raise CorpusError(f"{path} has no phases: there is nothing to train")
    return Curriculum(phases=phases, groups=groups)


def _weights(ramps: dict[str, Ramp]) -> dict[str, float | list[float]]:
    return {name: ramp.to_json() for name, ramp in ramps.items()}


def _group(data: dict[str, Any]) -> Group:
    return Group(
        kind=data["kind"],
        rung=int(data["rung"]),
        bucket=data["bucket"],
        language=data.get("language"),
        size_band=data.get("size_band"),
        density=data.get("density"),
    )


def _phase(data: dict[str, Any]) -> Phase:
    name = data["name"]
    align = data.get("align") or {}
    bands, densities = data.get("size_bands"), data.get("densities")
    loss = {
        "lpips": _ramp(data.get("lambda_lpips", 0.0), name, "lambda_lpips"),
        "align": _ramp(align.get("lambda", 0.0), name, "align.lambda"),
        "m_cos": _ramp(align.get("m_cos", 0.0), name, "align.m_cos"),
        "m_dist": _ramp(align.get("m_dist", 0.0), name, "align.m_dist"),
    }
    if int(data["samples"]) < 1:
        raise ValueError(f"phase {name} has samples {data['samples']}; at least 1 is needed")
    return Phase(
        name=name,
        samples=int(data["samples"]),
        rungs={int(k): _ramp(v, name, f"rung {k}") for k, v in data["rungs"].items()},
        kinds={k: _ramp(v, name, k) for k, v in data["kinds"].items()},
        size_bands=bands and {k: _ramp(v, name, k) for k, v in bands.items()},
        densities=densities and {k: _ramp(v, name, k) for k, v in densities.items()},
        crop_px=_crop_px(data.get("crop_px"), name),
        loss=loss,
    )


def _crop_px(value: Any, phase: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError(f"phase {phase}: crop_px is a number of px from 1 or null; got {value!r}")


def _ramp(value: Any, phase: str, what: str) -> Ramp:
    pair = value if isinstance(value, list) else [value, value]
    numbers = [v for v in pair if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) != 2 or min(numbers) < 0:
        raise ValueError(
            f"phase {phase}: the weight of {what} is a number >= 0 or [start, end]; got {value!r}"
        )
    return Ramp(float(pair[0]), float(pair[1]))
