"""`report/index.html`: one file that opens from disk and shows what became of every image.

The same corpus gives the same bytes: no clock, and no folder of this machine but the sources'
addresses. What a run took stands beside it, in `run.js`, which the page reads when it is there.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2

from pipelines.config import CorpusConfig
from pipelines.planning import shards as shard_plan
from pipelines.report import (
    census,
    epochs,
    found_lines,
    pairs,
    payload,
    pictures,
    strata,
    thresholds,
)
from pipelines.report.changes import changed_settings
from pipelines.report.stored import characters, find_boxes, find_stored
from pipelines.sources import Source
from pipelines.stages import plan
from vae_corpus import storage
from vae_corpus.self_contained import asset, embedded, templates
from vae_corpus.words import TEXT_SYNTH

# Raised when the same corpus would give another page.
VERSION = 2

_PACKAGE = "pipelines.report"
_TEMPLATE = "page.html"
_STYLES = ("page.css",)
_SCRIPTS = (
    *("rules.js", "corpus.js", "estimates.js", "whatif.js", "flow.js", "histogram.js"),
    *("thresholds.js", "viewer.js", "gallery.js", "pairs.js", "curriculum.js", "main.js"),
)
_LETTERED_PAGES = 60
_HEAD_BYTES = 512
# Columns and pictures together; styles, scripts and labels take about 1 MB more.
_PAGE_BYTES = 28_500_000


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The corpus that a page is about."""

    config: CorpusConfig
    sources: Mapping[str, Source]
    score_folder: str
    plan_folder: str
    shards: Sequence[str]
    facts: Mapping[str, Any]
    curriculum: Mapping[str, Any]
    versions: Mapping[str, Any]


def digest(subject: Subject, recipes: Sequence[str]) -> str:
    """16 hex digits over all that decides the page: one that carries them need not be made anew."""
    whole = [VERSION, subject.facts, subject.curriculum, subject.versions, sorted(recipes)]
    whole.append(thresholds.to_json(subject.config.plan))
    looks = [asset(_PACKAGE, name) for name in (*_STYLES, *_SCRIPTS)]
    looks.append((files(_PACKAGE) / "templates" / _TEMPLATE).read_text(encoding="utf-8"))
    text = json.dumps([whole, looks], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def mark(digest: str) -> bytes:
    """What a page with this digest holds near its start."""
    return f'<meta name="corpus-digest" content="{digest}">'.encode()


def is_of(path: str, digest: str) -> bool:
    """Whether there is a page at `path` that carries this digest."""
    try:
        return mark(digest) in storage.read_bytes(path, 0, _HEAD_BYTES)
    except FileNotFoundError:
        return False


def make_page(subject: Subject, digest: str) -> str:
    """The page as HTML, at most 30 MB whatever the size of the corpus."""
    config = subject.config
    sample = strata.draw_sample(
        subject.plan_folder, config.out, subject.shards, config.seed, strata.ROWS
    )
    rows = sample.rows
    found, more = pairs.find_pairs(subject.plan_folder, rows)
    rows += more
    order = _wanted(rows, found)
    find_stored(config.out, rows, order[: pictures.THUMBNAILS])
    columns = payload.columns(rows)
    # Long paths take their room from the pictures; base64 makes four bytes of three.
    room_bytes = 0.75 * (_PAGE_BYTES - len(embedded(columns).encode()))
    shots = pictures.take(rows, order, config.out, subject.sources, config.score.limits, room_bytes)
    places, texts = payload.pictures(shots)
    counts = census.count(subject.plan_folder)
    data = {
        "strata": [vars(stratum) for stratum in sample.strata],
        "columns": columns,
        "pictures": places,
        "pairs": found,
        "tiles": _tiles(rows, shots),
        "boxes": _boxes(subject.score_folder, rows, shots),
        "lines": _lines(config.out, rows, shots, order),
        "found": found_lines.find_lines(rows, shots, order, config.score),
        **thresholds.to_json(config.plan),
        "flow": _flow(counts, subject.curriculum),
        "phases": _phases(subject.curriculum),
        "epochs": epochs.epochs(subject.curriculum),
        "manyEpochs": epochs.MANY_EPOCHS,
    }
    template = _templates().get_template(_TEMPLATE)
    return template.render(
        mark=mark(digest).decode(),
        facts=subject.facts,
        counts=counts,
        sample_rows=sum(stratum.rows for stratum in sample.strata),
        # Rendered pages are none of the images listed, but of the sample.
        exact=all(stratum.rows == stratum.images for stratum in sample.strata),
        curriculum=subject.curriculum,
        epochs=data["epochs"],
        many_epochs=epochs.MANY_EPOCHS,
        changes=changed_settings(config),
        sources=subject.facts["settings"]["sources"],
        versions=_versions(subject.versions),
        stored_bytes=sum(group["bytes"] for group in subject.curriculum["groups"]),
        stored_samples=sum(group["samples"] for group in subject.curriculum["groups"]),
        shards=len(subject.shards),
        style="\n".join(asset(_PACKAGE, name) for name in _STYLES),
        script="\n".join(asset(_PACKAGE, name) for name in _SCRIPTS),
        data=embedded(data),
        pictures=texts,
    )


def _wanted(rows: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> list[int]:
    """Rows that may have a picture: pairs first, then the strata in turn."""
    first = [i for pair in found for i in (pair["a"], pair["b"])]
    others = pictures.round_robin(rows)
    order = dict.fromkeys([*first[: 2 * len(found)], *others])
    return [i for i in order if rows[i]["fate"] != "rejected"]


def _tiles(
    rows: Sequence[Mapping[str, Any]], shots: Mapping[int, pictures.Shot]
) -> dict[int, list[list[Any]]]:
    """Tiles `[x, y, width, height, characters]` of the rows whose whole page is shown."""
    return {
        i: [
            [t["x"], t["y"], t["width"], t["height"], t["chars"] and round(t["chars"])]
            for t in rows[i]["tiles"]
        ]
        for i, shot in sorted(shots.items())
        if shot.whole and rows[i].get("tiles")
    }


def _boxes(
    score_folder: str, rows: Sequence[Mapping[str, Any]], shots: Mapping[int, pictures.Shot]
) -> dict[int, list[list[int]]]:
    return find_boxes(score_folder, rows, [i for i, shot in sorted(shots.items()) if shot.whole])


def _lines(
    out: str,
    rows: Sequence[Mapping[str, Any]],
    shots: Mapping[int, pictures.Shot],
    order: Sequence[int],
) -> dict[int, list[list[Any]]]:
    synth = [i for i in order if rows[i]["kind"] == TEXT_SYNTH and i in shots and shots[i].detail]
    return {i: characters(out, rows[i], pictures.SYNTH_DETAIL_PX) for i in synth[:_LETTERED_PAGES]}


def _flow(counts: Mapping[str, Any], curriculum: Mapping[str, Any]) -> dict[str, Any]:
    synth: dict[int, int] = {}
    for group in curriculum["groups"]:
        if group["kind"] == TEXT_SYNTH:
            synth[group["rung"]] = synth.get(group["rung"], 0) + group["samples"]
    rendered = [
        {"kind": TEXT_SYNTH, "rung": rung, "images": n, "samples": n}
        for rung, n in sorted(synth.items())
    ]
    return {
        "kept": [*counts["kept"], *rendered],
        "dropped": counts["dropped"],
        "rejected": counts["rejected"],
    }


def _phases(curriculum: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            **phase,
            "points": [
                [[*group, round(share, 6)] for group, share in sorted(point.items())]
                for point in phase["points"]
            ],
        }
        for phase in epochs.shares_over_time(curriculum)
    ]


def _versions(scored: Mapping[str, Any]) -> dict[str, str]:
    own = {"report": VERSION, "plan": plan.VERSION, "pack": shard_plan.PACK_VERSION}
    return {name: str(value) for name, value in {**own, **scored}.items()}


@functools.cache
def _templates() -> jinja2.Environment:
    found = templates(_PACKAGE)
    found.filters["count"] = lambda n: f"{n:,}"
    found.filters["share"] = lambda n, of: f"{n / of:.1%}" if of else "–"
    found.filters["size"] = _size
    found.filters["weight"] = _weight
    return found


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.3g} {unit}"


def _weight(value: Any) -> str:
    ends = value if isinstance(value, list | tuple) else (value,)
    return " → ".join(f"{end:g}" for end in ends)
