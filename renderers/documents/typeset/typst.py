"""typst, the typesetting program, as a function: files in, the bytes of a PDF out.

It is asked for PDF/A-2u, which forbids `.notdef`: a glyph that no font has is an error of the
compiler and never a blank. Nothing is read but the files handed in and the fonts named; the date
in the PDF is fixed, so equal files and fonts give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from renderers.documents.page import RendererMissing

# The file among those handed in that is compiled.
MAIN = "main.typ"
_STANDARD = "a-2u"
# Seconds since 1970; templates that tell no date of their own get this one.
_TIMESTAMP = 0


class TypesettingFault(Exception):
    """typst refused a document, or warned about it."""


@cache
def module() -> Any:
    """The package. RendererMissing when it is not installed."""
    try:
        return import_module("typst")
    except ImportError:
        raise RendererMissing(
            "typesetting documents needs typst: pip install 'vae-corpus[documents]'"
        ) from None


@cache
def version() -> str:
    """As it stands in recipes."""
    from importlib.metadata import version

    module()
    return f"typst {version('typst')}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be compiled: text `files` by name, MAIN among them, and `fonts`.

    `fonts` is a `typst.Fonts`. `folder` holds the pictures, which typst reads from disk alone.
    """

    files: Mapping[str, bytes]
    fonts: Any
    folder: Path


def compiled(job: Job) -> bytes:
    """The PDF.

    TypesettingFault for an error and for any warning: an unknown family is only a warning.
    """
    typst = module()
    try:
        pdf, warnings = typst.compile_with_warnings(
            dict(job.files),
            root=job.folder,
            font_paths=job.fonts,
            ignore_system_fonts=True,
            format="pdf",
            timestamp=_TIMESTAMP,
            pdf_standards=[_STANDARD],
            pdf_tags=False,
        )
    except typst.TypstError as error:
        raise TypesettingFault(str(error)) from None
    if warnings:
        raise TypesettingFault("; ".join(warning.message for warning in warnings))
    return bytes(pdf)


def asked(job: Job, label: str) -> Any:
    """The value of the one `metadata` that bears `label`; cheap before and after `compiled`."""
    typst = module()
    try:
        found = typst.query(
            dict(job.files),
            f"<{label}>",
            field="value",
            one=True,
            root=job.folder,
            font_paths=job.fonts,
            ignore_system_fonts=True,
        )
    except RuntimeError as error:
        raise TypesettingFault(str(error)) from None
    return json.loads(found)
