"""Where a line may end: after spaces and hyphens, and between Han characters.

Chinese rules of composition (GB/T 15834, JIS X 4051 has the same): no line begins with closing or
pausing punctuation, none ends with an opening bracket, and double dashes and ellipses stay whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

NEVER_FIRST = "。，、；：？！）」』》】〕〉’”…—·～％℃!%),.:;?]}'\"％"
NEVER_LAST = "（「『《【〔〈‘“([{$￥#"
_INSEPARABLE = "…—"
_HYPHENS = "-/"

_SPACE, _WIDE, _CLOSER, _OPENER, _INSEP, _HYPHEN = 1, 2, 4, 8, 16, 32


def _classes() -> Flags:
    table = np.zeros(0x30000, dtype=np.uint8)
    for first, last in ((0x2E80, 0xA000), (0xAC00, 0xD7A4), (0xF900, 0xFB00), (0xFE30, 0xFE50)):
        table[first:last] |= _WIDE
    table[0xFF00:0xFFF0] |= _WIDE
    table[0x20000:0x30000] |= _WIDE
    for characters, flag in (
        (" \u3000", _SPACE),
        (NEVER_FIRST, _CLOSER),
        (NEVER_LAST, _OPENER),
        (_INSEPARABLE, _INSEP),
        (_HYPHENS, _HYPHEN),
    ):
        for character in characters:
            table[ord(character)] |= flag
    return table


_TABLE = _classes()


def classify(text: str) -> Flags:
    """`uint8[len(text)]` of flags, for `opportunities` and `is_space`."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    flags: Flags = _TABLE[np.minimum(points, len(_TABLE) - 1)]
    return flags


def is_space(classes: Flags) -> Bools:
    """Which characters are white."""
    space: Bools = (classes & _SPACE) != 0
    return space


def is_wide(classes: Flags) -> Bools:
    """Which characters stand in a full square, as Han does."""
    wide: Bools = (classes & _WIDE) != 0
    return wide


def opportunities(classes: Flags) -> npt.NDArray[np.int32]:
    """Sorted indices at which a new line may begin; the last one is the length of the text."""
    length = len(classes)
    if length == 0:
        return np.zeros(1, dtype=np.int32)
    before, after = classes[:-1], classes[1:]
    space_before, space_after = is_space(before), is_space(after)
    closed = (after & _CLOSER) != 0
    opened = (before & _OPENER) != 0
    wide = ((before | after) & _WIDE) != 0
    # A comma of a Latin font after Han, or the other way round, still counts as Chinese: curly
    # quotes are shared by both scripts.
    same_mark = ((before & after) & _INSEP) != 0
    hyphen = ((before & _HYPHEN) != 0) & (after == 0)
    allowed = (space_before | wide | hyphen) & ~closed & ~opened & ~space_after & ~same_mark
    return np.append(np.flatnonzero(allowed) + 1, length).astype(np.int32)
