"""Gather the pictures that the clarity filter is trained and judged on, out of Debian packages.

    python benchmarks/clarity_pictures.py --out DIR

Makes DIR/{train,test,confirm}/<class>-<package>/, with classes photo, graphics, screen and page. No
package that is trained on is on another side. Pictures of a package are drawn by the hash of their
names, so the same packages give the same folders. Packages come without root and need no apt
when they are in the cache already; the licence of each is in its usr/share/doc/<package>/copyright.
Patterns leave out what its package shows as an example of damage, and what was drawn as an icon.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from vae_corpus import debian

_MIN_SIDE_PX = 256
_FORMATS = {".png", ".jpg", ".jpeg", ".webp"}
# Pages of a document are rendered at sizes from a small preview to a readable print, in px per pt.
_PAGE_SCALES = (1.0, 1.33, 2.0, 2.78)
_PAGES = 12


class Pick(NamedTuple):
    """At most `limit` pictures of a package whose path matches a pattern and none of `without`."""

    content: str
    package: str
    limit: int
    patterns: tuple[str, ...] = ("*",)
    without: tuple[str, ...] = ()


TRAIN = (
    Pick("photo", "plasma-workspace-wallpapers", 60),
    Pick("photo", "gnome-backgrounds", 30),
    Pick("photo", "lxqt-themes", 30),
    Pick(
        "photo",
        "opencv-doc",
        70,
        ("*/data/*.jpg", "*/data/*.png", "*/samples/*.jpg", "*/samples/*.png"),
        (
            "*_motion*",
            "*defocus*",
            "*blur*",
            "*reconstruction*",
            "*cell.png",
            "*pic[0-9]*",
            "*left*",
            "*right*",
            "*mask*",
            "*noise*",
            "*depth*",
            "*aloe*",
        ),
    ),
    Pick("photo", "endless-sky-data", 70, ("*/land/*",)),
    Pick("photo", "stellarium-data", 8, ("*/nebulae/*",)),
    Pick("photo", "stellarium-data", 12, ("*/landscapes/*",)),
    Pick(
        "photo",
        "lugaru-data",
        20,
        ("*/Textures/*.jpg",),
        tuple(f"*{side}.jpg" for side in ("Up", "Down", "Left", "Right", "Front", "Back")),
    ),
    Pick("photo", "mypaint-data-extras", 8),
    Pick("graphics", "stellarium-data", 15, ("*/skycultures/*",)),
    Pick("graphics", "endless-sky-data", 15, ("*/scene/*", "*/planet/*", "*/ship/*")),
    Pick("graphics", "lincity-ng-data", 20),
    Pick("graphics", "krita-data", 20),
    Pick("graphics", "neverball-data", 20),
    Pick("graphics", "brainparty-data", 15),
    Pick("graphics", "foobillardplus-data", 12),
    Pick("graphics", "flare-game", 15),
    Pick("graphics", "desktop-base", 20),
    Pick("graphics", "python-sklearn-doc", 25, ("*/_images/*",)),
    Pick("graphics", "octave-doc", 10),
    Pick("graphics", "libcamera-doc", 8),
    Pick("screen", "gimp-help-en", 25, ("*.png",), ("*/filters/*",)),
    Pick("screen", "gnucash-docs", 25),
    Pick("screen", "mate-user-guide", 20),
    Pick("screen", "kicad-doc-en", 20),
    Pick("screen", "debian-handbook", 20),
    Pick("screen", "kstars-data", 25, ("*/doc/*",)),
    Pick("screen", "qtbase5-doc-html", 15),
    Pick("screen", "cloudcompare", 15, ("*.png",)),
    Pick("page", "debmake-doc", 16, ("*.pdf",)),
    Pick("page", "debian-reference-zh-cn", 16, ("*.pdf",)),
    Pick("page", "gnuplot-doc", 12, ("*.pdf",)),
    Pick("page", "asymptote-doc", 12, ("*.pdf",)),
    Pick("page", "octave-doc", 12, ("*.pdf*",)),
)
TEST = (
    Pick("photo", "palapeli-data", 20),
    Pick("photo", "kphotoalbum", 30, ("*.jpg",)),
    Pick("photo", "hugin-data", 12, ("*.jpg",), ("*CA_*", "*calib*", "*_[BR]_[YC]*")),
    Pick("photo", "tuxpaint-data", 30, ("*.jpg", "*.jpeg")),
    Pick("photo", "sway-backgrounds", 8),
    Pick("photo", "xplanet-images", 3),
    Pick("graphics", "fvwm-crystal", 3),
    Pick("graphics", "lxde-common", 3),
    Pick("graphics", "propaganda-debian", 20),
    Pick("graphics", "debian-edu-artwork-softwaves", 4),
    Pick("graphics", "debian-edu-artwork-emerald", 4),
    Pick("graphics", "debian-edu-artwork-homeworld", 4),
    Pick("graphics", "debian-edu-artwork-spacefun", 4),
    Pick("graphics", "povray-doc", 15),
    Pick("graphics", "pingus-data", 20),
    Pick("graphics", "gcompris-qt-data", 4),
    Pick("graphics", "maxima-doc", 15),
    Pick("screen", "khelpcenter", 20),
    Pick("screen", "luminance-hdr", 15),
    Pick("screen", "parley-data", 20),
    Pick("screen", "marble-data", 20),
    Pick("page", "gap-doc", 12, ("*.pdf*",)),
    Pick("page", "ghostscript-doc", 10, ("*.pdf*",)),
    Pick("page", "texlive-publishers-doc", 30, ("*.pdf",)),
)

# Looked at once, when nothing was left to choose: thresholds and settings were chosen on TEST.
CONFIRM = (
    Pick("photo", "imagemagick-6-doc", 10, ("*.jpg",)),
    Pick("photo", "extremetuxracer-data", 20),
    Pick("photo", "libirrlicht-doc", 20, ("*.jpg",)),
    Pick("photo", "afterstep-data", 2),
    Pick("graphics", "ogre-1.12-doc", 10),
    Pick("graphics", "kmahjongg", 15),
    Pick("graphics", "gnome-mahjongg", 6),
    Pick("graphics", "libpcl-doc", 12),
    Pick("screen", "debian-edu-doc-en", 20),
    Pick("screen", "openshot-qt-doc", 15),
    Pick("screen", "qtdeclarative5-doc-html", 15, ("*.png",)),
    Pick("page", "maint-guide-zh-cn", 10, ("*.pdf*",)),
    Pick("page", "developers-reference", 10, ("*.pdf*",)),
    Pick("page", "debian-policy", 10, ("*.pdf*",)),
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True)
    given = parser.parse_args(argv)
    unseen = {p.package for p in TEST + CONFIRM}
    assert unseen.isdisjoint(p.package for p in TRAIN)
    folders = debian.fetch(sorted({p.package for p in TRAIN + TEST + CONFIRM}))
    for side, picks in (("train", TRAIN), ("test", TEST), ("confirm", CONFIRM)):
        total = 0
        for pick in picks:
            target = given.out / side / f"{pick.content}-{pick.package}"
            target.mkdir(parents=True, exist_ok=True)
            found = gather(pick, folders[pick.package], target)
            total += found
            print(f"{side:6}{target.name:44}{found:4}")
        print(f"{side:6}{'':44}{total:4}\n")
    return 0


def gather(pick: Pick, folder: Path, target: Path) -> int:
    """Bring a pick's pictures into `target`; how many they are."""
    found = 0
    for path in _drawn(pick, folder):
        name = hashlib.sha256(str(path.relative_to(folder)).encode()).hexdigest()[:8]
        if pick.content == "page":
            written = _render(path, target, name, pick.limit - found)
        elif _serves(path):
            copy = target / f"{name}-{path.name}"
            copy.write_bytes(path.read_bytes())
            written = 1
        else:
            written = 0
        found += written
        if found >= pick.limit:
            break
    return found


def _drawn(pick: Pick, folder: Path) -> Iterator[Path]:
    """Files that match, in the order of the hashes of their names."""
    files = []
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        wanted = any(fnmatch.fnmatch(name, p) for p in pick.patterns)
        wanted = wanted and not any(fnmatch.fnmatch(name, p) for p in pick.without)
        if wanted and path.is_file() and not path.is_symlink():
            files.append((hashlib.sha256(name.encode()).digest(), path))
    return (path for _, path in sorted(files))


def _serves(path: Path) -> bool:
    """Whether it is a picture, large enough, and of more than a handful of colours."""
    if path.suffix.lower() not in _FORMATS:
        return False
    with Image.open(path) as picture:
        if min(picture.size) < _MIN_SIDE_PX:
            return False
        small = picture.convert("L").resize((64, 64))
    return len(set(small.tobytes())) >= 16


def _render(path: Path, target: Path, name: str, limit: int) -> int:
    """Some pages of a PDF as PNG, each at a scale drawn from its name."""
    import gzip

    import pypdfium2

    data = path.read_bytes()
    written = 0
    document = pypdfium2.PdfDocument(gzip.decompress(data) if path.suffix == ".gz" else data)
    try:
        pages = min(len(document), limit, _PAGES)
        for written in range(1, pages + 1):
            number = (written - 1) * len(document) // pages
            scale = _PAGE_SCALES[int(name, 16) % 4 - number % 2]
            image = document[number].render(scale=scale).to_pil().convert("RGB")
            image.save(target / f"{name}-{number:04}.png")
    finally:
        document.close()
    return written


if __name__ == "__main__":
    raise SystemExit(main())
