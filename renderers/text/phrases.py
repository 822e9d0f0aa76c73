"""Cut phrases out of paragraphs: a few words at a time, about as many as fit in a length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.arrays import Ints
from renderers.exact import EXACT
from renderers.setting import lines
from renderers.setting.typesetting import Galley, Texts

# As the compiled loop knows them.
_START, _EDGE = 64, 128
assert (_START, _EDGE) == (lines.START, lines.EDGE)
# Signs that would look like the bullet of a list, and the space behind them.
_BULLETS = (ord("*"), ord("+"), ord("^"), ord(" "))


class Phrases:
    """The paragraphs of a page, handed out whole or as phrases, each part once."""

    def __init__(self, galley: Galley, texts: Texts) -> None:
        self._galley = galley
        # What phrases leave over of a paragraph is added behind the last one.
        self._texts = np.concatenate([texts, np.empty_like(texts)])
        # How many texts there are, the next one; the one that phrases are being cut from, or -1,
        # and where the next phrase begins.
        self._state = np.array([len(texts), 0, -1, 0], dtype=np.int32)

    def whole(self, characters: int) -> Texts:
        """The next paragraphs, then what phrases left: so many characters or a little more.

        Empty when all is used up.
        """
        count, following = self._state[:2].tolist()
        lengths = self._texts[following:count, 1] - self._texts[following:count, 0]
        stop = int(np.searchsorted(np.cumsum(lengths), characters)) + 1
        last = min(following + stop, count)
        self._state[1] = last
        return self._texts[following:last].copy()

    def cut(self, characters: Ints, fresh: npt.NDArray[np.bool_]) -> Texts:
        """A phrase of about so many characters each, as long as there is text.

        A `fresh` one begins a paragraph; what is left of the last one then comes later.
        """
        # Each phrase may leave the rest of a paragraph.
        short = self._state[0] + len(characters) - len(self._texts)
        if short > 0:
            more = np.empty((max(short, len(self._texts)), 3), dtype=np.int32)
            self._texts = np.concatenate([self._texts, more])
        out = np.empty((len(characters), 3), dtype=np.int32)
        galley = self._galley
        found = _cut(galley.points, galley.flags, self._texts, self._state, characters, fresh, out)
        return out[:found]


@njit(**EXACT)
def _cut(points, flags, texts, state, characters, fresh, out):  # type: ignore[no-untyped-def]
    """Fills `out int32[n, 3]` and moves `state` on; returns how many phrases there were."""
    for i in range(len(characters)):
        if fresh[i] and state[2] >= 0:
            last = texts[state[2]]
            begin = state[3]
            while begin < last[1] and flags[begin] & _EDGE:
                begin += 1
            if begin < last[1]:
                rest = texts[state[0]]
                rest[0], rest[1], rest[2] = begin, last[1], last[2]
                state[0] += 1
            state[2] = -1
        while True:
            if state[2] < 0:
                if state[1] >= state[0]:
                    return i
                state[2] = state[1]
                state[3] = texts[state[1], 0]
                state[1] += 1
            text = texts[state[2]]
            begin = state[3]
            if begin >= text[1]:
                state[2] = -1
                continue
            # The last allowed break within the length; the first one when none is.
            end = min(begin + characters[i], text[1])
            while end > begin and end < text[1] and not flags[end] & _START:
                end -= 1
            if end == begin:
                end = begin + 1
                while end < text[1] and not flags[end] & _START:
                    end += 1
            state[3] = end
            if end >= text[1]:
                state[2] = -1
            while end > begin and flags[end - 1] & _EDGE:
                end -= 1
            while begin < end and flags[begin] & _EDGE:
                begin += 1
            while begin < end and points[begin] in _BULLETS:
                begin += 1
            if begin < end:
                out[i, 0], out[i, 1], out[i, 2] = begin, end, text[2]
                break
    return len(characters)
