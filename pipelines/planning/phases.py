"""The phases of a curriculum: the settings of each, and those that a build has by default."""

from __future__ import annotations

from pydantic import Field, model_validator

from vae_corpus.settings import Settings
from vae_corpus.words import BAND_KEYS, DENSITIES, GENERAL, KINDS, RUNGS, SIZE_BANDS

Weight = float | tuple[float, float]


class AlignSettings(Settings):
    """Semantic alignment in a phase: weight and the margins of both terms."""

    weight: float = Field(0.1, ge=0, description="lambda_align")
    m_cos: float = Field(0.0, ge=0, le=2, description="margin of the marginal cosine term")
    m_dist: float = Field(0.0, ge=0, le=2, description="margin of the distance matrix term")


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
    lambda_lpips: float = Field(1.0, ge=0, description="weight of LPIPS")

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
            ends = [end for w in weights for end in (w if isinstance(w, tuple) else (w,))]
            if any(end < 0 for end in ends) or not any(ends):
                raise ValueError(f"{name} needs weights of 0 or more, at least one above 0")
        return self


# The report gives the order of the steps, not their lengths, ratios or margins; those are our
# choice: balanced general and text data from the second step on, and the public schedule of
# VA-VAE for the alignment (strict margins with a large weight, then a small one, then loose).
DEFAULT_PHASES = (
    PhaseSettings(
        name="1-general-256",
        samples=2_000_000,
        rungs={256: 1.0},
        kinds={GENERAL: 1.0},
        align=AlignSettings(weight=0.5, m_cos=0.0, m_dist=0.0),
    ),
    PhaseSettings(
        name="2-real-text-512",
        samples=1_000_000,
        rungs={256: (0.7, 0.3), 512: (0.3, 0.7)},
        kinds={GENERAL: 0.5, "text_real": 0.25, "document": 0.25},
        align=AlignSettings(weight=0.1, m_cos=0.0, m_dist=0.0),
    ),
    PhaseSettings(
        name="3-all-kinds-1024",
        samples=500_000,
        rungs={512: (0.7, 0.4), 1024: (0.3, 0.6)},
        kinds={GENERAL: 0.4, "text_real": 0.15, "document": 0.15, "text_synth": (0.15, 0.3)},
        size_bands={"5-7": (0.1, 0.25), "8-10": 0.25, "11-14": 0.25, "15-20": (0.4, 0.25)},
        align=AlignSettings(weight=0.1, m_cos=0.5, m_dist=0.25),
    ),
)
