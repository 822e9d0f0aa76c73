"""Backgrounds out of a folder of pictures: decoded through the one door, cut at random."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.decode import Fault, decode

Picture = npt.NDArray[np.uint8]
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
_KEPT = 16


class NoBackground(ValueError):
    """No picture is large enough or readable; the message says why."""


class Backgrounds:
    """Pictures to draw on. Keeps the last few decoded; unusable files are named in `refused`."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = _pictures(paths)
        self._decoded: OrderedDict[Path, Picture] = OrderedDict()
        self.refused: dict[Path, str] = {}
        if not self._paths:
            places = ", ".join(map(str, paths)) or "no path at all"
            raise NoBackground(f"no picture in {places}: give a folder with JPEG or PNG files")

    def draw(self, rng: np.random.Generator, width: int, height: int) -> tuple[Path, Picture]:
        """A picture of at least `width` x `height` px, `uint8[H, W, 3]`, and its path.

        NoBackground when no file is that large.
        """
        order = rng.permutation(len(self._paths))
        for index in order:
            path = self._paths[int(index)]
            picture = self._picture(path)
            if picture is None:
                continue
            if picture.shape[1] >= width and picture.shape[0] >= height:
                return path, picture
        reasons = "; ".join(f"{path.name}: {why}" for path, why in list(self.refused.items())[:3])
        raise NoBackground(
            f"none of {len(self._paths)} pictures is {width}x{height} px or larger"
            + (f" ({len(self.refused)} do not decode: {reasons})" if reasons else "")
        )

    def _picture(self, path: Path) -> Picture | None:
        if path in self.refused:
            return None
        if path in self._decoded:
            self._decoded.move_to_end(path)
            return self._decoded[path]
        got = decode(path.read_bytes())
        if isinstance(got, Fault):
            self.refused[path] = got.why
            return None
        self._decoded[path] = got.rgb
        if len(self._decoded) > _KEPT:
            self._decoded.popitem(last=False)
        return got.rgb


def _pictures(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += [p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p.is_file()]
        elif path.is_file():
            found.append(path)
        else:
            raise NoBackground(f"no such picture or folder: {path}")
    return sorted(dict.fromkeys(found))
