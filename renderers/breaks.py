"""Where a line may end: after spaces and hyphens, and between Han characters.

Chinese rules of composition (GB/T 15834, JIS X 4051 has the same): no line begins with closing or
pausing punctuation, none ends with an opening bracket, and double dashes and ellipses stay whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.compiled import EXACT

Flags = npt.NDArray[np.uint8]

NEVER_FIRST = "。，、；：？！）」』》】〕〉’”…—·～％℃!%),.:;?]}'\"％"
NEVER_LAST = "（「『《【〔〈‘“([{$￥#"
_INSEPARABLE = "…—"
_HYPHENS = "-/"

# Flags of a character. White space; what stands in a full square, as Han does; kinds of marks;
# and what `classify` adds: a line may begin here.
SPACE, WIDE, _CLOSER, _OPENER, _INSEP, _HYPHEN, START = 1, 2, 4, 8, 16, 32, 64


def _classes() -> Flags:
    table = np.zeros(0x30000, dtype=np.uint8)
    for first, last in ((0x2E80, 0xA000), (0xAC00, 0xD7A4), (0xF900, 0xFB00), (0xFE30, 0xFE50)):
        table[first:last] |= WIDE
    table[0xFF00:0xFFF0] |= WIDE
    table[0x20000:0x30000] |= WIDE
    for characters, flag in (
        (" \u3000", SPACE),
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
    """`uint8[len(text)]` of flags, for `opportunities` and for setting lines."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    flags: Flags = _flags(points, _TABLE)
    return flags


def opportunities(classes: Flags) -> npt.NDArray[np.int32]:
    """Sorted indices at which a new line may begin; the last one is the length of the text."""
    starts: npt.NDArray[np.int32] = _starts(classes)
    return starts


@njit(**EXACT)
def _flags(points, table):  # type: ignore[no-untyped-def]
    """uint8[n]: the class of each code point, and START where a line may begin before it."""
    flags = np.empty(len(points), np.uint8)
    before = np.uint8(0)
    for i in range(len(points)):
        after = table[min(points[i], len(table) - 1)]
        flags[i] = after
        # A comma of a Latin font after Han, or the other way round, still counts as Chinese: curly
        # quotes are shared by both scripts.
        wide = ((before | after) & WIDE) != 0
        hyphen = (before & _HYPHEN) != 0 and after == 0
        if (
            i > 0
            and ((before & SPACE) != 0 or wide or hyphen)
            and after & (_CLOSER | SPACE) == 0
            and before & _OPENER == 0
            and before & after & _INSEP == 0
        ):
            flags[i] |= START
        before = after
    return flags


@njit(**EXACT)
def _starts(flags):  # type: ignore[no-untyped-def]
    """Where START is set, and the length of the text, int32[...]."""
    starts = np.empty(len(flags) + 1, np.int32)
    count = 0
    for i in range(len(flags)):
        if flags[i] & START:
            starts[count] = i
            count += 1
    starts[count] = len(flags)
    return starts[: count + 1]
