"""What may go wrong at the door: limits, slugs, faults."""

from __future__ import annotations

from dataclasses import dataclass

SLUGS = {
    "empty": "no bytes at all",
    "not_an_image": "the first bytes are those of no image format",
    "unsupported_format": "an image, but of a format or variant that is not read here",
    "truncated": "the end is missing",
    "corrupt": "the bytes contradict the format or their own checksums",
    "animated": "several frames or pages",
    "too_small": "a side below the limit",
    "side_too_long": "a side above the limit, according to the header",
    "too_many_pixels": "more pixels than the limit, according to the header",
    "too_much_memory": "decoding would take more memory than the limit, according to the header",
    "too_many_scans": "a JPEG with so many passes that it costs more time than it can be worth",
}


# What a picture with alpha takes: RGBA and its copy, RGB and white paper of 4 bytes each, alpha and
# what is given back; `test_decode_memory.py` measures it.
PILLOW_BYTES_PER_PX = 20
# These decoders hold a frame of their own besides.
FRAME_BYTES_PER_PX = 24


@dataclass(frozen=True)
class Limits:
    """What a header may announce. `max_bytes` bounds the estimated memory of the decoding."""

    max_pixels: int = 200_000_000
    max_side_px: int = 65_500
    min_side_px: int = 1
    max_bytes: int = 4 * 1024**3


@dataclass(frozen=True)
class Fault:
    """Why there is no picture: a slug of `SLUGS` and a sentence for people."""

    slug: str
    why: str


class Refused(Exception):
    """A fault on its way up to `decode`; never leaves this module."""

    def __init__(self, slug: str, why: str) -> None:
        super().__init__(slug, why)
        self.fault = Fault(slug, why)


def check_size(width: int, height: int, bytes_per_px: int, limits: Limits) -> None:
    size = f"{width} x {height} px"
    if width < 1 or height < 1:
        raise Refused("corrupt", f"the header says {size}")
    if min(width, height) < limits.min_side_px:
        raise Refused("too_small", f"{size}; sides of {limits.min_side_px} px are the least")
    if max(width, height) > limits.max_side_px:
        raise Refused("side_too_long", f"{size}; sides of {limits.max_side_px} px are the most")
    if width * height > limits.max_pixels:
        raise Refused("too_many_pixels", f"{size}; {limits.max_pixels} pixels are the most")
    needed = width * height * bytes_per_px
    if needed > limits.max_bytes:
        raise Refused(
            "too_much_memory", f"{size} would take {needed} bytes; the limit is {limits.max_bytes}"
        )
