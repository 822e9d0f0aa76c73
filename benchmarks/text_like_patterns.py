"""Drawn patterns that look like text to machines alone: fences, bricks, keys, notes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Canvas = NDArray[np.float32]


def pattern(side: int, rng: np.random.Generator) -> Rgb:
    """One of them, in two tones and the colours of a random pair, uint8[side, side, 3]."""
    # Larger than the picture, so that it can be turned.
    large = int(side * 1.5)
    canvas = PATTERNS[int(rng.integers(len(PATTERNS)))](large, rng)
    angle = float(rng.normal(0, 12)) if rng.random() < 0.7 else float(rng.uniform(0, 360))
    matrix = cv2.getRotationMatrix2D((large / 2, large / 2), angle, float(rng.uniform(0.8, 1.3)))
    start = (large - side) // 2
    turned = cv2.warpAffine(canvas, matrix, (large, large), borderMode=cv2.BORDER_REFLECT)
    share = turned[start : start + side, start : start + side, None]
    if rng.random() < 0.3:
        share = cv2.GaussianBlur(share, (0, 0), float(rng.uniform(0.5, 2)))[:, :, None]
    one, other = rng.uniform(0, 255, (2, 3))
    if rng.random() < 0.5:
        one, other = np.full(3, one.mean()), np.full(3, other.mean())
    light = 1 + 0.2 * np.linspace(-1, 1, side)[None, :, None] * rng.uniform(-1, 1)
    noise = rng.normal(0, rng.uniform(0, 8), (side, side, 1))
    return np.clip((one + (other - one) * share) * light + noise, 0, 255).astype(np.uint8)


def ruled(ground: Rgb, rng: np.random.Generator) -> Rgb:
    """A ground with lines, squares or dots, as paper to write on has them."""
    height, width = ground.shape[:2]
    share = np.zeros((height, width), np.float32)
    step = float(rng.uniform(6, 40))
    kind, dash = int(rng.integers(4)), int(rng.integers(2, 9))
    rows, columns = (
        np.arange(rng.uniform(0, step), length, step).astype(int) for length in (height, width)
    )
    if kind == 3:
        share[np.ix_(rows, columns)] = 1
    else:
        share[rows] = 1
        if kind:
            share[:, columns] = 1
        if kind == 2:
            y, x = np.mgrid[:height, :width]
            share[(x + y) // dash % 2 == 1] = 0
    if rng.random() < 0.3:
        share = cv2.dilate(share, np.ones((2, 2), np.uint8))
    strength = share[:, :, None] * float(rng.uniform(0.2, 1.0))
    return np.asarray(ground * (1 - strength) + rng.uniform(0, 255, 3) * strength, np.uint8)


def _bars(side: int, rng: np.random.Generator) -> Canvas:
    """A barcode, a fence or blinds: bars of one or of many widths, whole or in rows."""
    canvas = np.zeros((side, side), np.float32)
    least, x = int(rng.integers(1, 6)), 0
    even, many = rng.random() < 0.5, int(rng.integers(2, 5))
    while x < side:
        width = least if even else least * int(rng.integers(1, many + 1))
        canvas[:, x : x + width] = 1
        x += width + (least * 2 if even else least * int(rng.integers(1, many + 1)))
    if rng.random() < 0.6:
        height, gap = int(rng.integers(6, 120)), int(rng.integers(3, 60))
        for y in range(0, side, height + gap):
            canvas[y + height : y + height + gap] = 0
    return canvas


def _bricks(side: int, rng: np.random.Generator) -> Canvas:
    canvas = np.zeros((side, side), np.float32)
    height = int(rng.integers(4, 40))
    width, joint = int(height * rng.uniform(0.8, 4)), int(rng.integers(1, 4))
    shift = int(width * rng.choice([0.0, 0.5]))
    for row, y in enumerate(range(0, side, height + joint)):
        for x in range(-width + row % 2 * shift, side, width + joint):
            tone = float(rng.uniform(0.5, 1.0))
            cv2.rectangle(canvas, (x, y), (x + width - 1, y + height - 1), tone, -1)
    return canvas


def _windows(side: int, rng: np.random.Generator) -> Canvas:
    """Rows of windows or keys: upright or square, some lit, some with a frame."""
    canvas = np.full((side, side), float(rng.uniform(0.3, 0.6)), np.float32)
    height = int(rng.integers(5, 36))
    width = max(3, int(height * rng.uniform(0.3, 1.4)))
    gap_x, gap_y = int(rng.integers(2, 2 + width)), int(rng.integers(2, 2 + height))
    framed = rng.random() < 0.4
    for y in range(0, side, height + gap_y):
        for x in range(0, side, width + gap_x):
            tone = float(rng.choice([0.0, 0.1, 1.0], p=[0.6, 0.25, 0.15]))
            cv2.rectangle(canvas, (x, y), (x + width, y + height), tone, -1)
            if framed:
                cv2.rectangle(canvas, (x, y), (x + width, y + height), 1.0, 1)
                cv2.line(canvas, (x, y + height // 2), (x + width, y + height // 2), 1.0, 1)
    return canvas


def _notes(side: int, rng: np.random.Generator) -> Canvas:
    """Staves with notes and stems."""
    canvas = np.zeros((side, side), np.float32)
    step = int(rng.integers(3, 10))
    for top in range(step * 3, side, step * int(rng.integers(9, 15))):
        for line in range(5):
            cv2.line(canvas, (0, top + line * step), (side, top + line * step), 1.0, 1)
        x = int(rng.integers(step * 6))
        while x < side:
            y = top + int(rng.integers(-2, 11)) * step // 2
            filled = -1 if rng.random() < 0.7 else 1
            cv2.ellipse(
                canvas, (x, y), (max(2, step * 2 // 3), max(1, step // 2)), -20, 0, 360, 1.0, filled
            )
            way = -1 if y > top + 2 * step else 1
            end = (x - way * step * 2 // 3, y + way * step * 3)
            cv2.line(canvas, (x - way * step * 2 // 3, y), end, 1.0, 1)
            if rng.random() < 0.3:
                beam = (end[0] + step * 3, end[1] + int(rng.integers(-2, 3)))
                cv2.line(canvas, end, beam, 1.0, max(1, step // 2))
            if rng.random() < 0.1:
                cv2.line(canvas, (x + step * 2, top), (x + step * 2, top + 4 * step), 1.0, 1)
            x += int(step * rng.uniform(1.5, 6))
    return canvas


def _weave(side: int, rng: np.random.Generator) -> Canvas:
    """Fabric, wire netting and moire: two waves across each other."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    one, other = rng.uniform(3, 24, 2)
    waves = np.sin(2 * np.pi * x / one + y * rng.uniform(-0.2, 0.2))
    waves = waves * np.sin(2 * np.pi * y / other + x * rng.uniform(-0.2, 0.2))
    sharp = float(rng.uniform(0.5, 8))
    return np.asarray(np.clip(0.5 + sharp * waves, 0, 1), np.float32)


def _code(side: int, rng: np.random.Generator) -> Canvas:
    """Squares of a two-dimensional barcode, within a frame or without end."""
    cell = int(rng.integers(2, 9))
    bits = (rng.random((side // cell + 1, side // cell + 1)) < rng.uniform(0.3, 0.6)).astype(
        np.float32
    )
    canvas = np.kron(bits, np.ones((cell, cell), np.float32))[:side, :side]
    if rng.random() < 0.5:
        size = int(side * rng.uniform(0.2, 0.6))
        y, x = rng.integers(0, side - size, 2)
        framed = np.zeros_like(canvas)
        framed[y : y + size, x : x + size] = canvas[y : y + size, x : x + size]
        return np.ascontiguousarray(framed)
    return np.ascontiguousarray(canvas)


def _leaves(side: int, rng: np.random.Generator) -> Canvas:
    """Leaves, gravel, petals: many ellipses of a size, in any direction or in one."""
    canvas = np.zeros((side, side), np.float32)
    length = float(rng.uniform(3, 24))
    thin, one_way = float(rng.uniform(0.15, 0.9)), rng.random() < 0.3
    way = float(rng.uniform(0, 180))
    for _ in range(int(rng.uniform(0.2, 1.2) * side * side / (length * length * max(thin, 0.3)))):
        x, y = rng.integers(0, side, 2)
        angle = way + float(rng.normal(0, 8)) if one_way else float(rng.uniform(0, 360))
        size = length * rng.uniform(0.6, 1.3)
        axes = (max(1, int(size / 2)), max(1, int(size * thin / 2)))
        cv2.ellipse(canvas, (int(x), int(y)), axes, angle, 0, 360, float(rng.uniform(0.1, 1)), -1)
    return canvas


def _twigs(side: int, rng: np.random.Generator) -> Canvas:
    """Branches, cracks, grass and hair: lines that bend."""
    canvas = np.zeros((side, side), np.float32)
    main, spread = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.1, 2.5))
    for _ in range(int(rng.integers(20, 400))):
        place = rng.uniform(0, side, 2)
        angle = main + rng.normal(0, spread)
        points = [place.copy()]
        for _ in range(int(rng.integers(3, 14))):
            angle += rng.normal(0, 0.35)
            place = place + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(3, 10)
            points.append(place.copy())
        line = np.round(points).astype(np.int32)[None]
        cv2.polylines(
            canvas, line, False, float(rng.uniform(0.3, 1)), int(rng.integers(1, 3)), cv2.LINE_AA
        )
    return canvas


def _marks(side: int, rng: np.random.Generator) -> Canvas:
    """Marks in rows that are no letters: beads, ticks of a ruler, dashes, tiles of a mosaic."""
    canvas = np.zeros((side, side), np.float32)
    size = int(rng.integers(3, 16))
    gap, lead = int(rng.integers(1, size + 2)), int(size * rng.uniform(0.3, 2.5))
    kind = int(rng.integers(3))
    for y in range(size, side, size + lead):
        for x in range(size, side, size + gap):
            if kind == 0:
                cv2.circle(canvas, (x, y), max(1, size // 2), 1.0, -1 if size % 2 else 1)
            elif kind == 1:
                long = size if (x // (size + gap)) % 5 else size * 2
                cv2.line(canvas, (x, y), (x, y + long), 1.0, 1)
            else:
                cv2.rectangle(canvas, (x, y), (x + size - 1, y + max(1, size // 3)), 1.0, -1)
    return canvas


PATTERNS: tuple[Callable[[int, np.random.Generator], Canvas], ...] = (
    _bars,
    _bricks,
    _windows,
    _notes,
    _weave,
    _code,
    _leaves,
    _twigs,
    _marks,
)
