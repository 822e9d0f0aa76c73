"""Sources that gave nothing: what became of their images, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.planning.tables import DROPPED, REJECTED, SELECTED
from pipelines.planning.taken_down import TAKEN_DOWN
from pipelines.report import counts

# Rows that stand for no image: a source may have one beside images that all fail in one way.
_NO_IMAGE = ("count_differs",)
# Images that are not missed: others like them, or better ones, are in the corpus, or they must not
# be there.
_NOT_MISSED = {"duplicate", "near_duplicate", "over_quota", TAKEN_DOWN}
_WAY_OUT = {
    "empty": "check how they were written or downloaded",
    "unsupported_format": "convert them, for example to PNG",
    "unreadable": "check that the files are there and may be read",
    "truncated": "fetch or copy them again",
    "corrupt": "fetch or copy them again",
    "broken_tar": "fetch or write the tars again",
    "broken_parquet": "fetch or write the files again",
    "broken_document": "fetch the documents again, or unlock them",
    "animated": "give single frames",
    "file_too_large": "raise max_file_bytes of the source",
    "too_many_pixels": "raise --score.max_pixels",
    "side_too_long": "raise --score.max_side_px",
}


def shortfalls(
    plan_folder: str, units: Mapping[str, int], passed_over: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    """(problems, notices): a sentence for each source of which no image is in the corpus.

    A problem is a source without a row, or of which every image was rejected under one slug: it is
    not what its settings say. `units` counts the units of each source.
    """
    rejected = _by_source(counts.count(plan_folder, REJECTED))
    dropped = _by_source(counts.summed(counts.count(plan_folder, DROPPED), "source", "slug"))
    selected = _by_source(counts.count(plan_folder, SELECTED))
    problems, notices = [], []
    for source in sorted(set(units) - set(selected)):
        failed = [r for r in rejected.get(source, []) if r["slug"] not in _NO_IMAGE]
        left_out = dropped.get(source, [])
        if not failed and not left_out:
            problems.append(_no_rows(source, units[source], passed_over))
        elif len(failed) == 1 and not left_out:
            problems.append(_all_failed(source, failed[0]))
        elif not {row["slug"] for row in left_out} & _NOT_MISSED:
            reasons = ", ".join(f"{row['images']} {row['slug']}" for row in [*failed, *left_out])
            notices.append(f"source {source}: none of its images is in the corpus ({reasons})")
    return problems, notices


def _no_rows(source: str, units: int, passed_over: Mapping[str, int]) -> str:
    others = ", ".join(f"{n} {extension}" for extension, n in list(passed_over.items())[:5])
    return (
        f"source {source}: no image in its {units} units"
        + (f" (tars hold members that are none: {others})" if others else "")
        + "; check its uri, type and patterns, or take it out of the settings"
    )


def _all_failed(source: str, row: dict[str, Any]) -> str:
    slug = row["slug"]
    way_out = _WAY_OUT.get(slug)
    return (
        f"source {source}: all of its {row['images']} images were rejected as {slug}; for example"
        f" {row['member']}: {row['why']}"
        + (f"; {way_out}" if way_out else "")
        + "; mend the source and run again, or take it out of the settings"
    )


def _by_source(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each source, most images first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (-row["images"], row.get("slug") or "")):
        found.setdefault(row["source"], []).append(row)
    return found
