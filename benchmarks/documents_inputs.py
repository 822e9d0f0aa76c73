"""The real documents of `documents.py`: out of Debian packages, and those that are typeset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import html_documents
import office_documents

from vae_corpus import debian
from vae_corpus.demo import demo_inputs

# (package, language, files)
PDFS = (
    ("debmake-doc", "en", "debmake-doc.en.pdf"),
    ("debmake-doc", "mixed", "debmake-doc.zh-cn.pdf"),
    ("debmake-doc", "mixed", "debmake-doc.zh-tw.pdf"),
    ("debmake-doc", "other", "debmake-doc.ru.pdf"),
    ("debian-reference-zh-cn", "zh", "*.pdf"),
    ("debian-reference-zh-tw", "zh", "*.pdf"),
    ("maint-guide-zh-cn", "mixed", "*.pdf"),
    ("developers-reference", "en", "*.pdf"),
    ("gnuplot-doc", "en", "gnuplot.pdf"),
    ("siscone-doc-pdf", "en", "*.pdf"),
    ("evolver-doc", "en", "*.pdf"),
    ("asymptote-doc", "en", "*.pdf"),
    ("texlive-latex-recommended-doc", "en", "beamerexample*.pdf"),
)
_MOST_OF_PACKAGE = 2
_PAGES_OF = {"pdf": 8, "html": 4, "office": 6}
TYPESET = 96


def inputs(work: Path) -> dict[str, Path]:
    """Folders of links to the documents, by kind."""
    folders = debian.fetch(sorted({package for package, _, _ in PDFS}))
    found: dict[str, list[Path]] = {"pdf": [], "office": office_documents.documents()}
    for package, _, pattern in PDFS:
        files = sorted(p for p in folders[package].rglob(pattern) if p.is_file())
        found["pdf"] += files[:_MOST_OF_PACKAGE]
    places = {}
    for kind, paths in found.items():
        places[kind] = work / kind
        places[kind].mkdir(exist_ok=True)
        for number, path in enumerate(paths):
            link = places[kind] / f"{number:02d}-{path.name}"
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    return places


def fonts() -> list[str]:
    """Folders for everything: those of the demo, of web pages, and of office files."""
    folders = {*map(str, demo_inputs().fonts), *map(str, html_documents.font_folders())}
    return sorted(folders | set(office_documents.font_folders()))


def config(work: Path) -> Path:
    """The settings of the build. Each web page is a source: some have the same name."""
    demo, places, named = demo_inputs(), inputs(work), fonts()
    sources: list[dict[str, Any]] = [
        {
            "name": kind,
            "type": "documents",
            "uri": str(place),
            "max_pages": _PAGES_OF[kind],
            "fonts": named,
        }
        for kind, place in places.items()
    ]
    for number, file in enumerate(html_documents.documents()):
        sources.append(
            {
                "name": f"html_{number:02d}",
                "type": "documents",
                "uri": str(file.root / file.place),
                "max_pages": _PAGES_OF["html"],
                "fonts": named,
            }
        )
    sources.append(
        {
            "name": "typeset",
            "type": "typeset",
            "documents": TYPESET,
            "texts": {name: [str(path) for path in paths] for name, paths in demo.texts.items()},
            "pictures": [str(path) for path in demo.photos],
            "fonts": list(map(str, demo.fonts)),
        }
    )
    config = {
        "sources": sources,
        "synth": {"samples": {}},
        "plan": {"rung_weights": {256: 0.5, 512: 0.3, 1024: 0.2}},
        "score": {"audit_share": 0.1},
        "engine": {"workers": 0},
    }
    path = work / "corpus.yaml"
    path.write_text(json.dumps(config))
    return path
