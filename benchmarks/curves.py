"""A chart of curves with their ranges, drawn by Pillow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_SCALE = 2  # drawn twice as large, then made smaller: smooth lines
_WIDTH, _HEIGHT = 1060, 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 300, 40, 52
_LINE_PX = 18
_COLOURS = ["#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860", "#64b5cd"]
_INK, _GRID = "#222222", "#e4e4e4"


def draw_curves(
    path: Path,
    marks: Sequence[float],
    curves: Mapping[str, NDArray[np.float64]],
    *,
    floor: tuple[str, float],
    title: str,
    labels: tuple[str, str],
) -> None:
    """Save a PNG: per name float[runs, marks], as a line through the means and a band of the range.

    `floor` is a name and a height for a dotted line; `labels` those of the two axes.
    """
    values = np.concatenate([runs.ravel() for runs in curves.values()] + [np.array([floor[1]])])
    tick_y, tick_x = _tick(np.ptp(values)), _tick(marks[-1] - marks[0])
    low = math.floor(values.min() / tick_y) * tick_y
    high = math.ceil((values.max() + 0.01 * tick_y) / tick_y) * tick_y
    size = (_WIDTH * _SCALE, _HEIGHT * _SCALE)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet, "RGBA")
    font = ImageFont.load_default(13 * _SCALE)

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x - marks[0]) / (marks[-1] - marks[0])
        up = (y - low) / (high - low)
        inner = (_WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM)
        return (_LEFT + across * inner[0]) * _SCALE, (_TOP + (1 - up) * inner[1]) * _SCALE

    def text(x: float, y: float, words: str, anchor: str, fill: str = _INK) -> None:
        draw.text((x, y), words, fill=fill, font=font, anchor=anchor)

    for number in range(round((high - low) / tick_y) + 1):
        y = low + number * tick_y
        draw.line([at(marks[0], y), at(marks[-1], y)], fill=_GRID, width=_SCALE)
        text(at(marks[0], y)[0] - 8 * _SCALE, at(marks[0], y)[1], f"{y:g}", "rm")
    for number in range(int((marks[-1] - marks[0]) / tick_x) + 1):
        x = marks[0] + number * tick_x
        text(at(x, low)[0], at(x, low)[1] + 8 * _SCALE, f"{x:g}", "mt")
    rows = [(name, _COLOURS[n % len(_COLOURS)]) for n, name in enumerate(curves)]
    for name, colour in rows:
        runs = curves[name]
        band = [at(x, y) for x, y in zip(marks, runs.max(axis=0), strict=True)]
        band += [at(x, y) for x, y in zip(marks, runs.min(axis=0), strict=True)][::-1]
        draw.polygon(band, fill=colour + "33")
        line = [at(x, y) for x, y in zip(marks, runs.mean(axis=0), strict=True)]
        draw.line(line, fill=colour, width=2 * _SCALE, joint="curve")
    dots = np.linspace(marks[0], marks[-1], 161)
    for a, b in zip(dots[::2], dots[1::2], strict=False):
        draw.line([at(a, floor[1]), at(b, floor[1])], fill=_INK, width=_SCALE)
    # Names stand where their curves end, pushed apart where these meet.
    ends = [
        (runs.mean(axis=0)[-1], name, colour)
        for (name, colour), runs in zip(rows, curves.values(), strict=True)
    ]
    place = 0.0
    for height, name, colour in sorted([*ends, (floor[1], floor[0], _INK)], reverse=True):
        x, y = at(marks[-1], height)
        place = max(y, place + _LINE_PX * _SCALE)
        text(x + 10 * _SCALE, place, name, "lm", colour)
    text(_LEFT * _SCALE, 14 * _SCALE, title, "lt")
    text(at(marks[-1], low)[0], (_HEIGHT - 12) * _SCALE, labels[0], "rb")
    text((_WIDTH - _RIGHT) * _SCALE, 14 * _SCALE, labels[1], "rt")
    sheet.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS).save(path)


def _tick(span: float) -> float:
    """A distance between ticks, 1, 2 or 5 times a power of ten, that gives four to ten of them."""
    power = 10.0 ** math.floor(math.log10(span / 4))
    return power * max(step for step in (1, 2, 5) if step * power <= span / 4)
