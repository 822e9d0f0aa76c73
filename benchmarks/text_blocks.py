"""Whether text density finds blocks of text over photographs, on a set that nothing was chosen on.

    python benchmarks/text_blocks.py [--without-peer] [--plot PATH] [--sheet PATH]

Blocks, pages, photographs, faces and texts come from packages that neither weights nor thresholds
ever saw (`--list` names them), drawn by other hands than this project's renderer. The peer is
rapidocr called as its manual says, on one thread, in the same process: on 80 blocks drawn at
random, and for the cost. Needs playwright with the system's Chromium; a plot needs matplotlib.
Prints the rows that count and writes them, and what they rest on, to
benchmarks/results/text_blocks.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import text_blocks_layouts as layouts
import text_blocks_packages as packages
import text_blocks_set as blocks
import text_blocks_sources as sources
import text_blocks_textless as textless
from text_blocks_ink import Browser
from text_blocks_measures import Scored, details, peer_on_blocks, rows, times
from text_blocks_set import Sample

from filters.ocr.rapid import RapidOcrEngine
from filters.text_density import TextDensity
from vae_corpus.pictures.sheet import Section, contact_sheet, usable_sheet

_RESULTS = Path(__file__).parent / "results" / "text_blocks.json"
_SHOWN = 40


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", metavar="JSON", type=Path, default=_RESULTS)
    parser.add_argument("--limit", metavar="N", type=int, help="of each class at most so many")
    parser.add_argument("--without-peer", action="store_true", help="no readings, no cost")
    parser.add_argument("--plot", metavar="PATH", type=Path, help="curves of recall")
    parser.add_argument("--sheet", metavar="PATH", type=usable_sheet_path, help="lost and found")
    parser.add_argument("--list", action="store_true", help="packages and licences, then stop")
    given = parser.parse_args(argv)
    if given.list:
        for name, licence, what in packages.SOURCES:
            print(f"{name:44}{licence:28}{what}")
        return 0
    if given.plot:
        import matplotlib  # noqa: F401  # Where it is missing, say so before the work is done.
    cv2.setNumThreads(1)
    packages.fetch_all()
    density = TextDensity(RapidOcrEngine())
    samples, chromium = gather(given.limit)
    scored = [Scored(s, density.score(s.rgb)) for s in told(samples)]
    peer: dict[str, Any] = {}
    cost: dict[str, float] = {}
    if not given.without_peer:
        naive = naive_reader()
        peer = peer_on_blocks(naive, scored, given.limit or 80)
        crops = large_crops(given.limit or 24)
        cost = times({"ours": density.score, "naive": naive}, crops)
    found = rows(scored, peer, cost)
    for row in found:
        print(row.line)
    result = {
        "run": {
            "date": date.today().isoformat(),
            "command": "python " + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "engine": density.version,
            "chromium": chromium,
        },
        "rows": [row.entry for row in found],
        "details": details(scored),
        "peer": peer,
        "cost_512_px": cost,
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if given.plot:
        from text_blocks_plot import plot

        plot(scored, given.plot)
    if given.sheet:
        lost_and_found(scored).save(given.sheet)
    return 0


def usable_sheet_path(value: str) -> Path:
    try:
        path = usable_sheet(Path(value))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    assert path is not None
    return path


def gather(limit: int | None = None) -> tuple[list[Sample], str]:
    """All samples, or so many of each class, and the version of the browser that drew."""
    faces = [face for script in ("latin", "zh-cn", "zh-tw") for face in sources.faces(script)]
    found: list[Sample] = []
    with Browser(faces) as browser:
        for kind, (_, _, count) in blocks.BLOCKS.items():
            found += blocks.block_samples(browser, kind, min(count, limit or count))
        found += blocks.whole_samples(browser, *([limit] if limit else []))
        found += layouts.laid_out_samples(browser, 1 if limit else 8)
        found += layouts.leaf_samples(browser, limit or 60)
        version = browser.version
    for made in (
        blocks.page_samples(1 if limit else 7),
        layouts.program_samples(),
        textless.photograph_samples(1 if limit else 4),
        textless.textlike_samples(1 if limit else 10),
    ):
        found += islice(made, limit)
    return found, version


def told(samples: Sequence[Sample]) -> Any:
    """The samples one by one, with how far it is on a terminal."""
    for number, sample in enumerate(samples):
        if sys.stderr.isatty():
            print(f"\r{number + 1} of {len(samples)}", end="", file=sys.stderr, flush=True)
        yield sample
    if sys.stderr.isatty():
        print(file=sys.stderr)


def naive_reader() -> Any:
    """rapidocr as its manual calls it, on one thread, lines joined."""
    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    threads = {
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    engine = RapidOCR(params=threads)
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)

    def read(rgb: blocks.Rgb) -> str:
        said = engine(np.ascontiguousarray(rgb[:, :, ::-1])).txts
        return "".join(said or ())

    return read


def large_crops(count: int, side: int = 512) -> list[blocks.Rgb]:
    """Crops of text-free photographs, of as many photographs as are so large."""
    rng = np.random.default_rng(5)
    large = [p for _, p in sources.photographs() if min(p.shape[:2]) >= side]
    chosen = rng.permutation(len(large))
    return [blocks.cut(large[chosen[n % len(large)]], side, side, rng) for n in range(count)]


def lost_and_found(scored: Sequence[Scored]) -> Any:
    """A sheet of blocks that were lost and of others that were found, drawn at random."""
    rng = np.random.default_rng(6)
    of_blocks = [s for s in scored if s.sample.kind in ("block", "coloured")]
    sections = []
    for title, found in (("lost", False), ("found", True)):
        some = [s for s in of_blocks if s.found is found]
        drawn = [some[int(i)] for i in rng.permutation(len(some))[:_SHOWN]]
        sections.append(
            Section(
                title=f"{title}: {len(some)} of {len(of_blocks)}",
                pictures=[s.sample.rgb for s in drawn],
                captions=[s.caption for s in drawn],
                columns=8,
            )
        )
    return contact_sheet(sections)


if __name__ == "__main__":
    raise SystemExit(main())
