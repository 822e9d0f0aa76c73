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


LINEAR = _linear_table()
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
    low, high = np.maximum(ground - spread, 0.0), np.minimum(ground + spread, 1.0)
    darker = (low + _FLARE) / contrast - _FLARE
    lighter = (high + _FLARE) * contrast - _FLARE
    dark_fits, light_fits = darker >= 0, lighter <= 1
    # Black is the farther end on any even ground lighter than about 18 %.
    black_is_farther = (low + _FLARE) * (high + _FLARE) > _FLARE * (1 + _FLARE)
    dark = np.where(
        dark_fits & light_fits,
        dark_first,
        np.where(dark_fits | light_fits, dark_fits, black_is_farther),
    )
    wanted = np.clip(np.where(dark, darker, lighter), 0.0, 1.0)
    own = (tint * _WEIGHTS).sum(axis=1)
    scale = np.minimum(1.0, wanted / np.maximum(own, 1e-6))
    white = np.clip((wanted - own) / np.maximum(1.0 - own, 1e-6), 0.0, 1.0)
    linear = tint * scale[:, None] * (1 - white[:, None]) + white[:, None]
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    colours: npt.NDArray[np.uint8] = np.round(np.clip(srgb, 0, 1) * 255).astype(np.uint8)
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
        rows, columns = self._sum.shape
        x0 = np.clip(boxes[:, 0] // 2, 0, columns - 2)
        y0 = np.clip(boxes[:, 1] // 2, 0, rows - 2)
        x1 = np.clip((boxes[:, 2] + 1) // 2, x0 + 1, columns - 1)
        y1 = np.clip((boxes[:, 3] + 1) // 2, y0 + 1, rows - 1)
        count = (x1 - x0) * (y1 - y0)

        def average(table: Floats) -> Floats:
            total = table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
            return np.clip(total / count, 0.0, 1.0)

        mean = average(self._sum)
        return mean, np.sqrt(np.maximum(average(self._squares) - mean * mean, 0.0))


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
