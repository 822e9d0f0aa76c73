"""Sample the recipe of a page: faces, texts, layout, colours, effects. Nothing is laid out here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from fonts.faces import Face
from renderers.dice import Dice
from renderers.effects import camera, outline, shadow
from renderers.effects.extras import NO_EXTRAS, Extras
from renderers.effects.warp import Quad, sample_quad, sheet_size
from renderers.layout import LAYOUTS
from renderers.layout.base import Layout, Page
from renderers.recipe import Recipe, band_limits
from renderers.setting.face_choice import FaceChoice
from renderers.text.corpora import TextSource, mixed

# Mean advance in em per character, on the low side: a page must not run out of text.
_EM_PER_CHARACTER = {"en": 0.42, "zh": 0.85, "mixed": 0.62}
# In em px: below this, text is set in faces for small text.
_SMALL_PX = 11
# Draws that a page may reject before it takes what comes.
_MAX_SKIPS = 200
# A page has room for so many em of its largest letters. Where no sheet of so many draws has that,
# the next ones are tilted less and less, and somewhat smaller ones do: all layouts fill them too.
_PAGE_EM, _SHEET_EM = 8, 7
_MAX_QUADS = 50
# How many times the body's em a heading may have, where headings may leave the size band.
_MOST_GROWTH = 2
# Latin words stand letter under letter in vertical text: keep them few while there is a choice.
_VERTICAL_ASCII_SHARE = 0.08


def sample_recipe(
    rng: np.random.Generator,
    *,
    choice: FaceChoice,
    texts: Mapping[str, TextSource],
    language: str,
    size_band: str,
    width: int,
    height: int,
    layout: str | None,
    extras: Extras = NO_EXTRAS,
) -> Recipe:
    """Draw a page of `width` x `height` px. ValueError when no layout, face or text fits."""
    low, high = band_limits(size_band)
    dice = Dice(rng)
    size_px = low + dice.below(high + 1 - low)
    if min(width, height) < _PAGE_EM * high:
        raise ValueError(f"a page of {width}x{height} px is too small for text of {high} px")
    quad = _sample_quad(rng, extras, width, height, high) if extras.warps else ()
    sheet = sheet_size(quad) if quad else (width, height)
    chosen = _sample_layout(dice, layout, language, choice)
    largest_px = _MOST_GROWTH * size_px if _chance(rng, extras.large_headings) else high
    page = Page(
        width=sheet[0], height=sheet[1], size_px=size_px, largest_px=largest_px, language=language
    )
    params = chosen.sample(rng, page)
    em_room = sheet[0] * sheet[1] / (1.15 * size_px * size_px)
    wanted = chosen.fill * em_room / _EM_PER_CHARACTER[language]
    faces = _sample_faces(dice, choice, language, size_px, chosen)
    keys, drawn, skipped = _sample_texts(
        dice, texts, language, faces, wanted, vertical=chosen.vertical
    )
    contrast = 1.6 * (10.0 ** dice.uniform(0, 0.85))
    washed = dice.random() < 0.4
    return Recipe(
        width=width,
        height=height,
        language=language,
        size_band=size_band,
        size_px=size_px,
        layout=chosen.name,
        params=params,
        fonts=tuple(keys),
        texts=tuple(drawn),
        skipped_texts=skipped,
        crop=(dice.random(), dice.random()),
        contrast=(contrast, contrast * dice.uniform(1.0, 1.6)),
        dark_text=dice.random() < 0.6,
        saturation=dice.random() ** 2 if dice.random() < 0.7 else 0.0,
        many_colours=dice.random() < 0.25,
        wash=dice.uniform(0.25, 0.9) if washed else 0.0,
        wash_tone=200 + dice.below(56) if dice.random() < 0.6 else dice.below(60),
        plate=dice.uniform(0.4, 1.0) if dice.random() < 0.2 else 0.0,
        tracking_px=float(dice.below(2)) if dice.random() < 0.15 else 0.0,
        phases=4 if language == "en" and dice.random() < 0.5 else 1,
        seed=dice.below(1 << 53),
        quad=quad,
        shadow=shadow.sample_shadow(rng, size_px) if _chance(rng, extras.shadow) else None,
        outline=outline.sample_outline(rng, size_px) if _chance(rng, extras.outline) else None,
        camera=camera.sample_camera(rng) if _chance(rng, extras.camera) else None,
    )


def _sample_quad(
    rng: np.random.Generator, extras: Extras, width: int, height: int, largest_px: int
) -> Quad:
    """A tilted sheet with room for letters of this em; none where only a flat page has that."""
    for draw in range(2 * _MAX_QUADS):
        share = min(1.0, 2 - draw / _MAX_QUADS)
        quad = sample_quad(
            rng,
            width,
            height,
            tilt_degrees=share * extras.tilt_degrees,
            perspective=share * extras.perspective,
        )
        ems = _PAGE_EM if draw < _MAX_QUADS else _SHEET_EM
        if min(sheet_size(quad)) >= ems * largest_px:
            return quad
    return ()


def _chance(rng: np.random.Generator, share: float) -> bool:
    # Draws nothing where there is nothing to draw, so that other draws stay as they are.
    return share > 0 and float(rng.random()) < share


class _Faces(NamedTuple):
    """The faces of the body and of headings, and others for what the body's lacks."""

    body: Face
    heading: Face
    others: Sequence[Face]


def _sample_faces(
    dice: Dice, choice: FaceChoice, language: str, size_px: int, layout: Layout
) -> _Faces:
    families = choice.families(
        language,
        vertical=layout.vertical,
        monospaced=layout.monospaced,
        small=size_px < _SMALL_PX,
    )
    if not families:
        what = f"{language} from top to bottom" if layout.vertical else language
        raise ValueError(
            f"none of the {len(choice.faces)} faces writes {what}: give more font folders, "
            "or fetch some with `python fonts/catalog.py --fetch`"
        )
    members = dice.pick(families)
    # Running text is rarely bold.
    plain = [face for face in members if face.weight <= 500] or members
    body = dice.pick(plain if dice.random() < 0.8 else members)
    bold = [face for face in members if face.weight > body.weight]
    heading = dice.pick(bold) if bold else body
    others = [f for family in families for f in family if f is not body and f is not heading]
    return _Faces(body, heading, others)


def _sample_layout(dice: Dice, name: str | None, language: str, choice: FaceChoice) -> Layout:
    if name is not None:
        if name not in LAYOUTS:
            raise ValueError(f"unknown layout {name!r}; there are {', '.join(LAYOUTS)}")
        layout = LAYOUTS[name]
        if language not in layout.languages:
            raise ValueError(f"the layout {name} is for {', '.join(layout.languages)} only")
        return layout
    vertical = choice.writes_down(language)
    fitting = [
        layout
        for layout in LAYOUTS.values()
        if language in layout.languages and (vertical or not layout.vertical)
    ]
    return dice.pick(fitting)


def _sample_texts(
    dice: Dice,
    texts: Mapping[str, TextSource],
    language: str,
    faces: _Faces,
    wanted: float,
    *,
    vertical: bool,
) -> tuple[list[str], list[tuple[int, str]], int]:
    body = faces.body
    keys = [body.key, faces.heading.key]
    places = {id(faces.heading): keys.index(faces.heading.key), id(body): 0}
    # The others are tried in another order on each page.
    others: list[Face] = []
    drawn: list[tuple[int, str]] = []
    skipped, length, tries = 0, 0, 0
    seen: set[str] = set()
    each = texts["zh" if language == "mixed" else language].mean_length
    while length < wanted:
        batch: list[str] = []
        missing = wanted - length
        for text in _sample_paragraphs(dice, texts, language, 1 + int(missing / each)):
            if tries < _MAX_SKIPS and (
                # No paragraph twice on a page, unless the source has too few to fill it.
                text in seen or (vertical and _ascii_share(text) > _VERTICAL_ASCII_SHARE)
            ):
                tries += 1
                continue
            if missing > 0:
                seen.add(text)
                batch.append(text)
                missing -= len(text)
        for text, covered in zip(batch, body.coverage.covers_each(batch), strict=True):
            face: Face | None = body
            if not covered:
                others = others or _shuffled(dice, faces.others)
                face = next((f for f in others if f.covers(text)), None)
            if face is None:
                skipped += 1
                if skipped > _MAX_SKIPS + len(drawn):
                    raise ValueError(
                        f"no face covers the {language} texts: {skipped} paragraphs were tried; "
                        "give fonts with more characters or other texts"
                    )
                continue
            place = places.get(id(face))
            if place is None:
                place = places[id(face)] = len(keys)
                keys.append(face.key)
            drawn.append((place, text))
            length += len(text)
    return keys, drawn, skipped


def _shuffled(dice: Dice, faces: Sequence[Face]) -> list[Face]:
    return [faces[i] for i in dice.rng.permutation(len(faces)).tolist()]


def _ascii_share(text: str) -> float:
    return len(text.encode("ascii", "ignore")) / len(text)


def _sample_paragraphs(
    dice: Dice, texts: Mapping[str, TextSource], language: str, count: int
) -> list[str]:
    if language != "mixed":
        return texts[language].sample(dice, count)
    chinese, english = texts["zh"].sample(dice, count), texts["en"].sample(dice, count)
    return [mixed(dice, zh, en) for zh, en in zip(chinese, english, strict=True)]
