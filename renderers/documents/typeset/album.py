"""Pictures for figures: decoded by the one door, made small, as JPEG; a few are kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from renderers.dice import Dice
from vae_corpus.pictures.decode import Decoded, Limits, decode
from vae_corpus.pictures.encode import jpeg

_SIDE_PX, _QUALITY = 900, 92
_KEPT, _TRIES = 64, 4
_MAX_FILE_BYTES = 64 * 1024**2
_LIMITS = Limits(max_pixels=80_000_000, max_bytes=1024**3)


class Album:
    """Pictures by number; what cannot be decoded is passed over when one is drawn."""

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._paths = tuple(paths)
        self._kept: OrderedDict[int, tuple[bytes, float] | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._paths)

    def draw(self, dice: Dice) -> dict[str, Any] | None:
        """The file name and the ratio of width to height of one; None where none can be had."""
        for _ in range(_TRIES if self._paths else 0):
            number = dice.below(len(self._paths))
            found = self._get(number)
            if found:
                return {"picture": name(number), "aspect": found[1]}
        return None

    def file(self, picture: str) -> bytes:
        """The JPEG of a picture that was drawn, by its file name. ValueError for another."""
        number = int(picture.removeprefix(_PREFIX).removesuffix(_SUFFIX))
        found = self._get(number) if 0 <= number < len(self._paths) else None
        if found is None:
            raise ValueError(f"there is no {picture} among the {len(self)} pictures")
        return found[0]

    def _get(self, number: int) -> tuple[bytes, float] | None:
        if number not in self._kept:
            self._kept[number] = _small(self._paths[number])
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]


_PREFIX, _SUFFIX = "picture-", ".jpg"


def name(number: int) -> str:
    """The file name by which a template asks for a picture."""
    return f"{_PREFIX}{number}{_SUFFIX}"


def _small(path: Path) -> tuple[bytes, float] | None:
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            return None
        found = decode(path.read_bytes(), _LIMITS)
    except OSError:
        return None
    if not isinstance(found, Decoded):
        return None
    height, width = found.rgb.shape[:2]
    by = min(1.0, _SIDE_PX / max(width, height))
    size = max(1, round(width * by)), max(1, round(height * by))
    rgb = cv2.resize(found.rgb, size, interpolation=cv2.INTER_AREA) if by < 1 else found.rgb
    return jpeg(rgb, _QUALITY), round(width / height, 4)
