"""Text density of a page whose characters are known: counted, not estimated.

What a rendered page says is exact and costs a hundredth of a detector. Only pictures on it may hold
text that nobody tells: there the cascade looks, and what it finds counts as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.text_density.shares import BIN_PX, fullest_window, quantile, script_of
from vae_corpus.characters import Box, Characters, KnownText

# Raised when the same page would give other figures.
VERSION = 2

# Of fewer characters nobody knows whether letters were drawn as shapes: then all is looked at.
FEW = 20
# Pictures that cover so much of a page are looked at as a whole page, as scans are.
WHOLE_SHARE = 0.6
MIN_PICTURE_PX = 64
_SIDES = ("x0", "y0", "x1", "y1")


def places_to_look(known: KnownText, height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Left, top, right, bottom in px of the parts of a page that may hold text nobody tells."""
    inside = (_inside(part, height, width) for part in known.pictures)
    boxes = list(dict.fromkeys(box for box in inside if box))
    covered = np.zeros((-(-height // 16), -(-width // 16)), bool)
    for left, top, right, bottom in boxes:
        covered[top // 16 : -(-bottom // 16), left // 16 : -(-right // 16)] = True
    few = int(known.characters.inked.sum()) < FEW
    if few or (boxes and covered.mean() >= WHOLE_SHARE):
        return [(0, 0, width, height)]
    return boxes


def known_scores(
    known: KnownText, found: list[dict[str, Any]], height: int, width: int
) -> dict[str, Any]:
    """The columns of text density; `found` are lines of other text, as `text_lines` holds them.

    Each of `found` also has `em_px` and `han`, the part of its characters that are Han.
    """
    characters = known.characters
    inked = characters.inked
    boxes, em = characters.boxes[inked], characters.em_px[inked]
    # Tiles are cut between words. Letters may hang over the edge of the page.
    lines = [
        {"x0": x0, "y0": y0, "x1": min(x1, width), "y1": min(y1, height), "chars": float(count)}
        for (x0, y0, x1, y1), count in characters.words()
        if x0 < width and y0 < height
    ]
    bins = np.zeros((-(-height // BIN_PX), -(-width // BIN_PX)))
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    at = np.clip(middle // BIN_PX, 0, np.array(bins.shape[::-1]) - 1).astype(int)
    np.add.at(bins, (at[:, 1], at[:, 0]), 1.0)
    for line in found:
        x = min(int((line["x0"] + line["x1"]) / 2 // BIN_PX), bins.shape[1] - 1)
        y = min(int((line["y0"] + line["y1"]) / 2 // BIN_PX), bins.shape[0] - 1)
        bins[y, x] += line["chars"]
    chars = float(bins.sum())
    ems = np.concatenate([em, [line["em_px"] for line in found]])
    weights = np.concatenate([np.ones(len(em)), [line["chars"] for line in found]])
    han = float(characters.han[inked].sum()) + sum(line["han"] for line in found)
    area = float(_areas(boxes).sum() + sum(_area(line) for line in found))
    return {
        "chars_est": chars,
        "chars_per_mpx": chars * 1e6 / (height * width),
        "max_chars_per_256_tile": fullest_window(bins),
        "glyph_px_p50": quantile(ems, weights, 0.5),
        "glyph_px_min": quantile(ems, weights, 0.05),
        "text_area_share": min(1.0, area / (height * width)),
        "script": script_of(han, chars),
        "text_stage": "known",
        "text_lines": lines + [{name: line[name] for name in (*_SIDES, "chars")} for line in found],
    }


def beside(line: dict[str, Any], characters: Characters) -> bool:
    """Whether a line that was found is not known already: no known letter has its middle in it."""
    boxes = characters.boxes[characters.inked]
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    inside = (x >= line["x0"]) & (x < line["x1"]) & (y >= line["y0"]) & (y < line["y1"])
    return not bool(inside.any())


def seen_before(line: dict[str, Any], parts: list[tuple[int, int, int, int]]) -> bool:
    """Whether the middle of a line lies in one of the parts: pictures may lie over each other."""
    x, y = (line["x0"] + line["x1"]) / 2, (line["y0"] + line["y1"]) / 2
    return any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in parts)


def _inside(box: Box, height: int, width: int) -> tuple[int, int, int, int] | None:
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    large = min(right - left, bottom - top) >= MIN_PICTURE_PX
    return (left, top, right, bottom) if large else None


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    areas: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _area(line: dict[str, Any]) -> float:
    return float((line["x1"] - line["x0"]) * (line["y1"] - line["y0"]))
