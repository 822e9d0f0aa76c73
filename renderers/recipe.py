"""Everything that was drawn for one page: the label's core, and enough to draw it again.

A recipe and the same background give the same bytes. It is plain JSON, texts included, so that a
stored label can be replayed without the corpus it came from; fonts are named by file and digest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

from renderers.effects.camera import Camera
from renderers.effects.outline import Outline
from renderers.effects.shadow import Shadow
from renderers.effects.warp import Quad
from renderers.layout.base import Params
from renderers.optional import optional

# Raised when the same recipe or the same draw would give another picture.
VERSION = 6

_EFFECTS = {"shadow": Shadow, "outline": Outline, "camera": Camera}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The drawn parameters of one page.

    `size_px` is the em of the body text; it lies in `size_band`, and so does all other text unless
    `Extras.large_headings` let it grow. `texts` are (index into `fonts`, paragraph) pairs;
    `fonts` are `Face.key`s, the first for the body, the second for headings. `crop` is where the
    page is cut from the background: 0 left/top to 1 right/bottom. `contrast` is the range of WCAG
    ratios from which each line draws the least that it should reach. `wash` blends the background
    towards `wash_tone` (sRGB 0..255), `plate` does so behind blocks only. `phases` is 1
    (whole-pixel advances) or 4 (sub-pixel positions). `seed` feeds what is drawn while the page
    is laid out.
    `skipped_texts` counts the paragraphs that no face covers. `quad` holds the corners of a sheet
    that is rotated or in perspective (see `warp`); `shadow` and `outline` lie under the letters,
    `camera` is what is done to the finished page. All four are empty for flat, sharp text.
    """

    width: int
    height: int
    language: str
    size_band: str
    size_px: int
    layout: str
    params: Params
    fonts: tuple[str, ...]
    texts: tuple[tuple[int, str], ...]
    skipped_texts: int
    crop: tuple[float, float]
    contrast: tuple[float, float]
    dark_text: bool
    saturation: float
    many_colours: bool
    wash: float
    wash_tone: int
    plate: float
    tracking_px: float
    phases: int
    seed: int
    quad: Quad = ()
    shadow: Shadow | None = None
    outline: Outline | None = None
    camera: Camera | None = None
    version: int = VERSION

    def to_json(self) -> str:
        """As `from_json` reads it."""
        # Not `asdict`: it would copy thousands of texts one by one.
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _EFFECTS:
            if plain[name] is not None:
                plain[name] = plain[name]._asdict()
        return str(optional("orjson").dumps(plain), "utf-8")

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe of a label. ValueError when it is of another version or not a recipe."""
        values = _object(text)
        if values.get("version") != VERSION:
            raise ValueError(
                f"this program replays recipes of version {VERSION}; got {values.get('version')!r}"
            )
        try:
            for name in ("fonts", "crop", "contrast"):
                values[name] = tuple(values[name])
            values["texts"] = tuple((int(font), str(text)) for font, text in values["texts"])
            values["quad"] = tuple((float(x), float(y)) for x, y in values.get("quad", ()))
            for name, effect in _EFFECTS.items():
                if values.get(name) is not None:
                    values[name] = effect(**values[name])
            recipe = cls(**values)
        except KeyError as error:
            raise ValueError(f"not a recipe: it has no {error}") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a recipe: {error}") from None
        recipe._check()
        return recipe

    def _check(self) -> None:
        """ValueError for what compiled code would take at its word."""
        low, high = band_limits(self.size_band)
        wrong = None
        if len(self.fonts) < 2:
            wrong = "fonts are two or more: of the body and of headings"
        elif not all(0 <= font < len(self.fonts) for font, _ in self.texts):
            wrong = f"a text's font is one of 0 to {len(self.fonts) - 1}"
        elif not low <= self.size_px <= high:
            wrong = f"size_px {self.size_px} is not in the band {self.size_band}"
        elif self.phases not in (1, 4):
            wrong = f"phases are 1 or 4; got {self.phases}"
        elif any("\ud800" <= c <= "\udfff" for _, text in self.texts for c in text):
            wrong = "a text has half of a surrogate pair"
        if wrong:
            raise ValueError(f"not a recipe: {wrong}")


def _object(text: str) -> dict[str, Any]:
    """The members of a JSON object, ValueError for anything else."""
    if not isinstance(text, str):
        raise ValueError(f"not a recipe: it is JSON in a string; got {type(text).__name__}")
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError(f"not a recipe: it is a JSON object; got {type(values).__name__}")
    return values


def band_limits(size_band: str) -> tuple[int, int]:
    """`"8-10"` -> (8, 10), in em px. ValueError for anything but LOW-HIGH with 4 <= LOW <= HIGH."""
    low, _, high = size_band.partition("-")
    if not (low.isdigit() and high.isdigit() and 4 <= int(low) <= int(high) <= 64):
        raise ValueError(
            f"a size band is LOW-HIGH in em px, from 4 to 64, for example 8-10; got {size_band!r}"
        )
    return int(low), int(high)
