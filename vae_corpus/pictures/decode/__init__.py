"""The one door for foreign bytes: bytes in, an upright sRGB picture or a fault out; never raises.

Order of work: magic bytes, header, limits (so that a bomb costs nothing), completeness of the
container, strict decode, colour profile, orientation, alpha on white. Nothing is repaired in
silence: a picture with a grey lower half would be scored, packed and learned. What is odd in a
header alone is tolerated, and told. A leaf of the project: it imports nothing else of ours.
"""

from __future__ import annotations

from vae_corpus.pictures.decode.door import (
    Decoded,
    DecodedLuma,
    Opened,
    decode,
    decode_luma,
    open_image,
    sniff,
)
from vae_corpus.pictures.decode.fault import SLUGS, Fault, Limits
from vae_corpus.pictures.decode.modern import optional_formats
from vae_corpus.pictures.decode.pixels import Luma, Rgb, to_luma

# Raised when the same bytes would give other pixels, another quality or another slug.
VERSION = 3

__all__ = [
    "SLUGS",
    "VERSION",
    "Decoded",
    "DecodedLuma",
    "Fault",
    "Limits",
    "Luma",
    "Opened",
    "Rgb",
    "decode",
    "decode_luma",
    "open_image",
    "optional_formats",
    "sniff",
    "to_luma",
]
