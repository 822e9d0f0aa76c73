"""ICC profiles written by hand, and what colours they mean by our own arithmetic.

No colour management library is asked for the spaces of primaries and curves: the arithmetic is
that of ICC.1 (device -> curves -> matrix -> XYZ of D50) and of IEC 61966-2-1 (XYZ -> sRGB, out of
gamut clipped), in float64. `through_lcms` is the second opinion, and the first one for inks.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from odd_files_set.case import Rgb

Floats = NDArray[np.float64]
D50 = np.array([0.9642, 1.0, 0.8249])
_D65 = (0.3127, 0.3290)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: Floats) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(v) for v in values)


def srgb_decode(v: Floats) -> Floats:
    return np.where(v <= 0.04045, v / 12.92, ((np.maximum(v, 0) + 0.055) / 1.055) ** 2.4)


def srgb_encode(v: Floats) -> Floats:
    v = np.clip(v, 0, 1)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def to_d50(primaries: Sequence[tuple[float, float]], white: tuple[float, float]) -> Floats:
    """float64[3, 3]: linear RGB to XYZ relative to D50, adapted by Bradford."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    light = np.array([white[0] / white[1], 1, (1 - sum(white)) / white[1]])
    matrix = columns * np.linalg.solve(columns, light)
    scale = np.diag((_BRADFORD @ D50) / (_BRADFORD @ light))
    return np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix


_SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
_SRGB = to_d50(_SRGB_PRIMARIES, _D65)


def srgb_of(xyz: Floats) -> Rgb:
    """uint8 sRGB of XYZ relative to D50, float64[..., 3]; colours out of gamut are clipped."""
    linear = xyz @ np.linalg.inv(_SRGB).T
    return np.asarray(np.rint(srgb_encode(linear) * 255), np.uint8)


def lab_of(xyz: Floats) -> Floats:
    t = xyz / D50
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def xyz_of(lab: Floats) -> Floats:
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    return np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * D50


@dataclass(frozen=True, kw_only=True)
class Space:
    """A colour space of three primaries and one curve; `curve` is the ICC tag of the latter."""

    name: str
    primaries: tuple[tuple[float, float], ...]
    white: tuple[float, float]
    decode: Callable[[Floats], Floats]
    curve: bytes
    version: int = 2

    @property
    def matrix(self) -> Floats:
        return to_d50(self.primaries, self.white)

    def profile(self, name: str = "", **changes: Any) -> bytes:
        columns = self.matrix.T
        tags = {f"{c}XYZ": _xyz(column) for c, column in zip("rgb", columns, strict=True)}
        tags |= {f"{c}TRC": self.curve for c in "rgb"}
        return make("RGB ", tags | changes, name or self.name, self.version)

    def to_srgb(self, pixels: NDArray[Any], top: float = 255) -> Rgb:
        """What pixels of this space, any[..., 3] up to `top`, look like in sRGB."""
        return srgb_of(self.decode(pixels / top) @ self.matrix.T)


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0)


def table_curve(values: Floats) -> bytes:
    body = np.rint(values * 65535).astype(">u2").tobytes()
    return b"curv" + struct.pack(">II", 0, len(values)) + body + bytes(len(body) % 4)


def para_curve(kind: int, *values: float) -> bytes:
    return b"para" + struct.pack(">IHH", 0, kind, 0) + b"".join(_fixed(v) for v in values)


def _gamma(value: float) -> Callable[[Floats], Floats]:
    exact = round(value * 256) / 256
    return lambda v: v**exact


def _bt709(v: Floats) -> Floats:
    return np.where(v < 0.081, v / 4.5, ((v + 0.0993) / 1.0993) ** (1 / 0.45))


_SRGB_PARA = para_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
_2020 = ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046))
_ROMM = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
_RAMP = np.linspace(0, 1, 1024)


def _space(name: str, primaries: Any, decode: Any, curve: bytes, version: int = 2) -> Space:
    white = (0.3457, 0.3585) if name == "prophoto" else _D65
    return Space(
        name=name, primaries=primaries, white=white, decode=decode, curve=curve, version=version
    )


ADOBE = _space("adobergb", _ADOBE, _gamma(2.19921875), gamma_curve(2.19921875))
P3 = _space("display-p3", _P3, srgb_decode, _SRGB_PARA, 4)
P3_TABLE = _space("display-p3-v2-table", _P3, srgb_decode, table_curve(srgb_decode(_RAMP)))
PROPHOTO = _space("prophoto", _ROMM, _gamma(1.8), gamma_curve(1.8))
REC2020 = _space(
    "rec2020-v4",
    _2020,
    _bt709,
    para_curve(3, 1 / 0.45, 1 / 1.0993, 0.0993 / 1.0993, 1 / 4.5, 0.081),
    4,
)
LINEAR = _space("linear", _SRGB_PRIMARIES, lambda v: v, b"curv" + bytes(8))
APPLE = _space(
    "gamma18", ((0.625, 0.34), (0.28, 0.595), (0.155, 0.07)), _gamma(1.8), gamma_curve(1.8)
)
SRGB = _space("sRGB IEC61966-2.1", _SRGB_PRIMARIES, srgb_decode, table_curve(srgb_decode(_RAMP)))
SRGB_V4 = _space("sRGB", _SRGB_PRIMARIES, srgb_decode, _SRGB_PARA, 4)
P3_LINEAR = _space("p3-linear", _P3, lambda v: v, para_curve(0, 1.0), 4)


def grey_profile(curve: bytes, version: int = 2) -> bytes:
    return make("GRAY", {"kTRC": curve}, "grey", version)


def grey_to_srgb(grey: NDArray[Any], decode: Callable[[Floats], Floats], top: float = 255) -> Rgb:
    """uint8[H, W, 3]: grey of a curve as neutral sRGB."""
    shown = np.asarray(np.rint(srgb_encode(decode(grey / top)) * 255), np.uint8)
    return np.repeat(shown[:, :, None], 3, axis=2)


def dot_gain(v: Floats, gain: float = 0.2) -> Floats:
    """Light that paper gives back for grey v in [0, 1], dots growing by `gain` at half ink."""
    ink = 1 - v
    return 1 - (ink + 4 * gain * ink * (1 - ink))


def swapped_lut_profile(grid: int = 33) -> bytes:
    """A table (A2B0) that says G, B, R, beside primaries that say sRGB: the table goes first."""
    axis = np.linspace(0, 1, grid)
    rgb = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    lab = lab_of(srgb_decode(rgb[..., [1, 2, 0]]) @ _SRGB.T)
    columns = _SRGB.T
    tags = {"A2B0": _lut16(lab, 3, grid)}
    tags |= {f"{c}XYZ": _xyz(column) for c, column in zip("rgb", columns, strict=True)}
    tags |= {f"{c}TRC": SRGB.curve for c in "rgb"}
    return make("RGB ", tags, "a table", 2, pcs="Lab ")


def _ink_light(ink: Floats) -> Floats:
    """Linear sRGB of inks, float64[..., 4] in [0, 1]: each ink takes away its share of light."""
    left = np.array(
        [[0.02, 0.30, 0.60], [0.55, 0.03, 0.22], [0.85, 0.72, 0.03], [0.03, 0.03, 0.03]]
    )
    light = np.ones((*ink.shape[:-1], 3))
    for i in range(4):
        spread = ink[..., i : i + 1] + 0.5 * ink[..., i : i + 1] * (1 - ink[..., i : i + 1])
        light = light * (1 - spread * (1 - left[i]))
    return light


def ink_profile(grid: int = 9) -> bytes:
    axis = np.linspace(0, 1, grid)
    ink = np.stack(np.meshgrid(axis, axis, axis, axis, indexing="ij"), axis=-1)
    lab = lab_of(_ink_light(ink) @ _SRGB.T)
    return make("CMYK", {"A2B0": _lut16(lab, 4, grid)}, "a press", 2, pcs="Lab ", kind="prtr")


def inks_of(rgb: Rgb) -> Rgb:
    """uint8[H, W, 4], 255 is full ink: a plain separation with half of the grey in black."""
    ink = 1 - rgb / 255
    black = 0.5 * ink.min(axis=2, keepdims=True)
    return np.asarray(np.rint(np.concatenate([ink - black, black], axis=2) * 255), np.uint8)


def ink_to_srgb(ink: Rgb, profile: bytes | None) -> tuple[Rgb, ...]:
    """The right pixels for inks: through the profile by three ways, or the plain product."""
    if profile is None:
        left = 255 - ink.astype(np.int64)
        return (np.asarray((left[..., :3] * left[..., 3:] + 127) // 255, np.uint8),)
    image = Image.fromarray(ink, "CMYK")
    ours = srgb_of(_ink_light(ink / 255) @ _SRGB.T)
    return (through_lcms(image, profile, bpc=True), through_lcms(image, profile, intent=0), ours)


def through_lcms(image: Image.Image, profile: bytes, *, intent: int = 1, bpc: bool = False) -> Rgb:
    """Pixels in sRGB by LittleCMS: relative colorimetric unless another intent is asked for."""
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION if bpc else ImageCms.Flags.NONE
    found = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent(intent),
        outputMode="RGB",
        flags=flags,
    )
    assert found is not None
    return np.array(found)


# An opsin space in the manner of JPEG XL: roots of cone responses, as sum and differences.
_CONES = np.array([[0.30, 0.622, 0.078], [0.23, 0.692, 0.078], [0.2434, 0.2048, 0.5518]])
_X_SPAN, _B_SPAN = 0.1, 0.5


def xyb_of(rgb: Rgb) -> Rgb:
    """uint8[H, W, 3]: X, Y, B - Y of sRGB pixels, X and B around the middle of their range."""
    left, middle, short = np.moveaxis(np.cbrt(srgb_decode(rgb / 255) @ _CONES.T), -1, 0)
    y = (left + middle) / 2
    planes = [(left - middle) / 2 / _X_SPAN / 2 + 0.5, y, (short - y) / _B_SPAN / 2 + 0.5]
    return np.asarray(np.clip(np.rint(np.stack(planes, -1) * 255), 0, 255), np.uint8)


def xyb_to_srgb(xyb: Rgb) -> Rgb:
    roots = _roots(xyb / 255)
    linear = np.maximum(roots, 0) ** 3 @ np.linalg.inv(_CONES).T
    return srgb_of(linear @ _SRGB.T)


def _roots(v: Floats) -> Floats:
    x, y, b = (v[..., 0] - 0.5) * 2 * _X_SPAN, v[..., 1], (v[..., 2] - 0.5) * 2 * _B_SPAN
    return np.stack([y + x, y - x, y + b], axis=-1)


def xyb_profile() -> bytes:
    """A version 4 profile of type mAB: a table of 2 x 2 x 2, cubes, a matrix."""
    axis = np.linspace(0, 1, 2)
    corners = _roots(np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1))
    low = np.array([-_X_SPAN, -_X_SPAN, -_B_SPAN])
    span = np.array([1 + 2 * _X_SPAN, 1 + 2 * _X_SPAN, 1 + 2 * _B_SPAN])
    table = np.rint((corners - low) / span * 65535).astype(">u2").tobytes()
    clut = bytes([2, 2, 2] + [0] * 13) + bytes([2, 0, 0, 0]) + table
    line = b"curv" + bytes(8)
    cubes = b"".join(para_curve(3, 3.0, s, o, 0.0, -o / s) for s, o in zip(span, low, strict=True))
    # XYZ is coded as u1Fixed15: 1.0 stands for 65535/32768.
    matrix = _SRGB @ np.linalg.inv(_CONES) * 32768 / 65535
    numbers = b"".join(_fixed(v) for v in [*matrix.ravel(), 0, 0, 0])
    parts = [line * 3, numbers, cubes, clut, line * 3]  # B, matrix, M, CLUT, A
    offsets, at = [], 32
    for part in parts:
        offsets.append(at)
        at += len(part) + -len(part) % 4
    body = b"mAB " + bytes(4) + bytes([3, 3, 0, 0]) + struct.pack(">5I", *offsets)
    body += b"".join(part + bytes(-len(part) % 4) for part in parts)
    return make("RGB ", {"A2B0": body}, "XYB", 4)


def make(
    device: str,
    tags: dict[str, bytes],
    name: str,
    version: int,
    pcs: str = "XYZ ",
    kind: str = "mntr",
) -> bytes:
    """The bytes of a profile: header, table of tags, tags; those of the same bytes are shared."""
    text = name.encode("ascii")
    if version == 4:
        wide = name.encode("utf-16-be")
        words = b"mluc" + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(wide), 28) + wide
        right = words
    else:
        words = b"desc" + struct.pack(">II", 0, len(text) + 1) + text + bytes(1 + 12 + 67)
        right = b"text" + bytes(4) + b"none\0"
    tags = {"desc": words, "cprt": right, "wtpt": _xyz(D50)} | tags
    at, offsets, bodies = 132 + 12 * len(tags), {}, b""
    for body in tags.values():
        if body not in offsets:
            offsets[body] = (at, len(body))
            bodies += body + bytes(-len(body) % 4)
            at += len(body) + -len(body) % 4
    table = struct.pack(">I", len(tags))
    for tag, body in tags.items():
        table += tag.encode() + struct.pack(">II", *offsets[body])
    head = struct.pack(">I4sI4s4s4s", at, bytes(4), 0x02400000 if version == 2 else 0x04300000,
                       kind.encode(), device.encode(), pcs.encode())  # fmt: skip
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(24) + struct.pack(">I", 0)
    head += b"".join(_fixed(v) for v in D50)
    return head.ljust(128, b"\0") + table + bodies


def _lut16(lab: Floats, inputs: int, grid: int) -> bytes:
    """lut16Type with plain curves; Lab coded as version 2 does: 0xFF00 is L = 100."""
    coded = np.stack(
        [lab[..., 0] * 652.8, (lab[..., 1] + 128) * 256, (lab[..., 2] + 128) * 256], -1
    )
    table = np.clip(np.rint(coded), 0, 65535).astype(">u2").tobytes()
    body = b"mft2" + bytes(4) + bytes([inputs, 3, grid, 0])
    body += b"".join(_fixed(v) for v in np.eye(3).ravel()) + struct.pack(">HH", 2, 2)
    return body + struct.pack(">HH", 0, 65535) * inputs + table + struct.pack(">HH", 0, 65535) * 3
