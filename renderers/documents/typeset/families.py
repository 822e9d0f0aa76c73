"""The families that typst can set text in, and which characters all their faces have.

typst picks the face of a family by weight and slant, with the nearest one where none fits. So a
family writes only what every face of it writes; then it does not matter which one is picked.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fonts.coverage import Coverage
from fonts.faces import Face
from renderers.documents.typeset import typst

# Of text in Chinese, what a Latin family beside the Chinese one writes; quotation marks, dashes
# and the middle dot are full squares there and not among it.
LATIN_IN_CHINESE = r"[\u{20}-\u{b6}\u{b8}-\u{24f}]"
_LATIN = re.compile(r"[\u0020-\u00b6\u00b8-\u024f]+")


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family as typst calls it. `writes` holds "en" and "zh" as `fonts.faces.Face` does."""

    name: str
    writes: tuple[str, ...]
    monospaced: bool
    weights: tuple[int, ...]
    coverage: Coverage = field(repr=False, compare=False)


class NoFamily(ValueError):
    """The faces given hold no family for what is wanted."""


class Families:
    """Those of `faces`; `fonts` and `fonts_with_math` are what typst takes.

    Files of other fonts beside those of the faces are not looked at.
    """

    def __init__(self, faces: Sequence[Face]) -> None:
        kept = _unambiguous(faces)
        self.fonts = _fonts(kept, embedded=False)
        self.fonts_with_math = _fonts(kept, embedded=True)
        # Where typst carries a family itself, which of the two it would take is not ours to say.
        own = {font.family for font in self.fonts_with_math.fonts() if font.path is None}
        self._beside_math = own
        groups = defaultdict(list)
        for name, group in _joined(self.fonts, faces):
            groups[name].append(group)
        self.by_name = {
            name: family
            for name in sorted(groups)
            if (family := _family(name, groups[name])) is not None
        }

    def writing(
        self, language: str, *, monospaced: bool = False, math: bool = False
    ) -> tuple[Family, ...]:
        """Those for `language` ("en", "zh"), in order of name; monospaced ones only if asked.

        For "en" the ones that write no Chinese, where there are any. Where none is monospaced, or
        all are, the others. With `math` not those of which typst carries a copy, because in such
        documents it brings its own fonts. NoFamily when no family writes the language.
        """
        wanted = {"en"} if language == "en" else {"en", "zh"}
        usable = [f for f in self.by_name.values() if wanted <= set(f.writes)]
        if math:
            usable = [f for f in usable if f.name not in self._beside_math]
        if language == "en":
            usable = [f for f in usable if "zh" not in f.writes] or usable
        if not usable:
            raise NoFamily(
                f"no font given writes {language}, as typst sees it: name folders with such fonts"
            )
        return tuple(f for f in usable if f.monospaced == monospaced) or tuple(usable)

    def __getitem__(self, name: str) -> Family:
        if name not in self.by_name:
            raise NoFamily(f"no font given is of the family {name!r}")
        return self.by_name[name]

    def covers(self, names: Sequence[str], text: str) -> bool:
        """Whether the families of a role, a Latin one before a Chinese one, write `text`."""
        if len(names) == 1:
            return self[names[0]].coverage.covers(text)
        latin, chinese = (self[name].coverage for name in names)
        return latin.covers("".join(_LATIN.findall(text))) and chinese.covers(_LATIN.sub("", text))


def _unambiguous(faces: Sequence[Face]) -> list[Path]:
    """The files of `faces`, in order, without those that only repeat faces of one before.

    Of two files with the same family, weight and slant typst would take the one found first, and
    the order in which a folder is listed is not the same everywhere.
    """
    paths = list(dict.fromkeys(face.path for face in faces))
    said = defaultdict(set)
    for font in _fonts(paths, embedded=False).fonts():
        said[Path(font.path)].add((font.family, font.style, font.weight, font.stretch))
    taken: set[Any] = set()
    kept = []
    for path in paths:
        told = said.get(path.resolve(), set())
        if told - taken:
            kept.append(path)
            taken |= told
    return kept


def _fonts(paths: Sequence[Path], *, embedded: bool) -> Any:
    # typst takes folders only: one of links, so that it sees these files and no others.
    with tempfile.TemporaryDirectory(prefix="vae-corpus-fonts-") as folder:
        for number, path in enumerate(paths):
            (Path(folder) / f"{number:05}{path.suffix.lower()}").symlink_to(path.resolve())
        return typst.module().Fonts(
            include_system_fonts=False, include_embedded_fonts=embedded, font_paths=[folder]
        )


def _joined(fonts: Any, faces: Sequence[Face]) -> Iterator[tuple[str, list[Face] | None]]:
    """What typst calls a family, with our faces (instances, where it is variable) of one of its."""
    ours = defaultdict(list)
    for face in faces:
        ours[face.path.resolve(), face.index & 0xFFFF].append(face)
    for font in fonts.fonts():
        yield font.family, ours.get((Path(font.path), font.index))


def _family(name: str, groups: Sequence[list[Face] | None]) -> Family | None:
    """None when a face of the family is not among ours, or may not be embedded.

    Of a face that is not ours nobody knows what it covers.
    """
    known = [face for group in groups for face in group or ()]
    if not all(groups) or not all(face.embeddable for face in known):
        return None
    table = known[0].coverage.table
    for face in known[1:]:
        other = face.coverage.table
        count = min(len(table), len(other))
        table = table[:count] & other[:count]
    languages = set(known[0].languages).intersection(*(face.languages for face in known))
    return Family(
        name=name,
        writes=tuple(sorted(languages)),
        monospaced=all(face.monospaced for face in known),
        weights=tuple(sorted({face.weight for face in known})),
        coverage=Coverage.of(np.flatnonzero(table).tolist()),
    )
