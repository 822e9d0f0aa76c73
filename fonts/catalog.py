"""List the fonts that the text renderer can use: Debian packages, and the faces found on disk.

    python fonts/catalog.py                       # packages, and faces already fetched or installed
    python fonts/catalog.py --lang zh --fetch     # fetch the packages first (no root needed)
    python fonts/catalog.py --fonts ~/my-fonts    # look in one folder only
    python fonts/catalog.py --specimen faces.png  # and draw every face at 6, 8, 12 and 20 px

A face is listed for a language when it really draws it: all printable ASCII for `en`, all of GB2312
level 1 for `zh`. Empty glyphs and placeholder boxes do not count.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fonts.faces import Face, scan, writing  # noqa: E402
from fonts.folders import usual_folders  # noqa: E402
from fonts.packages import PACKAGES  # noqa: E402
from fonts.specimen import sheet  # noqa: E402
from vae_corpus import settings  # noqa: E402
from vae_corpus.debian import PackagesUnavailable, cache_dir, fetch  # noqa: E402
from vae_corpus.settings import Settings  # noqa: E402


class CatalogSettings(Settings):
    """Which faces to list, and whether to draw them."""

    lang: Literal["en", "zh", "mixed"] | None = Field(None, description="only what writes it")
    fonts: tuple[Path, ...] = Field(
        (),
        description="folders or font files; none: the system's, the user's, the fetched packages",
    )
    fetch: bool = Field(False, description="fetch the listed packages into the cache first")
    specimen: Path | None = Field(
        None, description="PNG file: draw every listed face at four sizes"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables; 1 when a folder or a package cannot be had."""
    args = settings.load(CatalogSettings, argv, description=__doc__ or "")
    packages = [p for p in PACKAGES if args.lang in (None, *p.writes)]
    try:
        if args.fetch:
            fetch([package.name for package in packages])
        found = scan(args.fonts or usual_folders())
    except (PackagesUnavailable, FileNotFoundError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    faces = found.faces if args.lang is None else writing(found.faces, args.lang)
    here = {p.name for p in packages if (cache_dir() / "debian" / p.name).is_dir()}
    print(
        _table(
            ("package", "writes", "licence", "fetched", "what"),
            [
                (p.name, " ".join(p.writes), p.licence, "yes" if p.name in here else "", p.about)
                for p in packages
            ],
        )
    )
    print()
    print(_table(_FACE_HEAD, [_face_row(face) for face in faces]))
    print(f"\n{len(faces)} faces" + ("" if args.lang is None else f" that write {args.lang}"))
    for path, why in found.broken.items():
        print(f"left out: {path}: {why}")
    return _specimen(faces, args.specimen) if args.specimen else 0


def _specimen(faces: Sequence[Face], out: Path) -> int:
    from PIL import Image

    try:
        picture = sheet(faces)
        Image.fromarray(picture).save(out, "png")
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"specimen of {len(faces)} faces: {out}, {picture.shape[1]} x {picture.shape[0]} px")
    return 0


_FACE_HEAD = ("face", "weight", "writes", "characters", "vertical", "embed", "licence", "file")


def _face_row(face: Face) -> tuple[str, ...]:
    return (
        face.name,
        str(face.weight),
        " ".join(face.languages),
        str(len(face.coverage)),
        "yes" if face.vertical else "",
        "yes" if face.embeddable else "no",
        face.licence,
        f"{face.path.name}#{face.place}",
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )


if __name__ == "__main__":
    sys.exit(settings.run(main))
