"""Text colours with a wanted contrast: WCAG 2.1 relative luminance and contrast ratio."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.compiled import EXACT

Floats = npt.NDArray[np.float64]

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


class LocalLuminance:
    """Mean and spread of luminance in any rectangle, from summed tables over every second pixel."""

    def __init__(self, rgb: npt.NDArray[np.uint8]) -> None:
        self._sum, self._squares = _summed(rgb, _RED, _GREEN, _BLUE)

    def of(self, boxes: npt.NDArray[np.int32]) -> tuple[Floats, Floats]:
        """Mean and standard deviation, `float64[n]` each, for `int32[n, 4]` x0, y0, x1, y1 px."""
        mean, spread = _mean_and_spread(self._sum, self._squares, boxes)
        return mean, spread


@njit(**EXACT)
def _mean_and_spread(sums, squares, boxes):  # type: ignore[no-untyped-def]
    """Out of the tables of `_summed`, for each box; at least one entry of them counts."""
    rows, columns = sums.shape
    count = len(boxes)
    mean, spread = np.empty(count), np.empty(count)
    for i in range(count):
        x0 = min(max(boxes[i, 0] // 2, 0), columns - 2)
        y0 = min(max(boxes[i, 1] // 2, 0), rows - 2)
        x1 = min(max((boxes[i, 2] + 1) // 2, x0 + 1), columns - 1)
        y1 = min(max((boxes[i, 3] + 1) // 2, y0 + 1), rows - 1)
        area = (x1 - x0) * (y1 - y0)
        own = (sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]) / area
        square = (squares[y1, x1] - squares[y0, x1] - squares[y1, x0] + squares[y0, x0]) / area
        own, square = min(max(own, 0.0), 1.0), min(max(square, 0.0), 1.0)
        mean[i], spread[i] = own, np.sqrt(max(square - own * own, 0.0))
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


@njit(**EXACT)
def _summed(rgb, red, green, blue):  # type: ignore[no-untyped-def]
    """Luminance of every second pixel, and its square, summed over all above and to the left."""
    rows, columns = (rgb.shape[0] + 1) // 2, (rgb.shape[1] + 1) // 2
    sums = np.zeros((rows + 1, columns + 1))
    squares = np.zeros((rows + 1, columns + 1))
    for j in range(rows):
        line, square = 0.0, 0.0
        for i in range(columns):
            pixel = rgb[2 * j, 2 * i]
            light = np.float64(red[pixel[0]] + green[pixel[1]] + blue[pixel[2]])
            line += light
            square += light * light
            sums[j + 1, i + 1] = sums[j, i + 1] + line
            squares[j + 1, i + 1] = squares[j, i + 1] + square
    return sums, squares
