"""What the sealed set of text blocks is made from: photographs, surfaces, documents, faces, texts.

Nothing here is trained or chosen on: the packages are others than those of `clarity_pictures.py`
and `text_pages.py`. Files come out of Debian packages and one wheel when they are asked for;
`SOURCES` names them with their licences. Pictures are named one by one where others of their
package show text.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
from fontTools.ttLib import TTFont
from numpy.typing import NDArray
from PIL import Image

from vae_corpus import debian

Rgb = NDArray[np.uint8]

_PSYCHOPY = "psychopy==2026.2.5"
# (package, licence, what is taken)
SOURCES = (
    ("enlightenment-data", "BSD-2-clause, MIT", "photographs"),
    ("scratch", "GPL-2, CC-BY-SA-3.0", "photographs"),
    (f"{_PSYCHOPY} (PyPI)", "GPL-3+", "photographs"),
    ("ruby-rmagick-doc", "MIT", "photographs"),
    ("libjs-jquery-colorbox", "MIT", "photographs"),
    ("renpy-demo", "Expat", "photographs"),
    ("labelme-examples", "GPL-3+", "photographs"),
    ("python-kivy-examples", "Expat", "photographs"),
    ("qtbase5-examples", "BSD-3-clause", "photographs"),
    ("qtdeclarative5-examples", "BSD-3-clause", "photographs"),
    ("digikam-data", "GPL-2+", "photographs"),
    ("golang-github-disintegration-imaging-dev", "Expat", "photographs"),
    ("golang-github-disintegration-gift-dev", "Expat", "photographs"),
    ("librust-jpeg-decoder-dev", "MIT or Apache-2.0", "photographs"),
    ("libvigraimpex-doc", "Expat", "photographs"),
    ("gimp-data", "GPL-3+, LGPL-3+", "photographs"),
    ("ufoai-textures", "GPL-2+", "surfaces"),
    ("flowblade", "GPL-3+", "patterns"),
    ("visp-images-data", "GPL-2", "targets of calibration, markers"),
    ("lilypond-doc-pdf", "GPL-3+", "sheet music, a document"),
    ("kalzium-data", "GPL-2+, GFDL-1.2", "screens of programs"),
    ("eyes17", "GPL-3", "screens of programs"),
    ("kdenlive-data", "GPL-2+, GPL-3+", "screens of programs"),
    ("python-cartopy-data", "LGPL-3+, public domain", "ground of maps"),
    ("installation-guide-amd64", "GPL-2+", "documents"),
    ("hmmer-doc", "GPL-3", "document"),
    ("gri-pdf-doc", "GPL-2+", "document"),
    ("gitmagic", "GPL-3+", "document"),
    ("docbook-xsl-doc-pdf", "X11", "document"),
    ("live-manual-pdf", "GPL-3+", "document"),
    ("expeyes-doc-en", "GFDL-1.3, GPL-3+", "document"),
    ("freefem-doc", "GPL-2+", "document"),
    ("ngspice-doc", "BSD-3-clause", "document"),
    ("texlive-bibtex-extra", "LPPL, GPL", "documents"),
    ("texlive-lang-cjk", "LPPL, GPL", "documents"),
    ("libreoffice-help-en-us", "MPL-2.0", "text"),
    ("libreoffice-help-zh-cn", "MPL-2.0", "text"),
    ("libreoffice-help-zh-tw", "MPL-2.0", "text"),
    ("jargon-text", "public domain", "text"),
    ("fonts-roboto-unhinted", "Apache-2.0", "faces"),
    ("fonts-open-sans", "Apache-2.0", "faces"),
    ("fonts-linuxlibertine", "OFL-1.1", "faces"),
    ("fonts-crosextra-carlito", "OFL-1.1", "faces"),
    ("fonts-comic-neue", "OFL-1.1", "faces"),
    ("fonts-courier-prime", "OFL-1.1", "faces"),
    ("fonts-bebas-neue", "OFL-1.1", "faces"),
    ("fonts-vollkorn", "OFL-1.1", "faces"),
    ("fonts-junicode", "OFL-1.1", "faces"),
    ("fonts-firacode", "OFL-1.1", "faces"),
    ("fonts-b612", "OFL-1.1", "faces"),
    ("fonts-lobster", "OFL-1.1", "faces"),
    ("fonts-jetbrains-mono", "Apache-2.0", "faces"),
    ("fonts-quicksand", "OFL-1.1", "faces"),
    ("fonts-yanone-kaffeesatz", "OFL-1.1", "faces"),
    ("fonts-averia-sans-gwf", "OFL-1.1", "faces"),
    ("fonts-texgyre", "GUST", "faces"),
    ("fonts-droid-fallback", "Apache-2.0", "faces"),
    ("fonts-babelstone-han", "Arphic", "faces"),
    ("fonts-cns11643-kai", "OGDL-TW-1.0", "faces"),
    ("fonts-cns11643-sung", "OGDL-TW-1.0", "faces"),
    ("fonts-hanazono", "Hanazono, OFL-1.1", "faces"),
    ("fonts-cwtex-heib", "GPL-2+", "faces"),
    ("fonts-cwtex-yen", "GPL-2+", "faces"),
    ("fonts-cwtex-ming", "GPL-2+", "faces"),
)

# (script, package, end of the file's name), as `text_pages.pages` takes them.
DOCUMENTS = (
    ("latin", "installation-guide-amd64", "install.en.pdf.gz"),
    ("latin", "hmmer-doc", "Userguide.pdf.gz"),
    ("latin", "gri-pdf-doc", "gri.pdf.gz"),
    ("latin", "gitmagic", "gitmagic.pdf"),
    ("latin", "docbook-xsl-doc-pdf", "doc/reference.pdf.gz"),
    ("latin", "live-manual-pdf", "live-manual.portrait.en.letter.pdf.gz"),
    ("latin", "expeyes-doc-en", "en-eyes.pdf"),
    ("latin", "freefem-doc", "freefem.pdf"),
    ("latin", "ngspice-doc", "manual.pdf.gz"),
    ("latin", "lilypond-doc-pdf", "Documentation/learning.pdf"),
    ("latin", "texlive-bibtex-extra", "biblatex-chicago/biblatex-chicago.pdf"),
    ("han", "installation-guide-amd64", "install.zh_CN.pdf.gz"),
    ("han", "texlive-lang-cjk", "xecjk/xeCJK.pdf"),
    ("han", "texlive-lang-cjk", "cjkpunct/CJKpunct.pdf"),
    ("han", "texlive-lang-cjk", "zitie/zitie-cn.pdf"),
    ("han", "texlive-bibtex-extra", "gbt7714/gbt7714.pdf"),
    ("han", "texlive-bibtex-extra", "biblatex-gb7714-2015/biblatex-gb7714-2015.pdf"),
)

_SCRATCH = """chalkboard hall kitchen beach-malibu canyon flower-bed forest garden-rock
grand-canyon gravel-desert hill lake moon pathway tree water-and-rocks wave
bench-with-view boardwalk brick-wall-and-stairs brick-wall1 brick-wall2 building-at-mit castle
city-with-water city-with-water2 driveway hallway_outdoors hay_field houses mansion pool
train-tracks1 train-tracks2 village wooden-house basketball-court1-a basketball-court1-b
playing-field tennis-backboard"""
_PSYCHOPY_NAMES = "face01 face02 face03 house03 background canal fall lake swimming beach"
_PHOTOGRAPHS = (
    ("scratch", tuple(f"{name}.jpg" for name in _SCRATCH.split())),
    (
        "ruby-rmagick-doc",
        (
            "Ballerina.jpg",
            "Ballerina3.jpg",
            "Cheetah.jpg",
            "Flower_Hat.jpg",
            "Gold_Statue.jpg",
            "Hot_Air_Balloons.jpg",
            "Hot_Air_Balloons_H.jpg",
            "Polynesia.jpg",
            "Red_Rocks.jpg",
            "Shorts.jpg",
            "Violin.jpg",
        ),
    ),
    (
        "libjs-jquery-colorbox",
        ("daisy@2x.jpg", "marylou.jpg", "ohoopee1.jpg", "ohoopee2.jpg", "ohoopee3.jpg"),
    ),
    ("renpy-demo", ("bg cave.jpg", "bg washington.jpg", "bg whitehouse.jpg", "main_menu.jpg")),
    ("labelme-examples", ("0001.jpg", "0002.jpg", "2011_000003.jpg", "2011_000006.jpg")),
    ("python-kivy-examples", ("kiwi.jpg", "Wall.jpg", "cityCC0.png")),
    ("qtbase5-examples", ("place.jpg", "bg1.jpg", "flower.jpg")),
    ("qtdeclarative5-examples", ("niagara_falls.jpg", "backgroundLeaves.jpg", "fruit-salad.jpg")),
    ("digikam-data", ("body-background.jpg",)),
    ("golang-github-disintegration-imaging-dev", ("branches.jpg",)),
    ("golang-github-disintegration-gift-dev", ("src.jpg",)),
    ("librust-jpeg-decoder-dev", ("tower.jpg", "large_image.jpg")),
    ("libvigraimpex-doc", ("bears.jpg",)),
    ("gimp-data", ("beavis.jpg",)),
)
# Drawn, or of one surface; dark ones are as they are.
_NOT_PHOTOGRAPHS = ("Dunes", "Flat-Fan", "Flat-Stone-Pattern", "Paper-Flower")
_MOST_PX, _LEAST_PX = 1600, 256
_SURFACES = re.compile(
    r"textures/tex_(buildings|nature|material|streets|furniture)/[^/]*"
    r"(brick|wall|floor|paving|pave|window|roof|fence|grate|carpet|wallpaper|rock|grass|jungle|leaves"
    r"|wood|tile|metal|solar|cover|flower|street|curtain|blind|shelf)[^/]*\.(jpg|png)$"
)
# Maps of normals and of shine are no pictures; these others show letters or signs.
_NO_SURFACE = re.compile(
    r"wall03[89]|wall040|(_nm|_sm|_gm|_rm)\.|sign|poster|graf|advert|news|shop|text|crate|num"
)


def fetch_all() -> None:
    """Bring everything that stands in SOURCES, so that later calls need no network."""
    debian.fetch([name for name, _, _ in SOURCES if "PyPI" not in name])
    _wheel()


def _wheel() -> Path:
    """The wheel of PsychoPy, whose demonstrations hold photographs."""
    folder = debian.cache_dir() / "wheels"
    name = _PSYCHOPY.replace("==", "-")
    if not list(folder.glob(f"{name}-*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", _PSYCHOPY]
        subprocess.run([*command, "--dest", str(folder)], check=True)
    return min(folder.glob(f"{name}-*.whl"))


@cache
def photographs() -> tuple[tuple[str, Rgb], ...]:
    """(package/name, uint8[H, W, 3]) of photographs that show no text, at most 1,600 px long."""
    found = [(f"enlightenment-data/{name}", rgb) for name, rgb in _backgrounds()]
    folders = debian.fetch([package for package, _ in _PHOTOGRAPHS])
    for package, names in _PHOTOGRAPHS:
        for name in names:
            path = min(folders[package].rglob(name))
            found.append((f"{package}/{name}", _opened(path.read_bytes())))
    with zipfile.ZipFile(_wheel()) as wheel:
        for name in _PSYCHOPY_NAMES.split():
            inside = min(n for n in wheel.namelist() if n.endswith(f"/{name}.jpg"))
            found.append((f"psychopy/{name}.jpg", _opened(wheel.read(inside))))
    return tuple((name, rgb) for name, rgb in found if min(rgb.shape[:2]) >= _LEAST_PX)


def _backgrounds() -> Iterator[tuple[str, Rgb]]:
    """Photographs in EET archives, which hold JPEG files of many sizes as they are."""
    for path in sorted(debian.fetch(["enlightenment-data"])["enlightenment-data"].rglob("*.edj")):
        if "backgrounds" not in str(path) or path.stem in _NOT_PHOTOGRAPHS:
            continue
        data, sizes, at = path.read_bytes(), {}, -1
        while (at := data.find(b"\xff\xd8\xff\xe0", at + 1)) >= 0:
            try:
                with Image.open(io.BytesIO(data[at:])) as picture:
                    sizes[picture.width] = at
            except OSError:
                continue
        if sizes:
            nearest = min(sizes, key=lambda width: (abs(width - 2560), width))
            yield path.stem, _opened(data[sizes[nearest] :])


def _opened(data: bytes, most_px: int = _MOST_PX) -> Rgb:
    with Image.open(io.BytesIO(data)) as picture:
        rgb = np.asarray(picture.convert("RGB"))
    scale = min(1.0, most_px / max(rgb.shape[:2]))
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(rgb)


@cache
def surfaces(most: int = 90) -> tuple[tuple[str, Rgb], ...]:
    """Bricks, floors, windows, carpets, leaves: photographs of surfaces, without letters."""
    archive = min(debian.fetch(["ufoai-textures"])["ufoai-textures"].rglob("0textures.pk3"))
    with zipfile.ZipFile(archive) as textures:
        names = [
            n for n in textures.namelist() if _SURFACES.match(n) and not _NO_SURFACE.search(n[9:])
        ]
        names.sort(key=lambda n: hashlib.sha256(n.encode()).digest())
        found: list[tuple[str, Rgb]] = []
        for name in names:
            rgb = _opened(textures.read(name))
            if min(rgb.shape[:2]) >= _LEAST_PX and rgb.std() > 12 and len(found) < most:
                found.append((f"ufoai-textures/{name.rsplit('/', 1)[-1]}", rgb))
    return tuple(found)


@cache
def pictures(package: str, pattern: str, most: int) -> tuple[tuple[str, Rgb], ...]:
    """So many pictures of a package whose path matches, by the hash of their names."""
    folder = debian.fetch([package])[package]
    paths = [p for p in folder.rglob("*.*") if p.is_file() and re.search(pattern, str(p))]
    paths.sort(key=lambda p: hashlib.sha256(str(p.relative_to(folder)).encode()).digest())
    found: list[tuple[str, Rgb]] = []
    for path in paths:
        rgb = _opened(path.read_bytes())
        if min(rgb.shape[:2]) >= 200 and len(found) < most:
            found.append((f"{package}/{path.name}", rgb))
    return tuple(found)


@cache
def sheet_music(most: int = 24) -> tuple[tuple[str, Rgb], ...]:
    """Tiles of 256 px of engraved scores in whose reach the text layer has no letter or digit."""
    folder = debian.fetch(["lilypond-doc-pdf"])["lilypond-doc-pdf"]
    rng = np.random.default_rng(7)
    found: list[tuple[str, Rgb]] = []
    for path in sorted(p for p in folder.rglob("ly-examples/*.pdf") if "preview" not in p.name):
        document = pypdfium2.PdfDocument(path.read_bytes())
        for number in range(min(3, len(document))):
            page, scale = document[number], float(rng.uniform(1.2, 2.4))
            rgb = np.asarray(page.render(scale=scale).to_pil().convert("RGB"))
            letters = _letters(page, scale)
            for _ in range(60 if min(rgb.shape[:2]) > 256 else 0):
                y, x = (int(rng.integers(length - 255)) for length in rgb.shape[:2])
                near = (letters > (x - 8, y - 8)).all(1) & (letters < (x + 264, y + 264)).all(1)
                tile = rgb[y : y + 256, x : x + 256]
                if not near.any() and (tile.min(axis=2) < 128).mean() > 0.03:
                    found.append((f"lilypond-doc-pdf/{path.stem}", np.ascontiguousarray(tile)))
        document.close()
    rng.shuffle(found)
    return tuple(found[:most])


def _letters(page: Any, scale: float) -> NDArray[np.float64]:
    """Middles of the letters and digits of a page, in px; notes are letters of other fonts."""
    layer = page.get_textpage()
    places = [
        layer.get_charbox(i)
        for i in range(layer.count_chars())
        if layer.get_text_range(i, 1).isalnum()
    ]
    box = np.array(places, np.float64).reshape(-1, 4)
    x, y = (box[:, 0] + box[:, 2]) / 2, page.get_height() - (box[:, 1] + box[:, 3]) / 2
    return np.stack([x, y], axis=1) * scale


@cache
def faces(script: str) -> tuple[Path, ...]:
    """Font files whose letters a person can read at small sizes; `zh-tw` has faces of its own."""
    wanted = {
        "latin": "Roboto-Regular.ttf Roboto-Bold.ttf RobotoCondensed-Regular.ttf Roboto-Light.ttf"
        " OpenSans-Regular.ttf OpenSans-Semibold.ttf LinLibertine_R.otf LinBiolinum_R.otf"
        " Carlito-Regular.ttf Carlito-BoldItalic.ttf ComicNeue-Bold.otf Courier?Prime.otf"
        " BebasNeue-Regular.otf Vollkorn-Regular.ttf JunicodeTwoBeta-Medium.otf"
        " FiraCode-Regular.ttf B612-Regular.otf lobster.otf JetBrainsMono-Regular.ttf"
        " Quicksand-Bold.ttf YanoneKaffeesatz-Regular.otf AveriaSansGWF-Regular.ttf"
        " texgyrepagella-italic.otf texgyreadventor-regular.otf texgyreschola-bold.otf",
        "zh-cn": "DroidSansFallbackFull.ttf DroidSansFallbackFull.ttf BabelStoneHan.ttf"
        " TW-Kai-98_1.ttf TW-Sung-98_1.ttf HanaMinA.ttf",
        "zh-tw": "cwheib.ttf cwyen.ttf cwming.ttf TW-Kai-98_1.ttf DroidSansFallbackFull.ttf",
    }[script]
    packages = [name for name, _, what in SOURCES if what == "faces"]
    files = [
        p for folder in debian.fetch(packages).values() for p in sorted(folder.rglob("*.[ot]tf"))
    ]
    return tuple(next(p for p in files if p.match(pattern)) for pattern in wanted.split())


@cache
def known(face: Path) -> frozenset[int]:
    """Code points that a face draws."""
    return frozenset(TTFont(face, lazy=True).getBestCmap())


@cache
def sentences(script: str) -> tuple[str, ...]:
    """Running text in `latin` (English), `zh-cn` or `zh-tw`, a paragraph each."""
    if script == "latin":
        jargon = min(debian.fetch(["jargon-text"])["jargon-text"].rglob("jargon.html"))
        raw = [jargon.read_text(encoding="utf-8", errors="replace")]
    else:
        raw = []
    package = f"libreoffice-help-{'en-us' if script == 'latin' else script}"
    pages = sorted(debian.fetch([package])[package].rglob("text/shared/*/*.html"))
    raw += [page.read_text(encoding="utf-8") for page in pages[::3]]
    found = []
    for page in raw:
        for paragraph in re.findall(r"<p\b[^>]*>(.*?)</p>", page, re.DOTALL):
            text = " ".join(html.unescape(re.sub(r"<[^>]+>", "", paragraph)).split())
            han = sum("\u4e00" <= c <= "\u9fff" for c in text) / max(1, len(text))
            plain = text.isascii() if script == "latin" else han > 0.75
            if plain and len(text) > 12 and not re.search(r"LibreOffice 7|/text/|Title is", text):
                found.append(text)
    return tuple(dict.fromkeys(found))
