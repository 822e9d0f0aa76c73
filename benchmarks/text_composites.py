"""Pictures with text in a part of them, and what is written where: to fit text density.

A block of text is cut out of a real page or drawn with a face, then set onto a ground as pictures
have it: in any colour that can be told from the ground, by luma or by chroma alone, with an
outline, a shadow, a plate or a gradient, tilted and in perspective, over smooth, blurred and busy
grounds. Then the picture is resized and saved as JPEG or WebP, as pictures on the web are.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from text_pages import Page, Rgb, is_han

from fonts.faces import Face

Floats = NDArray[np.float32]
# Letters that are told from the ground: by at least so many levels, and so many of its deviations.
_LEAST_LEVELS, _LEAST_DEVIATIONS = 26.0, 1.1
# Chroma counts less than luma for the eye.
_CHROMA = 0.6


@dataclass(frozen=True)
class Ink:
    """Letters without colour: coverage float32[H, W] in [0, 1], and each visible character.

    `quads` float32[N, 4, 2] are the corners of the characters, `ems` float32[N] in px, `han`
    bool[N], `rows` int[N] the number of the line that each stands in.
    """

    alpha: Floats
    quads: Floats
    ems: Floats
    han: NDArray[np.bool_]
    rows: NDArray[np.intp]


@dataclass(frozen=True)
class Written:
    """A picture uint8[H, W, 3], its characters as in `Ink`, and what tells blocks apart."""

    rgb: Rgb
    quads: Floats = field(default_factory=lambda: np.zeros((0, 4, 2), np.float32))
    ems: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    han: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    rows: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    # Whether a person can read it; what cannot be read is neither text nor no text.
    legible: bool = True
    # Levels of luma between letters and ground.
    luma_contrast: float = 0.0


def page_ink(page: Page, rng: np.random.Generator, most: tuple[int, int]) -> Ink | None:
    """A block of a page of at most `most` (width, height) px that has at least two characters."""
    boxes = page.boxes
    n = int(rng.integers(len(boxes)))
    em = page.em_px
    width = min(most[0], int(em * np.exp(rng.uniform(np.log(3), np.log(40)))))
    height = min(most[1], int(em * np.exp(rng.uniform(np.log(1.3), np.log(24)))))
    x, y = int(boxes[n, 0] - em * 0.2), int(boxes[n, 1] - em * 0.3)
    x = max(0, min(x, page.rgb.shape[1] - width))
    y = max(0, min(y, page.rgb.shape[0] - height))
    inside = (
        (boxes[:, 0] >= x - 1)
        & (boxes[:, 1] >= y - 1)
        & (boxes[:, 2] <= x + width + 1)
        & (boxes[:, 3] <= y + height + 1)
    )
    if inside.sum() < 2:
        return None
    # Letters that the edge would cut are left out.
    seen = page.rgb[y : y + height, x : x + width]
    alpha = 1 - cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    keep = np.zeros(alpha.shape, np.float32)
    margin = max(1, round(em * 0.25))
    kept = boxes[inside] - np.array([x, y, x, y], np.float32)
    for x0, y0, x1, y1 in kept.astype(int):
        keep[max(0, y0 - margin) : y1 + margin, max(0, x0 - 1) : x1 + 2] = 1
    chars = [page.text[i] for i in np.flatnonzero(inside)]
    # From the ink's box to the em's: letters without ascenders are text as high as others.
    rows = np.stack(
        [(kept[:, 1] + kept[:, 3]) / 2 - em / 2, (kept[:, 1] + kept[:, 3]) / 2 + em / 2]
    )
    quads = _corners(np.stack([kept[:, 0], rows[0], kept[:, 2], rows[1]], axis=1))
    han = np.array([is_han(c) for c in chars])
    return Ink(alpha * keep, quads, page.ems[inside], han, rows_of(kept, em))


def rows_of(boxes: Floats, em: float) -> NDArray[np.intp]:
    """The number of the line that each box (x0, y0, x1, y1) stands in; wide gaps part lines."""
    rows = np.zeros(len(boxes), np.intp)
    last, count = None, 0
    for n, (x0, y0, x1, y1) in enumerate(boxes):
        middle = (y0 + y1) / 2
        if last is not None and (
            abs(middle - last[1]) > 0.6 * em or not -em < x0 - last[0] < 2 * em
        ):
            count += 1
        rows[n], last = count, (x1, middle)
    return rows


def drawn_ink(
    face: Face, lines: Sequence[str], em_px: float, leading: float, centred: bool, vertical: bool
) -> Ink:
    """Lines of text set with a face, one below the other (from right to left when `vertical`)."""
    font = _font(face, round(em_px))
    em = float(round(em_px))
    if vertical:
        return _vertical(font, lines, em, leading)
    widths = [font.getlength(line) for line in lines]
    width, step = max(widths), em * leading
    pad = em * 0.3
    size = (int(width + 2 * pad) + 1, int(step * (len(lines) - 1) + em * 1.3 + 2 * pad) + 1)
    canvas = Image.new("L", size)
    draw = ImageDraw.Draw(canvas)
    boxes, chars, rows = [], [], []
    for number, (line, line_width) in enumerate(zip(lines, widths, strict=True)):
        x = pad + ((width - line_width) / 2 if centred else 0)
        y = pad + number * step
        draw.text((x, y), line, font=font, fill=255)
        ends = [font.getlength(line[: n + 1]) for n in range(len(line))]
        for n, char in enumerate(line):
            if char.strip():
                start = ends[n - 1] if n else 0.0
                boxes.append((x + start, y + em * 0.1, x + ends[n], y + em * 1.15))
                chars.append(char)
                rows.append(number)
    return _ink(canvas, boxes, chars, rows, em)


def _vertical(font: ImageFont.FreeTypeFont, lines: Sequence[str], em: float, leading: float) -> Ink:
    longest = max(map(len, lines))
    step, pad = em * leading, em * 0.3
    size = (int(step * (len(lines) - 1) + em + 2 * pad) + 1, int(longest * em * 1.1 + 2 * pad) + 1)
    canvas = Image.new("L", size)
    draw = ImageDraw.Draw(canvas)
    boxes, chars, rows = [], [], []
    for number, line in enumerate(lines):
        x = size[0] - pad - em - number * step
        for n, char in enumerate(line):
            y = pad + n * em * 1.08
            draw.text((x + (em - font.getlength(char)) / 2, y), char, font=font, fill=255)
            if char.strip():
                boxes.append((x, y + em * 0.1, x + em, y + em * 1.1))
                chars.append(char)
                rows.append(number)
    return _ink(canvas, boxes, chars, rows, em)


def _ink(
    canvas: Image.Image,
    boxes: Sequence[tuple[float, ...]],
    chars: Sequence[str],
    rows: Sequence[int],
    em: float,
) -> Ink:
    alpha = np.asarray(canvas, np.float32) / 255
    ems = np.full(len(chars), em, np.float32)
    han = np.array([is_han(c) for c in chars])
    return Ink(alpha, _corners(np.array(boxes, np.float32)), ems, han, np.array(rows))


@functools.lru_cache(maxsize=256)
def _font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(str(face.path), size, index=face.index & 0xFFFF)
    if instance := face.index >> 16:
        font.set_variation_by_name(font.get_variation_names()[instance - 1])
    return font


def _corners(boxes: Floats) -> Floats:
    x0, y0, x1, y1 = boxes.T
    corners = [np.stack(pair, axis=1) for pair in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    return np.stack(corners, axis=1).astype(np.float32)


def warped(ink: Ink, rng: np.random.Generator, tilt_degrees: float, perspective: float) -> Ink:
    """Turned by up to `tilt_degrees`, with corners pulled in by up to a share of the sides."""
    height, width = ink.alpha.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    angle = np.deg2rad(rng.uniform(-tilt_degrees, tilt_degrees))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], np.float32)
    pulled = inwards * rng.uniform(0, perspective / 2, (4, 2)) * np.array([width, height])
    to = ((corners + pulled - (width / 2, height / 2)) @ turn.T).astype(np.float32)
    to -= to.min(axis=0)
    size = np.ceil(to.max(axis=0)).astype(int) + 1
    matrix = cv2.getPerspectiveTransform(corners, to)
    alpha = cv2.warpPerspective(ink.alpha, matrix, (int(size[0]), int(size[1])))
    quads = cv2.perspectiveTransform(ink.quads.reshape(1, -1, 2), matrix).reshape(-1, 4, 2)
    heights = np.linalg.norm(quads[:, 3] - quads[:, 0], axis=1)
    before = np.linalg.norm(ink.quads[:, 3] - ink.quads[:, 0], axis=1)
    ems = ink.ems * heights / np.maximum(before, 1)
    return Ink(np.asarray(alpha), quads, ems, ink.han, ink.rows)


def set_onto(ground: Rgb, ink: Ink, x: int, y: int, rng: np.random.Generator) -> Written:
    """The ink at (x, y) of a ground, which it must fit into, in a colour that suits the ground."""
    picture = ground.astype(np.float32)
    height, width = ink.alpha.shape
    region = picture[y : y + height, x : x + width]
    em = float(np.median(ink.ems))
    if rng.random() < 0.2:
        _plate(picture, region, (x, y, width, height), rng)
    style = rng.random()
    colour = _colour(region, rng)
    over = colour
    if rng.random() < 0.12:
        other = np.clip(colour + rng.normal(0, 30, 3), 0, 255)
        share = np.linspace(0, 1, height if rng.random() < 0.5 else width, dtype=np.float32)
        share = share[:, None, None] if len(share) == height else share[None, :, None]
        over = colour * (1 - share) + other.astype(np.float32) * share
    alpha = ink.alpha
    under = None
    if style < 0.12:
        under = cv2.dilate(alpha, np.ones((3, 3) if em < 24 else (5, 5), np.float32))
    elif style < 0.24:
        shift = max(1, round(em / 14))
        under = np.zeros_like(alpha)
        under[shift:, shift:] = alpha[:-shift, :-shift]
        under = cv2.GaussianBlur(under, (0, 0), float(rng.uniform(0.5, max(0.6, em / 8))))
    mean = region.mean(axis=(0, 1))
    if under is not None:
        tone = 0.0 if colour.mean() > 127 else 255.0
        share = under[:, :, None] * float(rng.uniform(0.5, 1.0))
        region[:] = region * (1 - share) + tone * share
    else:
        tone = float("nan")
    levels, luma = _difference(colour, mean)
    spread = _spread(region)
    if under is not None:
        levels = max(levels, _difference(colour, np.full(3, tone, np.float32))[0] * 0.7)
        spread *= 0.7
    share = alpha[:, :, None] * float(rng.uniform(0.75, 1.0))
    region[:] = region * (1 - share) + over * share
    legible = levels >= _LEAST_LEVELS and levels >= _LEAST_DEVIATIONS * spread
    moved = ink.quads + np.array([x, y], np.float32)
    rgb = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    return Written(rgb, moved, ink.ems, ink.han, ink.rows, bool(legible), luma)


def _plate(
    picture: Floats, region: Floats, place: tuple[int, int, int, int], rng: np.random.Generator
) -> None:
    """A calmer ground behind the block: a plate, whole or half transparent."""
    x, y, width, height = place
    pad = int(rng.integers(2, 10))
    x0, y0 = max(0, x - pad), max(0, y - pad)
    plate = picture[y0 : y + height + pad, x0 : x + width + pad]
    colour = rng.uniform(0, 255, 3).astype(np.float32)
    if rng.random() < 0.6:
        colour[:] = colour.mean() if rng.random() < 0.5 else rng.choice([10.0, 245.0])
    share = float(rng.uniform(0.4, 1.0))
    plate[:] = plate * (1 - share) + colour * share


def _colour(region: Floats, rng: np.random.Generator) -> Floats:
    """Of the letters: far from the ground in luma, or near in luma and far in chroma."""
    mean = region.mean(axis=(0, 1))
    luma = float(_luma(mean))
    kind = rng.random()
    for _ in range(40):
        if kind < 0.35:
            levels = float(rng.uniform(30, 220)) * (1 if rng.random() < 0.5 else -1)
            colour = np.full(3, luma + levels, np.float32)
        else:
            low, high = (0, 40) if kind > 0.65 else (25, 160)
            levels = float(rng.uniform(low, high)) * (1 if rng.random() < 0.5 else -1)
            angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(40, 150)
            red, blue = radius * np.cos(angle), radius * np.sin(angle)
            colour = mean + levels + np.array([red, 0, blue], np.float32)
            colour = colour + (luma + levels - _luma(colour))
        if colour.min() >= -5 and colour.max() <= 260:
            clipped = np.clip(colour, 0, 255).astype(np.float32)
            if _difference(clipped, mean)[0] >= _LEAST_LEVELS:
                return clipped
    return np.full(3, 0.0 if luma > 127 else 255.0, np.float32)


def _luma(rgb: Floats) -> Floats:
    return np.asarray(rgb @ np.array([0.299, 0.587, 0.114], np.float32))


def _difference(one: Floats, other: Floats) -> tuple[float, float]:
    """How far two colours are apart: in all, and in luma alone, in levels of 255."""
    apart = one - other
    luma = float(_luma(apart))
    chroma = _CHROMA * np.linalg.norm(apart - luma)
    return float(np.hypot(luma, chroma)), abs(luma)


def _spread(region: Floats) -> float:
    luma = _luma(region)
    chroma = _CHROMA * (region - luma[:, :, None])
    return float(np.sqrt(luma.var() + chroma.reshape(-1, 3).var(axis=0).sum()))


def ground_of(photo: Rgb, side: int, rng: np.random.Generator) -> Rgb:
    """A square of a photograph at some scale: as it is, blurred, washed out or darkened."""
    least = side / min(photo.shape[:2])
    scale = max(least, float(np.exp(rng.uniform(np.log(0.35), np.log(1.6)))))
    cut = int(side / scale)
    y, x = (int(rng.integers(length - cut + 1)) for length in photo.shape[:2])
    seen = photo[y : y + cut, x : x + cut]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    seen = np.asarray(cv2.resize(seen, (side, side), interpolation=way))
    kind = rng.random()
    if kind < 0.2:
        seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(1, 9))))
    elif kind < 0.3:
        tone, share = rng.uniform(0, 255, 3), float(rng.uniform(0.3, 0.9))
        seen = np.clip(seen * (1 - share) + tone * share, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        gain, bias = float(rng.uniform(0.4, 1.2)), float(rng.uniform(-30, 60))
        seen = np.clip(seen * gain + bias, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(seen)


def aged(
    written: Written, rng: np.random.Generator, side: int | None = None
) -> tuple[Written, bytes]:
    """As it comes from the web: resized to `side` px, a little noisy or blurred, and compressed.

    The bytes are those of its file.
    """
    rgb = written.rgb
    scale = 1.0
    if side and side != rgb.shape[0]:
        scale = side / rgb.shape[0]
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        rgb = np.asarray(cv2.resize(rgb, (side, side), interpolation=way))
    if rng.random() < 0.1:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), float(rng.uniform(0.3, 0.8))))
    if rng.random() < 0.15:
        rgb = np.clip(rgb + rng.normal(0, rng.uniform(1, 6), rgb.shape), 0, 255).astype(np.uint8)
    kind = rng.random()
    if kind < 0.65:
        # Half of them with chroma of half the size.
        sampling = 0x221111 if rng.random() < 0.5 else 0x111111
        quality = int(rng.integers(55, 97))
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        _, data = cv2.imencode(".jpg", rgb[:, :, ::-1], options)
    elif kind < 0.75:
        _, data = cv2.imencode(
            ".webp", rgb[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, int(rng.integers(60, 95))]
        )
    else:
        _, data = cv2.imencode(".png", rgb[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    final = replace(
        written,
        rgb=rgb,
        quads=written.quads * np.float32(scale),
        ems=written.ems * np.float32(scale),
    )
    return final, data.tobytes()


def coverage(written: Written, stride: int) -> NDArray[np.uint8]:
    """How much of each square of `stride` px is under writing, uint8[H/stride, W/stride], 0 to 254.

    255 where it cannot be read, or the letters are smaller or larger than what is looked for.
    """
    height, width = written.rgb.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    ignored = np.zeros((height, width), np.uint8)
    for quad, em in zip(written.quads, written.ems, strict=True):
        fits = written.legible and 5.5 <= em <= 48
        cv2.fillConvexPoly(mask if fits else ignored, np.round(quad).astype(np.int32), 1)
    em = float(np.median(written.ems)) if len(written.ems) else 8.0
    kernel = np.ones((max(1, round(em * 0.4)), max(1, round(em * 0.9))), np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)
    ignored = cv2.morphologyEx(ignored, cv2.MORPH_CLOSE, kernel)
    size = (width // stride, height // stride)
    share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    unknown = cv2.resize(ignored.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    found = np.round(share * 254).astype(np.uint8)
    found[(unknown > 0.02) & (share < 0.5)] = 255
    return found
