"""From an origin to a finished set: crops, near-duplicates out, everything written."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from filters.ocr.engine import OcrUnavailable
from filters.ocr.engines import make_engine
from vae_corpus.progress import ProgressLine
from vae_training.tokenbench import result
from vae_training.tokenbench.config import TokenbenchSettings
from vae_training.tokenbench.crop import Crop, LeftOut
from vae_training.tokenbench.documents import document_crops, find_pdfs
from vae_training.tokenbench.duplicates import near_duplicates
from vae_training.tokenbench.omnidocbench import load_pages, page_crops


def build(settings: TokenbenchSettings) -> tuple[list[Crop], LeftOut]:
    """Write the set to `settings.out` and return it; ValueError for an input that is no input."""
    result.check_out(settings.out)
    left_out = LeftOut()
    if settings.documents is not None:
        found = list(_of_documents(settings, left_out))
        # What a folder calls a kind may hold what another one holds too: compare all.
        drops = near_duplicates(found, lambda crop: "")
    else:
        found = list(_of_omnidocbench(settings, left_out))
        drops = near_duplicates(found, lambda crop: crop.kind)
    for i, slug in sorted(drops.items()):
        left_out.add("crop", slug, f"{found[i].source} page {found[i].page}")
    crops = [crop for i, crop in enumerate(found) if i not in drops]
    result.write(settings.out, crops, left_out, seed=settings.seed)
    return crops, left_out


def _of_documents(settings: TokenbenchSettings, left_out: LeftOut) -> Iterator[Crop]:
    assert settings.documents is not None
    paths = find_pdfs(settings.documents)
    line = ProgressLine(len(paths), "documents")
    cut = functools.partial(_of_document, settings)
    workers = min(settings.workers, len(paths))
    # pdfium keeps state for its process, which a fork would copy half-way.
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) if workers > 1 else nullcontext() as pool:
        parts: Iterable[Any] = pool.imap(cut, paths) if pool else map(cut, paths)
        for done, (crops, missing) in enumerate(parts, 1):
            yield from crops
            left_out.merge(missing)
            line.tell(done)


def _of_document(settings: TokenbenchSettings, path: Path) -> tuple[list[Crop], LeftOut]:
    assert settings.documents is not None
    left_out = LeftOut()
    crops = document_crops(
        settings.documents,
        path,
        left_out,
        pages=settings.pages,
        per_page=settings.crops_per_page,
        seed=settings.seed,
    )
    return list(crops), left_out


def _of_omnidocbench(settings: TokenbenchSettings, left_out: LeftOut) -> Iterator[Crop]:
    assert settings.omnidocbench is not None
    pages = load_pages(settings.omnidocbench)
    try:
        engine = make_engine(settings.ocr, models=settings.ocr_models, python=settings.ocr_python)
        engine.ready(to_read=True)
    except OcrUnavailable as error:
        raise ValueError(str(error)) from None
    line = ProgressLine(len(pages), "pages")
    for done, page in enumerate(pages, 1):
        yield from page_crops(
            page,
            engine,
            left_out,
            per_page=settings.crops_per_page,
            seed=settings.seed,
        )
        line.tell(done)
