"""Where a line may end: after spaces and hyphens, and between Han characters.

Chinese rules of composition (GB/T 15834, JIS X 4051 has the same): no line begins with closing or
pausing punctuation, none ends with an opening bracket, and double dashes and ellipses stay whole.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from renderers.setting.lines import CLOSER, EDGE, HYPHEN, INSEPARABLE, OPENER, SPACE, WIDE

Flags = npt.NDArray[np.uint8]

NEVER_FIRST = "。，、；：？！）」』》】〕〉’”…—·～％℃!%),.:;?]}'\"％"
NEVER_LAST = "（「『《【〔〈‘“([{$￥#"
_INSEPARABLE = "…—"
_HYPHENS = "-/"
# A phrase cut from a text neither begins nor ends with these.
_EDGES = " ，。、；：？！,.;:?!）)》」』”’】(（《「『“‘【-—…"


# Combining marks and variation selectors belong to the character before them.
_MARKS = (
    *((0x300, 0x370), (0x483, 0x48A), (0x591, 0x5BE), (0x610, 0x61B), (0x64B, 0x660)),
    *((0x1AB0, 0x1B00), (0x1DC0, 0x1E00), (0x20D0, 0x2100), (0x302A, 0x3030), (0x3099, 0x309B)),
    *((0xFE00, 0xFE10), (0xFE20, 0xFE30)),
)


def _classes() -> Flags:
    """The flags of each code point, of those beyond as of the last."""
    table = np.zeros(0x30000, dtype=np.uint8)
    for first, last in ((0x2E80, 0xA000), (0xAC00, 0xD7A4), (0xF900, 0xFB00), (0xFE30, 0xFE50)):
        table[first:last] |= WIDE
    table[0xFF00:0xFFF0] |= WIDE
    table[0x20000:0x30000] |= WIDE
    for first, last in _MARKS:
        table[first:last] |= CLOSER
    for characters, flag in (
        (" \u3000", SPACE),
        (NEVER_FIRST, CLOSER),
        (NEVER_LAST, OPENER),
        (_INSEPARABLE, INSEPARABLE),
        (_HYPHENS, HYPHEN),
        (_EDGES, EDGE),
    ):
        for character in characters:
            table[ord(character)] |= flag
    return table


CLASSES = _classes()
