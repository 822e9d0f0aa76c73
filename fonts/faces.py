"""Find the faces in font folders, and say which of them can write a text.

Reading a font costs up to half a second for a large Chinese collection, so what was learnt is kept
in the cache, keyed by the sha256 of the file: a changed file is read again, a moved one is not.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

from fonts import names
from fonts.charsets import ASCII_PRINTABLE, CHINESE_PUNCTUATION, GB2312_LEVEL_1
from fonts.coverage import Coverage, drawable
from vae_corpus import storage
from vae_corpus.debian import cache_dir

SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
_CACHE_FORMAT = 5
# Square characters, as most are: their strokes reach all sides.
_HAN_SAMPLE = "国永意高是"
_OUTLINE_TABLES = ("glyf", "CFF ", "CFF2")


@dataclass(frozen=True, kw_only=True)
class Face:
    """One face of a font file. `index` counts the faces of a collection (0 in a plain file).

    Of a variable font each named instance is a face: the upper 16 bits of `index` are its number,
    from 1, which is how FreeType and HarfBuzz open it, so both draw the same instance.

    `languages` holds "en" when the face draws all printable ASCII, "zh" when it draws all of GB2312
    level 1; a face drawn for Japan, Korea, Taiwan or Hong Kong has none. `weight` is that of OS/2
    or of the instance (400 regular, 700 bold). The Latin letters of a `monospaced` face are all
    equally wide. `x_height_em` and `han_height_em` are the heights of
    the outlines of x and of Han characters, 0 where there are none.
    """

    path: Path
    index: int
    digest: str
    family: str
    style: str
    weight: int
    licence: str
    embeddable: bool
    vertical: bool
    monospaced: bool
    languages: tuple[str, ...]
    x_height_em: float
    han_height_em: float
    coverage: Coverage = field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """File name, index and the first digits of the file's sha256: the same key, same shapes.

        The index is `2` for a face of a collection, `0.3` for the third instance of a variable one.
        """
        return f"{self.path.name}#{self.place}@{self.digest[:8]}"

    @property
    def place(self) -> str:
        """The index as a person reads it."""
        instance = self.index >> 16
        return f"{self.index & 0xFFFF}" + (f".{instance}" if instance else "")

    @property
    def name(self) -> str:
        """Family and style, as a person would say them."""
        return f"{self.family} {self.style}"

    def covers(self, text: str) -> bool:
        """Whether every character of `text` has a real glyph here."""
        return self.coverage.covers(text)


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The faces found, in order of file name, and for each unusable file the reason."""

    faces: tuple[Face, ...]
    broken: dict[Path, str]


def discover(folders: Sequence[Path], cache: Path | None = None) -> list[Face]:
    """Every usable face in `folders` (or font files), recursively; broken files are logged."""
    found = scan(folders, cache)
    for path, why in found.broken.items():
        logging.getLogger(__name__).warning("font file left out: %s: %s", path, why)
    return list(found.faces)


def scan(folders: Sequence[Path], cache: Path | None = None) -> Scan:
    """As `discover`, with the reasons. FileNotFoundError for a folder that does not exist.

    The same file found twice counts once.
    """
    faces: list[Face] = []
    broken: dict[Path, str] = {}
    seen: set[str] = set()
    for path in _font_files(folders):
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest in seen:
            continue
        seen.add(digest)
        known = _cached(data, digest, (cache or cache_dir()) / "faces")
        if "broken" in known:
            broken[path] = known["broken"]
        faces.extend(_face(path, digest, entry) for entry in known.get("faces", ()))
    return Scan(faces=tuple(faces), broken=broken)


def covering(faces: Iterable[Face], text: str) -> list[Face]:
    """The faces with a real glyph for every character of `text`."""
    return [face for face in faces if face.covers(text)]


def writing(faces: Iterable[Face], language: str) -> list[Face]:
    """The faces for `language`: "en", "zh", or "mixed" (both, in one face)."""
    wanted = {"en", "zh"} if language == "mixed" else {language}
    if language == "zh":
        # Chinese prose has digits and Latin names in it.
        wanted.add("en")
    return [face for face in faces if wanted <= set(face.languages)]


def _font_files(folders: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for folder in folders:
        if folder.is_file():
            files.append(folder)
        elif folder.is_dir():
            files += [p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()]
        else:
            raise FileNotFoundError(f"no such font folder: {folder}")
    return sorted(files, key=lambda path: (path.name, str(path)))


def _cached(data: bytes, digest: str, folder: Path) -> dict[str, Any]:
    note = folder / f"{digest}-{_CACHE_FORMAT}.json"
    remembered = _remembered(note)
    if remembered is not None:
        return remembered
    try:
        learnt: dict[str, Any] = {"faces": _read(data)}
    except Exception as error:  # noqa: BLE001 - foreign bytes: any fault of the parsers ends here
        learnt = {"broken": f"not a usable font: {type(error).__name__}: {error}".strip()[:200]}
    storage.commit_bytes(str(note), json.dumps(learnt).encode())
    return learnt


def _remembered(note: Path) -> dict[str, Any] | None:
    try:
        learnt = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return learnt if isinstance(learnt, dict) else None


def _read(data: bytes) -> list[dict[str, Any]]:
    try:
        import freetype
        import uharfbuzz
        from fontTools.ttLib import TTFont
    except ImportError as error:
        raise missing(error) from None
    blob = uharfbuzz.Blob(data)
    entries = []
    boxes: dict[int, dict[int, Any]] = {}  # by the place of the outlines in the file
    for index in range(max(1, uharfbuzz.Face(blob, 0).count)):
        with TTFont(BytesIO(data), fontNumber=index, lazy=True) as font:
            if not any(table in font for table in _OUTLINE_TABLES):
                raise ValueError("it has no outlines (a bitmap font?)")
            said = names.read(font)
            outlines = font.reader.tables.get("CFF ")
        # A variable font is listed by its instances; one without names only as it is.
        for number, style, weight in said.instances or ((0, said.style, said.weight),):
            place = index | number << 16
            # HarfBuzz shapes with fonts that FreeType, which is to draw them, refuses to open.
            freetype.Face(BytesIO(data), index=place)
            opened = uharfbuzz.Font(uharfbuzz.Face(blob, place))
            coverage = drawable(
                opened, boxes.setdefault(outlines.offset, {}) if outlines and not number else None
            )
            if not len(coverage):
                raise ValueError("it draws no character at all")
            entries.append(
                {
                    "index": place,
                    "family": said.family,
                    "style": style,
                    "weight": weight,
                    "licence": said.licence,
                    "embeddable": said.embeddable,
                    "vertical": said.vertical,
                    "monospaced": _is_monospaced(opened),
                    "x_height_em": _height_em(opened, "x"),
                    "han_height_em": _height_em(opened, _HAN_SAMPLE),
                    "ranges": coverage.ranges,
                }
            )
    return entries


def _is_monospaced(font: Any) -> bool:
    # By the advances, not by the flag in `post`: pan-CJK collections set it for no face.
    glyphs = [font.get_nominal_glyph(ord(letter)) for letter in "iMW.0"]
    return None not in glyphs and len({font.get_glyph_h_advance(glyph) for glyph in glyphs}) == 1


def _height_em(font: Any, characters: str) -> float:
    """The median height of the outlines of `characters`; 0 when the font has none of them."""
    boxes = (
        font.get_glyph_extents(glyph)
        for glyph in (font.get_nominal_glyph(ord(character)) for character in characters)
        if glyph
    )
    heights = [abs(box.height) / font.face.upem for box in boxes if box]
    return round(median(heights), 4) if heights else 0.0


def _languages(coverage: Coverage, family: str) -> tuple[str, ...]:
    if names.is_other_region(family):
        # Its Latin is the same in every regional twin: ten of them would only tilt the draw.
        return ()
    english = coverage.covers(ASCII_PRINTABLE + " ")
    chinese = coverage.covers(GB2312_LEVEL_1 + CHINESE_PUNCTUATION[:10])
    return ("en",) * english + ("zh",) * chinese


def _face(path: Path, digest: str, entry: dict[str, Any]) -> Face:
    ranges = tuple((int(first), int(last)) for first, last in entry["ranges"])
    coverage = Coverage(ranges)
    return Face(
        path=path,
        digest=digest,
        languages=_languages(coverage, entry["family"]),
        coverage=coverage,
        **{name: value for name, value in entry.items() if name != "ranges"},
    )


def missing(error: ImportError) -> ImportError:
    """What to raise where a package of the `render` extra is not installed."""
    return ImportError(
        f"reading fonts needs {error.name}: pip install 'vae-corpus[render]'", name=error.name
    )
