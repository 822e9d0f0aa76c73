"""What is counted on the sealed set of text blocks: rows with their floors and aims, details."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from text_blocks_set import SHARES, TILE_PX, Rgb, Sample

# Characters: found from the first on, a false alarm from the second, a dense tile from the third.
_FOUND, _ALARM, _DENSE = 5, 10, 100
_TIMES_OFF = 1.5
EM_PX = (5.5, 8, 10, 12, 14, 17, 20, 28, 40)
CONTRASTS = (0, 20, 40, 60, 80, 110, 160)
SHARE_STEPS = (0.03, 0.06, 0.1, 0.2, 0.3, 0.45, 0.66)


@dataclass(frozen=True)
class Scored:
    """A sample and what text density says of it."""

    sample: Sample
    scores: Mapping[str, Any]

    @property
    def estimate(self) -> float:
        return float(self.scores["chars_est"])

    @property
    def found(self) -> bool:
        return self.estimate >= _FOUND

    @property
    def counted(self) -> bool:
        """Whether the estimate is within a factor of 1.5 of the truth."""
        return within(self.estimate, self.sample.chars)

    @property
    def caption(self) -> str:
        s = self.sample
        return (
            f"{s.chars} characters of {s.em_px:.0f} px: {self.estimate:.0f}\n"
            f"{s.contrast:.0f} levels, {s.ground}, {self.scores['text_stage']}"
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """A figure and what it must be; `fewer` is better for some."""

    what: str
    value: float | None
    floor: float
    aim: float | None
    count: int
    peer: float | None = None
    fewer: bool = False

    @property
    def passes(self) -> bool | None:
        if self.value is None:
            return None
        return self.value <= self.floor if self.fewer else self.value >= self.floor

    @property
    def line(self) -> str:
        shown = "-" if self.value is None else f"{self.value:.3f}"
        sign = "<=" if self.fewer else ">="
        aim = "" if self.aim is None else f"  aim {self.aim}"
        peer = "" if self.peer is None else f"  peer {self.peer:.3f}"
        state = {True: "holds", False: "MISSED", None: "not measured"}[self.passes]
        return f"{self.what:66}{shown:>8}  {sign} {self.floor}{aim}  n {self.count}{peer}  {state}"

    @property
    def entry(self) -> dict[str, Any]:
        value = None if self.value is None else round(self.value, 4)
        return {
            "what": self.what,
            "value": value,
            "floor": self.floor,
            "aim": self.aim,
            "at_most": self.fewer,
            "count": self.count,
            "peer": self.peer,
            "holds": self.passes,
        }


def within(estimate: float, truth: int) -> bool:
    return truth / _TIMES_OFF <= estimate <= truth * _TIMES_OFF


def rows(scored: Sequence[Scored], peer: Mapping[str, Any], cost: Mapping[str, float]) -> list[Row]:
    """The figures that count, in their order."""
    over = _of(scored, "block", "whole")
    tiles = _of(scored, "block")
    coloured = _of(scored, "coloured")
    pages = [s for s in scored if s.sample.kind.startswith("page_")]
    dense = [s for s in pages if s.sample.kind == f"page_{TILE_PX}" and s.sample.chars >= _DENSE]
    crops = _of(scored, "crop")
    plain = _of(scored, "crop", "photograph")
    textlike = _of(scored, "textlike")
    named = [*tiles, *coloured, *(s for s in pages if _is_tile(s))]
    named = [s for s in named if s.sample.chars >= 20]
    found = [
        _row(
            "blocks of 10 characters and more over photographs, 8-20 px: found",
            [s.found for s in over],
            (0.93, 0.97),
            peer.get("block", {}).get("found"),
        ),
        _row(
            "the same, coloured letters of little luma contrast (< 40 levels)",
            [s.found for s in coloured],
            (0.85, 0.93),
            peer.get("coloured", {}).get("found"),
        ),
    ]
    for (low, high), limits in zip(SHARES, ((0.85, 0.93), (0.93, 0.97), (0.97, 0.99)), strict=True):
        of_share = [s.found for s in tiles if _in_share(s.sample.share, low, high)]
        name = (
            f"{100 * low:.0f}-{100 * high:.0f} %" if high < 0.5 else f"{100 * low:.0f} % and more"
        )
        found.append(_row(f"by share of tile: {name}", of_share, limits))
    found.append(_row("dense pages kept", [_kept(s) for s in dense], (0.99, 1.0)))
    for script in ("latin", "han"):
        some = [s for s in pages if s.sample.script == script and s.sample.chars >= 10]
        value = spearman(some) if len(some) > 2 else None
        found.append(
            Row(
                what=f"Spearman of pages, {script}",
                value=value,
                floor=0.9,
                aim=0.95,
                count=len(some),
            )  # fmt: skip
        )
    found += [
        _row(
            "photographs sent past the screen, share of cells",
            [s.scores["text_stage"] != "screen" for s in crops],
            (0.35, 0.2),
            fewer=True,
        ),
        Row(
            what="cost of a text-free photograph of 512 px: times less than the naive call",
            value=cost.get("times_less"),
            floor=6,
            aim=10,
            count=int(cost.get("crops", 0)),
        ),
        _row(
            "photographs without text that get 10 characters and more",
            [s.estimate >= _ALARM for s in plain],
            (0.03, 0.01),
            fewer=True,
        ),
        _row(
            "text-like negatives that get 10 characters and more",
            [s.estimate >= _ALARM for s in textlike],
            (0.06, 0.03),
            fewer=True,
        ),
        _row(
            "counting over photographs: within a factor of 1.5",
            [s.counted for s in over],
            (0.8, None),
            peer.get("block", {}).get("counted"),
        ),
        _row(
            "script named rightly, tiles of 20 characters and more",
            [s.scores["script"] == s.sample.script for s in named],
            (0.95, None),
        ),
    ]
    return found


def _row(
    what: str,
    hits: Sequence[bool],
    limits: tuple[float, float | None],
    peer: float | None = None,
    *,
    fewer: bool = False,
) -> Row:
    value = float(np.mean(hits)) if len(hits) else None
    floor, aim = limits
    return Row(
        what=what, value=value, floor=floor, aim=aim, count=len(hits), peer=peer, fewer=fewer
    )


def _of(scored: Sequence[Scored], *kinds: str) -> list[Scored]:
    return [s for s in scored if s.sample.kind in kinds]


def _is_tile(scored: Scored) -> bool:
    return max(scored.sample.rgb.shape[:2]) == TILE_PX


def _in_share(share: float, low: float, high: float) -> bool:
    """The first class takes in what is a little under its limit, the last what is over."""
    return (low <= share or low == SHARES[0][0]) and (share < high or high == SHARES[-1][1])


def _kept(scored: Scored) -> bool:
    return bool(scored.scores["text_stage"] == "detect")


def spearman(scored: Sequence[Scored]) -> float:
    """Rank correlation of true and estimated characters for the area, of pages."""
    area = np.array([s.sample.rgb.shape[0] * s.sample.rgb.shape[1] for s in scored])
    truth = np.array([s.sample.chars for s in scored]) / area
    found = np.array([s.estimate for s in scored]) / area
    return float(np.corrcoef(_ranks(truth), _ranks(found))[0, 1])


def _ranks(values: Any) -> Any:
    """Ranks from 0; equal values share the middle of theirs."""
    order = np.sort(values)
    return (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / 2


def details(scored: Sequence[Scored]) -> dict[str, Any]:
    """What the rows rest on: recall by one property at a time; other pictures; whole ones."""
    over = _of(scored, "block")
    both = _of(scored, "block", "coloured")
    sized = _of(scored, "block", "small", "large")
    whole = _of(scored, "whole")
    pages = [s for s in scored if s.sample.kind.startswith("page_")]
    laid = sorted({s.sample.kind for s in scored if s.sample.kind.startswith("laid_")})
    mixed = [s for s in pages if s.sample.script == "mixed" and s.sample.chars >= 10]
    return {
        "kinds": {k: len(_of(scored, k)) for k in sorted({s.sample.kind for s in scored})},
        "found_by_em_px": binned(sized, lambda s: s.em_px, EM_PX),
        "found_by_contrast": binned(both, lambda s: s.contrast, CONTRASTS),
        "found_by_share": binned(over, lambda s: s.share, SHARE_STEPS),
        "found_by_ground": _by(over, lambda s: s.ground),
        "found_by_hand": _by(over, lambda s: s.hand),
        "found_by_script": _by(over, lambda s: s.script),
        "short_blocks_found": _recall(_of(scored, "short")),
        "small_letters_found": _recall(_of(scored, "small")),
        "large_letters_found": _recall(_of(scored, "large")),
        "whole_photographs": {
            "found": _recall(whole),
            "counted": _share([s.counted for s in whole]),
            "fullest_window_counted": _share(
                [within(s.scores["max_chars_per_256_tile"], s.sample.fullest) for s in whole]
            ),
        },
        "other_pictures": {
            kind.removeprefix("laid_"): {
                "count": len(_of(scored, kind)),
                "found": _recall(_of(scored, kind)),
                "counted": _share([s.counted for s in _of(scored, kind)]),
                "fullest_window_counted": _share(
                    [
                        within(s.scores["max_chars_per_256_tile"], s.sample.fullest)
                        for s in _of(scored, kind)
                    ]
                ),
            }
            for kind in laid
        },
        "screens_of_programs_found": _recall(_of(scored, "program")),
        "textlike_alarms": {
            hand: _share(
                [s.estimate >= _ALARM for s in _of(scored, "textlike") if s.sample.hand == hand]
            )
            for hand in ("real", "drawn")
        },
        "spearman_of_mixed_pages": round(spearman(mixed), 4) if len(mixed) > 2 else None,
    }


def binned(
    scored: Sequence[Scored], of: Callable[[Sample], float], edges: Sequence[float]
) -> dict[str, Any]:
    """Share found and how many there are, between one edge and the next."""
    result = {}
    for low, high in zip(edges, edges[1:], strict=False):
        some = [s for s in scored if low <= of(s.sample) < high]
        result[f"{low:g}-{high:g}"] = {"found": _recall(some), "count": len(some)}
    return result


def _by(scored: Sequence[Scored], of: Callable[[Sample], str]) -> dict[str, Any]:
    names = sorted({of(s.sample) for s in scored})
    return {name: _recall([s for s in scored if of(s.sample) == name]) for name in names}


def _recall(scored: Sequence[Scored]) -> float | None:
    return _share([s.found for s in scored])


def _share(hits: Sequence[bool]) -> float | None:
    return round(float(np.mean(hits)), 4) if len(hits) else None


def peer_on_blocks(
    read: Callable[[Rgb], str], scored: Sequence[Scored], count: int
) -> dict[str, Any]:
    """The naive call on as many blocks drawn at random, and ours on the same; a fourth coloured.

    `said`: the part of the true characters that it reads, in order: how legible the blocks are.
    """
    from rapidfuzz.distance import LCSseq

    rng = np.random.default_rng(4)
    result: dict[str, Any] = {}
    for kind, most in (("block", count - count // 4), ("coloured", count // 4)):
        some = _of(scored, kind)
        drawn = [some[int(i)] for i in rng.permutation(len(some))[:most]]
        texts = ["".join(read(s.sample.rgb).split()) for s in drawn]
        if drawn:
            said = [
                LCSseq.similarity(text, s.sample.text) / s.sample.chars
                for text, s in zip(texts, drawn, strict=True)
            ]
            result[kind] = {
                "count": len(drawn),
                "found": _share([len(text) >= _FOUND for text in texts]),
                "counted": _share(
                    [within(len(t), s.sample.chars) for t, s in zip(texts, drawn, strict=True)]
                ),
                "said_mean": round(float(np.mean(said)), 4),
                "said_median": round(float(np.median(said)), 4),
                "ours_found": _recall(drawn),
                "ours_counted": _share([s.counted for s in drawn]),
            }
    return result


def times(calls: Mapping[str, Callable[[Rgb], Any]], crops: Sequence[Rgb]) -> dict[str, float]:
    """Mean CPU ms of a crop, median of three rounds in turn, and how many times less is ours."""
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(3):
        for name, call in calls.items():
            start = time.process_time()
            for crop in crops:
                call(crop)
            rounds[name].append((time.process_time() - start) / len(crops) * 1e3)
    ms = {f"{name}_ms": round(statistics.median(r), 2) for name, r in rounds.items()}
    return ms | {"times_less": round(ms["naive_ms"] / ms["ours_ms"], 2), "crops": len(crops)}
