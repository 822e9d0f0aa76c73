"""Where every listed image went: counted by query over the plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from pipelines.planning.tables import DROPPED, FATES, REJECTED, SELECTED
from pipelines.report import counts
from vae_corpus.progress import clock


def count_images(plan_folder: str) -> dict[str, Any]:
    """Images selected (by kind), dropped and rejected (by slug), and their sum as `listed`.

    `tiles_left_out` counts, by slug, what was not cut out of images of text.
    """
    rows = {fate: counts.count(plan_folder, fate) for fate in FATES}
    by = {SELECTED: "kind", DROPPED: "slug", REJECTED: "slug"}
    images: dict[str, Any] = {
        fate: {str(row[by[fate]]): row["images"] for row in counts.summed(rows[fate], by[fate])}
        for fate in FATES
    }
    decoded = [*rows[SELECTED], *rows[DROPPED]]
    left_out = {
        slug: sum(int(row[slug]) for row in decoded) for slug in ("blank", "near_duplicate")
    }
    listed = sum(sum(of.values()) for of in images.values())
    return {"listed": listed} | images | {"tiles_left_out": left_out}


def images_table(images: dict[str, Any]) -> Table:
    """listed / rejected by slug / dropped by slug / selected by kind."""
    table = Table(title="Where every listed image went", title_justify="left")
    table.add_column("fate")
    table.add_column("why / kind")
    table.add_column("images", justify="right")
    table.add_row("listed", "", f"{images['listed']:,}")
    scored = images["listed"] - sum(images["rejected"].values())
    table.add_row("scored", "", f"{scored:,}", end_section=True)
    for fate in ("rejected", "dropped", "selected"):
        rows = list(images[fate].items()) or [("-", 0)]
        for i, (reason, count) in enumerate(rows):
            table.add_row(
                fate if i == 0 else "", reason, f"{count:,}", end_section=i == len(rows) - 1
            )
    for reason, count in images["tiles_left_out"].items():
        table.add_row("tiles left out", reason, f"{count:,}")
    for reason, count in images["passed_over"].items():
        table.add_row("not images, in tars", reason, f"{count:,}")
    return table


def shards_table(groups: Sequence[dict[str, Any]], shards: Sequence[str]) -> Table:
    """Samples and size packed per kind and rung."""
    table = Table(title="What the shards hold", title_justify="left")
    for column in ("kind", "rung", "samples", "shards", "MB"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    sums: dict[tuple[str, int], list[int]] = {}
    for group in groups:
        total = sums.setdefault((group["kind"], group["rung"]), [0, 0])
        total[0] += group["samples"]
        total[1] += group["bytes"]
    for (kind, rung), (samples, size) in sums.items():
        count = sum(shard.startswith(f"shards/{kind}/{rung}/") for shard in shards)
        table.add_row(kind, str(rung), f"{samples:,}", str(count), f"{size / 1e6:.1f}")
    samples, size = (sum(total[i] for total in sums.values()) for i in (0, 1))
    table.add_section()
    table.add_row("all", "", f"{samples:,}", str(len(shards)), f"{size / 1e6:.1f}")
    return table


def times_table(seconds: dict[str, float], worked: set[str]) -> Table:
    """Seconds per stage, and which stages found nothing to do."""
    table = Table(title="Time", title_justify="left")
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for stage, value in seconds.items():
        table.add_row(stage, f"{value:.1f}", "" if stage in worked else "nothing to do")
    total = sum(seconds.values())
    table.add_section()
    table.add_row("all", f"{total:.1f}", clock(total))
    return table
