"""What engines do around their models: large pictures in blocks, lines cut out and laid down."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import Polygons, Rgb


def blocks(rgb: Rgb, side_px: int) -> Iterator[tuple[int, int, Rgb]]:
    """Left, top and pixels of blocks that cover the picture once."""
    for y in range(0, rgb.shape[0], side_px):
        for x in range(0, rgb.shape[1], side_px):
            yield x, y, rgb[y : y + side_px, x : x + side_px]


def cut_out(rgb: Rgb, polygon: NDArray[np.float32]) -> Rgb:
    """The pixels of a line, turned so that it runs from left to right."""
    sides = np.linalg.norm(polygon - np.roll(polygon, -1, axis=0), axis=1)
    width, height = max(1, round(max(sides[0], sides[2]))), max(1, round(max(sides[1], sides[3])))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(polygon), corners)
    line: Rgb = cv2.warpPerspective(
        rgb, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    # Columns of Chinese: the recogniser reads lying lines.
    return np.rot90(line) if height >= 1.5 * width else line


def in_reading_order(polygons: Polygons) -> Polygons:
    """The lines from top to bottom; see `reading_order`."""
    return polygons[reading_order(polygons)]


def reading_order(polygons: Polygons) -> NDArray[np.intp]:
    """Numbers of the lines from top to bottom; of those side by side, from left to right.

    Side by side are lines that begin within half the median height of all of them.
    """
    if not len(polygons):
        return np.zeros(0, np.intp)
    sides = np.linalg.norm(polygons - np.roll(polygons, -1, axis=1), axis=2)
    height = float(np.median(sides.min(axis=1)))
    down = np.argsort(polygons[:, 0, 1], kind="stable")
    rows = np.cumsum(np.diff(polygons[down, 0, 1], prepend=0) >= height / 2)
    return down[np.lexsort((polygons[down, 0, 0], rows))]
