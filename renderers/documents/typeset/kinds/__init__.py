"""The kinds of documents that are typeset, by name; each has a template of that name."""

from __future__ import annotations

from renderers.documents.typeset.kinds import boards, prose, sheets
from renderers.documents.typeset.kinds.kind import PAPERS, Contents, Kind

_BOOK = ("a4", "letter", "b5", "a5")

KINDS: dict[str, Kind] = {
    "paper": Kind(
        compose=prose.paper,
        papers=("a4", "letter", "a4"),
        size_pt=(8.5, 11),
        columns=(2, 2, 2, 1),
        pages=(1, 2, 3),
        math=0.7,
        dark=0.05,
        tinted=0.1,
        justify=0.95,
    ),
    "lecture": Kind(
        compose=prose.lecture,
        papers=_BOOK,
        size_pt=(9, 12),
        columns=(1, 1, 2),
        pages=(1, 2, 3),
        math=1.0,
    ),
    "report": Kind(
        compose=prose.report,
        papers=("a4", "letter", "a4-wide"),
        size_pt=(8, 10.5),
        columns=(1, 2, 1),
        pages=(1, 2, 3),
    ),
    "newspaper": Kind(
        compose=prose.newspaper,
        papers=("tabloid", "broadsheet", "a3", "tabloid"),
        size_pt=(7.5, 10),
        columns=(4, 5, 6),
        pages=(1, 1, 2),
        margin_mm=(10, 16),
        dark=0.02,
        tinted=0.4,
        justify=0.95,
    ),
    "letter": Kind(
        compose=prose.letter, papers=("a4", "letter", "b5"), size_pt=(9, 12), pages=(1, 1, 2)
    ),
    "exam": Kind(
        compose=sheets.exam,
        papers=("a4", "a3-wide", "letter", "b5"),
        size_pt=(9, 11.5),
        columns=(1, 2),
        pages=(1, 2),
        margin_mm=(12, 20),
        math=0.5,
        dark=0.02,
        tinted=0.1,
    ),
    "invoice": Kind(
        compose=sheets.invoice,
        settle=sheets.add_up,
        papers=("a4", "letter", "a5"),
        size_pt=(7.5, 10),
        margin_mm=(10, 18),
        dark=0.04,
        justify=0.2,
    ),
    "form": Kind(
        compose=sheets.form,
        papers=("a4", "letter", "legal"),
        size_pt=(8, 10.5),
        margin_mm=(10, 18),
        dark=0.02,
        justify=0.3,
    ),
    "menu": Kind(
        compose=sheets.menu,
        papers=("a4", "a5", "slip", "a4-wide", "a3"),
        size_pt=(8.5, 12),
        columns=(1, 2, 2, 3),
        dark=0.3,
        tinted=0.4,
        justify=0.0,
    ),
    "timetable": Kind(
        compose=sheets.timetable,
        papers=("a4", "a4-wide", "letter"),
        size_pt=(8, 10.5),
        margin_mm=(10, 18),
        justify=0.0,
    ),
    "calendar": Kind(
        compose=sheets.calendar,
        papers=("a4-wide", "a4", "a3"),
        size_pt=(8, 11),
        margin_mm=(10, 18),
        dark=0.15,
        tinted=0.3,
        justify=0.0,
    ),
    "slides": Kind(
        compose=boards.slides,
        papers=("screen-16-9", "screen-16-9", "screen-4-3"),
        size_pt=(11, 18),
        pages=(2, 3, 4),
        margin_mm=(10, 16),
        dark=0.35,
        tinted=0.25,
        math=0.3,
        justify=0.1,
    ),
    "poster": Kind(
        compose=boards.poster,
        papers=("a3", "a3-wide", "broadsheet"),
        size_pt=(9, 13),
        columns=(2, 3, 4),
        margin_mm=(10, 18),
        dark=0.25,
        tinted=0.35,
        math=0.3,
        justify=0.5,
    ),
    "listing": Kind(
        compose=boards.listing,
        papers=("a4", "letter", "b5", "a4-wide"),
        size_pt=(8, 10.5),
        columns=(1, 1, 2),
        pages=(1, 2),
        dark=0.4,
    ),
    "glossary": Kind(
        compose=boards.glossary, papers=_BOOK, size_pt=(8, 10.5), columns=(2, 3, 2), pages=(1, 2)
    ),
    "resume": Kind(
        compose=boards.resume, papers=("a4", "letter"), size_pt=(8, 10.5), margin_mm=(12, 20)
    ),
}

__all__ = ["KINDS", "PAPERS", "Contents", "Kind"]
