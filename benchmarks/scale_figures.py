"""What the cost model takes from measurements: figures in files below benchmarks/results.

A figure whose file is not there yet is not measured: nothing is put in its place. A file that is
there and lacks the figure is an error, so that a renamed key does not pass for that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
SIZES_PX = (256, 512, 1024)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`factor` times the number at `keys` of a file, or times one over it where it is a rate."""

    what: str
    unit: str
    file: str
    keys: tuple[str, ...]
    factor: float = 1.0
    rate: bool = False

    def value(self, results: Path) -> float | None:
        """The figure; None when its file is not there, ValueError when that lacks it."""
        path = results / self.file
        if not path.exists():
            return None
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        for key in self.keys:
            try:
                found = found[key]
            except (LookupError, TypeError):
                named = " / ".join(self.keys)
                raise ValueError(
                    f"{path} has no {named!r}: let the benchmark write it, or name the new keys in"
                    " benchmarks/scale_figures.py"
                ) from None
        return self.factor / float(found) if self.rate else self.factor * float(found)


def _score(px: int, which: str, called: str) -> Figure:
    return Figure(
        what=f"score a photograph of {px} px, {called}",
        unit="CPU s per 10^6",
        file="score_cost.json",
        keys=(which, str(px), "cpu_ms"),
        factor=1e3,
    )


def _bytes(px: int) -> Figure:
    return Figure(
        what=f"bytes of a photograph of {px} px",
        unit="bytes",
        file="score_cost.json",
        keys=("all scores", str(px), "mean_bytes"),
    )


def _synthesize(language: str, called: str) -> Figure:
    return Figure(
        what=f"render a page of 512 px, {called}, PNG in a tar",
        unit="CPU s per 10^6",
        file="render_speed.json",
        keys=("into a tar", f"{language} pages as PNG", "now"),
        factor=1e6,
        rate=True,
    )


FIGURES = {
    "list": Figure(
        what="list a store: the driver, all names and sizes",
        unit="s per 10^6 names",
        file="listing.json",
        keys=("store", "100,000 keys in 200 folders, now", "seconds"),
        factor=10,
    ),
    **{f"score {px}": _score(px, "all scores", "with the search for text") for px in SIZES_PX},
    **{f"clarity {px}": _score(px, "without text", "without it") for px in SIZES_PX},
    **{f"bytes {px}": _bytes(px) for px in SIZES_PX},
    "page": Figure(
        what="draw and score a page of a PDF whose text is known",
        unit="CPU s per 10^6",
        file="documents.json",
        keys=("scoring", "known_ms"),
        factor=1e3,
    ),
    "draw": Figure(
        what="draw such a page again, for its tiles",
        unit="CPU s per 10^6",
        file="documents.json",
        keys=("speed", "pages_per_core_s", "pdf", "per_s"),
        factor=1e6,
        rate=True,
    ),
    "read": Figure(
        what="read from a store, whole units in order",
        unit="CPU s per TB",
        file="object_store.json",
        keys=("read_cpu_s_per_gb",),
        factor=1e3,
    ),
    "read requests": Figure(
        what="requests of that",
        unit="per TB",
        file="object_store.json",
        keys=("read_requests_per_gb",),
        factor=1e3,
    ),
    "write": Figure(
        what="write to a store in parts",
        unit="CPU s per TB",
        file="store_writes.json",
        keys=("write_cpu_s_per_gb",),
        factor=1e3,
    ),
    "task": Figure(
        what="the engine: a task, in its worker",
        unit="CPU s per 10^6",
        file="engine_overhead.json",
        keys=("worker_cpu_ms_per_task",),
        factor=1e3,
    ),
    "task of the driver": Figure(
        what="the engine: a task, in the driver",
        unit="s per 10^6",
        file="driver_memory.json",
        keys=("driver_cpu_ms_per_task",),
        factor=1e3,
    ),
    "plan": Figure(
        what="plan: duplicates, ranks, quotas",
        unit="CPU s per 10^6 rows",
        file="plan_scale.json",
        keys=("10000000", "cpu_s_per_million"),
    ),
    "plan disk": Figure(
        what="written by that on the way, to be read once",
        unit="bytes per row",
        file="plan_scale.json",
        keys=("10000000", "exchange_bytes_per_row"),
    ),
    "plan requests": Figure(
        what="requests of that",
        unit="per 10^6 rows",
        file="plan_scale.json",
        keys=("10000000", "requests_per_million_rows"),
    ),
    "pack": Figure(
        what="pack pictures of about 300 px from a disk, 20,000 listed and 12,568 packed",
        unit="CPU s in all",
        file="estimate.json",
        keys=("made", "cpu_s", "pack", "true"),
    ),
    "packed": Figure(
        what="how many of them",
        unit="pictures",
        file="estimate.json",
        keys=("made", "kept_after_duplicates"),
    ),
    "synthesize en": _synthesize("en", "English"),
    "synthesize zh": _synthesize("zh", "Chinese"),
    "report": Figure(
        what="report: the page, of a sample of fixed size",
        unit="s",
        file="report_scale.json",
        keys=("make_s",),
    ),
    "count": Figure(
        what="report: counts of all rows",
        unit="s per 10^6 rows",
        file="report_scale.json",
        keys=("count_s",),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Amount:
    """What is known of a sum, and the figures that it lacks."""

    known: float = 0.0
    lacks: frozenset[str] = field(default_factory=frozenset)

    def __add__(self, other: Amount) -> Amount:
        return Amount(known=self.known + other.known, lacks=self.lacks | other.lacks)

    def __mul__(self, factor: float) -> Amount:
        # Nothing of what is not measured is nothing.
        return Amount(known=self.known * factor, lacks=self.lacks if factor else frozenset())


class Measured:
    """The figures of a folder of results, as amounts."""

    def __init__(self, results: Path = RESULTS) -> None:
        self.values = {name: figure.value(results) for name, figure in FIGURES.items()}

    def __getitem__(self, name: str) -> Amount:
        value = self.values[name]
        if value is None:
            return Amount(lacks=frozenset([name]))
        return Amount(known=value)

    def ratio(self, name: str, of: str) -> Amount:
        """One figure over another."""
        above, below = self[name], self[of]
        lacks = above.lacks | below.lacks
        return Amount(lacks=lacks) if lacks else Amount(known=above.known / below.known)


def total(amounts: Iterable[Amount]) -> Amount:
    return sum(amounts, Amount())
