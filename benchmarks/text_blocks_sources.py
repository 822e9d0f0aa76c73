"""What the sealed set of text blocks is made from: photographs, surfaces, documents, faces, texts.

Nothing here is trained or chosen on: the packages are others than those of `clarity_pictures.py`
and `text_pages.py`, and `text_blocks_packages.py` names them. Pictures are named one by one where
others of their package show text.
"""

from __future__ import annotations

import ctypes
import hashlib
import html
import re
import struct
import zipfile
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from fontTools.ttLib import TTFont
from numpy.typing import NDArray
from PIL import Image
from text_blocks_packages import SOURCES, folder_of

Rgb = NDArray[np.uint8]

# From what em on faces keep their level strokes, which are hairlines: the character for one is one.
_LEAST_EM = {"TW-Kai": 13, "zcool-xiaowei": 13, "BabelStone": 9}
# (script, package, end of the file's name), as `text_pages.pages` takes them.
DOCUMENTS = (
    ("latin", "c++-annotations-pdf", "cplusplus.pdf"),
    ("latin", "ubuntu-packaging-guide-pdf", "ubuntu-packaging-guide.pdf.gz"),
    ("latin", "why3-doc-pdf", "manual.pdf"),
    ("latin", "auto-multiple-choice-doc-pdf", "auto-multiple-choice.en.pdf"),
    ("latin", "pari-doc", "doc/users.pdf"),
    ("latin", "gromacs-data", "html/manual-2022.5-Debian_2022.5_2.pdf"),
    ("latin", "sdcc-doc", "sdccman.pdf.gz"),
    ("latin", "evolver-doc", "manual270.pdf"),
    ("latin", "mit-scheme-doc", "mit-scheme-ref.pdf.gz"),
    ("latin", "mit-scheme-doc", "mit-scheme-user.pdf.gz"),
    ("han", "debian-refcard", "refcard-zh_CN-a4.pdf.gz"),
    ("han", "debian-refcard", "refcard-zh_TW-a4.pdf.gz"),
    ("han", "texlive-luatex", "chinese-jfm.pdf"),
    ("han", "texlive-science-doc", "fixdif-zh-cn.pdf"),
    ("han", "texlive-science-doc", "pascaltriangle.pdf"),
    ("han", "texlive-xetex", "tetragonos.pdf"),
    ("han", "texlive-xetex", "cqubeamer.pdf"),
)

# Names are ends of paths; each package's pictures in one line of text.
_PHOTOGRAPHS = (
    (
        "soft-ui-design-system",
        "anastasia.jpg blog7-2.jpg blog7-3.jpg brooke.jpg bruce-mars.jpg"
        " ivana.jpg ivancik.jpg kal-visuals.jpg marie.jpg nastuh.jpg office-dark.jpg team-1.jpg"
        " team-2.jpg team-3.jpg team-4.jpg toa-heftiba.jpg",
    ),
    (
        "material-kit",
        "img/bg.jpg bg2.jpg bg3.jpg bg7.jpg city-profile.jpg img/city.jpg clem-onojegaw.jpg"
        " clem-onojeghuo.jpg cynthia-del-rio.jpg olu-eletu.jpg studio-2.jpg studio-3.jpg"
        " studio-5.jpg avatar.jpg camp.jpg card-profile1-square.jpg card-profile2-square.jpg"
        " card-profile4-square.jpg card-profile5-square.jpg card-profile6-square.jpg marc.jpg"
        " profile_city.jpg",
    ),
    (
        "material-kit-react",
        "cover.jpeg sidebar-2.jpg sidebar-4.jpg bg4.jpg bg7.jpg landing-bg.jpg profile-bg.jpg",
    ),
    (
        "paper-kit-2",
        "antoine-barres.jpg bruno-abatti.jpg daniel-olahh.jpg daniel-olahs.jpg fabio-mangione.jpg"
        " federico-beccari.jpg joshua-stannard.jpg login-image.jpg"
        " soroush-karimi.jpg uriel-soberanes.jpg clem-onojeghuo-2.jpg erik-lucatero-2.jpg"
        " joe-gardner-2.jpg kaci-baum-2.jpg",
    ),
    (
        "argon-design-system-free",
        "ali-pazani.jpg brooke-cagle.jpg fezbot.jpg michael.jpg team-1.jpg team-2.jpg"
        " team-3.jpg mohamed.jpg",
    ),
    ("notus-js", "team-4-470x470.png"),
    ("startbootstrap-agency", "team/1.jpg team/2.jpg team/3.jpg"),
    ("startbootstrap-business-casual", "img/bg.jpg products-01.jpg products-02.jpg"),
    ("startbootstrap-creative", "fullsize/6.jpg"),
    (
        "startbootstrap-grayscale",
        "bg-masthead.jpg bg-signup.jpg demo-image-01.jpg demo-image-02.jpg",
    ),
    (
        "startbootstrap-landing-page",
        "bg-masthead.jpg bg-showcase-3.jpg testimonials-1.jpg testimonials-3.jpg",
    ),
    ("startbootstrap-one-page-wonder", "img/02.jpg img/03.jpg"),
    (
        "startbootstrap-stylish-portfolio",
        "bg-callout.jpg bg-masthead.jpg portfolio-1.jpg portfolio-2.jpg portfolio-3.jpg",
    ),
    (
        "libjs-jquery-backstretch",
        "coffee.jpg dome.jpg sample1_1920.jpg sample2_1920.jpg",
    ),
    ("lebiniou-data", "aquarium.png z-lightning.png z-lightningbolts.png"),
)
_MOST_PX, _LEAST_PX = 1600, 256
_SURFACES = (
    (
        "robosuite",
        "bread clay dark-wood dirt gray-felt lemon wood-tiles wood-varnished-panels white-bricks"
        " green-wood light-wood steel-brushed steel-scratched red-wood blue-wood gray-woodgrain"
        " yellow-plaster brass-ambra",
    ),
    (
        "metaworld",
        "brick1 fabricPattern fabricPlain floor1 floor2 granite wood2 wood3 wood4 wood_light"
        " white_marble_tile light_wood marble",
    ),
    (
        "sweethome3d",
        "blackAndWhiteTiles blueTiles boxTree grass marbleWall oldWoodenFloor pebbles redTiles"
        " roughcast",
    ),
    (
        "openarena-081-textures",
        "acc_dm3/ceiling comptop metaldoor rivets rustpipes concrtmould mud02 mud02b roots_moss"
        " acc_dm5/rust stnsqr_dirty stntiles_moss2 tiles_moss acc_dm5/wood01 clang_floor"
        " clang_floor3b clanggrate clanggrate2 hfloor3 proto_grill skylight1 tilefloor7 surface2"
        " base_trim/metal2_2 atech2_c metalfloor_wall_11 clown/stone_tile scratch_wall"
        " ancient_bricks2 ancient_bricks3 cosmo_block/rock01 e7brickfloor01 e7bricks01 e7panelwood"
        " s_roof2 blocks15 blocks18c hfloor3_grey_lite organics/dirt2 oa_bases/wall_blue",
    ),
)


@cache
def photographs() -> tuple[tuple[str, Rgb], ...]:
    """(package/name, uint8[H, W, 3]) of photographs that show no text, at most 1,600 px long."""
    found = []
    for package, names in _PHOTOGRAPHS:
        for name in names.split():
            path = min(folder_of(package).rglob(name))
            found.append((f"{package}/{name}", _opened(path.read_bytes())))
    return tuple((name, rgb) for name, rgb in found if min(rgb.shape[:2]) >= _LEAST_PX)


def _opened(data: bytes, most_px: int = _MOST_PX) -> Rgb:
    with Image.open(BytesIO(data)) as picture:
        rgb = np.asarray(picture.convert("RGB"))
    scale = min(1.0, most_px / max(rgb.shape[:2]))
    if scale < 1:
        rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(rgb)


@cache
def surfaces(most: int = 90) -> tuple[tuple[str, Rgb], ...]:
    """Bricks, floors, fabrics, gratings, wood: pictures of surfaces, without letters."""
    named = [(package, name) for package, names in _SURFACES for name in names.split()]
    named.sort(key=lambda n: hashlib.sha256("/".join(n).encode()).digest())
    found: list[tuple[str, Rgb]] = []
    for package, name in named:
        rgb = _opened(_surface(package, name))
        if min(rgb.shape[:2]) >= _LEAST_PX and rgb.std() > 12 and len(found) < most:
            found.append((f"{package}/{name}", rgb))
    return tuple(found)


def _surface(package: str, name: str) -> bytes:
    """Its file; those of games and programs lie in archives of their own."""
    if package in ("robosuite", "metaworld"):
        return min(folder_of(package).rglob(f"{name}.png")).read_bytes()
    archive = min(p for p in folder_of(package).rglob("*") if p.suffix in (".pk3", ".jar"))
    with zipfile.ZipFile(archive) as inside:
        return inside.read(next(n for n in inside.namelist() if n.endswith(f"/{name}.jpg")))


@cache
def pictures(package: str, pattern: str, most: int) -> tuple[tuple[str, Rgb], ...]:
    """So many pictures of a package whose path matches, by the hash of their names."""
    folder = folder_of(package)
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
    """Tiles of 256 px of engraved scores in whose reach the text layer has nothing but notes."""
    folder = folder_of("texlive-music") / "usr/share/doc/texlive-doc/generic"
    rng = np.random.default_rng(17)
    found: list[tuple[str, Rgb]] = []
    for name in ("autosp/geminiani", "m-tx/halleluja", "musixtex/notationMistakes/sottieng"):
        document = pypdfium2.PdfDocument(folder / f"{name}.pdf")
        for page in document:
            scale = float(rng.uniform(1.2, 2.4))
            rgb = np.asarray(page.render(scale=scale).to_pil().convert("RGB"))
            letters = _letters(page, scale)
            for _ in range(20):
                y, x = (int(rng.integers(length - 255)) for length in rgb.shape[:2])
                near = (letters > (x - 8, y - 8)).all(1) & (letters < (x + 264, y + 264)).all(1)
                tile = rgb[y : y + 256, x : x + 256]
                if not near.any() and (tile.min(axis=2) < 128).mean() > 0.03:
                    found.append((f"texlive-music/{name}", np.ascontiguousarray(tile)))
        document.close()
    rng.shuffle(found)
    return tuple(found[:most])


def _letters(page: Any, scale: float) -> NDArray[np.float64]:
    """Middles of the letters and digits of a page, in px; notes and slurs are of fonts like musix.

    Digits among them are metres and fingerings, which a person reads.
    """
    layer = page.get_textpage()
    name, flags = ctypes.create_string_buffer(99), ctypes.c_int()
    places = []
    for i in range(layer.count_chars()):
        char = layer.get_text_range(i, 1)
        pdfium.FPDFText_GetFontInfo(layer, i, name, 99, ctypes.byref(flags))
        notes = re.search(rb"musix|xsl|xgreg", name.value.lower())
        if char.strip() and (not notes or char.isdigit()):
            places.append(layer.get_charbox(i))
    box = np.array(places, np.float64).reshape(-1, 4)
    x, y = (box[:, 0] + box[:, 2]) / 2, page.get_height() - (box[:, 1] + box[:, 3]) / 2
    return np.stack([x, y], axis=1) * scale


@cache
def faces(script: str) -> tuple[Path, ...]:
    """Font files whose letters a person can read at small sizes; `zh-tw` has faces of its own."""
    wanted = {
        "latin": "FreeSans.ttf FreeSerif.ttf FreeSansBold.ttf GilliusADF-Regular.otf"
        " GilliusADF-BoldCond.otf BaskervaldADFStd.otf Cabin-Regular.otf Cabin-BoldItalic.otf"
        " Karla-Medium.otf OldStandard-Regular.ttf FantasqueSansMono-Regular.ttf"
        " ClearSans-Regular.ttf ClearSans-Bold.ttf Inter-Regular.otf Inter-SemiBoldItalic.otf"
        " PTS55F.ttf PTF55F.ttf PTM55F.ttf Go-Regular.ttf Anonymous?Pro.ttf"
        " LeagueSpartan-Bold.otf RobotoSlab-Regular.otf Quattrocento-Regular.otf Play-Regular.ttf"
        " TomsonTalks.ttf cmunrm.ttf cmunsi.ttf Dosis-Medium.otf Caladea-Regular.ttf"
        " Caladea-Italic.ttf",
        "zh-cn": "zcool-kuaile-*.woff zcool-kuaile-*.woff zcool-xiaowei-*.woff"
        " BabelStoneHan.ttf BabelStoneHan.ttf TW-Kai-98_1.ttf",
        "zh-tw": "bsmi00lp.ttf cwheib.ttf cwyen.ttf cwming.ttf TW-Kai-98_1.ttf"
        " VL-Gothic-Regular.ttf",
    }[script]
    folders = [folder_of(name) for name, _, what in SOURCES if what == "faces"]
    kinds = (".ttf", ".otf", ".woff")
    files = [p for folder in folders for p in sorted(folder.rglob("*.*")) if p.suffix in kinds]
    return tuple(next(p for p in files if p.match(pattern)) for pattern in wanted.split())


def readable(script: str, em_px: float) -> tuple[Path, ...]:
    """The faces without those whose level strokes vanish at so small an em."""
    lost = tuple(name for name, least in _LEAST_EM.items() if em_px < least)
    return tuple(face for face in faces(script) if not face.name.startswith(lost))


@cache
def known(face: Path) -> frozenset[int]:
    """Code points that a face draws."""
    return frozenset(TTFont(face, lazy=True).getBestCmap())


@cache
def sentences(script: str) -> tuple[str, ...]:
    """Running text in `latin` (English), `zh-cn` or `zh-tw`, a paragraph each."""
    found = []
    for paragraph in [*_paragraphs(script), *_messages(script)]:
        text = " ".join(html.unescape(re.sub(r"<[^>]+>", "", paragraph)).split())
        han = sum("\u4e00" <= c <= "\u9fff" for c in text) / max(1, len(text))
        plain = text.isascii() and len(text) > 30 if script == "latin" else han > 0.75
        if plain and len(text) > 12:
            found.append(text)
    return tuple(dict.fromkeys(found))


def _paragraphs(script: str) -> Iterator[str]:
    """Of handbooks, as they stand in their markup."""
    languages = {"latin": "C", "zh-cn": "zh_CN"}
    if script in languages:
        folder = folder_of("evolution-common") / "usr/share/help" / languages[script]
        pages = sorted(folder.rglob("*.page"))
        if script == "zh-cn":
            pages += sorted(folder_of("kicad-doc-zh").rglob("*.html"))
        for page in pages:
            text = page.read_text(encoding="utf-8", errors="replace")
            yield from re.findall(r"<p\b[^>]*>(.*?)</p>", text, re.DOTALL)


def _messages(script: str) -> Iterator[str]:
    """What programs say in a language, or in English as it was written, without blanks to fill."""
    language = "zh_TW" if script == "zh-tw" else "zh_CN"
    for package in ("gnucash-common", "gramps", "evolution-common"):
        for path in sorted(folder_of(package).rglob(f"{language}/LC_MESSAGES/*.mo")):
            for english, translated in _catalogue(path.read_bytes()):
                if not re.search(r"[%{<|_\\\x00\x04]", english):
                    yield english if script == "latin" else translated


def _catalogue(data: bytes) -> Iterator[tuple[str, str]]:
    """The pairs of a file of GNU gettext (its manual, section "The Format of GNU MO Files")."""
    count, *tables = struct.unpack_from("<3I", data, 8)
    for number in range(count):
        english, translated = (_string(data, table + 8 * number) for table in tables)
        yield english, translated


def _string(data: bytes, entry: int) -> str:
    length, start = struct.unpack_from("<2I", data, entry)
    return data[start : start + length].decode()
