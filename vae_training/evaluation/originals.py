"""The originals of a set as they are measured, written as PNG, and made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vae_corpus.pictures.decode import VERSION as DECODE_VERSION
from vae_corpus.pictures.decode import Fault
from vae_corpus.pictures.encode import lossless
from vae_corpus.storage import commit_bytes
from vae_training.evaluation.pictures import Listing, Loaded, centre_cut, centre_square, load
from vae_training.metrics.ned import pixels_sha256

_INDEX = ".index.json"  # hidden: it is no picture
_VERSION = 2
Tell = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Original:
    """A picture of a set: its name, where its prepared pixels lie, and their sha256.

    `left` and `top` are where it begins in the picture that it was cut from, at the same scale.
    One that cannot be used has a `slug` and says `why`, and no pixels.
    """

    name: str
    path: str = ""
    sha256: str = ""
    width: int = 0
    height: int = 0
    left: int = 0
    top: int = 0
    note: str = ""
    slug: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Sides of the square in px: after resizing, or at the picture's own scale; None: as it is."""

    size: int | None = None
    crop: int | None = None


def prepare(
    listing: Listing, folder: Path, preparation: Preparation, *, tell: Tell
) -> list[Original]:
    """Write each picture as `folder/NAME.png`, and give all of them, those without pixels too.

    A picture that was written before from the same file, by its size and date, is kept.
    """
    kept = _read_index(folder, preparation)
    stamps: dict[str, Any] = {}
    found = []
    for done, (name, path) in enumerate(listing.pictures.items(), 1):
        stamp, target = _stamp(path), folder / f"{name}.png"
        before = kept.get(name)
        if before and before["stamp"] == stamp and target.is_file():
            # The folder may have moved since.
            original = Original(**{**before["original"], "path": str(target)})
        else:
            original = _prepare(name, path, target, preparation)
        if original.path:
            stamps[name] = {"stamp": stamp, "original": asdict(original)}
        found.append(original)
        tell(done)
    for name, paths in listing.ambiguous.items():
        found.append(Original(name=name, slug="ambiguous_name", why=" and ".join(map(str, paths))))
    if found:
        index = {"version": _key(preparation), "pictures": stamps}
        folder.mkdir(parents=True, exist_ok=True)
        commit_bytes(str(folder / _INDEX), json.dumps(index, ensure_ascii=False).encode())
    return sorted(found, key=lambda original: original.name)


def _stamp(path: Path) -> list[Any]:
    """What changes whenever the file does; one that cannot be looked at is told by its decoding."""
    try:
        stat = path.stat()
    except OSError:
        return []
    return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]


def _prepare(name: str, path: Path, target: Path, preparation: Preparation) -> Original:
    found = load(path)
    if isinstance(found, Fault):
        return Original(name=name, slug=found.slug, why=found.why)
    rgb, left, top = centre_cut(centre_square(found.rgb, preparation.size), preparation.crop)
    return write(name, Loaded(rgb=rgb, note=found.note), target, left=left, top=top)


def write(name: str, picture: Loaded, target: Path, *, left: int = 0, top: int = 0) -> Original:
    """Write a picture as PNG."""
    target.parent.mkdir(parents=True, exist_ok=True)
    commit_bytes(str(target), lossless(picture.rgb, "png"))
    height, width = picture.rgb.shape[:2]
    return Original(
        name=name,
        path=str(target),
        sha256=pixels_sha256(picture.rgb),
        width=width,
        height=height,
        left=left,
        top=top,
        note=picture.note,
    )


def _read_index(folder: Path, preparation: Preparation) -> dict[str, Any]:
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        return dict(index["pictures"]) if index["version"] == _key(preparation) else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _key(preparation: Preparation) -> list[Any]:
    return [_VERSION, DECODE_VERSION, preparation.size, preparation.crop]
