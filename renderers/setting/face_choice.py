"""Which faces suit a page, by language and kind of text; found once and kept."""

from __future__ import annotations

from collections.abc import Sequence

from fonts.faces import Face, writing

Families = tuple[tuple[Face, ...], ...]


class FaceChoice:
    """The faces of a renderer, and which of them suit a page."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = tuple(faces)
        self._families: dict[tuple[str, bool, bool, bool], Families] = {}
        self._down: dict[str, bool] = {}

    def families(self, language: str, *, vertical: bool, monospaced: bool, small: bool) -> Families:
        """The faces that write `language`, family by family in order of name.

        Empty when none does, or none from top to bottom for `vertical` text. `monospaced` text and
        `small` text, in which hairlines vanish and the heaviest weights close up, get faces made
        for that where there are any.
        """
        asked = (language, vertical, monospaced, small)
        known = self._families.get(asked)
        if known is None:
            known = self._families[asked] = self._sort_out(*asked)
        return known

    def writes_down(self, language: str) -> bool:
        """Whether a face writes `language` from top to bottom."""
        known = self._down.get(language)
        if known is None:
            known = self._down[language] = any(f.vertical for f in writing(self.faces, language))
        return known

    def _sort_out(self, language: str, vertical: bool, monospaced: bool, small: bool) -> Families:
        usable = [f for f in writing(self.faces, language) if f.vertical or not vertical]
        if language == "en":
            # Chinese faces set English quotation marks and dashes in full squares.
            usable = [face for face in usable if "zh" not in face.languages] or usable
        if monospaced:
            usable = [face for face in usable if face.monospaced] or usable
        low, high = (350, 700) if small else (250, 900)
        legible = [face for face in usable if low <= face.weight <= high] or usable
        return tuple(
            tuple(face for face in legible if face.family == family)
            for family in sorted({face.family for face in legible})
        )
