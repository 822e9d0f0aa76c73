"""What becomes of documents: pages or tiles with labels, drawn by several processes, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Queue
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from renderers.documents.labels import lines_in
from renderers.documents.opening import Ref, Tools
from renderers.documents.page import DocumentFault, PageImage, RendererMissing
from renderers.documents.process import Bounds, Renderings
from renderers.documents.recipe import PageRecipe
from vae_corpus.pictures.decode import Limits
from vae_corpus.seeds import generator
from vae_corpus.tiles import INK_PX, judge_tiles, with_figures
from vae_corpus.words import Bucket

# Of tiles of 256 x 256 px; others in proportion.
_LEAST_CHARS, _MOST_TILES, _FIGURE_SHARE = 20.0, 64, 0.15
_INK_LEVELS = 8


@dataclass(frozen=True, kw_only=True)
class Named:
    """A document to draw: `name` begins the names of all that comes out of it."""

    name: str
    ref: Ref


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """A page or a tile of one: uint8[H, W, 3] and what its label says."""

    name: str
    rgb: NDArray[np.uint8]
    label: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A document or page that gives no picture: its name, a slug, and why."""

    name: str
    slug: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """Letters of `low` to `high` px, drawn by `seed`; tiles of `tile_px`, or None: whole pages."""

    low: float
    high: float
    seed: int
    tile_px: int | None = None
    max_pages: int | None = None


def draw(
    documents: Iterable[Named], tools: Tools, bounds: Bounds, look: Look, workers: int
) -> Iterator[Sheet | LeftOut]:
    """All that comes out of the documents, in their order whatever the number of workers."""
    idle: Queue[Renderings] = Queue()
    processes = [Renderings(tools, bounds) for _ in range(workers)]
    for process in processes:
        idle.put(process)

    def one(document: Named) -> list[Sheet | LeftOut]:
        renderings = idle.get()
        try:
            return list(_sheets(document, renderings, look))
        finally:
            idle.put(renderings)

    try:
        with ThreadPoolExecutor(workers) as pool:
            waiting: list[Future[list[Sheet | LeftOut]]] = []
            for document in documents:
                waiting.append(pool.submit(one, document))
                if len(waiting) > 2 * workers:
                    yield from waiting.pop(0).result()
            for left in waiting:
                yield from left.result()
    finally:
        for process in processes:
            process.close()


def _sheets(document: Named, renderings: Renderings, look: Look) -> Iterator[Sheet | LeftOut]:
    try:
        count = renderings.pages(document.ref)
    except (DocumentFault, RendererMissing, OSError) as error:
        yield _left_out(document.name, error)
        return
    for number in range(count if look.max_pages is None else min(count, look.max_pages)):
        name = f"{document.name}-p{number + 1:04d}"
        try:
            page = renderings.render(
                document.ref, number, _recipe(look, document.name, number), Limits()
            )
        except (DocumentFault, OSError) as error:
            yield _left_out(name, error)
            continue
        yield from _cut(name, page, look)


def _recipe(look: Look, name: str, number: int) -> PageRecipe:
    rng = generator(look.seed, "page", name, number)
    sizes = {language: float(rng.uniform(look.low, look.high)) for language in ("en", "zh")}
    band = f"{look.low:g}-{look.high:g}"
    return PageRecipe(glyph_px=sizes, band=dict.fromkeys(sizes, band))


def _cut(name: str, page: PageImage, look: Look) -> Iterator[Sheet | LeftOut]:
    height, width = page.rgb.shape[:2]
    if look.tile_px is None:
        yield _sheet(name, page, 0, 0, width, height)
        return
    side = look.tile_px
    if min(width, height) < side:
        why = f"the page is {width} x {height} px, a tile {side} x {side}"
        yield LeftOut(name=name, slug="too_small", why=why)
        return
    bucket, lines = Bucket(side, side), _lines(page)
    judged = judge_tiles(
        width,
        height,
        bucket,
        lines,
        min_chars_per_256=_LEAST_CHARS,
        max_tiles=_MOST_TILES,
        inked=_inked(page.rgb),
    )
    row = {
        "sha256": name,
        "width": width,
        "height": height,
        "page_regions": [
            {"x0": box[0], "y0": box[1], "x1": box[2], "y1": box[3]} for _, box in page.regions
        ],
    }
    cut = with_figures(judged, row, bucket, lines, _FIGURE_SHARE, look.seed)
    kept = [one.tile for one in cut if one.slug is None]
    if not kept:
        yield LeftOut(name=name, slug="no_text", why="no tile has text enough, or a figure")
    for tile in kept:
        yield _sheet(f"{name}-x{tile.x}y{tile.y}", page, tile.x, tile.y, side, side)


def _lines(page: PageImage) -> NDArray[np.float32]:
    """float32[N, 5]: the box and the number of characters of each word."""
    words = [[*box, count] for box, count in page.characters.words()]
    return np.array(words, np.float32).reshape(-1, 5)


def _inked(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """bool[cells]: which squares of 32 px have pixels that differ."""
    kernel = np.ones((INK_PX, INK_PX), np.uint8)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    anchor = (0, 0)
    spread = cv2.dilate(grey, kernel, anchor=anchor) - cv2.erode(grey, kernel, anchor=anchor)
    cells: NDArray[np.bool_] = spread[::INK_PX, ::INK_PX].ravel() >= _INK_LEVELS
    return cells


def _sheet(name: str, page: PageImage, x: int, y: int, width: int, height: int) -> Sheet:
    label = {
        "lines": lines_in(page, x, y, width, height),
        "language": page.characters.language,
        "doubt": page.doubt,
        "tile": [x, y, width, height],
        "regions": [
            {"kind": kind, "box": [round(x0 - x), round(y0 - y), round(x1 - x), round(y1 - y)]}
            for kind, (x0, y0, x1, y1) in page.regions
        ],
        "page": page.facts,
    }
    return Sheet(name=name, rgb=page.rgb[y : y + height, x : x + width], label=label)


def _left_out(name: str, error: Exception) -> LeftOut:
    slug = error.slug if isinstance(error, DocumentFault) else "unreadable"
    slug = "renderer_missing" if isinstance(error, RendererMissing) else slug
    return LeftOut(name=name, slug=slug, why=str(error))
