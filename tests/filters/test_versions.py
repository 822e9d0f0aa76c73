"""Scores have versions that change if and only if the scores of a small picture do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from filters import clarity, ink, layout, perceptual_hash, text_sketch
from filters.text_density import cascade, screen
from filters.text_density import line as text_line
from tests.pictures import page, scene
from tests.versions import assert_recorded

PICTURES = (scene(300, 260, 1), page(520, 390, 2))


def plain(value: Any) -> Any:
    """Without what rounding may change between processors."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.ravel().astype(float).tolist()]
    return value


def of_pictures(score: Callable[[Any], dict[str, Any]]) -> bytes:
    rows = [{k: plain(v) for k, v in score(rgb).items()} for rgb in PICTURES]
    return json.dumps(rows).encode()


def of_text(rgb: Any) -> dict[str, Any]:
    """What text density computes itself: where it looks, and what it makes of a line."""
    lines = np.array([[[12, 12], [200, 12], [200, 30], [12, 30]]], np.float32)
    # Coarse: networks may differ in last digits between processors.
    return {
        "chances": np.round(screen.chances(rgb), 1),
        "lines": np.round(text_line.estimate(rgb, lines), 1),
    }


# Score -> the file of its VERSION, that, and bytes that it gives for small inputs.
GIVEN: dict[str, tuple[str, Any, Callable[[], bytes]]] = {
    "clarity": (
        "filters/clarity/__init__.py",
        clarity.Clarity().version,
        lambda: of_pictures(clarity.Clarity().score),
    ),
    "perceptual_hash": (
        "filters/perceptual_hash.py",
        perceptual_hash.VERSION,
        lambda: of_pictures(perceptual_hash.perceptual_hash),
    ),
    "ink": ("filters/ink.py", ink.VERSION, lambda: of_pictures(ink.ink_cells)),
    "layout": ("filters/layout.py", layout.VERSION, lambda: of_pictures(layout.layout)),
    "text_sketch": (
        "filters/text_sketch.py",
        text_sketch.VERSION,
        lambda: text_sketch.text_sketch("the quick brown fox jumps over 12 lazy dogs") or b"",
    ),
    "text": (
        "filters/text_density/cascade.py",
        cascade._CODE_VERSION,
        lambda: of_pictures(of_text),
    ),
}
RECORDED: dict[str, tuple[Any, str]] = {
    "clarity": ("2; weights 412afd95b001bd78", "d93a9b1097a05c2b"),
    "perceptual_hash": ("1", "a01b3cca307b8bce"),
    "ink": ("1", "d6620354b9385d2c"),
    "layout": ("1", "f50478c44bd80fce"),
    "text_sketch": ("1", "6db535846fcf29ad"),
    "text": (6, "2f10cc891cf910f4"),
}


@pytest.mark.parametrize("name", GIVEN)
def test_scores_and_version_change_together(name: str) -> None:
    file, version, given = GIVEN[name]
    assert_recorded(f"score {name}", file, version, given(), RECORDED[name])
