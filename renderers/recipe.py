"""The text renderer: draws a recipe, and turns a recipe and a background into picture and labels.

    renderer = Renderer(faces=discover([folder]), texts={"zh": source})
    recipe = renderer.draw_recipe(rng, language="zh", size_band="8-10", width=512, height=512)
    rgb, labels = renderer.render(recipe, background)

The same state of `rng` gives the same recipe; the same recipe and background the same bytes. A
renderer keeps its glyphs from page to page; it is not thread-safe: one per worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fonts.faces import Face
from renderers import draw
from renderers.atlas import Atlas
from renderers.colour import LocalLuminance, contrast_ratio, luminance, text_colours, tints
from renderers.compose import Glyphs, Picture, backdrop, blend, characters, furnish, gather
from renderers.labels import Labels
from renderers.layout import LAYOUTS
from renderers.layout.sheet import Line, Sheet, Text
from renderers.parameters import LANGUAGES, SIZE_BANDS, VERSION, Recipe
from renderers.shaping import Shaper
from renderers.text_sources import TextSource

__all__ = ["LANGUAGES", "SIZE_BANDS", "VERSION", "Recipe", "Renderer"]


class Renderer:
    """Faces, texts by language ("en", "zh"), and the caches that make pages cheap."""

    def __init__(self, *, faces: Sequence[Face], texts: Mapping[str, TextSource]) -> None:
        if not faces:
            raise ValueError("a renderer needs at least one face; fonts.faces.discover finds them")
        self.faces = tuple(faces)
        self.texts = dict(texts)
        self._by_key = {face.key: face for face in faces}
        self._shaper = Shaper()
        self._atlas = Atlas()

    def draw_recipe(
        self,
        rng: np.random.Generator,
        *,
        language: str,
        size_band: str,
        width: int,
        height: int,
        layout: str | None = None,
    ) -> Recipe:
        """Draw the parameters of one page; any layout that suits when `layout` is None.

        `language` is "en", "zh" or "mixed", `size_band` for example "8-10" (em px). ValueError
        when a text source, a face or a layout for it is missing, or the page is too small.
        """
        needed = ("zh", "en") if language == "mixed" else (language,)
        for name in needed:
            if name not in self.texts:
                have = ", ".join(sorted(self.texts)) or "none"
                raise ValueError(f"there is no text source for {name}; given: {have}")
        return draw.draw_recipe(
            rng,
            faces=self.faces,
            texts=self.texts,
            language=language,
            size_band=size_band,
            width=width,
            height=height,
            layout=layout,
        )

    def render(self, recipe: Recipe, background: Picture) -> tuple[Picture, dict[str, Any]]:
        """`uint8[H, W, 3]` and its labels as plain lists and numbers: see `Labels.to_dict`."""
        page, labels = self.draw(recipe, background)
        return page, labels.to_dict()

    def draw(self, recipe: Recipe, background: Picture) -> tuple[Picture, Labels]:
        """`uint8[H, W, 3]` and its labels, from a background at least as large as the page.

        The labels hold lines in reading order (see `Labels.to_dict`), layout, language, fonts,
        recipe and seed. Lines whose ink would leave the page are left out and counted in
        `left_out`. ValueError for a background that is too small or a face that is not here.
        """
        page = backdrop(
            background,
            recipe.crop,
            (recipe.width, recipe.height),
            (recipe.wash, recipe.wash_tone),
        )
        rng = np.random.Generator(np.random.PCG64(recipe.seed))
        sheet = self._lay_out(recipe, rng)
        rule_tone = 40 if recipe.dark_text else 215
        furnish(page, sheet.marks, recipe.plate, recipe.wash_tone, rule_tone)
        self._atlas.trim()
        lines, left_out = sheet.lines, 0
        glyphs = gather(lines, self._atlas, recipe.phases)
        inside = _inside(glyphs, recipe)
        if not inside.all():
            left_out = int((~inside).sum())
            lines = [line for line, keep in zip(lines, inside.tolist(), strict=True) if keep]
            glyphs = gather(lines, self._atlas, recipe.phases)
        colours, contrasts = _colours(recipe, rng, page, glyphs)
        blend(page, glyphs, self._atlas, colours)
        return page, Labels(
            lines=lines,
            characters=characters(glyphs, self._atlas),
            colours=colours,
            contrasts=contrasts,
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

    def _lay_out(self, recipe: Recipe, rng: np.random.Generator) -> Sheet:
        if recipe.layout not in LAYOUTS:
            raise ValueError(f"unknown layout {recipe.layout!r}; there are {', '.join(LAYOUTS)}")
        faces = [self._face(key) for key in recipe.fonts]
        sheet = Sheet(
            width=recipe.width,
            height=recipe.height,
            size_px=recipe.size_px,
            language=recipe.language,
            texts=[Text(text, faces[font]) for font, text in recipe.texts],
            body=faces[0],
            heading=faces[1],
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

    def _fonts_used(self, lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
        faces = {id(line.strip.face): line.strip.face for line in lines}
        used = sorted(face.key for face in faces.values())
        return {
            key: {
                "name": self._by_key[key].name,
                "licence": self._by_key[key].licence,
                "embeddable": self._by_key[key].embeddable,
            }
            for key in used
        }


def _inside(glyphs: Glyphs, recipe: Recipe) -> np.typing.NDArray[np.bool_]:
    # Also leaves out lines without any ink.
    x0, y0, x1, y1 = glyphs.line_boxes.T
    inside: np.typing.NDArray[np.bool_] = (
        (x0 >= 0) & (y0 >= 0) & (x1 <= recipe.width) & (y1 <= recipe.height) & (x0 < x1)
    )
    return inside


def _colours(
    recipe: Recipe, rng: np.random.Generator, page: Picture, glyphs: Glyphs
) -> tuple[Picture, np.typing.NDArray[np.float64]]:
    count = len(glyphs.line_boxes)
    ground, spread = LocalLuminance(page).of(glyphs.line_boxes)
    wanted = rng.uniform(*recipe.contrast, size=count)
    hues = tints(rng, count if recipe.many_colours else 1, saturation=recipe.saturation)
    colours = text_colours(
        ground, spread, wanted, np.broadcast_to(hues, (count, 3)), dark_first=recipe.dark_text
    )
    return colours, contrast_ratio(luminance(colours), ground)
