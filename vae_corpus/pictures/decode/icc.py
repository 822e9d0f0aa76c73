"""ICC profiles out of a few numbers: for files that name their colours without carrying a profile.

PNG has chunks for gamma and chromaticities (gAMA, cHRM), PNG and ISO media files have code points
(cICP, nclx: ITU-T H.273), and cameras that shoot Adobe RGB may say so in EXIF alone.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# x, y of red, green, blue and white.
Chromaticities = tuple[float, float, float, float, float, float, float, float]

_D65 = (0.3127, 0.3290)
SRGB_PRIMARIES: Chromaticities = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65)
ADOBE_PRIMARIES: Chromaticities = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *_D65)
ADOBE_GAMMA = 563 / 256

# ITU-T H.273, table 2. 2 means "unspecified": what has no name is sRGB.
_PRIMARIES: dict[int, tuple[str, Chromaticities]] = {
    1: ("BT.709", SRGB_PRIMARIES),
    2: ("BT.709", SRGB_PRIMARIES),
    4: ("BT.470 M", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316)),
    5: ("BT.470 BG", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65)),
    6: ("BT.601", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    7: ("SMPTE 240M", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    9: ("BT.2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)),
    11: ("DCI-P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: ("Display P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)),
    22: ("EBU 3213", (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65)),
}
# Table 3. None is the curve of sRGB. Still pictures that say BT.709 (1, 6, 14, 15) come from video
# encoders that were told nothing, and every browser shows them like sRGB: so do we.
_CURVES: dict[int, float | None] = {
    **{1: None, 2: None, 6: None, 13: None, 14: None, 15: None},
    **{4: 2.2, 5: 2.8, 8: 1.0},
}
HDR_CURVES = {16: "PQ", 18: "HLG"}

# How much a gamma or a chromaticity may be off and still mean sRGB (libpng's own threshold for the
# first; cHRM is written with 3 to 5 digits).
_GAMMA_TOLERANCE = 0.05
_XY_TOLERANCE = 0.002


@dataclass(frozen=True)
class Described:
    """Colours described by numbers: `gamma` None is the curve of sRGB."""

    name: str
    primaries: Chromaticities
    gamma: float | None

    @property
    def is_srgb(self) -> bool:
        near = all(
            abs(a - b) <= _XY_TOLERANCE for a, b in zip(self.primaries, SRGB_PRIMARIES, strict=True)
        )
        return near and (self.gamma is None or abs(self.gamma / 2.2 - 1) <= _GAMMA_TOLERANCE)


ADOBE_RGB = Described("Adobe RGB (1998)", ADOBE_PRIMARIES, ADOBE_GAMMA)


def code_points(primaries: int, curve: int) -> Described | None:
    """The colours of H.273 code points; None where these are reserved or no display colours."""
    if primaries not in _PRIMARIES or curve not in _CURVES:
        return None
    name, chromaticities = _PRIMARIES[primaries]
    return Described(name, chromaticities, _CURVES[curve])


def make_profile(described: Described) -> bytes:
    """A version 4 display profile; ValueError when the chromaticities span no colours."""
    matrix = _to_d50(described.primaries)
    if described.gamma is None:
        # Parametric curve 3: ((x * a + b) ^ g above d, x * c below), IEC 61966-2-1.
        curve = _numbers(b"para\0\0\0\0\0\3\0\0", 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    else:
        curve = _numbers(b"para\0\0\0\0\0\0\0\0", described.gamma)
    white = _numbers(b"XYZ \0\0\0\0", *_D50)
    tags = {b"desc": _text(described.name), b"cprt": _text("none"), b"wtpt": white}
    for i, colour in enumerate("rgb"):
        tags[f"{colour}XYZ".encode()] = _numbers(b"XYZ \0\0\0\0", *matrix[:, i])
        tags[f"{colour}TRC".encode()] = curve
    return _assembled(tags)


_D50 = (0.9642, 1.0, 0.8249)
# Lam's cone responses ("Bradford"), as the ICC specification prescribes for white points.
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def _to_d50(primaries: Chromaticities) -> NDArray[np.float64]:
    """float64[3, 3]: linear RGB to XYZ, seen under D50."""
    if not all(0 <= value <= 1 for value in primaries):
        raise ValueError(f"chromaticities {primaries}")
    xyz = np.array([_xyz(x, y) for x, y in zip(primaries[::2], primaries[1::2], strict=True)]).T
    red_green_blue, white = xyz[:, :3], xyz[:, 3]
    if abs(np.linalg.det(red_green_blue)) < 1e-3:
        raise ValueError(f"the primaries {primaries} lie on a line")
    matrix = red_green_blue * np.linalg.solve(red_green_blue, white)
    gain = (_CONES @ np.array(_D50)) / (_CONES @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(_CONES) @ (gain[:, None] * _CONES) @ matrix
    return adapted


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    if y < 1e-5:
        raise ValueError(f"a chromaticity of {x}, {y}")
    return x / y, 1.0, (1 - x - y) / y


def _numbers(head: bytes, *values: float) -> bytes:
    return head + b"".join(struct.pack(">i", round(float(v) * 65536)) for v in values)


def _text(text: str) -> bytes:
    said = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(said), 28) + said


def _assembled(tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">II", at + len(body), 0) + b"\4\x30\0\0mntrRGB XYZ "
    # A fixed date: the same numbers give the same bytes.
    head += struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += _numbers(b"", *_D50)
    return head.ljust(128, b"\0") + table + body
