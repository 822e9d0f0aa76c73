"""Pages of one template must all stay in the corpus, and copies of a page must not.

    python benchmarks/template_duplicates.py            # the templates that were tuned on
    python benchmarks/template_duplicates.py --wider    # other templates, looked at afterwards
    python benchmarks/template_duplicates.py --ocr      # with text measured, as a build has it
    python benchmarks/template_duplicates.py --plan.duplicate_text_runs 1024 \\
        --plan.duplicate_layout_levels 255              # as if nobody looked at what pages say

Runs builds with the default settings on pages made in code (benchmarks/template_pages.py), of each
template 40 in which everything that is filled in differs and 40 that differ in one name and one
amount alone: as PDFs at drawn sizes with a second file of the same pages at other sizes, as
scans, and as photographs, of which some have copies: re-encoded, resized, cropped. Prints a table
and writes benchmarks/results/template_duplicates[_wider][_ocr].json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.template_pages import COPIES, TUNED, WIDER, Template, encode, photographed  # noqa: E402
from pipelines import build_corpus  # noqa: E402
from renderers.documents.pdf import open_pdf  # noqa: E402
from renderers.documents.pdf.fonts import pdf_fonts  # noqa: E402
from renderers.documents.recipe import PageRecipe  # noqa: E402
from vae_corpus.demo import demo_inputs  # noqa: E402
from vae_corpus.pictures.decode import Limits  # noqa: E402

_PAGES = 40
_WITH_COPIES = 6
_SCAN_PX = 14.0
_MODES = {"loose": False, "close": True}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--wider", action="store_true")
    parser.add_argument("--ocr", action="store_true")
    parser.add_argument("--kinds", nargs="+", choices=tuple(_WRITERS), default=tuple(_WRITERS))
    parser.add_argument("--pages", type=int, default=_PAGES, help="pages of each template and mode")
    args, flags = parser.parse_known_args(argv)
    templates = WIDER if args.wider else TUNED
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.kinds:
            place = Path(folder) / kind
            place.mkdir()
            _WRITERS[kind](place, templates, args.pages)
            print(f"\n{kind}s", flush=True)
            results[kind] = _measure(place, kind, args.ocr, flags)
    name = "template_duplicates" + "_wider" * args.wider + "_ocr" * args.ocr
    if set(args.kinds) == set(_WRITERS) and args.pages == _PAGES and not flags:
        out = Path(__file__).parent / "results" / f"{name}.json"
        out.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def _write_pdfs(place: Path, templates: tuple[Template, ...], pages: int) -> None:
    for template in templates:
        for mode, close in _MODES.items():
            seeds = list(range(pages))
            name = f"{template.name}-{mode}"
            (place / f"{name}.pdf").write_bytes(template.pdf(seeds, close))
            # In another file each page has another size.
            (place / f"{name}-again.pdf").write_bytes(template.pdf([10**6, *seeds], close))


def _write_scans(place: Path, templates: tuple[Template, ...], pages: int) -> None:
    _write_images(place, templates, pages, photo=False)


def _write_photos(place: Path, templates: tuple[Template, ...], pages: int) -> None:
    _write_images(place, templates, pages, photo=True)


def _write_images(place: Path, templates: tuple[Template, ...], pages: int, *, photo: bool) -> None:
    fonts = pdf_fonts(tuple(map(str, demo_inputs().fonts)))
    # Print of 10 points, most of it, at 100 dpi.
    recipe = PageRecipe(glyph_px={"en": _SCAN_PX, "zh": _SCAN_PX}, band={})
    for template in templates:
        for mode, close in _MODES.items():
            data = template.pdf(range(pages), close)
            document = open_pdf(data, len(data), fonts)
            for number in range(pages):
                rgb = document.render(number, recipe, Limits()).rgb
                if photo:
                    rgb = photographed(rgb, number)
                name = f"{template.name}-{mode}-{number}"
                (place / f"{name}+original.png").write_bytes(encode(rgb, "png"))
                if number < _WITH_COPIES:
                    for copy, make in COPIES.items():
                        (place / f"{name}+{copy}.img").write_bytes(make(rgb))
            document.close()


_WRITERS = {"pdf": _write_pdfs, "scan": _write_scans, "photo": _write_photos}


def _measure(place: Path, kind: str, ocr: bool, flags: list[str]) -> dict[str, Any]:
    source: dict[str, Any] = {"name": kind, "uri": str(place), "content": "document"}
    if kind == "pdf":
        source |= {"type": "documents", "fonts": [str(path) for path in demo_inputs().fonts]}
    else:
        source |= {"type": "folder", "include": ["*"]}
    config = {
        "sources": [source],
        "score": {"text": ocr},
        "synth": {"samples": {}},
        "engine": {"workers": 0},
    }
    path, corpus = place.parent / f"{kind}.yaml", place.parent / f"{kind}-corpus"
    path.write_text(json.dumps(config))
    if build_corpus.main(["--config", str(path), "--out", str(corpus), *flags]):
        raise SystemExit("the build failed")
    (plan,) = (corpus / "plan").iterdir()
    selected = pq.read_table(plan / "selected").to_pylist()
    dropped = pq.read_table(plan / "dropped").to_pylist()
    return _count(kind, selected, dropped)


def _family_and_copy(kind: str, member: str) -> tuple[str, str]:
    """Which page it is, and in which copy."""
    if kind != "pdf":
        family, _, copy = Path(member).name.rpartition("+")
        return family, copy.rpartition(".")[0]
    name, _, number = member.partition(".pdf#page=")
    again = name.endswith("-again")
    return (
        f"{name.removesuffix('-again')}-{int(number) - 1 - again}",
        "again" if again else "original",
    )


def _count(kind: str, selected: list[Any], dropped: list[Any]) -> dict[str, Any]:
    """Per template and mode: pages, wrongly lost, copies, copies found; and copies found by kind.

    A page is lost when no copy of it is kept and one was dropped as the twin of another page.
    What was dropped for other reasons, such as its size, counts nowhere.
    """
    judged = [(row, True) for row in selected]
    judged += [(row, False) for row in dropped if row["slug"] in ("duplicate", "near_duplicate")]
    families: dict[str, dict[str, bool]] = {}
    for row, kept in judged:
        family, copy = _family_and_copy(kind, row["member"])
        families.setdefault(family, {})[copy] = kept
    sets: dict[str, Counter[str]] = {}
    copies: dict[str, Counter[str]] = {}
    for family, members in families.items():
        if family.endswith("--1"):
            continue  # the page that only moves the others on
        count = sets.setdefault(family.rpartition("-")[0], Counter())
        count["pages"] += 1
        count["lost"] += not any(members.values())
        # Of a page and its copies the one with most pixels stays.
        best = min((c for c, kept in members.items() if kept), key=_smaller, default=None)
        for copy, kept in members.items():
            if copy == best:
                continue
            count["copies"] += 1
            count["found"] += not kept
            part = copies.setdefault(copy.partition(":")[0], Counter())
            part["copies"] += 1
            part["found"] += not kept
    lost = sorted(family for family, members in families.items() if not any(members.values()))
    print("lost:", *lost if lost else ["none"])
    print(f"{'':26} {'pages':>6} {'lost':>5} {'copies':>7} {'found':>6}")
    for name, count in [*sorted(sets.items()), *sorted(copies.items())]:
        pages, lost = (str(count[n]) if count["pages"] else "" for n in ("pages", "lost"))
        found = f"{count['found'] / count['copies']:.1%}" if count["copies"] else ""
        print(f"{name:26} {pages:>6} {lost:>5} {count['copies']:>7} {found:>6}")
    whole = {name: dict(count) for name, count in sorted({**sets, **copies}.items())}
    return whole | {"dropped": dict(Counter(row["slug"] for row in dropped))}


def _smaller(copy: str) -> tuple[bool, bool]:
    return copy.startswith("cropped"), copy != "resized: 2.0"


if __name__ == "__main__":
    sys.exit(main())
