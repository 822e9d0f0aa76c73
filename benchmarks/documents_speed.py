"""How fast documents are drawn and scored, beside other ways; see `documents.py`."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import html_documents
import numpy as np
from documents_inputs import fonts, inputs

from filters.scores import Scores
from filters.settings import ScoreSettings
from renderers.documents import process
from renderers.documents.opening import FileRef, Tools, TypesetRef
from renderers.documents.pdf import document as pdf
from renderers.documents.pdf.fonts import pdf_fonts
from renderers.documents.process import Bounds, Renderings
from renderers.documents.recipe import LookSettings, PageRecipe, draw_document, draw_page
from renderers.documents.typeset.kinds import KINDS
from vae_corpus.demo import demo_inputs
from vae_corpus.pictures.decode import Limits, decode
from vae_corpus.pictures.encode import lossless

_SCORED_PAGES, _TIMED_PAGES, _REPEATS = 24, 40, 3
_DPI = 100


def scoring(work: Path) -> dict[str, Any]:
    """CPU time per page, both ways, at the same scales: medians of several runs."""
    settings = ScoreSettings(audit_share=0)
    scores = Scores(settings)
    scores.ready()
    cv2.setNumThreads(1)
    shown = _some_pages(work)
    ours: list[float] = []
    without: list[float] = []
    for _ in range(_REPEATS):
        begun = time.process_time()
        for document, number, recipe in shown:
            page = document.render(number, recipe, Limits())
            scores.measure(page.rgb, content="document", known=page.known)
        ours.append(time.process_time() - begun)
        begun = time.process_time()
        for document, number, recipe in shown:
            with document._page(number) as raw:
                rgb = pdf._pixels(raw, document.render(number, recipe, Limits()).facts["scale"])
                raw.get_textpage().get_text_range()
            picture = decode(lossless(rgb, "png"))
            scores.measure(picture.rgb, content="document")  # type: ignore[union-attr]
        without.append(time.process_time() - begun)
    mean, before = (1e3 * statistics.median(times) / len(shown) for times in (ours, without))
    return {
        "pages": len(shown),
        "known_ms": round(mean, 1),
        "detector_ms": round(before, 1),
        "ratio": round(before / mean, 1),
    }


def _some_pages(work: Path) -> list[tuple[Any, int, PageRecipe]]:
    """Pages of text of all PDFs, each with a recipe."""
    rng = np.random.default_rng(1)
    named = pdf_fonts(tuple(fonts()))
    chosen = []
    files = sorted(inputs(work)["pdf"].iterdir())
    for path in files:
        data = path.read_bytes()
        document = pdf.open_pdf(data, len(data), named)
        for _ in range(max(1, _SCORED_PAGES // len(files))):
            number = int(rng.integers(document.pages))
            chosen.append((document, number, draw_page(rng, LookSettings())))
    return chosen


def speed(work: Path) -> dict[str, Any]:
    """Pages per second of a core: all CPU time of a renderer's processes, start not counted."""
    demo = demo_inputs()
    rng = np.random.default_rng(2)
    files = {
        "pdf": sorted(inputs(work)["pdf"].iterdir()),
        "html": [(file.root / file.place) for file in html_documents.documents()],
        "office": sorted(inputs(work)["office"].iterdir()),
    }
    tools = Tools(
        fonts=tuple(fonts()),
        texts=tuple((name, tuple(map(str, paths))) for name, paths in demo.texts.items()),
        pictures=tuple(map(str, demo.photos)),
    )
    renderings = Renderings(tools, Bounds(page_timeout_s=60))
    found: dict[str, Any] = {}
    for kind, paths in files.items():
        refs = [FileRef(uri=str(path), recipe=draw_document(rng)) for path in paths]
        found[kind] = _timed(renderings, refs, rng)
    weights = tuple((name, 1.0) for name in sorted(KINDS))
    ours = [
        TypesetRef(seed=3, number=n, kinds=weights, languages=(("en", 1.0), ("zh", 1.0)))
        for n in range(_TIMED_PAGES)
    ]
    found["typeset"] = _timed(renderings, ours, rng)
    renderings.close()
    return {"pages_per_core_s": found, "pdftoppm": _beside_pdftoppm(work)}


def _timed(renderings: Renderings, refs: list[Any], rng: Any) -> dict[str, Any]:
    renderings.pages(refs[0])
    assert renderings._child is not None
    begun, pages = _family_s(renderings._child.pid), 0
    for ref in refs:
        count = renderings.pages(ref)
        for number in range(min(count, 3)):
            renderings.render(ref, number, draw_page(rng, LookSettings()), Limits())
            pages += 1
    seconds = _family_s(renderings._child.pid) - begun
    return {"documents": len(refs), "pages": pages, "per_s": round(pages / seconds, 1)}


def _family_s(pid: int) -> float:
    """CPU time of a process and its descendants, those that ended included."""
    total = 0
    for one in process._family(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def _beside_pdftoppm(work: Path) -> dict[str, Any]:
    """Pages of PDFs at 100 dpi: pixels alone, pixels and characters, and pdftoppm."""
    named = pdf_fonts(tuple(fonts()))
    ratios: dict[str, list[float]] = {"pixels": [], "with_characters": []}
    seconds: Counter[str] = Counter()
    out = work / "ppm"
    out.mkdir(exist_ok=True)
    scaled = pdf.page_scale
    recipe = draw_page(np.random.default_rng(0), LookSettings())
    pages = 0
    try:
        pdf.page_scale = lambda *_args, **_more: _DPI / 72  # type: ignore[assignment]
        for path in sorted(inputs(work)["pdf"].iterdir()):
            data = path.read_bytes()
            document = pdf.open_pdf(data, len(data), named)
            numbers = range(min(document.pages, 12))
            pages += len(numbers)

            def pixels(number: int, document: Any = document) -> None:
                with document._page(number) as page:
                    pdf._pixels(page, _DPI / 72)

            def whole(number: int, document: Any = document) -> None:
                document.render(number, recipe, Limits())

            theirs = _theirs_s(path, len(numbers), out)
            for name, draw in (("pixels", pixels), ("with_characters", whole)):
                own = _median_s(lambda draw=draw, numbers=numbers: [draw(n) for n in numbers])
                seconds[name] += own
                ratios[name].append(theirs / own)
            seconds["pdftoppm"] += theirs
            document.close()
    finally:
        pdf.page_scale = scaled
    return {
        "dpi": _DPI,
        "pages": pages,
        **{f"{name}_pages_per_s": round(pages / spent, 1) for name, spent in seconds.items()},
        "ratio_pixels": round(seconds["pdftoppm"] / seconds["pixels"], 2),
        "ratio_with_characters": round(seconds["pdftoppm"] / seconds["with_characters"], 2),
        "least_ratio_of_a_file": round(min(ratios["with_characters"]), 2),
    }


def _theirs_s(path: Path, pages: int, out: Path) -> float:
    def run() -> None:
        command = ["pdftoppm", "-r", str(_DPI), "-l", str(pages), str(path), str(out / "page")]
        subprocess.run(command, check=True, capture_output=True)

    found = []
    for _ in range(_REPEATS):
        before = os.times()
        run()
        after = os.times()
        spent = after.children_user - before.children_user
        found.append(spent + after.children_system - before.children_system)
    return statistics.median(found)


def _median_s(work: Callable[[], Any]) -> float:
    found = []
    for _ in range(_REPEATS):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return statistics.median(found)
