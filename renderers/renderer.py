"""The text renderer: samples recipes, and paints a recipe onto a background, with labels.

    renderer = Renderer(faces=discover([folder]), texts={"zh": source})
    recipe = renderer.sample_recipe(rng, language="zh", size_band="8-10", width=512, height=512)
    rgb, labels = renderer.render(recipe, background)

The same state of `rng` gives the same recipe, the same recipe and background the same bytes. A
renderer keeps its glyphs from page to page and is not thread-safe: one per worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fonts.faces import Face
from renderers import sampling
from renderers.arrays import Floats, Picture
from renderers.effects import outline, shadow, warp
from renderers.effects.camera import degrade
from renderers.effects.extras import NO_EXTRAS, Extras
from renderers.glyphs.atlas import Atlas
from renderers.layout import LAYOUTS
from renderers.layout.sheet import Placed, Sheet, Text
from renderers.page.colour import contrast_ratio, local_luminance, luminance, text_colours, tints
from renderers.page.compose import (
    Glyphs,
    crop_background,
    paint_glyphs,
    paint_marks,
    place_characters,
    place_glyphs,
)
from renderers.page.ink_maps import Ink, Placement, ink_of, paint_ink
from renderers.page.labels import Labels
from renderers.recipe import Recipe
from renderers.setting.face_choice import FaceChoice
from renderers.setting.shaping import Shaper
from renderers.text.corpora import TextSource


class Renderer:
    """Faces, texts by language ("en", "zh"), and the caches that make pages cheap."""

    def __init__(self, *, faces: Sequence[Face], texts: Mapping[str, TextSource]) -> None:
        if not faces:
            raise ValueError("a renderer needs at least one face; fonts.faces.discover finds them")
        self.faces = tuple(faces)
        self.texts = dict(texts)
        self._face_choice = FaceChoice(self.faces)
        self._by_key = {face.key: face for face in faces}
        self._shaper = Shaper()
        self._atlas = Atlas()

    def sample_recipe(
        self,
        rng: np.random.Generator,
        *,
        language: str,
        size_band: str,
        width: int,
        height: int,
        layout: str | None = None,
        extras: Extras = NO_EXTRAS,
    ) -> Recipe:
        """Sample the parameters of one page; of any layout that suits when `layout` is None.

        `language` is "en", "zh" or "mixed", `size_band` for example "8-10" (em px); `extras` adds
        warped pages and effects. ValueError when a text source, a face or a layout for it is
        missing, or the page is too small.
        """
        needed = ("zh", "en") if language == "mixed" else (language,)
        for name in needed:
            if name not in self.texts:
                have = ", ".join(sorted(self.texts)) or "none"
                raise ValueError(f"there is no text source for {name}; given: {have}")
        return sampling.sample_recipe(
            rng,
            choice=self._face_choice,
            texts=self.texts,
            language=language,
            size_band=size_band,
            width=width,
            height=height,
            layout=layout,
            extras=extras,
        )

    def render(self, recipe: Recipe, background: Picture) -> tuple[Picture, dict[str, Any]]:
        """`paint` with the labels as plain lists and numbers: see `Labels.to_json`."""
        page, labels = self.paint(recipe, background)
        return page, labels.to_dict()

    def paint(self, recipe: Recipe, background: Picture) -> tuple[Picture, Labels]:
        """`uint8[H, W, 3]` and its labels, from a background at least as large as the page.

        The labels hold lines in reading order (see `Labels.to_json`), layout, language, fonts,
        recipe and seed. Lines whose ink would leave the page are left out and counted in
        `left_out`. ValueError for a background that is too small or a face that is not here.
        """
        page = crop_background(
            background,
            recipe.crop,
            (recipe.width, recipe.height),
            (recipe.wash, recipe.wash_tone),
        )
        rng = np.random.Generator(np.random.PCG64(recipe.seed))
        sheet = self._lay_out(recipe, rng)
        marked = (sheet.marks, recipe.plate, recipe.wash_tone, 40 if recipe.dark_text else 215)
        if recipe.quad:
            warp.paint_warped_marks(page, *marked, quad=recipe.quad)
        else:
            paint_marks(page, *marked)
        self._atlas.trim()
        lines, left_out = sheet.lines, 0
        found = self._place(lines, recipe)
        inside = _inside(found.glyphs, recipe)
        if not inside.all():
            left_out = int((~inside).sum())
            lines = lines.where(inside)
            found = self._place(lines, recipe)
        ground, spread = _ground(page, found)
        colours = _colours(recipe, rng, ground, spread)
        if found.ink is None and not (recipe.shadow or recipe.outline):
            paint_glyphs(page, found.glyphs, self._atlas, colours)
        else:
            ink = found.ink or ink_of(found.glyphs, self._atlas, recipe.height, recipe.width)
            if recipe.shadow or recipe.outline:
                _underlay(page, ink, recipe, colours, ground)
                ground, _ = _ground(page, found)
            paint_ink(page, ink, colours)
        if recipe.camera:
            page = degrade(page, recipe.camera)
        return page, Labels(
            lines=lines,
            boxes=place_characters(lines, found.glyphs, found.shapes),
            line_boxes=found.glyphs.line_boxes,
            colours=colours,
            contrasts=contrast_ratio(luminance(colours), ground),
            quads=found.quads,
            scales=found.scales,
            facts={
                "layout": recipe.layout,
                "language": recipe.language,
                "size_band": recipe.size_band,
                "fonts": self._fonts_used(lines),
                "left_out": left_out,
                "recipe": recipe.to_json(),
                "seed": recipe.seed,
            },
        )

    def _place(self, lines: Placed, recipe: Recipe) -> Placement:
        if recipe.quad:
            return warp.warp_glyphs(lines, self._atlas, recipe.quad, recipe.height, recipe.width)
        glyphs = place_glyphs(lines, self._atlas, recipe.phases)
        return Placement(glyphs, self._atlas.shapes)

    def _lay_out(self, recipe: Recipe, rng: np.random.Generator) -> Sheet:
        if recipe.layout not in LAYOUTS:
            raise ValueError(f"unknown layout {recipe.layout!r}; there are {', '.join(LAYOUTS)}")
        width, height = (
            warp.sheet_size(recipe.quad) if recipe.quad else (recipe.width, recipe.height)
        )
        sheet = Sheet(
            width=width,
            height=height,
            size_px=recipe.size_px,
            language=recipe.language,
            texts=[Text(text, font) for font, text in recipe.texts],
            faces=[self._face(key) for key in recipe.fonts],
            shaper=self._shaper,
            rng=rng,
            tracking_px=recipe.tracking_px,
            whole_px=recipe.phases == 1,
        )
        LAYOUTS[recipe.layout].place(sheet, recipe.params)
        return sheet

    def _face(self, key: str) -> Face:
        face = self._by_key.get(key)
        if face is None:
            raise ValueError(
                f"the recipe needs the face {key}, which is not among the {len(self.faces)} given "
                "(the part after @ is the digest of the font file)"
            )
        return face

    def _fonts_used(self, lines: Placed) -> list[dict[str, Any]]:
        numbers = np.flatnonzero(np.bincount(lines.table()[:, 4])).tolist()
        used = sorted({lines.galley.faces[number].key for number in numbers})
        return [
            {"face": key, "name": face.name, "licence": face.licence, "embeddable": face.embeddable}
            for key, face in ((key, self._by_key[key]) for key in used)
        ]


def _inside(glyphs: Glyphs, recipe: Recipe) -> np.typing.NDArray[np.bool_]:
    # Also leaves out lines without any ink.
    x0, y0, x1, y1 = glyphs.line_boxes.T
    inside: np.typing.NDArray[np.bool_] = (
        (x0 >= 0) & (y0 >= 0) & (x1 <= recipe.width) & (y1 <= recipe.height) & (x0 < x1)
    )
    return inside


def _ground(page: Picture, found: Placement) -> tuple[Floats, Floats]:
    """Mean and spread of luminance, `float64[lines]` each, where each line is to lie."""
    if found.quads is None:
        return local_luminance(page, found.glyphs.line_boxes)
    # The upright box of a slanted line holds much that is not under it: take its glyphs' boxes.
    boxes = found.shapes[:, [1, 2, 3, 4]]
    areas = (boxes[:, 2] * boxes[:, 3]).astype(np.float64)
    boxes[:, 2:] += boxes[:, :2]
    mean, spread = local_luminance(page, boxes)
    counts = found.glyphs.rows[:, 1] - found.glyphs.rows[:, 0]
    owner = np.repeat(np.arange(len(counts)), counts)
    total, first, second = (
        np.bincount(owner, areas * part, minlength=len(counts))
        for part in (np.ones_like(mean), mean, mean * mean + spread * spread)
    )
    middle = first / total
    return middle, np.sqrt(np.maximum(second / total - middle * middle, 0.0))


def _colours(recipe: Recipe, rng: np.random.Generator, ground: Floats, spread: Floats) -> Picture:
    count = len(ground)
    wanted = rng.uniform(*recipe.contrast, size=count)
    hues = tints(rng, count if recipe.many_colours else 1, saturation=recipe.saturation)
    return text_colours(
        ground, spread, wanted, np.broadcast_to(hues, (count, 3)), dark_first=recipe.dark_text
    )


def _underlay(page: Picture, ink: Ink, recipe: Recipe, colours: Picture, ground: Floats) -> None:
    # Light under dark letters and the other way round: effects set text off, never hide it.
    tones = np.where(luminance(colours) < ground, 255, 0).astype(np.uint8)
    if recipe.shadow:
        shadow.paint_shadow(page, ink, tones, recipe.shadow)
    if recipe.outline:
        outline.paint_outline(page, ink, tones, recipe.outline)
