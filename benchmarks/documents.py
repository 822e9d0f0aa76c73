"""Documents: how many pages and tiles of each kind, how exact, how cheap.

    python benchmarks/documents.py --work /tmp/documents
    python benchmarks/documents.py --work /tmp/documents --parts scoring speed

Parts, each written to benchmarks/results/documents.json under its name:

- `kinds`: a build of real PDFs, HTML documents and office files out of Debian packages and of
  typeset documents. Pages and tiles by kind, whether letters have the sizes that were drawn, how
  many characters an edge of a tile cuts, and a sheet of tiles for each kind in --work.
- `counts`: characters of tiles as the text layer tells them against those that rapidocr reads.
- `scoring`: CPU time to draw and score a page whose text is known, against the way without: a PNG,
  decoded again, and the detector.
- `speed`: pages per second of one core, for each kind; PDF pages beside pdftoppm at the same scale.

Some 20 minutes on two cores, and 250 MB of packages in the cache.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import os
import platform
import statistics
import sys
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import documents_speed
import html_documents
import numpy as np
import pyarrow.parquet as pq
from documents_inputs import TYPESET, config
from PIL import Image

from filters.settings import ScoreSettings
from filters.text_density import text_density
from pipelines import build_corpus
from pipelines.config import CorpusConfig
from renderers.documents.recipe import DOCUMENT_BANDS, band_limits
from renderers.documents.typeset.kinds import KINDS
from renderers.page.preview import preview
from vae_corpus.settings import load

RESULT = Path(__file__).parent / "results" / "documents.json"
_COUNTED_TILES = 160


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder of inputs and the corpus")
    parser.add_argument("--parts", nargs="+", default=list(_PARTS), choices=list(_PARTS))
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    known = json.loads(given.out.read_text()) if given.out.exists() else {}
    for part in given.parts:
        found = _PARTS[part](given.work)
        known[part] = {
            "date": datetime.date.today().isoformat(),
            "device": f"{platform.machine()}, {os.cpu_count()} cores",
            "command": f"python benchmarks/documents.py --work DIR --parts {part}",
            **found,
        }
        given.out.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
        print(part, json.dumps(found, indent=1, ensure_ascii=False))
    return 0


def kinds(work: Path) -> dict[str, Any]:
    """What a build makes of each kind."""
    path, corpus = config(work), work / "corpus"
    if build_corpus.main(["--config", str(path), "--out", str(corpus)]):
        raise SystemExit("the build failed")
    sources = load(CorpusConfig, ["--config", str(path)], description="").sources_by_name()
    (plan,) = (corpus / "plan").iterdir()
    figures: dict[str, Counter[str]] = defaultdict(Counter)
    scored = _scores(corpus)
    for row in pq.read_table(plan / "rejected").to_pylist():
        figures[_kind(row)][f"rejected_{row['slug']}"] += 1
    for row in pq.read_table(plan / "dropped").to_pylist():
        figures[_kind(row)]["pages"] += 1
        figures[_kind(row)][f"dropped_{row['slug']}"] += 1
    selected = pq.read_table(plan / "selected").to_pylist()
    # In the order of documents, each opened once.
    for row in sorted(selected, key=lambda row: (row["source"], row["uri"], row["offset"])):
        figure, source = figures[_kind(row)], sources[row["source"]]
        page = source.fetch_page(row["uri"], row["offset"])
        assert page is not None
        figure["pages"] += 1
        figure["pages_kept"] += 1
        figure["tiles"] += len(row["tiles"])
        said = page.characters
        figure["sized"] += 1
        figure["in_band"] += _in_a_band(said.median_em_px)
        boxes = said.boxes[said.inked]
        for tile in row["tiles"]:
            touched, cut = _cut(boxes, tile)
            figure["characters"] += touched
            figure["characters_cut"] += cut
            figure["tiles_with_regions"] += _shows(page, tile)
    audit = [(r["chars_est"], r["chars_audit"]) for r in scored if r["chars_audit"] is not None]
    made = {kind: _shares(dict(sorted(figure.items()))) for kind, figure in sorted(figures.items())}
    total: Counter[str] = sum((Counter(figure) for figure in figures.values()), Counter())
    _sheets(corpus, work)
    return {
        "documents": {
            "pdf": len(list((work / "pdf").iterdir())),
            "html": len(html_documents.documents()),
            "office": len(list((work / "office").iterdir())),
            "typeset": f"{TYPESET} in {len(KINDS)} kinds",
        },
        "by_kind": made,
        "all": _shares(dict(sorted(total.items()))),
        "audit": {
            "pages": len(audit),
            "spearman": _spearman(*zip(*audit, strict=True)),
            "median_ratio": round(statistics.median(b / max(a, 1) for a, b in audit), 3),
        },
    }


def _kind(row: dict[str, Any]) -> str:
    return str(row["source"]).split("_")[0]


def _shares(figure: dict[str, Any]) -> dict[str, Any]:
    shares = {
        "in_band_share": figure.get("in_band", 0) / max(figure.get("sized", 0), 1),
        "cut_share": figure.get("characters_cut", 0) / max(figure.get("characters", 0), 1),
    }
    return figure | {name: round(share, 4) for name, share in shares.items()}


def _scores(corpus: Path) -> list[dict[str, Any]]:
    (folder,) = (corpus / "scores").iterdir()
    columns = ["source", "chars_est", "chars_audit", "page_doubt"]
    return [
        row
        for path in folder.glob("*.parquet")
        for row in pq.read_table(path, columns=columns).to_pylist()
    ]


def _in_a_band(em_px: float) -> bool:
    return any(low - 0.05 <= em_px <= high + 0.05 for low, high in map(band_limits, DOCUMENT_BANDS))


def _cut(boxes: Any, tile: dict[str, Any]) -> tuple[int, int]:
    """Characters that a tile touches, and those that its edges cut by half a px and more."""
    x0, y0 = tile["x"], tile["y"]
    x1, y1 = x0 + tile["width"], y0 + tile["height"]
    left, top, right, bottom = boxes.T
    touched = (right > x0) & (left < x1) & (bottom > y0) & (top < y1)
    whole = (left >= x0 - 0.5) & (right <= x1 + 0.5) & (top >= y0 - 0.5) & (bottom <= y1 + 0.5)
    return int(touched.sum()), int((touched & ~whole).sum())


def _shows(page: Any, tile: dict[str, Any]) -> bool:
    for _, (left, top, right, bottom) in page.regions:
        across = min(right, tile["x"] + tile["width"]) - max(left, tile["x"])
        down = min(bottom, tile["y"] + tile["height"]) - max(top, tile["y"])
        if max(0, across) * max(0, down) >= 0.25 * tile["width"] * tile["height"]:
            return True
    return False


def _stored(corpus: Path) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Kind, pixels and label of every tile."""
    for path in sorted((corpus / "shards" / "document").rglob("*.tar")):
        with tarfile.open(path) as tar:
            members = {member.name: member for member in tar}
            for name in sorted(members):
                if name.endswith(".json"):
                    continue
                label = json.load(tar.extractfile(members[f"{name.rpartition('.')[0]}.json"]))  # type: ignore[arg-type]
                data = tar.extractfile(members[name]).read()  # type: ignore[union-attr]
                rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
                yield _kind(label), rgb, label


def _sheets(corpus: Path, work: Path) -> None:
    found: dict[str, list[Any]] = defaultdict(list)
    for kind, rgb, label in _stored(corpus):
        if label["rung"] == 256:
            found[kind].append((rgb, {"lines": label.get("lines", [])}))
    for kind, tiles in found.items():
        step = max(1, len(tiles) // 24)
        preview(tiles[::step][:24]).save(work / f"tiles-{kind}.png")


def counts(work: Path) -> dict[str, Any]:
    """Characters of tiles as they are told, against those that are read."""
    engine = text_density(ScoreSettings().ocr).engine
    tiles = [
        (kind, rgb, label)
        for kind, rgb, label in _stored(work / "corpus")
        if label["rung"] <= 512 and sum(len(line["text"]) for line in label.get("lines", [])) >= 10
    ]
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(tiles))[:_COUNTED_TILES].tolist()
    told, read, by_kind = [], [], defaultdict(list)
    for place in chosen:
        kind, rgb, label = tiles[place]
        text = "".join(line["text"] for line in label["lines"])
        seen = "".join(line.text for line in engine.read(rgb))
        told.append(sum(not c.isspace() for c in text))
        read.append(sum(not c.isspace() for c in seen))
        by_kind[kind].append((told[-1], read[-1]))
    return {
        "tiles": len(chosen),
        "engine": engine.engine_id,
        "spearman": _spearman(told, read),
        "median_read_of_told": round(
            statistics.median(b / a for a, b in zip(told, read, strict=True)), 3
        ),
        "by_kind": {
            kind: {"tiles": len(pairs), "spearman": _spearman(*zip(*pairs, strict=True))}
            for kind, pairs in sorted(by_kind.items())
        },
    }


def _spearman(one: Any, other: Any) -> float:
    ranks = [_ranks(np.asarray(values, float)) for values in (one, other)]
    return round(float(np.corrcoef(*ranks)[0, 1]), 4)


def _ranks(values: Any) -> Any:
    _, inverse, number = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(number)
    return (ends - (number - 1) / 2)[inverse]


_PARTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "kinds": kinds,
    "counts": counts,
    "scoring": documents_speed.scoring,
    "speed": documents_speed.speed,
}

if __name__ == "__main__":
    sys.exit(main())
