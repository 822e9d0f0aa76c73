"""Documents typeset by us with typst: papers, forms, newspapers and more, from recipes to PDFs."""

from __future__ import annotations

from renderers.documents.typeset.drawing import TypesetSettings, draw_typeset
from renderers.documents.typeset.families import Families, NoFamily
from renderers.documents.typeset.kinds import KINDS
from renderers.documents.typeset.pen import Unwritable
from renderers.documents.typeset.recipe import LANGUAGES, TypesetRecipe
from renderers.documents.typeset.typesetter import Typeset, Typesetter, typeset_documents
from renderers.documents.typeset.typst import TypesettingFault

__all__ = [
    "KINDS",
    "LANGUAGES",
    "Families",
    "NoFamily",
    "Typeset",
    "TypesetRecipe",
    "TypesetSettings",
    "Typesetter",
    "TypesettingFault",
    "Unwritable",
    "draw_typeset",
    "typeset_documents",
]
