"""`curves-SET.svg`: NED and PSNR over the size and the contrast of text, a curve per model.

Drawn here as SVG, for the page and for documents alike: they follow light and dark by themselves,
and each mark tells its numbers when pointed at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from vae_corpus.storage import commit_bytes
from vae_training.evaluation.breakdown import METRICS

_WIDTH, _HEIGHT = 330, 230  # of a panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 30, 34
_LEGEND_ROW, _LEGEND_COLUMN = 20, 200
_TITLES = {"ned": "NED", "psnr": "PSNR (dB)"}
_LANGUAGES = {"zh": "Chinese", "en": "English"}
_COLOURS = (
    *("#3b6fb6", "#d1762b", "#3f9a55", "#c2403d", "#7f65b0", "#8a6650"),
    *("#c85fa4", "#6f7680", "#a39a1f", "#2a9fb0"),
)
_DASHES = ("", "6 3", "2 3")  # for more models than colours
_STYLE = (
    "text{font:12px system-ui,'Noto Sans',sans-serif;fill:#1d1f22}.q{fill:#5d636b}"
    ".g{stroke:#dedcd6}.c{fill:none;stroke-width:1.8}.w{stroke-width:1;opacity:.55}"
    ".o{stroke:#5d636b;stroke-dasharray:2 4}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e7e9}.q{fill:#9ba2ab}.g{stroke:#33373e}"
    ".o{stroke:#9ba2ab}}"
)
Entries = Sequence[Mapping[str, Any]]


def write(out: Path, results: Mapping[str, Any]) -> list[Path]:
    """Write the curves of each set that has any; those that such a set had before go."""
    paths = []
    for name, part in results["sets"].items():
        path = out / f"curves-{name}.svg"
        if drawn := draw(part):
            path.parent.mkdir(parents=True, exist_ok=True)
            commit_bytes(str(path), drawn.encode())
            paths.append(path)
        else:
            path.unlink(missing_ok=True)
    return paths


def draw(part: Mapping[str, Any]) -> str:
    """The SVG of a set of results; empty where no label has a size or a contrast."""
    rows = []
    for unit in ("lines", "pictures"):
        by_model = {
            model: found["breakdown"][unit]
            for model, found in part["models"].items()
            if unit in found.get("breakdown", {})
        }
        read = part.get("legibility", []) if unit == "lines" else []
        for metric in METRICS:
            panels = [
                panel
                for axis, language in (("size_px", "zh"), ("size_px", "en"), ("contrast", None))
                if (panel := _panel(by_model, read, unit, metric, axis, language))
            ]
            if panels:
                rows.append(panels)
    if not rows:
        return ""
    models = list(part["models"])
    columns = max(map(len, rows))
    width = max(columns * _WIDTH, 2 * _LEGEND_COLUMN)
    names = [*models, "originals, read against the true text"][: len(models) + _has_ceiling(part)]
    per_row = width // _LEGEND_COLUMN
    top = math.ceil(len(names) / per_row) * _LEGEND_ROW + 14
    height = top + len(rows) * _HEIGHT
    inner = [
        f'<g transform="translate({x * _WIDTH} {top + y * _HEIGHT})">{_drawn(panel, models)}</g>'
        for y, panels in enumerate(rows)
        for x, panel in enumerate(panels)
    ]
    for n, name in enumerate(names):
        x, y = n % per_row * _LEGEND_COLUMN + 10, n // per_row * _LEGEND_ROW + 18
        kind = _stroke(n) if n < len(models) else 'class="o"'
        inner.append(
            f'<path d="M{x} {y - 4}h22" fill="none" stroke-width="2" {kind}/>'
            f'<text x="{x + 28}" y="{y}">{escape(name)}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label="NED and PSNR by size and contrast of text">'
        f"<style>{_STYLE}</style>{''.join(inner)}</svg>\n"
    )


def _has_ceiling(part: Mapping[str, Any]) -> int:
    return int(any(entry.get("legible") for entry in part.get("legibility", [])))


def _panel(
    by_model: Mapping[str, Entries],
    read: Entries,
    unit: str,
    metric: str,
    axis: str,
    language: str | None,
) -> dict[str, Any] | None:
    """Points of every model: (x, mean, low, high, count); None where no model has two."""
    points = {
        model: _points(entries, metric, axis, language) for model, entries in by_model.items()
    }
    if not any(len(some) > 1 for some in points.values()):
        return None
    what = f"{_LANGUAGES.get(language or '', language)}, " if language else ""
    return {
        "title": f"{_TITLES[metric]} of {unit}",
        "axis": f"{what}px" if axis == "size_px" else "contrast (WCAG)",
        "metric": metric,
        "points": points,
        "ceiling": _points(read, "legible", axis, language) if metric == "ned" else [],
    }


def _points(
    entries: Entries, metric: str, axis: str, language: str | None
) -> list[tuple[float, float, float, float, int]]:
    return [
        (e["at"], e[metric]["mean"], e[metric]["low"], e[metric]["high"], e["count"])
        for e in entries
        if e["axis"] == axis and e["language"] == language and e[metric]
    ]


def _drawn(panel: Mapping[str, Any], models: Sequence[str]) -> str:
    curves = [*panel["points"].values(), panel["ceiling"]]
    xs = [p[0] for points in curves for p in points]
    ys = [v for points in curves for p in points for v in p[1:4]]
    # Sizes double as one looks: a pixel more is much at 6 px and nothing at 40.
    left, right = math.log(min(xs)), math.log(max(xs))
    low, high, step = (0.0, 1.0, 0.2) if panel["metric"] == "ned" else _nice(min(ys), max(ys))

    def at(x: float, y: float) -> tuple[str, str]:
        across = (math.log(x) - left) / (right - left or 1)
        up = (y - low) / (high - low)
        return (
            f"{_LEFT + across * (_WIDTH - _LEFT - _RIGHT):.1f}",
            f"{_TOP + (1 - up) * (_HEIGHT - _TOP - _BOTTOM):.1f}",
        )

    parts = [f'<text x="{_LEFT}" y="18">{escape(panel["title"])}</text>']
    for n in range(round((high - low) / step) + 1):
        y = low + n * step
        (x0, height), (x1, _) = at(min(xs), y), at(max(xs), y)
        parts.append(f'<path class="g" d="M{x0} {height}H{x1}"/>')
        parts.append(
            f'<text class="q" x="{_LEFT - 6}" y="{float(height) + 4:.1f}" text-anchor="end">'
            f"{y:g}</text>".replace(f"{y:g}", f"{round(y, 6):g}")
        )
    for x in _ticks(min(xs), max(xs)):
        place, _ = at(x, low)
        parts.append(
            f'<text class="q" x="{place}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">'
            f"{x:g}</text>"
        )
    parts.append(
        f'<text class="q" x="{_WIDTH - _RIGHT}" y="18" text-anchor="end">'
        f"{escape(panel['axis'])}</text>"
    )
    if panel["ceiling"]:
        line = "L".join(" ".join(at(p[0], p[1])) for p in panel["ceiling"])
        parts.append(f'<path class="c o" d="M{line}"/>')
    for model, points in panel["points"].items():
        if not points:
            continue
        stroke = _stroke(models.index(model))
        line = "L".join(" ".join(at(p[0], p[1])) for p in points)
        parts.append(f'<path class="c" d="M{line}" {stroke}/>')
        for x, mean, a, b, count in points:
            (px, py), (_, y0), (_, y1) = at(x, mean), at(x, a), at(x, b)
            parts.append(f'<path class="w" d="M{px} {y0}V{y1}" {stroke}/>')
            told = f"{model}: {mean:.3f} [{a:.3f}, {b:.3f}] at {x:.1f}, {count}"
            parts.append(
                f'<circle cx="{px}" cy="{py}" r="3" fill="{_colour(models.index(model))}">'
                f"<title>{escape(told)}</title></circle>"
            )
    return "".join(parts)


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _stroke(number: int) -> str:
    dash = _DASHES[number // len(_COLOURS) % len(_DASHES)]
    return f'stroke="{_colour(number)}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _nice(low: float, high: float) -> tuple[float, float, float]:
    """Ends of an axis around these values, and the distance of its lines: four to eight of them."""
    span = max(high - low, 1e-3)
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = power * max(m for m in (1, 2, 5) if m * power <= span / 4)
    return math.floor(low / step) * step, math.ceil(high / step) * step, step


def _ticks(low: float, high: float) -> list[float]:
    """Marks of an axis of logarithms."""
    some = (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96)
    return [x for x in some if low <= x <= high]
