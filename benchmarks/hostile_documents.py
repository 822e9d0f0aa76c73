"""Does a hostile document get the fate it deserves, in what time and memory?

    python benchmarks/hostile_documents.py
    python benchmarks/hostile_documents.py --only .pdf --check forms_10_to_the_9 --keep /tmp/hostile

Over 150 documents are made in code: files that are broken, locked, endless, gigantic, that reach
for other files or the network, and pages whose text is not what they show. Each says what may
become of its pages; what is wrong is anything else, text that nobody sees, and whatever takes a
process down that should not. Seconds are those of the wall, memory that of all processes below.
Writes benchmarks/results/hostile_documents.json; the exit code is 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import os
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hostile_set import (
    archives,
    killable,
    office,
    pages,
    pdf_drawing,
    pdf_files,
    pdf_text,
    plain_pdfium,
)
from hostile_set.case import Hostile
from hostile_set.verdict import Render, Verdict, judge

from vae_corpus.demo import demo_inputs

_RESULT = Path(__file__).parent / "results" / "hostile_documents.json"
_PARTS = (pdf_files, pdf_drawing, pdf_text, pages, office, archives)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar=".pdf", action="append", help="files of this kind")
    parser.add_argument("--check", metavar="NAME", action="append", help="files of this name")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the files here")
    parser.add_argument("--timeout", metavar="S", type=float, default=20.0, help="for each file")
    parser.add_argument("--plain", action="store_true", help="pdfium alone, on PDF files")
    parser.add_argument("--out", metavar="FILE", type=Path, default=_RESULT)
    given = parser.parse_args(argv)
    chosen = [
        hostile
        for hostile in make()
        if (not given.plain or hostile.suffix == ".pdf")
        and (not given.only or hostile.suffix in given.only)
        and (not given.check or hostile.name in given.check)
    ]
    fonts = tuple(str(folder) for folder in demo_inputs().fonts)
    with ExitStack() as stack:
        render: Render = functools.partial(plain_pdfium.render, timeout_s=given.timeout)
        if not given.plain:
            render = stack.enter_context(killable.rendering(fonts, given.timeout))
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        verdicts = measure(chosen, folder, render)
    result = summary(verdicts)
    result["command"] = "python " + " ".join(["benchmarks/hostile_documents.py", *sys.argv[1:]])
    files = [verdict._asdict() for verdict in verdicts]
    text = json.dumps(result | {"files": files}, indent=1, ensure_ascii=False)
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(text + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] else 0


def make() -> list[Hostile]:
    """All documents of the set, in a fixed order."""
    hostiles = [hostile for part in _PARTS for hostile in part.cases()]
    names = Counter((hostile.name, hostile.suffix) for hostile in hostiles)
    assert max(names.values()) == 1, [name for name, count in names.items() if count > 1]
    return hostiles


def measure(hostiles: Sequence[Hostile], folder: Path, render: Render) -> list[Verdict]:
    """Write each to a folder of its own and render it, printing what came of it."""
    verdicts = []
    for hostile in hostiles:
        path = folder / hostile.name / f"document{hostile.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hostile.data)
        verdicts.append(judge(hostile, path, render))
        _print(verdicts[-1])
    return verdicts


def _print(verdict: Verdict) -> None:
    slugs = ",".join(dict.fromkeys(page.slug for page in verdict.pages))
    line = f"{verdict.name[:34]:34} {verdict.suffix:5} {slugs[:34]:34}"
    line += f" {verdict.seconds:7.2f} s {verdict.peak_mb:6.0f} MB"
    print(f"{line}  {f'WRONG {verdict.wrong}' if verdict.wrong else 'ok'}", flush=True)


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    slugs = Counter(page.slug for verdict in verdicts for page in verdict.pages)
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "files": len(verdicts),
        "files_by_kind": dict(Counter(verdict.suffix for verdict in verdicts)),
        "pages_by_slug": dict(slugs.most_common()),
        "wrong": sum(bool(verdict.wrong) for verdict in verdicts),
        "seconds_most": max((verdict.seconds for verdict in verdicts), default=0.0),
        "peak_mb_most": max((verdict.peak_mb for verdict in verdicts), default=0.0),
    }


if __name__ == "__main__":
    sys.exit(main())
