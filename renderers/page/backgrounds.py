"""Backgrounds out of picture files, folders and shards: decoded through the one door.

A picture inside a tar has the path of the tar and its name in it: `general-000000.tar/a-0123.jpg`.
"""

from __future__ import annotations

import tarfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from renderers.arrays import Picture
from vae_corpus.pictures.decode import Fault, decode

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
_SHARD = ".tar"
_KEPT = 16


class NoBackground(ValueError):
    """No picture is large enough or readable; the message says why."""


class Backgrounds:
    """Backgrounds for pages. Keeps the last few decoded; `refused` has those that do not decode."""

    def __init__(self, paths: Sequence[Path]) -> None:
        # Pictures in tars: the tar, and offset and size in bytes inside it.
        self._places: dict[Path, tuple[Path, int, int]] = {}
        self._paths = self._pictures(paths)
        self._decoded: OrderedDict[Path, Picture] = OrderedDict()
        # Height and width of all pictures decoded so far: a small one is not decoded again.
        self._sizes: dict[Path, tuple[int, int]] = {}
        self.refused: dict[Path, str] = {}
        if not self._paths:
            places = ", ".join(map(str, paths)) or "no path at all"
            raise NoBackground(
                f"no picture in {places}: give a folder with JPEG or PNG files, or WebDataset tars"
            )

    def sample(self, rng: np.random.Generator, width: int, height: int) -> tuple[Path, Picture]:
        """A picture of at least `width` x `height` px, `uint8[H, W, 3]`, and its path.

        NoBackground when no file is that large.
        """
        order = rng.permutation(len(self._paths))
        for index in order:
            path = self._paths[int(index)]
            rows, columns = self._sizes.get(path, (height, width))
            if rows < height or columns < width:
                continue
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
        got = decode(self._bytes(path))
        if isinstance(got, Fault):
            self.refused[path] = got.why
            return None
        self._decoded[path] = got.rgb
        self._sizes[path] = got.rgb.shape[0], got.rgb.shape[1]
        if len(self._decoded) > _KEPT:
            self._decoded.popitem(last=False)
        return got.rgb

    def _bytes(self, path: Path) -> bytes:
        if path not in self._places:
            return path.read_bytes()
        shard, offset, size = self._places[path]
        with open(shard, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def _pictures(self, paths: Sequence[Path]) -> list[Path]:
        found: list[Path] = []
        for path in paths:
            shard = next((p for p in path.parents if p.suffix == _SHARD and p.is_file()), None)
            if path.is_dir():
                files = [p for p in path.rglob("*") if p.is_file()]
                found += [p for p in files if p.suffix.lower() in _SUFFIXES]
                found += [p for tar in files if tar.suffix == _SHARD for p in self._members(tar)]
            elif path.suffix == _SHARD and path.is_file():
                found += self._members(path)
            elif path.is_file() or (shard and path in self._members(shard)):
                found.append(path)
            else:
                raise NoBackground(f"no such picture or folder: {path}")
        return sorted(dict.fromkeys(found))

    def _members(self, shard: Path) -> list[Path]:
        """The pictures in a tar. NoBackground when it is none."""
        try:
            with tarfile.open(shard, "r:") as tar:
                places = {
                    shard / member.name: (shard, member.offset_data, member.size)
                    for member in tar
                    if member.isfile() and Path(member.name).suffix.lower() in _SUFFIXES
                }
        except (OSError, tarfile.TarError) as error:
            raise NoBackground(f"cannot read the shard {shard}: {error}") from None
        self._places |= places
        return list(places)
