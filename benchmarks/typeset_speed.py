"""Pages a second that are typeset, and typeset and drawn, for each kind; CPU time of one core.

    python benchmarks/typeset_speed.py                 # four documents of each kind and language
    python benchmarks/typeset_speed.py --each 2 --out benchmarks/results/typeset_speed.json

Typesetting is all of it: words are written, pages fitted, the PDF compiled. Drawing is by
pdfium at 100 dpi. What is done once for all documents, finding fonts and texts, is left out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fonts.faces import discover  # noqa: E402
from renderers.documents.typeset import (  # noqa: E402
    KINDS,
    LANGUAGES,
    TypesetSettings,
    Typesetter,
    draw_typeset,
)
from renderers.documents.typeset import typst as typst_module  # noqa: E402
from renderers.text.corpora import TextSource  # noqa: E402
from vae_corpus.demo import demo_inputs  # noqa: E402

_DPI = 100


def measure(typesetter: Typesetter, kind: str, each: int) -> dict[str, Any]:
    """Pages and CPU seconds of `each` documents of `kind` in each language, after one for each."""
    pages, compiled, drawn, size = 0, 0.0, 0.0, 0
    for at, language in enumerate(LANGUAGES):
        wanted = TypesetSettings(kinds={kind: 1.0}, languages={language: 1.0})
        for seed in range(each + 1):
            rng = np.random.default_rng([seed, at])
            recipe = draw_typeset(rng, typesetter.families, wanted)
            start = time.process_time()
            made = typesetter.typeset(recipe)
            middle = time.process_time()
            with pypdfium2.PdfDocument(made.pdf) as document:
                for page in document:
                    page.render(scale=_DPI / 72).to_numpy()
            end = time.process_time()
            # The first one finds fonts that nobody has opened.
            if seed:
                pages += made.pages
                compiled, drawn = compiled + middle - start, drawn + end - middle
                size += len(made.pdf)
    return {
        "pages": pages,
        "typeset_pages_s": round(pages / compiled, 1),
        "typeset_and_drawn_pages_s": round(pages / (compiled + drawn), 1),
        "kb_a_page": round(size / pages / 1000),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--each", type=int, default=4, help="documents of a kind and language")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    args = parser.parse_args(argv)
    inputs = demo_inputs()
    texts = {name: TextSource.from_paths(p, language=name) for name, p in inputs.texts.items()}
    typesetter = Typesetter(discover(inputs.fonts), texts, inputs.photos[:60])
    figures: dict[str, Any] = {}
    print(f"{'kind':12}{'pages':>6}{'typeset/s':>11}{'and drawn/s':>13}{'kB/page':>9}")
    for kind in KINDS:
        row = figures[kind] = measure(typesetter, kind, args.each)
        first, second = row["typeset_pages_s"], row["typeset_and_drawn_pages_s"]
        print(f"{kind:12}{row['pages']:6}{first:11.1f}{second:13.1f}{row['kb_a_page']:9}")
    if args.out:
        told = {"typesetter": typst_module.version(), "dpi": _DPI, "kinds": figures}
        args.out.write_text(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
