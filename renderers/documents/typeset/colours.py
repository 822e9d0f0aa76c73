"""The colours of a document: grounds from white to black, and inks that stand out from them."""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import numpy as np

from renderers.arrays import Floats
from renderers.dice import Dice
from renderers.page.colour import contrast_ratio, luminance

# The least WCAG ratios of text, and of accents, to their grounds.
INK_CONTRAST, ACCENT_CONTRAST = 7.0, 4.5
_HUES = 5
_GOLDEN = 0.38196601125010515


class Colours(NamedTuple):
    """As `#rrggbb`."""

    ground: str
    ink: str
    accent: str
    panel: str
    hues: tuple[str, ...]
    dark: bool


def draw_colours(dice: Dice, *, dark: float, tinted: float) -> Colours:
    """Dark and tinted grounds by those shares, else white or nearly so."""
    kind, hue = dice.random(), dice.random()
    is_dark = kind < dark
    if is_dark:
        light, colour = dice.uniform(0.03, 0.16), dice.uniform(0.0, 0.5)
    elif kind < dark + tinted:
        light, colour = dice.uniform(0.88, 0.97), dice.uniform(0.15, 0.65)
    else:
        light, colour = dice.pick((1.0, 1.0, 0.985)), 0.0
    ground = _hex(hue, light, colour)
    panel = _hex(hue, light + 0.07 if is_dark else light - 0.055, colour + 0.05)
    deep = dice.random() < 0.6
    ink = readable(panel, 0.0 if deep else hue, 0.05 if deep else 0.5, INK_CONTRAST, dice.random())
    other = (hue + dice.pick((0.0, 0.5, 0.08, 0.33))) % 1
    accent = readable(panel, other, dice.uniform(0.3, 0.95), ACCENT_CONTRAST, dice.random())
    hues = tuple(readable(ground, (other + n * _GOLDEN) % 1, 0.6, 2.2, 0.15) for n in range(_HUES))
    return Colours(ground, ink, accent, panel, hues, is_dark)


def readable(ground: str, hue: float, saturation: float, contrast: float, further: float) -> str:
    """A colour of that hue that stands out from `ground` by `contrast`, or by more.

    `further` from 0 (just so) to 1 (as far as it goes).
    """
    behind = _light(ground)
    steps = np.linspace(0, 1, 101)
    usable = [
        colour
        for light in (steps if behind > 0.2 else steps[::-1])
        if contrast_ratio(_light(colour := _hex(hue, float(light), saturation)), behind) >= contrast
    ]
    # The first is furthest; what is left out at the end is where the contrast falls short.
    return usable[int((len(usable) - 1) * (1 - further))] if usable else "#000000"


def _light(colour: str) -> Floats:
    rgb = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)], np.uint8)
    return luminance(rgb)


def _hex(hue: float, light: float, saturation: float) -> str:
    rgb = colorsys.hls_to_rgb(hue, min(1.0, max(0.0, light)), min(1.0, saturation))
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
