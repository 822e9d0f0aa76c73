"""Draw the parameters of a page: faces, texts, layout, colours. Nothing is laid out here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fonts.faces import Face, writing
from renderers import camera, outline, shadow
from renderers.dice import Dice
from renderers.extras import NO_EXTRAS, Extras
from renderers.layout import LAYOUTS
from renderers.layout.base import Layout, Page
from renderers.parameters import Recipe, band_limits
from renderers.text_sources import TextSource, mixed
from renderers.warp import Quad, draw_quad, sheet_size

# Mean advance in em per character, on the low side: a page must not run out of text.
_EM_PER_CHARACTER = {"en": 0.42, "zh": 0.85, "mixed": 0.62}
# Below this size hairlines vanish and the heaviest weights close up.
_SMALL_PX = 11
# Draws that a page may reject before it takes what comes.
_MAX_SKIPS = 200
# Sheets that are drawn before a page counts as too small for its tilt.
_MAX_QUADS = 50
# Latin words stand letter under letter in vertical text: keep them few while there is a choice.
_VERTICAL_ASCII_SHARE = 0.08


def draw_recipe(
    rng: np.random.Generator,
    *,
    faces: Sequence[Face],
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
    size_px = int(rng.integers(low, high + 1))
    least = 8 * high
    if min(width, height) < least:
        raise ValueError(f"a page of {width}x{height} px is too small for text of {high} px")
    quad = _quad(rng, extras, width, height, least) if extras.warps else ()
    sheet = sheet_size(quad) if quad else (width, height)
    chosen = _layout(rng, layout, language, faces)
    body, heading, others = _faces(rng, faces, language, size_px, chosen)
    page = Page(width=sheet[0], height=sheet[1], size_px=size_px, language=language)
    params = chosen.draw(rng, page)
    em_room = sheet[0] * sheet[1] / (1.15 * size_px * size_px)
    wanted = chosen.fill * em_room / _EM_PER_CHARACTER[language]
    keys, drawn, skipped = _texts(
        Dice(rng), texts, language, [body, heading, *others], wanted, vertical=chosen.vertical
    )
    contrast = 1.6 * (10.0 ** float(rng.uniform(0, 0.85)))
    washed = rng.random() < 0.4
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
        crop=(float(rng.random()), float(rng.random())),
        contrast=(contrast, contrast * float(rng.uniform(1.0, 1.6))),
        dark_text=bool(rng.random() < 0.6),
        saturation=float(rng.uniform(0, 1) ** 2 if rng.random() < 0.7 else 0.0),
        many_colours=bool(rng.random() < 0.25),
        wash=float(rng.uniform(0.25, 0.9)) if washed else 0.0,
        wash_tone=int(rng.integers(200, 256) if rng.random() < 0.6 else rng.integers(0, 60)),
        plate=float(rng.uniform(0.4, 1.0)) if rng.random() < 0.2 else 0.0,
        tracking_px=float(rng.integers(0, 2)) if rng.random() < 0.15 else 0.0,
        phases=4 if language == "en" and rng.random() < 0.5 else 1,
        seed=int(rng.integers(1 << 53)),
        quad=quad,
        shadow=shadow.draw(rng, size_px) if _falls(rng, extras.shadow) else None,
        outline=outline.draw(rng, size_px) if _falls(rng, extras.outline) else None,
        camera=camera.draw(rng) if _falls(rng, extras.camera) else None,
    )


def _quad(rng: np.random.Generator, extras: Extras, width: int, height: int, least: int) -> Quad:
    for _ in range(_MAX_QUADS):
        quad = draw_quad(
            rng,
            width,
            height,
            tilt_degrees=extras.tilt_degrees,
            perspective=extras.perspective,
        )
        if min(sheet_size(quad)) >= least:
            return quad
    raise ValueError(
        f"on a page of {width}x{height} px, tilted by up to {extras.tilt_degrees:g} degrees with a "
        f"perspective of up to {extras.perspective:g}, a sheet of {least} px does not fit: give a "
        "larger canvas or smaller letters"
    )


def _falls(rng: np.random.Generator, share: float) -> bool:
    # Draws nothing where there is nothing to draw, so that other draws stay as they are.
    return share > 0 and float(rng.random()) < share


def _faces(
    rng: np.random.Generator, faces: Sequence[Face], language: str, size_px: int, layout: Layout
) -> tuple[Face, Face, list[Face]]:
    usable = [f for f in writing(faces, language) if f.vertical or not layout.vertical]
    if not usable:
        what = f"{language} from top to bottom" if layout.vertical else language
        raise ValueError(
            f"none of the {len(faces)} faces writes {what}: give more font folders, "
            "or fetch some with `python fonts/catalog.py --fetch`"
        )
    if language == "en":
        # Chinese faces set English quotation marks and dashes in full squares.
        usable = [face for face in usable if "zh" not in face.languages] or usable
    if layout.monospaced:
        usable = [face for face in usable if face.monospaced] or usable
    low, high = (350, 700) if size_px < _SMALL_PX else (250, 900)
    legible = [face for face in usable if low <= face.weight <= high] or usable
    families = sorted({face.family for face in legible})
    family = families[int(rng.integers(len(families)))]
    members = [face for face in legible if face.family == family]
    # Running text is rarely bold.
    plain = [face for face in members if face.weight <= 500] or members
    pool = plain if rng.random() < 0.8 else members
    body = pool[int(rng.integers(len(pool)))]
    bold = [face for face in members if face.weight > body.weight]
    heading = bold[int(rng.integers(len(bold)))] if bold else body
    others = [face for face in legible if face is not body and face is not heading]
    order = rng.permutation(len(others))
    return body, heading, [others[i] for i in order]


def _layout(
    rng: np.random.Generator, name: str | None, language: str, faces: Sequence[Face]
) -> Layout:
    if name is not None:
        if name not in LAYOUTS:
            raise ValueError(f"unknown layout {name!r}; there are {', '.join(LAYOUTS)}")
        layout = LAYOUTS[name]
        if language not in layout.languages:
            raise ValueError(f"the layout {name} is for {', '.join(layout.languages)} only")
        return layout
    vertical = any(face.vertical for face in writing(faces, language))
    fitting = [
        layout
        for layout in LAYOUTS.values()
        if language in layout.languages and (vertical or not layout.vertical)
    ]
    return fitting[int(rng.integers(len(fitting)))]


def _texts(
    dice: Dice,
    texts: Mapping[str, TextSource],
    language: str,
    faces: Sequence[Face],
    wanted: float,
    *,
    vertical: bool,
) -> tuple[list[str], list[tuple[int, str]], int]:
    keys = [faces[0].key, faces[1].key]
    places = {id(faces[1]): keys.index(faces[1].key), id(faces[0]): 0}
    drawn: list[tuple[int, str]] = []
    skipped, length, tries = 0, 0, 0
    seen: set[str] = set()
    while length < wanted:
        batch: list[str] = []
        missing = wanted - length
        while missing > 0:
            text = _paragraph(dice, texts, language)
            if tries < _MAX_SKIPS and (
                # No paragraph twice on a page, unless the source has too few to fill it.
                text in seen or (vertical and _ascii_share(text) > _VERTICAL_ASCII_SHARE)
            ):
                tries += 1
                continue
            seen.add(text)
            batch.append(text)
            missing -= len(text)
        for text, covered in zip(batch, faces[0].coverage.covers_each(batch), strict=True):
            face = faces[0] if covered else next((f for f in faces[2:] if f.covers(text)), None)
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


def _ascii_share(text: str) -> float:
    return len(text.encode("ascii", "ignore")) / len(text)


def _paragraph(dice: Dice, texts: Mapping[str, TextSource], language: str) -> str:
    if language == "mixed":
        return mixed(dice, texts["zh"].draw(dice), texts["en"].draw(dice))
    return texts[language].draw(dice)
