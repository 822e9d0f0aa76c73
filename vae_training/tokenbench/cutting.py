"""Which lines of a region make a crop, and at which scale: steps 1 to 3 of the report on a PDF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from vae_training.tokenbench.lines import Line
from vae_training.tokenbench.standard import (
    SIDE_PX,
    TOLERANCE,
    Standard,
    is_measured,
    standard_of,
)
from vae_training.tokenbench.text_layer import Character

MARGIN_PX = 3.0
# Between a character that is kept and one that is painted over.
_FREE_PX = 1.0
# Nearest to the height asked for first; a little inside the tolerance.
_REACH = TOLERANCE - 0.002
_FACTORS = sorted(np.linspace(1 - _REACH, 1 + _REACH, 25).tolist(), key=lambda f: abs(f - 1))
_MOST_DOTS = 0.08
# A region shorter than this is a heading or a caption: it cannot fill a crop at any scale.
_LEAST_LINES = 3


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Whole lines in a square: `left` and `top` of it in points, `scale` in px per point.

    A line that is longer than the square ends with its last whole character that stands free
    of the next. `ends` are the right ends of what is kept of each line, in points, and `bottom` the
    lower end of the last: none reaches the ink of what follows.
    """

    standard: Standard
    lines: tuple[Line, ...]
    ends: tuple[float, ...]
    left: float
    top: float
    bottom: float
    scale: float
    glyph_px: float

    @property
    def side(self) -> float:
        return SIDE_PX / self.scale

    @property
    def text(self) -> str:
        """The kept lines in reading order, joined without a separator as the official script does
        with what it reads."""
        return "".join(line.text for line in self.lines)

    @property
    def characters(self) -> list[Character]:
        return [c for line in self.lines for c in line.characters]


def cuts(region: Sequence[Line]) -> Iterator[Cut | str]:
    """The region from its top left corner down, crop below crop; a slug for a part that gives none.

    Slugs: `too_short`, `other_language`, `too_few_characters`, `too_many_characters`,
    `dot_leaders` (a table of contents), `glyph_height` (no scale brings the median glyph near).
    """
    start = 0
    while start < len(region):
        rest = region[start:]
        if len(rest) < _LEAST_LINES:
            yield "too_short"
            return
        found = _first(rest)
        taken = len(found.lines) if isinstance(found, Cut) else max(1, _passed(rest) // 3)
        yield found
        start += taken


def _first(lines: Sequence[Line]) -> Cut | str:
    # As many as a crop can hold: the language of the next page of prose says nothing of this one.
    standard = standard_of(" ".join(line.text for line in lines[: _passed(lines)]))
    if standard is None:
        return "other_language"
    height = _median_height(lines[: _passed(lines)], standard)
    if height is None:
        return "glyph_height"
    slug = "glyph_height"
    for factor in _FACTORS:
        cut = _cut(lines, standard, factor * standard.glyph_px / height)
        if cut is None or standard.off(cut.glyph_px) > TOLERANCE:
            continue
        chars = len(cut.text)
        if not standard.fits(chars):
            few = chars < standard.least_chars
            slug = "too_few_characters" if few else "too_many_characters"
        elif cut.text.count(".") > _MOST_DOTS * chars:
            slug = "dot_leaders"
        elif standard_of(" ".join(line.text for line in cut.lines)) is not standard:
            slug = "other_language"
        else:
            return cut
    return slug


def _passed(lines: Sequence[Line]) -> int:
    """About as many lines as a crop would have held."""
    em = lines[0].em
    end = lines[0].baseline + 16 * em
    return max(1, sum(line.baseline <= end for line in lines))


def _median_height(lines: Sequence[Line], standard: Standard) -> float | None:
    heights = [c.height for line in lines for c in line.characters if is_measured(c.text, standard)]
    return median(heights) if heights else None


def _cut(lines: Sequence[Line], standard: Standard, scale: float) -> Cut | None:
    margin, side = MARGIN_PX / scale, SIDE_PX / scale
    top = lines[0].top - margin
    inside = [line for line in lines if line.bottom + margin <= top + side]
    # Lines are in order: the first that is not whole ends the crop.
    inside = list(lines[: len(inside)]) if inside == list(lines[: len(inside)]) else []
    if not inside:
        return None
    left = min(line.left for line in inside) - margin
    kept: list[Line] = []
    ends: list[float] = []
    for line in inside:
        beginning = _beginning(line, left + side - margin, _FREE_PX / scale)
        if not beginning:
            return None
        kept.append(Line.of(beginning))
        end = max(c.box[2] for c in beginning)
        after = line.characters[len(beginning) :]
        ends.append(min([end + margin, *(c.box[0] for c in after[:2])]))
    height = _median_height(kept, standard)
    if height is None:
        return None
    return Cut(
        standard=standard,
        lines=tuple(kept),
        ends=tuple(ends),
        left=left,
        top=top,
        bottom=min([kept[-1].bottom + margin, *(below.top for below in lines[len(inside) :][:1])]),
        scale=scale,
        glyph_px=height * scale,
    )


def _beginning(line: Line, right: float, free: float) -> list[Character]:
    """The characters before the first that crosses `right`, if a gap of `free` comes after them."""
    kept: list[Character] = []
    for character in line.characters:
        if character.box[2] > right:
            while kept and character.box[0] - kept[-1].box[2] < free:
                character = kept.pop()
            break
        kept.append(character)
    return kept
