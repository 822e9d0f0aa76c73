"""Curves of recall over the sealed set of text blocks: by em, contrast, share and ground."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from text_blocks_measures import CONTRASTS, EM_PX, SHARE_STEPS, Scored, binned

_LINE, _BARS = "#2563a8", "#d5deea"


def plot(scored: Sequence[Scored], path: Path) -> None:
    """One picture of four: the share of blocks found, over bars of how many there are."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    over = [s for s in scored if s.sample.kind == "block"]
    both = [s for s in scored if s.sample.kind in ("block", "coloured")]
    sized = [s for s in scored if s.sample.kind in ("block", "small", "large")]
    grounds = ("smooth", "blurred", "busy")
    by_ground = {
        name: binned([s for s in over if s.sample.ground == name], lambda _: 0, (0, 1))["0-1"]
        for name in grounds
    }
    figure, axes = pyplot.subplots(2, 2, figsize=(9.6, 6.4), constrained_layout=True)
    _curve(axes[0, 0], binned(sized, lambda s: s.em_px, EM_PX), "em of the letters, px")
    levels = "levels of luma between letters and ground"
    _curve(axes[0, 1], binned(both, lambda s: s.contrast, CONTRASTS), levels)
    _curve(axes[1, 0], binned(over, lambda s: s.share, SHARE_STEPS), "share of the tile")
    _curve(axes[1, 1], by_ground, "ground")
    figure.suptitle(f"Blocks of text over photographs: share found, of {len(both)}")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _curve(axis: Any, bins: dict[str, Any], name: str) -> None:
    shown = {label: b for label, b in bins.items() if b["count"]}
    places = range(len(shown))
    counts = axis.twinx()
    counts.bar(places, [b["count"] for b in shown.values()], color=_BARS, width=0.7)
    counts.set_ylabel("blocks", color="#8a94a3")
    # The curve lies before the bars, which have the other scale.
    axis.set_zorder(counts.get_zorder() + 1)
    axis.patch.set_visible(False)
    axis.plot(places, [b["found"] for b in shown.values()], color=_LINE, marker="o")
    axis.set_xticks(list(places), list(shown), fontsize=8)
    axis.set_ylim(0, 1.03)
    axis.set_xlabel(name)
    axis.set_ylabel("found")
    axis.grid(axis="y", alpha=0.3)
