"""A typesetter out of folders: of fonts, of texts by language, and of pictures for figures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fonts.faces import discover
from renderers.documents.page import RendererMissing
from renderers.documents.typeset.drawing import TypesetSettings, draw_typeset
from renderers.documents.typeset.families import NoFamily
from renderers.documents.typeset.recipe import VERSION, TypesetRecipe
from renderers.documents.typeset.typesetter import Typesetter
from renderers.documents.typeset.typst import version
from renderers.text.corpora import TextSource

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True, kw_only=True)
class Press:
    """A typesetter and what names its inputs: equal digests set a recipe in the same bytes."""

    typesetter: Typesetter
    digest: str

    def draw(
        self, rng: np.random.Generator, kinds: dict[str, float], languages: dict[str, float]
    ) -> TypesetRecipe:
        """The recipe of a document, by weights. RendererMissing when no font writes it."""
        settings = TypesetSettings(kinds=kinds, languages=languages)
        try:
            return draw_typeset(rng, self.typesetter.families, settings)
        except NoFamily as error:
            raise RendererMissing(f"a document cannot be typeset: {error}") from None

    def pdf(self, recipe: TypesetRecipe) -> bytes:
        """The document of a recipe."""
        return self.typesetter.pdf(recipe)


def press(
    fonts: Sequence[str], texts: Sequence[tuple[str, Sequence[str]]], pictures: Sequence[str]
) -> Press:
    """`texts` are (language, files and folders). RendererMissing for what is not there."""
    try:
        faces = discover([Path(folder) for folder in fonts])
        sources = {
            language: TextSource.from_paths([Path(path) for path in paths], language=language)
            for language, paths in texts
        }
    except (OSError, ValueError) as error:
        raise RendererMissing(f"documents cannot be typeset: {error}") from None
    if not faces:
        raise RendererMissing("documents cannot be typeset: name folders of fonts")
    # Figures are picked by number: it must not depend on where a node keeps the folders.
    found = list(dict.fromkeys(path for folder in pictures for path in _pictures(Path(folder))))
    digest = hashlib.sha256(f"{VERSION} {version()}".encode())
    for face in sorted({face.digest for face in faces}):
        digest.update(face.encode())
    for language, source in sorted(sources.items()):
        digest.update(language.encode())
        for paragraph in source.paragraphs:
            digest.update(paragraph.encode("utf-8", "surrogatepass"))
    for path in found:
        digest.update(f"{path.name} {path.stat().st_size}".encode())
    return Press(typesetter=Typesetter(faces, sources, found), digest=digest.hexdigest()[:16])


def _pictures(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise RendererMissing(f"documents cannot be typeset: no pictures at {folder}")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURE_SUFFIXES)
