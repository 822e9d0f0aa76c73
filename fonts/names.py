"""What a font file says about itself: family, style, weight, licence, embedding permission."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# OS/2 fsType (OpenType specification): bit 1 alone forbids embedding, bit 9 allows bitmaps only.
_RESTRICTED, _USAGE_BITS, _BITMAP_ONLY = 0x0002, 0x000F, 0x0200

_LICENCES = (
    (r"SIL Open Font License|scripts\.sil\.org/OFL|openfontlicense", "OFL-1.1"),
    (r"Apache", "Apache-2.0"),
    (r"Arphic|ARPHIC", "Arphic"),
    (r"Bitstream Vera|bitstream-vera|dejavu-fonts", "Bitstream-Vera"),
    (r"GPL ?v?\.?-?2|licenses/old-licenses/gpl-2|copyleft/gpl", "GPL-2 with font exception"),
    (r"GPL|GNU General Public", "GPL with font exception"),
    (r"public domain|CC0", "public domain"),
)

# A face drawn for another region writes many Han characters in another form (U+9AA8 is the usual
# example), so it would teach wrong shapes for simplified Chinese.
_OTHER_REGIONS = {"jp", "kr", "tc", "tw", "hk", "mo", "j", "k", "mbe", "big5", "japanese", "korean"}


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names and permissions of one face.

    `instances` are those that a variable font has names for: number from 1, style and weight.
    """

    family: str
    style: str
    weight: int
    licence: str
    embeddable: bool
    vertical: bool
    instances: tuple[tuple[int, str, int], ...]


def read(font: Any) -> Names:
    """Read a `fontTools.ttLib.TTFont`; what the file does not state comes back as a plain word."""
    table = font.get("name")
    os2 = font.get("OS/2")
    fs_type = int(getattr(os2, "fsType", 0))
    return Names(
        family=(table and table.getBestFamilyName()) or "unnamed",
        style=(table and table.getBestSubFamilyName()) or "Regular",
        weight=int(getattr(os2, "usWeightClass", 400)),
        licence=_licence(table),
        embeddable=(fs_type & _USAGE_BITS) != _RESTRICTED and not fs_type & _BITMAP_ONLY,
        vertical=_has_feature(font, "vert"),
        instances=tuple(_instances(font, table, int(getattr(os2, "usWeightClass", 400)))),
    )


def is_other_region(family: str) -> bool:
    """Whether the family's name says that it writes Han as in Japan, Korea, Taiwan or Hong Kong."""
    return bool(set(re.split(r"[\s_-]+", family.lower())) & _OTHER_REGIONS)


def _licence(table: Any) -> str:
    # Name ids: 13 licence, 14 its address, 0 copyright.
    said = [table.getDebugName(number) or "" for number in (13, 14, 0)] if table else []
    for text in said:
        for pattern, short in _LICENCES:
            if re.search(pattern, text):
                return short
    return next((text.strip()[:60] for text in said[:2] if text.strip()), "not stated")


def _instances(font: Any, table: Any, weight: int) -> Iterator[tuple[int, str, int]]:
    if "fvar" not in font:
        return
    for number, instance in enumerate(font["fvar"].instances, 1):
        style = (table and table.getDebugName(instance.subfamilyNameID)) or f"instance {number}"
        yield number, style, round(instance.coordinates.get("wght", weight))


def _has_feature(font: Any, tag: str) -> bool:
    features = getattr(font["GSUB"].table, "FeatureList", None) if "GSUB" in font else None
    return features is not None and any(r.FeatureTag == tag for r in features.FeatureRecord)
