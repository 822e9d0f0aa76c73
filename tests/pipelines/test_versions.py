"""Rows, plans, shards and pages have versions that change if and only if they do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.scores import COLUMNS as SCORE_COLUMNS
from filters.scores import Scores
from filters.settings import ScoreSettings
from pipelines import sources
from pipelines.config import PackSettings
from pipelines.planning.settings import PlanSettings
from pipelines.planning.shards import PACK_VERSION
from pipelines.report import census, page, payload, thresholds
from pipelines.sources import FolderSource, ParquetSource, Source, WebDatasetSource
from pipelines.stages import pack, plan
from pipelines.workers import scorer
from renderers import documents
from renderers.documents.labels import lines_in
from renderers.documents.page import PageImage
from renderers.documents.pdf import document as pdf
from renderers.documents.pdf.fonts import pdf_fonts
from renderers.documents.recipe import PageRecipe
from tests.pictures import encoded, jpeg, scene, write_tar
from tests.pictures import page as page_of_text
from tests.pipelines import lanes, pdfs
from tests.pipelines.reading import read_all
from tests.pipelines.test_plan import make, row, text_row
from tests.versions import assert_recorded
from vae_corpus.pictures.decode import Limits, decode


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def text(values: Any) -> bytes:
    return json.dumps(values, sort_keys=True, default=str).encode()


def some_rows() -> list[dict[str, Any]]:
    rows = [row(n, clarity=0.3 + n / 30) for n in range(18)]
    rows += [text_row(100 + n, 10.0 * n) for n in range(6)]
    rows += [row(3, uri="/a/copy.jpg"), row(200, slug="truncated", why="x", clarity=None)]
    return rows


def planned(folder: Path) -> bytes:
    tables = make(folder, some_rows(), pack=PackSettings(shard_samples=4))
    # Neither names of shards nor columns of scores: those may be added.
    others = {"shard", *(column.name for column in SCORE_COLUMNS)}
    names = ("selected", "dropped", "rejected")
    return text(
        [[{k: v for k, v in r.items() if k not in others} for r in tables[n]] for n in names]
    )


def packed(folder: Path) -> bytes:
    """Names and sizes of shards, also of several neighbourhoods, and what is stored of images."""
    tables = make(folder, some_rows(), pack=PackSettings(shard_samples=4))
    shards = sorted((r["shard"], r["samples"]) for r in tables["shards"])
    job = pack.PackJob(
        settings=PackSettings(), score=ScoreSettings(), sources={}, plan="", out=str(folder)
    )
    none = dict.fromkeys(column.name for column in SCORE_COLUMNS if column.label)
    common = none | row(1) | {"colour_converted": False, "bucket": "256x256"}
    tile = {"x": 8, "y": 16, "width": 256, "height": 256, "chars": 30.0, "density": "rest"}
    large = {"kind": "general", "rung": 256, "tiles": None, "width": 700, "height": 500}
    cases = [
        (large | {"ext": "jpg"}, jpeg(scene(700, 500, 1))),
        (large | {"ext": "png", "format": "bmp", "rung": 512}, encoded(scene(700, 500, 2), "bmp")),
        (
            {"kind": "text_real", "rung": 256, "tiles": [tile], "ext": "png"}
            | {"width": 640, "height": 480},
            jpeg(page_of_text(640, 480, 3)),
        ),
    ]
    stored = [
        [sample.key, sample.ext, sample.scores, sample.label_bytes().decode(), pixels(sample.data)]
        for changes, data in cases
        for sample in pack.cut_samples(common | changes, data, job)
    ]
    several = [sorted(lanes.shards(counts).items()) for counts in ([260, 200], [80, 520, 340])]
    return text([shards, several, stored])


def pixels(data: bytes) -> str:
    """Of encoded bytes: encoders may change, what they hold may not."""
    found = decode(data)
    return digest(getattr(found, "rgb", np.zeros(0)).tobytes())


def listed(folder: Path) -> bytes:
    pictures = {f"{n}.jpg": jpeg(scene(80, 64, n)) for n in range(3)}
    (folder / "in").mkdir()
    for name, data in pictures.items():
        (folder / "in" / name).write_bytes(data)
    write_tar(folder / "a.tar", pictures | {"0.txt": b"a caption"})
    pq.write_table(pa.table({"image": list(pictures.values())}), folder / "a.parquet")
    kinds: tuple[Source, ...] = (
        FolderSource(name="f", uri=str(folder / "in")),
        WebDatasetSource(name="t", uri=str(folder / "a.tar")),
        ParquetSource(name="p", uri=str(folder / "a.parquet")),
    )
    return text(
        [
            sorted((item.member, item.offset, digest(item.data)) for item in read_all(source))
            for source in kinds
        ]
    )


def scored(folder: Path) -> bytes:
    """What a row says besides the scores of its filters."""
    (folder / "in").mkdir()
    (folder / "in" / "a.jpg").write_bytes(jpeg(scene(300, 260, 1)))
    (folder / "in" / "b.png").write_bytes(encoded(scene(40, 40, 1), "png"))
    (folder / "in" / "c.jpg").write_bytes(jpeg(scene(300, 260, 1))[:-300])
    source, settings = FolderSource(name="f", uri=str(folder / "in")), ScoreSettings(text=False)
    job = scorer.ScoreJob(
        settings=settings,
        versions=scorer.versions(Scores(settings)),
        sources={"f": source},
        folder=str(folder),
    )
    score_item = scorer.make_item_scorer(job)
    rows = [score_item(item, unit) for unit in source.units() for item in source.read(unit)]
    own = {"unit", "uri", "why", *(column.name for column in SCORE_COLUMNS)}
    kept = [{k: v for k, v in r.items() if k not in own} for r in rows]
    return text(sorted(kept, key=lambda r: str(r["member"])))


def a_page() -> PageImage:
    data = pdfs.page(pdfs.text(["a page", "of text"]))
    recipe = PageRecipe(glyph_px={"en": 12.0, "zh": 12.0}, band={"en": "11-14", "zh": "11-14"})
    return pdf.open_pdf(data, len(data), pdf_fonts(())).render(0, recipe, Limits())


def drawn(folder: Path) -> bytes:
    page = a_page()
    said = page.characters
    return b"".join(
        [
            digest(page.rgb.tobytes()).encode(),
            said.text.encode(),
            said.boxes.tobytes(),
            said.em_px.tobytes(),
            said.line.tobytes(),
        ]
    )


def labelled(folder: Path) -> bytes:
    return text(lines_in(a_page(), 10, 20, 256, 128))


def shown(folder: Path) -> bytes:
    """What the report computes; scripts and styles are part of a page's own digest."""
    tables = make(folder, some_rows())
    # A sample has an order of its own, whatever that of the plan is.
    selected = sorted(tables["selected"], key=lambda r: (r["key"], r["uri"]))
    rows = [r | {"fate": "selected", "stratum": 0, "place": 1} for r in selected]
    known = payload.columns(rows)
    own = [known[name] for name in ("fate", "kind", "source", "key", "width", "rung", "samples")]
    return text(
        [own, thresholds.to_json(PlanSettings())["kind"], census.count(str(folder / "plan"))]
    )


# What is made -> the file of its VERSION, that, and bytes made from a small input.
MADE: dict[str, tuple[str, Any, Callable[[Path], bytes]]] = {
    "a plan": ("pipelines/stages/plan.py", plan.VERSION, planned),
    "what is packed": ("pipelines/planning/shards.py", PACK_VERSION, packed),
    "what sources list": ("pipelines/sources/__init__.py", sources.VERSION, listed),
    "a row of scores": ("pipelines/workers/scorer.py", scorer._VERSION, scored),
    "the report": ("pipelines/report/page.py", page.VERSION, shown),
    "a page of a document": ("renderers/documents/pdf/document.py", pdf.VERSION, drawn),
    "the label of a page": ("renderers/documents/__init__.py", documents.VERSION, labelled),
}
RECORDED: dict[str, tuple[Any, str]] = {
    "a plan": (8, "d1372539afb697b4"),
    "what is packed": (6, "e22b2858d7801e26"),
    "what sources list": (2, "2543834932e2f53f"),
    "a row of scores": (1, "4252a6ca7d788d9a"),
    "the report": (2, "393ab6c6e299ec68"),
    "a page of a document": ("3", "62814c398f7630bd"),
    "the label of a page": ("1", "f5808cb8b33e31dd"),
}


@pytest.mark.parametrize("what", MADE)
def test_what_is_made_and_its_version_change_together(what: str, tmp_path: Path) -> None:
    file, version, make_bytes = MADE[what]
    assert_recorded(what, file, version, make_bytes(tmp_path), RECORDED[what])
