"""The estimate of a build: list, draw, score, judge, pack and render a sample, then reckon."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.config import CorpusConfig
from pipelines.estimates import strata as whole
from pipelines.estimates.measure import (
    Measured,
    Pages,
    copies,
    judge,
    make_taker,
    pack_kept,
    render_pages,
)
from pipelines.estimates.piles import Files, list_files
from pipelines.estimates.sampling import plan_draws, read_pieces
from pipelines.estimates.strata import Estimate, Stratum
from pipelines.sources import FolderSource
from vae_corpus.words import DOCUMENT, GENERAL, TEXT_REAL

WORKERS = (1, 8, 64, 512)
# Shares of the sample's time: scoring ends after the first, packing after the second.
_SCORED, _PACKED = 0.7, 0.85


def estimate(config: CorpusConfig, say: Callable[[str], None]) -> dict[str, Any]:
    """The report as JSON data; SourceError where a build would raise it, nothing is written."""
    began = time.monotonic()
    say("list: the files of every source")
    sources = [list_files(source) for source in config.sources_by_name().values()]
    strata, first, rest = plan_draws(sources, config.estimate.images, config.seed)
    listed_s = time.monotonic() - began
    done = Measured()
    take = make_taker(config, done)
    start = time.monotonic()

    def passed(share: float) -> Callable[[], bool]:
        return lambda: time.monotonic() - start > config.estimate.seconds * share

    say(f"sample: score up to {config.estimate.images} images of {len(sources)} sources")
    read_pieces(strata, first, rest, take, passed(_SCORED))
    judge(config, done)
    pack_kept(config, done, passed(_PACKED))
    pages = render_pages(config, done, passed(1))
    shares = _copies(sources, strata, done)
    took = {"list": listed_s, "sample": time.monotonic() - start}
    return make_report(config, sources, strata, done, pages, shares, took)


def make_report(
    config: CorpusConfig,
    sources: list[Files],
    strata: list[Stratum],
    done: Measured,
    pages: list[Pages],
    distinct: NDArray[np.float64] | None,
    took: dict[str, float],
) -> dict[str, Any]:
    """Reckon totals of what the sample gave. `distinct` is 1 / copies of each drawn image."""
    size = len(done.rows)
    kinds = (GENERAL, TEXT_REAL, DOCUMENT)
    cells = [(kind, rung) for kind in kinds for rung in sorted(config.plan.rung_weights)]
    fates = [done.rows[i].get("slug") or done.dropped.get(i, {}).get("slug") for i in range(size)]
    slugs = [slug for slug, _ in Counter(slug for slug in fates if slug).most_common()]
    # The intervals of fates and cells hold together; so do those of costs.
    together = len(cells) + len(slugs) + len(kinds) + 2

    def marked(those: Iterable[int]) -> NDArray[np.bool_]:
        mark = np.zeros(size, bool)
        mark[list(those)] = True
        return mark

    asked = [marked(i for i in range(size) if fates[i] == slug) for slug in [*slugs, None]]
    alike = whole.alikeness(strata, asked)

    def counted(those: Iterable[int]) -> Estimate:
        return whole.count(strata, marked(those), together, alike)

    kept = {
        kind: counted(i for i, row in done.kept.items() if row["kind"] == kind) for kind in kinds
    }
    within = {kind: _within(kept[kind].value, config.plan.quotas.get(kind)) for kind in kinds}
    share = np.array([within[done.kept[i]["kind"]] if i in done.kept else 0.0 for i in range(size)])
    row_bytes, row_s = done.score_row()
    totals = {
        "score": whole.total(strata, np.array(done.score_s) + row_s, 3),
        "pack": whole.total(strata, done.pack_s * share, 3),
    }
    rendered = _rendered(config, pages)
    hours = {stage: sums.times(1 / 3600).to_json() for stage, sums in totals.items()}
    hours["synthesize"] = _exact(rendered["seconds"] / 3600)
    shards = whole.total(strata, done.stored_bytes * share, 3)
    images = whole.images(strata, together)
    cpu_s = totals["score"].value + totals["pack"].value + rendered["seconds"]
    source_bytes = sum(files.bytes for files in sources)
    return {
        "images": images.to_json(),
        "bytes": source_bytes,
        "sources": [
            _source(files, stratum) for files, stratum in zip(sources, strata, strict=True)
        ],
        "sample": {
            "images": size,
            "packed": done.packed,
            "rendered": sum(page.timed for page in pages),
            "seed": config.seed,
            "seconds": took,
        },
        "intervals": f"{whole.LEVEL:.0%}, all {together} counts at once",
        "kept": [
            {"kind": kind, "rung": rung, "within_quota": within[kind]}
            | counted(
                i for i, row in done.kept.items() if (row["kind"], row["rung"]) == (kind, rung)
            ).to_json()
            for kind, rung in cells
        ],
        "kept_by_kind": {kind: sums.to_json() for kind, sums in kept.items()},
        "left_out": {
            slug: counted(i for i in range(size) if fates[i] == slug).to_json() for slug in slugs
        },
        "samples": whole.total(strata, done.samples * share, 3).to_json(),
        "synthetic": {str(page.rung): config.synth.samples[page.rung] for page in pages},
        "duplicates": _duplicates(strata, done, distinct),
        "cpu_hours": hours,
        "disk_bytes": {
            "shards": shards.to_json(),
            "synthetic": _exact(rendered["bytes"]),
            "scores": images.times(row_bytes).to_json(),
        },
        "time": _times(config, cpu_s, source_bytes),
        "notices": _notices(config, strata, pages),
    }


def _within(kept: float, quota: int | None) -> float:
    return 1.0 if quota is None or kept <= quota else quota / kept


def _exact(value: float) -> dict[str, float]:
    return {"value": value, "low": value, "high": value}


def _source(files: Files, stratum: Stratum) -> dict[str, Any]:
    return {
        "name": stratum.name,
        "files": len(files.files),
        "bytes": files.bytes,
        "images": stratum.images(),
        "counted": stratum.count is not None,
        "drawn": len(stratum.rows),
    }


def _rendered(config: CorpusConfig, pages: list[Pages]) -> dict[str, float]:
    return {
        what: sum(getattr(page, what) * config.synth.samples[page.rung] for page in pages)
        for what in ("seconds", "bytes")
    }


def _copies(
    sources: list[Files], strata: list[Stratum], done: Measured
) -> NDArray[np.float64] | None:
    """1 / number of files with the same bytes, where a folder's list tells whom to compare."""
    shares = np.full(len(done.rows), np.nan)
    for files, stratum in zip(sources, strata, strict=True):
        if isinstance(files.source, FolderSource):
            sizes = np.array([file.bytes for file in files.files], np.int64)
            for i in stratum.rows:
                shares[i] = 1 / copies(done.rows[i], files.files, sizes)
    return None if np.isnan(shares).all() else shares


def _duplicates(
    strata: list[Stratum], done: Measured, distinct: NDArray[np.float64] | None
) -> dict[str, Any]:
    """What can be said of duplicates: exact ones in folders. Pairs are too rare in a sample."""
    found: dict[str, Any] = {"near_duplicates": "not seen in a sample"}
    if distinct is None:
        return found | {"exact": None}
    known = [s for s in strata if s.rows and not np.isnan(distinct[s.rows]).any()]
    mark = np.array([i in done.kept for i in range(len(done.rows))])
    extra = np.where(mark, 1 - np.nan_to_num(distinct, nan=1.0), 0.0)
    return found | {
        "exact": whole.total(known, extra, 1).to_json(),
        "exact_in": [stratum.name for stratum in known],
    }


def _times(config: CorpusConfig, cpu_s: float, source_bytes: int) -> list[dict[str, Any]]:
    here = config.engine.workers
    if here is None:
        here = int((os.cpu_count() or 1) / config.engine.cpus_per_worker)
    here = max(1, here)
    return [
        {
            "workers": workers,
            "chosen": workers == here,
            "hours": cpu_s / workers / 3600,
            # Packing reads once more what is kept.
            "read_bytes_per_s": source_bytes * workers / cpu_s if cpu_s else 0.0,
        }
        for workers in sorted({*WORKERS, here})
    ]


def _notices(config: CorpusConfig, strata: list[Stratum], pages: list[Pages]) -> list[str]:
    said = [
        "kept counts are those of images that pass every rule on their own: of duplicates one"
        " stays, and near duplicates cannot be seen in a sample, which holds both of a pair"
        " hardly ever",
        "times are CPU time of this machine: other machines, waiting for disks or networks, and"
        " loading models (some seconds a worker) are not in them",
    ]
    few = [s.name for s in strata if s.count is None and len(s.draws) < 10]
    if few:
        said.append(
            f"few files were drawn of {', '.join(few)}: with larger estimate.images or"
            " estimate.seconds intervals get narrower"
        )
    if any(config.synth.samples.values()) and not pages:
        said.append("no synthetic text was timed: it needs synth.texts and a kept general image")
    if os.environ.get("RAY_ADDRESS") and config.engine.workers is None:
        said.append("on a cluster as many workers run as fit: see the table for other numbers")
    return said
