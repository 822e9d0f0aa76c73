"""NED and PSNR by what labels know of text: size, contrast, language, kind.

Where labels name lines, each line counts once (`lines`); where they say one value for a picture,
the picture does (`pictures`). The two are never mixed: the size of a line is that of its type, the
size of a picture the median height of its characters.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vae_training.evaluation.labels import Labels, script
from vae_training.evaluation.lines import LineRow
from vae_training.evaluation.measure import Row
from vae_training.metrics.intervals import clustered_interval

# Lower ends of the bins; the last ends nowhere.
SIZES_PX = (0, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 24, 32, 48)
CONTRASTS = (1, 2, 3, 4.5, 7, 12)  # 3 and 4.5 are the floors of WCAG for large and small text
MEASURES = {
    "lines": "size of the type (em), contrast by WCAG; NED and PSNR of the place of a line",
    "pictures": "median height of characters as labelled; NED and PSNR of the whole picture",
}
METRICS = ("ned", "psnr")


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A line or a picture: what is known of it, and what was measured."""

    picture: str
    size_px: float | None
    contrast: float | None
    language: str | None
    kind: str | None
    values: Mapping[str, float | None]


def breakdown(
    rows: Sequence[Row], lines: Sequence[LineRow], labels: Mapping[str, Labels], *, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Entries of one model, by unit, for JSON: see `_entries`; units without any are left out."""
    kinds = {name: known.kind for name, known in labels.items()}
    seen = {
        "lines": [_of_line(line, kinds) for line in lines],
        "pictures": [
            _of_picture(r, labels[r.name]) for r in rows if r.name in labels and not r.slug
        ],
    }
    found = {unit: _entries(some, METRICS, seed) for unit, some in seen.items()}
    return {unit: entries for unit, entries in found.items() if entries}


def legibility(
    lines: Iterable[LineRow], labels: Mapping[str, Labels], *, seed: int
) -> list[dict[str, Any]]:
    """How much of the true text the engine reads in the originals, by the same bins."""
    kinds = {name: known.kind for name, known in labels.items()}
    once = {(line.name, line.line): line for line in lines}
    return _entries([_of_line(line, kinds) for line in once.values()], ("legible",), seed)


def _of_line(line: LineRow, kinds: Mapping[str, str | None]) -> _Seen:
    return _Seen(
        picture=line.name,
        size_px=line.em_px,
        contrast=line.contrast,
        language=line.language,
        kind=kinds.get(line.name),
        values={"ned": line.ned, "psnr": line.psnr, "legible": line.legible},
    )


def _of_picture(row: Row, known: Labels) -> _Seen:
    return _Seen(
        picture=row.name,
        size_px=known.glyph_px,
        contrast=None,  # labels know that of lines alone
        # What nobody wrote down is told by what is read in the original.
        language=known.language or (script(row.reference_text) if row.reference_text else None),
        kind=known.kind,
        values={"ned": row.ned, "psnr": row.psnr},
    )


def _entries(seen: Sequence[_Seen], metrics: Sequence[str], seed: int) -> list[dict[str, Any]]:
    """One per axis and bin that anything falls into.

    `axis` is size_px, contrast, language or kind; size_px once for all and once per `language`.
    Bins of numbers go from `low` up to below `high`, with the mean `at`; others have a `value`.
    `count` lines or pictures of `pictures`, and per metric its mean and interval, or None.
    """
    languages = sorted({s.language for s in seen if s.language})
    found = []
    for axis, language, bins, get in (
        ("size_px", None, SIZES_PX, lambda s: s.size_px),
        *(("size_px", name, SIZES_PX, lambda s: s.size_px) for name in languages),
        ("contrast", None, CONTRASTS, lambda s: s.contrast),
        ("language", None, None, lambda s: s.language),
        ("kind", None, None, lambda s: s.kind),
    ):
        members = [s for s in seen if language is None or s.language == language]
        for key, group in sorted(_groups(members, bins, get).items()):
            entry: dict[str, Any] = {"axis": axis, "language": language}
            if bins is None:
                entry["value"] = key
            else:
                entry |= {"low": bins[key], "high": (*bins, None)[key + 1]}
                entry["at"] = sum(get(s) for s in group) / len(group)
            entry |= {"count": len(group), "pictures": len({s.picture for s in group})}
            entry |= {metric: _interval(group, metric, seed) for metric in metrics}
            found.append(entry)
    return found


def _groups(
    seen: Sequence[_Seen],
    bins: Sequence[float] | None,
    get: Callable[[_Seen], Any],
) -> dict[Any, list[_Seen]]:
    groups: dict[Any, list[_Seen]] = defaultdict(list)
    for s in seen:
        value = get(s)
        if value is not None:
            key = value if bins is None else max(0, bisect.bisect_right(bins, value) - 1)
            groups[key].append(s)
    return groups


def _interval(group: Sequence[_Seen], metric: str, seed: int) -> dict[str, Any] | None:
    pairs = [(v, s.picture) for s in group if (v := s.values[metric]) is not None]
    if not pairs:
        return None
    interval = clustered_interval([v for v, _ in pairs], [p for _, p in pairs], seed=seed)
    return None if interval is None else dataclasses.asdict(interval)
