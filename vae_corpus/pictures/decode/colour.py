"""What the numbers of a picture mean, and their way to sRGB.

Everything behind the door takes pixels for sRGB. A picture with another profile is converted by
LittleCMS (Pillow's ImageCms), perceptually and with black point compensation, as ImageMagick does
and browsers do. Whether a profile is sRGB is not asked of its name, of which there are dozens, but
of what it does to a grid of colours. A profile that cannot be used leaves the numbers as they are.
"""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

from vae_corpus.pictures.decode.icc import Described, make_profile

# What a profile may measure; those of printers have some 2 MB.
MAX_PROFILE_BYTES = 32 * 1024**2

# Curves and matrices of sRGB profiles are rounded in many ways. More than two levels is seen.
_SAME_LEVELS = 2

# LittleCMS boils a profile down to a grid; on the usual one XYB is off by a visible step.
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.HIGHRESPRECALC

_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}
_PLAIN = {"L": "srgb", "RGB": "srgb", "CMYK": "cmyk", "LAB": "lab"}


@dataclass(frozen=True, kw_only=True)
class Space:
    """The colour space of a picture.

    `name` is "srgb", "cmyk" or "lab" (without a profile), "broken" (a profile that cannot be used)
    or what the profile calls itself. `transform` leads to sRGB; None: the numbers are taken as
    they are. `note` says what is odd.
    """

    name: str
    transform: ImageCms.ImageCmsTransform | None = None
    note: str = ""


def plain(mode: str, note: str = "") -> Space:
    """The space of pixels without a profile, in Pillow's mode L, RGB, CMYK or LAB."""
    lab = ImageCms.createProfile("LAB") if mode == "LAB" else None
    transform = _transform(ImageCms.ImageCmsProfile(lab), "LAB") if lab is not None else None
    return Space(name=_PLAIN[mode], transform=transform, note=note)


def broken(mode: str, why: str) -> Space:
    """The space of pixels whose profile cannot be used."""
    return Space(name="broken", transform=plain(mode).transform, note=f"colour profile: {why}")


# Few: a printer's profile and its tables take some MB.
@functools.lru_cache(maxsize=32)
def space_of(profile: bytes | Described | str, mode: str) -> Space:
    """The space that a profile (ICC bytes, or numbers) gives pixels of a mode: L, RGB, CMYK, LAB.

    A `str` says why there is no usable profile. Never raises.
    """
    if isinstance(profile, str):
        return broken(mode, profile)
    try:
        return _space_of(profile, mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        return broken(mode, str(error) or "unreadable")


def to_srgb(image: Image.Image, space: Space) -> Image.Image:
    """An image of mode L, RGB, CMYK or LAB as sRGB, mode RGB; L stays L where nothing changes."""
    if space.transform is None:
        return image.convert("RGB") if image.mode == "CMYK" else image
    if image.mode != space.transform.input_mode:
        image = image.convert(space.transform.input_mode)
    return space.transform.apply(image)


def _space_of(profile: bytes | Described, mode: str) -> Space:
    if isinstance(profile, Described):
        # Grey between such primaries is grey between those of sRGB: three equal channels.
        return plain(mode) if profile.is_srgb else _space_of(make_profile(profile), "RGB")
    if mode == "LAB":
        return plain(mode)  # says all by itself; what programs embed there is of no use to it
    announced = int.from_bytes(profile[:4], "big")
    if not 132 <= announced <= len(profile):
        raise ValueError(f"it has {len(profile)} of {announced} bytes")
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if opened.profile.device_class in ("link", "abst", "nmcl"):
        raise ValueError(f"its class is {opened.profile.device_class}")
    made_for = opened.profile.xcolor_space
    # Many grey pictures carry the profile of the program's working space.
    grey_as_rgb = mode == "L" and made_for == "RGB "
    if made_for != _SPACES[mode] and not grey_as_rgb:
        raise ValueError(f"it is for {made_for.strip()}, the pixels are {_SPACES[mode].strip()}")
    if mode != "CMYK" and _is_srgb(opened, "RGB" if grey_as_rgb else mode):
        return plain(mode)
    if grey_as_rgb:
        raise ValueError("it is for RGB, the pixels are grey")
    return Space(name=_name(opened), transform=_transform(opened, mode))


def _transform(source: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.ImageCmsTransform(
        source,
        _srgb(),
        mode,
        "RGB",
        ImageCms.Intent.PERCEPTUAL,
        flags=_FLAGS,
    )


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _is_srgb(profile: ImageCms.ImageCmsProfile, mode: str) -> bool:
    """Whether the profile leaves a grid of colours as it is, colour for colour."""
    if mode == "L":
        grid = np.arange(256, dtype=np.uint8)[None]
        same = np.repeat(grid[:, :, None], 3, axis=2)
    elif mode == "RGB":
        steps = np.linspace(0, 255, 12).astype(np.uint8)
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
        same = grid
    else:
        return False
    # Colour for colour: the perceptual tables of the sRGB profile that ICC publishes re-render.
    found = ImageCms.ImageCmsTransform(
        profile, _srgb(), mode, "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
    ).apply(Image.fromarray(grid))
    return int(np.abs(np.asarray(found).astype(int) - same).max()) <= _SAME_LEVELS


def _name(profile: ImageCms.ImageCmsProfile) -> str:
    said = profile.profile.profile_description or ""
    kept = "".join(c for c in said if c.isprintable()).strip()
    return kept[:60] or "unnamed profile"
