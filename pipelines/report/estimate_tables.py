"""An estimate as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from vae_corpus.progress import clock


def estimate_tables(report: dict[str, Any]) -> Iterator[Table]:
    """Sources, fates, kept images, costs and times."""
    yield _sources(report)
    yield _fates(report)
    yield _costs(report)
    yield _times(report)


def _sources(report: dict[str, Any]) -> Table:
    table = _table("What the sources hold", "source", "files", "GB", "images", "drawn")
    for source in report["sources"]:
        about = "" if source["counted"] else "about "
        table.add_row(
            source["name"],
            f"{source['files']:,}",
            _gb(source["bytes"]),
            f"{about}{source['images']:,.0f}",
            f"{source['drawn']:,}",
        )
    table.add_section()
    drawn = report["sample"]["images"]
    table.add_row("all", "", _gb(report["bytes"]), _counts(report["images"]), f"{drawn:,}")
    return table


def _fates(report: dict[str, Any]) -> Table:
    title = f"What a build would keep ({report['intervals']})"
    table = _table(title, "fate", "kind / why", "rung", "images", "at least", "at most")
    for row in report["kept"]:
        quota = "" if row["within_quota"] == 1 else " (over quota)"
        table.add_row("kept", f"{row['kind']}{quota}", str(row["rung"]), *_range(row))
    table.add_section()
    for slug, row in report["left_out"].items():
        table.add_row("left out", slug, "", *_range(row))
    exact = report["duplicates"]["exact"]
    if exact is not None:
        table.add_row("of the kept", "exact duplicates, in folders", "", *_range(exact))
    return table


def _costs(report: dict[str, Any]) -> Table:
    table = _table("What it takes", "", "", "expected", "at least", "at most")
    for stage, hours in report["cpu_hours"].items():
        table.add_row("CPU-hours", stage, *(_hours(hours[k]) for k in ("value", "low", "high")))
    table.add_section()
    for what, size in report["disk_bytes"].items():
        table.add_row("GB on disk", what, *(_gb(size[k]) for k in ("value", "low", "high")))
    return table


def _times(report: dict[str, Any]) -> Table:
    table = _table("How long", "workers", "time", "GB/s to read", "")
    for row in report["time"]:
        table.add_row(
            f"{row['workers']:,}",
            clock(row["hours"] * 3600),
            f"{row['read_bytes_per_s'] / 1e9:.3g}",
            "what the engine would use here" if row["chosen"] else "",
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    words = ("source", "fate", "kind / why", "")
    for column in columns:
        table.add_column(column, justify="left" if column in words else "right")
    return table


def _range(row: dict[str, float]) -> tuple[str, str, str]:
    return f"{row['value']:,.0f}", f"{row['low']:,.0f}", f"{row['high']:,.0f}"


def _counts(row: dict[str, float]) -> str:
    if row["low"] == row["high"]:
        return f"{row['value']:,.0f}"
    return f"{row['value']:,.0f} ({row['low']:,.0f} to {row['high']:,.0f})"


def _hours(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _gb(size: float) -> str:
    return f"{size / 1e9:,.0f}" if size >= 100e9 else f"{size / 1e9:.3g}"
