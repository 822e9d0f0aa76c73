"""From what a browser says of its text, and what the text changed in the picture, to characters."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from renderers.exact import EXACT
from vae_corpus.characters import Characters

# A pixel has ink of text when a channel differs by more than this from the page without text.
INK_LEVELS = 16
# How far glyphs reach above and below the baseline, in em. Boxes of fonts reach further, into the
# lines beside.
_RISE_EM, _FALL_EM = 0.98, 0.34
# A new line begins where the baseline has moved by more than this, or a gap is wider, in em.
_STEP_EM, _JUMP_EM = 0.6, 1.5
_FIELDS = 9
_LEFT, _TOP, _RIGHT, _BOTTOM, _BASELINE, _EM, _FONT, _BLOCK, _FLAT = range(_FIELDS)


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """Characters as the page's script gives them: `numbers` float32[N, 9], in CSS px."""

    text: str
    numbers: NDArray[np.float32]
    fonts: tuple[str, ...]

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Said:
        """The script's answer."""
        numbers = floats(answer["numbers"]).reshape(-1, _FIELDS)
        # Half of a pair stands for nothing; the script gives whole ones as one character.
        text = answer["text"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return cls(text=text, numbers=numbers, fonts=tuple(answer["fonts"]))

    @property
    def lines(self) -> NDArray[np.int32]:
        """int32[N]: as in `Characters`."""
        if not self.text:
            return np.zeros(0, np.int32)
        at = self.numbers
        before, after = at[:-1], at[1:]
        em = np.maximum(np.minimum(before[:, _EM], after[:, _EM]), 1)
        flat = (before[:, _FLAT] > 0) & (after[:, _FLAT] > 0)
        # Text that does not lie flat runs downwards, as far as one can tell.
        step = np.where(
            flat,
            np.abs(after[:, _BASELINE] - before[:, _BASELINE]),
            np.abs(after[:, _LEFT] - before[:, _LEFT]),
        )
        along = np.maximum(after[:, _LEFT] - before[:, _RIGHT], before[:, _LEFT] - after[:, _RIGHT])
        down = np.maximum(after[:, _TOP] - before[:, _BOTTOM], before[:, _TOP] - after[:, _BOTTOM])
        gap = np.where(flat, along, down)
        new = (
            (after[:, _BLOCK] != before[:, _BLOCK]) | (step > _STEP_EM * em) | (gap > _JUMP_EM * em)
        )
        return np.concatenate([[0], np.cumsum(new)]).astype(np.int32)

    def characters(self, top: float, scale: float, ink: NDArray[np.bool_] | None) -> Characters:
        """Those with ink, and the space between them, on a picture that begins at `top`.

        `ink` bool[H, W]: the pixels that text has changed. None: all have ink, as large as their
        places.
        """
        if not self.text:
            return Characters.none()
        at = self.numbers
        boxes = at[:, :4].copy()
        flat = at[:, _FLAT] > 0
        em, baseline = at[:, _EM], at[:, _BASELINE]
        boxes[:, _TOP] = np.where(flat, baseline - _RISE_EM * em, boxes[:, _TOP])
        boxes[:, _BOTTOM] = np.where(flat, baseline + _FALL_EM * em, boxes[:, _BOTTOM])
        boxes[:, (1, 3)] -= np.float32(top)
        boxes *= np.float32(scale)
        white = np.array([c.isspace() for c in self.text])
        if ink is None:
            seen = ~white
        else:
            boxes = _tightened(boxes, ink)
            seen = ~white & (boxes[:, 2] > boxes[:, 0])
        boxes[white] = 0
        kept = seen | (white & _follows(seen, white))
        places = np.flatnonzero(kept)
        _, line = np.unique(self.lines[places], return_inverse=True)
        return Characters(
            text="".join(self.text[place] for place in places),
            boxes=boxes[places],
            em_px=(em[places] * np.float32(scale)).astype(np.float32),
            line=line.astype(np.int32),
            font=at[places, _FONT].astype(np.int32),
            fonts=self.fonts,
        )


def floats(packed: str) -> NDArray[np.float32]:
    """What the script packed."""
    return np.frombuffer(base64.b64decode(packed), "<f4").astype(np.float32)


def merged(said: Said, generated: Said) -> Said:
    """Both in reading order: a generated run before the first line on its height to its right."""
    if not generated.text:
        return said
    if not said.text:
        return generated
    firsts = np.flatnonzero(np.diff(said.lines, prepend=-1))
    heads = said.numbers[firsts]
    order = np.arange(len(said.text), dtype=np.float64)
    runs = generated.lines
    starts = np.flatnonzero(np.diff(runs, prepend=-1))
    place = np.empty(len(runs), np.float64)
    for number, start in enumerate(starts):
        at = generated.numbers[start]
        level = np.abs(heads[:, _BASELINE] - at[_BASELINE]) < _STEP_EM * at[_EM]
        right = level & (heads[:, _LEFT] >= at[_LEFT])
        below = heads[:, _BASELINE] > at[_BASELINE]
        if right.any():
            after = firsts[right][np.argmin(heads[right, _LEFT])]
        else:
            after = firsts[below][0] if below.any() else len(said.text)
        place[runs == number] = after - 0.5
    later = generated.numbers.copy()
    later[:, _BLOCK] = -1 - later[:, _BLOCK]
    whole = np.concatenate([said.numbers, later])
    both = np.argsort(np.concatenate([order, place]), kind="stable")
    text = said.text + generated.text
    return Said(text="".join(text[i] for i in both), numbers=whole[both], fonts=generated.fonts)


def _follows(seen: NDArray[np.bool_], white: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[N]: whether the last before it that is not white is seen."""
    last = np.maximum.accumulate(np.where(white, -1, np.arange(len(white))))
    following: NDArray[np.bool_] = (last >= 0) & seen[np.maximum(last, 0)]
    return following


@njit(**EXACT)
def _tightened(boxes, ink):  # type: ignore[no-untyped-def]
    """boxes float32[N, 4], ink bool[H, W] -> float32[N, 4]: what is inked inside; all zero where
    nothing is.

    A pixel belongs to the place that holds its middle.
    """
    height, width = ink.shape
    tight = np.zeros_like(boxes)
    for number in range(len(boxes)):
        first, last = max(0, round(boxes[number, 0])), min(width, round(boxes[number, 2]))
        top, end = max(0, round(boxes[number, 1])), min(height, round(boxes[number, 3]))
        if last == first and first < width:
            last = first + 1
        left, right, high, low = width, -1, height, -1
        for y in range(top, end):
            for x in range(first, last):
                if ink[y, x]:
                    left, right = min(left, x), max(right, x)
                    high, low = min(high, y), max(low, y)
        if right >= 0:
            tight[number] = (left, high, right + 1, low + 1)
    return tight
