"""Text colours of a wanted contrast: WCAG 2.1 relative luminance and contrast ratio."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.arrays import Floats
from renderers.exact import EXACT

LocalLight = tuple[Floats, Floats]

# WCAG 2.1, "relative luminance": the weights of linear red, green and blue.
_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])
_FLARE = 0.05


def _linear_table() -> npt.NDArray[np.float32]:
    value = np.arange(256) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    table: npt.NDArray[np.float32] = linear.astype(np.float32)
    return table


def _steps_table() -> Floats:
    half = (np.arange(255) + 0.5) / 255
    steps: Floats = np.where(half <= 0.04045, half / 12.92, ((half + 0.055) / 1.055) ** 2.4)
    return steps


LINEAR = _linear_table()
# Linear light at which sRGB, rounded, goes from one value to the next.
_STEPS = _steps_table()
_RED, _GREEN, _BLUE = (LINEAR * np.float32(weight) for weight in _WEIGHTS)


def luminance(rgb: npt.NDArray[np.uint8]) -> Floats:
    """Relative luminance, 0 to 1, of `uint8[..., 3]` sRGB."""
    # Three tables and two sums: the same bits on every machine, which a matrix product is not.
    light = _RED[rgb[..., 0]] + _GREEN[rgb[..., 1]] + _BLUE[rgb[..., 2]]
    return np.asarray(light, dtype=np.float64)


def contrast_ratio(a: Floats, b: Floats) -> Floats:
    """WCAG contrast of two luminances: 1 (equal) to 21 (black on white)."""
    ratio: Floats = (np.maximum(a, b) + _FLARE) / (np.minimum(a, b) + _FLARE)
    return ratio


def text_colours(
    ground: Floats, spread: Floats, contrast: Floats, tint: Floats, *, dark_first: bool
) -> npt.NDArray[np.uint8]:
    """`uint8[n, 3]` colours that stand out from n grounds by the ratio `contrast` or more.

    A ground has mean luminance `ground` and standard deviation `spread`: dark text is measured
    against mean - spread, light text against mean + spread, so that it shows on busy pictures too.
    `tint float64[n, 3]` is the wanted hue in linear light, `dark_first` the preferred side. Where
    that side has no colour so far away the other is taken; where neither has, black or white.
    """
    colours: npt.NDArray[np.uint8] = _text_colours(
        ground, spread, contrast, np.ascontiguousarray(tint), dark_first, _STEPS
    )
    return colours


def tints(rng: np.random.Generator, count: int, *, saturation: float) -> Floats:
    """`float64[count, 3]` hues in linear light; saturation 0 is grey, 1 a pure colour."""
    hue = rng.uniform(0, 6, size=count)[:, None]
    ramp = np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1
    pure: Floats = np.clip(ramp, 0.0, 1.0)
    return 1 - saturation + saturation * pure


def local_luminance(rgb: npt.NDArray[np.uint8], boxes: npt.NDArray[np.int32]) -> LocalLight:
    """Mean and standard deviation of luminance, `float64[n]` each, in parts of `uint8[H, W, 3]`.

    `boxes int32[n, 4]` are x0, y0, x1, y1 in px. Every second pixel counts, one at the least.
    """
    mean, spread = _mean_and_spread(rgb, boxes, _RED, _GREEN, _BLUE)
    return mean, spread


@njit(**EXACT)
def _mean_and_spread(rgb, boxes, red, green, blue):  # type: ignore[no-untyped-def]
    rows, columns = (rgb.shape[0] + 1) // 2, (rgb.shape[1] + 1) // 2
    count = len(boxes)
    mean, spread = np.empty(count), np.empty(count)
    for n in range(count):
        x0 = min(max(boxes[n, 0] // 2, 0), columns - 1)
        y0 = min(max(boxes[n, 1] // 2, 0), rows - 1)
        x1 = min(max((boxes[n, 2] + 1) // 2, x0 + 1), columns)
        y1 = min(max((boxes[n, 3] + 1) // 2, y0 + 1), rows)
        total, squares = 0.0, 0.0
        for j in range(y0, y1):
            for i in range(x0, x1):
                pixel = rgb[2 * j, 2 * i]
                light = np.float64(red[pixel[0]] + green[pixel[1]] + blue[pixel[2]])
                total += light
                squares += light * light
        area = (x1 - x0) * (y1 - y0)
        own, square = total / area, squares / area
        mean[n], spread[n] = own, np.sqrt(max(square - own * own, 0.0))
    return mean, spread


@njit(**EXACT)
def _text_colours(ground, spread, contrast, tint, dark_first, steps):  # type: ignore[no-untyped-def]
    """`text_colours`, row by row."""
    colours = np.empty(tint.shape, np.uint8)
    for i in range(len(tint)):
        low, high = max(ground[i] - spread[i], 0.0), min(ground[i] + spread[i], 1.0)
        darker = (low + _FLARE) / contrast[i] - _FLARE
        lighter = (high + _FLARE) * contrast[i] - _FLARE
        if darker >= 0 and lighter <= 1:
            dark = dark_first
        elif darker >= 0 or lighter <= 1:
            dark = darker >= 0
        else:
            # Black is the farther end on any even ground lighter than about 18 %.
            dark = (low + _FLARE) * (high + _FLARE) > _FLARE * (1 + _FLARE)
        wanted = min(max(darker if dark else lighter, 0.0), 1.0)
        own = tint[i, 0] * _WEIGHTS[0] + tint[i, 1] * _WEIGHTS[1] + tint[i, 2] * _WEIGHTS[2]
        scale = min(1.0, wanted / max(own, 1e-6))
        white = min(max((wanted - own) / max(1.0 - own, 1e-6), 0.0), 1.0)
        for k in range(3):
            linear = tint[i, k] * scale * (1 - white) + white
            # How many steps lie below: the same bits on every machine, which a power is not.
            colours[i, k] = np.searchsorted(steps, linear)
    return colours
