"""The fonts that a browser knows: those of the named folders, and no other of the machine.

fontconfig is led by a file of our own, so that a page has the same pixels on every node that has
the same folders. Names that pages ask for most are answered by faces of the same widths.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from fonts.faces import Face, discover

_REGULAR = 400
# Families that are as wide as others, letter by letter: (asked for, stands in).
_METRIC_TWINS = (
    ("Arial", "Liberation Sans"),
    ("Helvetica", "Liberation Sans"),
    ("Times New Roman", "Liberation Serif"),
    ("Times", "Liberation Serif"),
    ("Courier New", "Liberation Mono"),
    ("Courier", "Liberation Mono"),
    ("Calibri", "Carlito"),
    ("Cambria", "Caladea"),
)
_SERIF = re.compile(r"serif|roman|song|ming|kai|garamond", re.IGNORECASE)
_SANS = re.compile(r"sans|hei|gothic", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class BrowserFonts:
    """The families of some folders. `digest` is over the bytes of their files.

    `unstyled` are those that text may have that names none, in order; `serif`, `sans` and `mono`
    answer the generic names, `han` are asked for Chinese, best first.
    """

    folders: tuple[Path, ...]
    digest: str
    families: tuple[str, ...]
    unstyled: tuple[str, ...]
    serif: str
    sans: str
    mono: str
    han: tuple[str, ...]

    def pick(self, face: float) -> str:
        """The family for a number in [0, 1)."""
        return self.unstyled[int(face * len(self.unstyled))]

    def config(self, cache: Path) -> str:
        """The text of a fonts.conf that knows these folders alone and writes to `cache`."""
        lines = [f"<dir>{escape(str(folder))}</dir>" for folder in self.folders]
        lines.append(f"<cachedir>{escape(str(cache))}</cachedir>")
        for asked, twin in _METRIC_TWINS:
            if twin in self.families and asked not in self.families:
                lines.append(_alias(asked, [twin], binding="same"))
        generic = {"serif": self.serif, "sans-serif": self.sans, "monospace": self.mono}
        for asked, family in generic.items():
            lines.append(_alias(asked, [family, *self.han]))
        # Whatever was asked for: characters that its face lacks come from these, in this order.
        last = "".join(f"<string>{escape(name)}</string>" for name in (self.sans, *self.han))
        lines.append(
            f'<match target="pattern"><edit name="family" mode="append_last">{last}</edit></match>'
        )
        inside = "\n".join(lines)
        return f'<?xml version="1.0"?>\n<fontconfig>\n{inside}\n</fontconfig>\n'


@functools.cache
def browser_fonts(folders: tuple[Path, ...]) -> BrowserFonts:
    """The usable families in `folders`; the order depends on their names alone.

    ValueError when none of them draws English; FileNotFoundError for a folder that does not exist.
    """
    faces = discover(folders)
    english = [face for face in faces if "en" in face.languages]
    if not english:
        places = ", ".join(map(str, folders)) or "no folder at all"
        raise ValueError(
            f"a browser needs a font that draws English; got {places}: name a folder of fonts, as"
            " /usr/share/fonts"
        )
    plain = _families([f for f in english if not f.monospaced]) or _families(english)
    mono = _families([f for f in english if f.monospaced]) or plain
    han = _families([face for face in faces if "zh" in face.languages and not face.monospaced])
    latin = [name for name in plain if name not in han] or plain
    files = " ".join(sorted({face.digest for face in faces}))
    return BrowserFonts(
        folders=tuple(folder.absolute() for folder in folders),
        digest=hashlib.sha256(files.encode()).hexdigest()[:16],
        families=tuple(_families(faces)),
        unstyled=tuple(plain),
        serif=min(latin, key=lambda name: not _is_serif(name)),
        sans=min(latin, key=_is_serif),
        mono=min(mono, key=lambda name: name in han),
        han=tuple(sorted(han, key=_is_serif)),
    )


def _families(faces: Sequence[Face]) -> list[str]:
    """Their names in order, those with an upright face of regular weight if there are any."""
    regular = [f for f in faces if f.weight == _REGULAR and not _is_slanted(f)]
    return sorted({face.family for face in regular or faces})


def _is_slanted(face: Face) -> bool:
    return bool(re.search("italic|oblique", face.style, re.IGNORECASE))


def _is_serif(family: str) -> bool:
    return bool(_SERIF.search(family)) and not _SANS.search(family)


def _alias(asked: str, families: Sequence[str], *, binding: str = "weak") -> str:
    preferred = "".join(f"<family>{escape(name)}</family>" for name in families)
    return (
        f'<alias binding="{binding}"><family>{escape(asked)}</family>'
        f"<prefer>{preferred}</prefer></alias>"
    )
