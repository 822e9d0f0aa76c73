"""What is drawn for a typeset document: its kind, its look, and the seed of its contents."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

# Raised when the same recipe would give another document.
VERSION = 1

LANGUAGES = ("en", "zh", "mixed")
RULES = ("grid", "booktabs", "stripes", "plain")
HEADINGS = ("plain", "accent", "ruled", "bar")
NUMBERINGS = ("", "1.1", "I.", "A.")

Names = tuple[str, ...]

# No document has more pages, whatever it holds.
MAX_PAGES = 4
_BOUNDS: dict[str, tuple[float, float]] = {
    "width_mm": (100, 1000),
    "height_mm": (100, 1000),
    "margin_mm": (0, 40),
    "columns": (1, 8),
    "pages": (1, MAX_PAGES),
    "size_pt": (5, 40),
    "leading_em": (0, 3),
    "tracking_em": (0, 1),
    "look": (0, 3),
}


@dataclass(frozen=True, kw_only=True)
class TypesetRecipe:
    """The parameters of a document; with the same texts, fonts and pictures it is the same PDF.

    `seed` draws the contents. `body`, `headings_in` and `mono` are families: one, or a Latin one
    before a Chinese one, which then writes only Latin letters. Colours are `#rrggbb`; `panel` is
    the ground of boxes, `hues` those of charts. `pages` is how many are filled, as far as the kind
    fills pages. `look` is one of four arrangements that a kind may have. `typesetter` names the
    program, whose own fonts set the formulas.
    """

    kind: str
    language: str
    seed: int
    paper: str
    width_mm: float
    height_mm: float
    margin_mm: float
    columns: int
    pages: int
    body: Names
    headings_in: Names
    mono: Names
    weight: int
    heading_weight: int
    size_pt: float
    leading_em: float
    tracking_em: float
    justify: bool
    indent_em: float
    ground: str
    ink: str
    accent: str
    panel: str
    hues: Names
    dark: bool
    rules: str
    headings: str
    numbering: str
    look: int
    math: bool
    figures: bool
    tables: bool
    typesetter: str
    version: int = VERSION

    @property
    def roles(self) -> tuple[Names, ...]:
        """The families of body, headings and code."""
        return self.body, self.headings_in, self.mono

    def room(self) -> int:
        """About how many characters of body text its pages hold."""
        point = 72 / 25.4
        wide, high = (s - 2 * self.margin_mm for s in (self.width_mm, self.height_mm))
        advance = {"en": 0.5, "zh": 1.0, "mixed": 0.85}[self.language] + self.tracking_em
        letter = self.size_pt**2 * advance * (0.72 + self.leading_em)
        return max(200, int(self.pages * wide * high * point**2 / letter))

    def column_em(self) -> float:
        """The width of a column in em of the body text."""
        wide = (self.width_mm - 2 * self.margin_mm) * 72 / 25.4
        return wide / self.columns / self.size_pt - 2 * (self.columns > 1)

    def to_json(self) -> str:
        """As `from_json` reads it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> TypesetRecipe:
        """The recipe of a label. ValueError when it is of another version or not a recipe."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"not a recipe: it is a JSON object; got {type(values).__name__}")
        if values.get("version") != VERSION:
            raise ValueError(
                f"this program replays recipes of version {VERSION}; got {values.get('version')!r}"
            )
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise ValueError(f"not a recipe: {sorted(set(values) ^ names)} are missing or unknown")
        lists = {name: tuple(v) for name, v in values.items() if isinstance(v, list)}
        recipe = cls(**{**values, **lists})
        recipe._check()
        return recipe

    def _check(self) -> None:
        """ValueError for what would take a page without end."""
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"not a recipe: {name} is a number; got {value!r}")
            if not low <= value <= high:
                raise ValueError(f"not a recipe: {name} is {low} to {high}; got {value}")
        if self.language not in LANGUAGES:
            raise ValueError(f"not a recipe: languages are {LANGUAGES}; got {self.language!r}")
        if not all(self.roles):
            raise ValueError("not a recipe: body, headings and code have a family each")
