"""Bytes in, an upright sRGB picture or a fault out: which format it is, and who decodes it.

JPEG goes to simplejpeg, the rest to Pillow, plugin by plugin (its general `open` would warn about
sizes that the limits already judge), each after our own check that the file is whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

from vae_corpus.pictures.decode.fault import SLUGS, Fault, Limits, Refused
from vae_corpus.pictures.decode.isobmff import brand
from vae_corpus.pictures.decode.jpeg import decode_jpeg, fill_jpeg, read_header
from vae_corpus.pictures.decode.modern import decode_avif, decode_heic, decode_jxl
from vae_corpus.pictures.decode.others import decode_bmp, decode_gif
from vae_corpus.pictures.decode.pixels import Colours, Luma, Picture, Pixels, Rgb, arranged
from vae_corpus.pictures.decode.png import decode_png
from vae_corpus.pictures.decode.tiff import decode_tiff
from vae_corpus.pictures.decode.webp import decode_webp

_LIMITS = Limits()


@dataclass(frozen=True)
class Decoded:
    """An upright picture: uint8[H, W, 3] sRGB, the format's name, and for JPEG its IJG quality.

    Whoever asked for BGR finds that in `rgb`.
    `jpeg_quality` in [1, 100] is read off the luma table in the header, None for other formats.
    It tells of the last encoding only, nothing of earlier ones.
    `colour_space` names that of the file: "srgb" (also where none is named), "cmyk", "lab",
    "broken" (a profile that cannot be used), or what its profile calls itself. Where its numbers
    were changed to become sRGB, `colour_converted` is true, and the bytes of the file mean other
    colours to whoever ignores its profile. `note` tells of harmless oddities; empty: none.
    """

    rgb: Rgb
    format: str
    jpeg_quality: float | None = None
    colour_space: str = "srgb"
    colour_converted: bool = False
    note: str = ""


@dataclass(frozen=True)
class DecodedLuma:
    """As `Decoded`, but with uint8[H, W] luma for pixels."""

    luma: Luma
    format: str
    jpeg_quality: float | None = None
    colour_space: str = "srgb"
    colour_converted: bool = False
    note: str = ""


def decode(data: bytes, limits: Limits | None = None, *, bgr: bool = False) -> Decoded | Fault:
    """Decode the bytes of an image file strictly; a `Fault` for anything that is not whole.

    File names play no part. Memory stays within `limits.max_bytes`; the default limits allow
    200 megapixels, and 178 of WebP, AVIF, HEIC and JPEG XL, which take most. With `bgr` the colours
    come in the order blue, green, red, which costs nothing for JPEG.
    """
    found = _guarded(data, limits or _LIMITS, "bgr" if bgr else "rgb")
    return found if isinstance(found, Fault) else Decoded(*found)


def decode_luma(data: bytes, limits: Limits | None = None) -> DecodedLuma | Fault:
    """As `decode`, for those who need no colour: faster for JPEG, whose luma is taken as stored.

    That differs by a rounding error from the luma of the decoded colours, by more only where those
    were clipped. For other formats and other colour spaces it is the luma of `decode`.
    """
    found = _guarded(data, limits or _LIMITS, "grey")
    return found if isinstance(found, Fault) else DecodedLuma(*found)


class Opened:
    """A file of which the place and the size of the pixels are known: `pixels`, uint8[H, W, 3].

    They are there once `decode` has given None; it gives a fault when the file is damaged.
    """

    __slots__ = ("_colours", "_data", "_scratch", "pixels")

    def __init__(
        self, pixels: Pixels, data: bytes = b"", scratch: Pixels | None = None, colours: str = ""
    ) -> None:
        self.pixels, self._data, self._scratch, self._colours = pixels, data, scratch, colours

    def decode(self) -> Fault | None:
        if self._scratch is None:
            return None
        try:
            fill_jpeg(self._data, self._colours, self._scratch, self.pixels)
        except Exception as error:
            return _fault(error)
        return None


def open_image(data: bytes, scratch: Pixels, *, bgr: bool = False) -> Opened | Fault:
    """As `decode`, in two steps: whoever decodes many files first opens some, then decodes each.

    For pictures out of a corpus, where all numbers are sRGB: profiles are passed over.
    A decoder drives the interpreter out of the caches, so what Python does between two pictures
    takes several times as long as in a loop of its own. Most JPEGs wait to be decoded into
    `scratch`, one after the other; all else is decoded at once, into memory of its own.
    """
    colours: Colours = "bgr" if bgr else "rgb"
    if data.startswith(_JPEG):
        try:
            header = read_header(data, _LIMITS)
        except Exception as error:
            return _fault(error)
        size = 3 * header.width * header.height
        if header.components != 4 and header.orientation == 1 and size <= len(scratch):
            pixels = scratch[:size].reshape(header.height, header.width, 3)
            return Opened(pixels, data, scratch, colours)
    found = _guarded(data, _LIMITS, colours)
    return found if isinstance(found, Fault) else Opened(found[0])


# Pixels, format, JPEG quality, colour space, whether converted, note.
_Found = tuple[Pixels, str, float | None, str, bool, str]


def _guarded(data: bytes, limits: Limits, colours: Colours) -> _Found | Fault:
    try:
        return _decode(data, limits, colours)
    except Exception as error:
        return _fault(error)


def _fault(error: Exception) -> Fault:
    """What an error tells of a file: decoders raise all kinds of them on foreign bytes."""
    if isinstance(error, Refused):
        return error.fault
    if isinstance(error, MemoryError):
        return Fault("too_much_memory", "the machine has not enough memory to decode this")
    said = str(error) or type(error).__name__
    # "Premature end of JPEG file" is a missing end; the "data segment" ends early by bit rot.
    ends = ("premature end of jpeg", "truncated", "not enough", "unexpected end")
    slug = "truncated" if any(words in said.lower() for words in ends) else "corrupt"
    return Fault(slug, said)


_JPEG = b"\xff\xd8\xff"
# Magic bytes: (offset, bytes, name). RIFF and ISO media files need a second look.
_MAGIC = (
    (0, _JPEG, "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (8, b"WEBP", "webp"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"II+\0", "tiff"),
    (0, b"MM\0+", "tiff"),
    (0, b"\xff\x0a", "jxl"),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (0, b"\xff\x4f\xff\x51", "jp2"),
    (0, b"8BPS", "psd"),
    (0, b"\0\0\1\0", "ico"),
    (0, b"qoif", "qoi"),
    (0, b"v/1\1", "exr"),
    (0, b"DDS ", "dds"),
    (0, b"%PDF-", "pdf"),
    (0, b"BM", "bmp"),
)


def sniff(data: bytes) -> str | None:
    """The format that the first bytes announce, supported or not; None when they announce none."""
    for offset, magic, name in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            if name == "webp" and data[:4] != b"RIFF":
                continue
            # Two letters are little evidence: a bitmap also has a header of a known length.
            if name == "bmp" and data[15:18] != b"\0\0\0":
                continue
            return name
    if (found := brand(data)) is not None:
        return found
    # Portable anymaps: P and a digit, then a space or a line's end.
    if data[:1] == b"P" and data[1:2] in b"1234567" and data[2:3].isspace():
        return "pnm"
    head = data[:256].lstrip().lower()
    return "svg" if head.startswith((b"<svg", b"<?xml")) and b"<svg" in data[:4096] else None


def _decode(data: bytes, limits: Limits, colours: Colours) -> _Found:
    if not data:
        raise Refused("empty", SLUGS["empty"])
    name = sniff(data)
    if name is None:
        raise Refused("not_an_image", f"first bytes {data[:8].hex(' ')}")
    if name == "jpeg":
        return _decode_jpeg(data, limits, colours, name)
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise Refused("unsupported_format", f"{name} is not read here")
    # Pillow warns about metadata that does not matter to the pixels.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = decoder(data, limits)
    if isinstance(picture, bytes):
        return _decode_jpeg(picture, limits, colours, name)
    pixels, space, converted, note = picture
    return arranged(pixels, colours), name, None, space, converted, note


def _decode_jpeg(data: bytes, limits: Limits, colours: Colours, name: str) -> _Found:
    header = read_header(data, limits)
    pixels, space, converted, note = decode_jpeg(data, header, colours)
    return pixels, name, header.quality, space, converted, note


_DECODERS: dict[str, Callable[[bytes, Limits], Picture | bytes]] = {
    "png": decode_png,
    "webp": decode_webp,
    "gif": decode_gif,
    "bmp": decode_bmp,
    "tiff": decode_tiff,
    "avif": decode_avif,
    "heic": decode_heic,
    "jxl": decode_jxl,
}
