"""Crops out of OmniDocBench by the four steps of the report (Evaluation, text).

The data set is a folder with OmniDocBench.json, a list of pages, and images/. Of a page are read
`page_info.image_path`, `page_info.page_attribute.data_source`, and of each of its `layout_dets`
`category_type`, `poly` (corners x, y in px, clockwise from the top left), `text`, `ignore`,
`attribute.text_rotate`; that is its published format, v1.0 and v1.5 (github:
opendatalab/OmniDocBench, README, "Dataset Format"). A block of several paragraphs (`merge_list`)
may have no `text` of its own; then it stands in its parts, or in their `line_with_spans`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from filters.ocr.engine import OcrEngine
from vae_corpus.pictures.decode import Fault, decode
from vae_corpus.seeds import generator
from vae_training.tokenbench.crop import Box, Crop, LeftOut, Rgb, contrast_levels, encoded
from vae_training.tokenbench.glyph_height import glyph_height
from vae_training.tokenbench.standard import SIDE_PX, TOLERANCE, Standard, joined, standard_of

ANNOTATIONS = "OmniDocBench.json"
# The names that the report has for what the data set calls `data_source`.
KINDS = {
    "academic_literature": "academic paper",
    "PPT2PDF": "slides",
    "book": "book",
    "colorful_textbook": "colour textbook",
    "exam_paper": "exam paper",
    "magazine": "magazine",
    "research_report": "financial report",
    "newspaper": "newspaper",
    "note": "note",
}
_FACTORS = sorted(
    np.linspace(1 - TOLERANCE + 0.01, 1 + TOLERANCE - 0.01, 15).tolist(), key=lambda f: abs(f - 1)
)


class WrongLayout(ValueError):
    """The folder is not laid out as OmniDocBench is; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A text block: `box` in px of the page's image, and what it says."""

    box: Box
    text: str
    upright: bool


@dataclass(frozen=True, kw_only=True)
class Page:
    """An annotated page. `left_out` counts its layout boxes that are no usable text block."""

    number: int
    image: Path
    kind: str
    blocks: tuple[Block, ...]
    left_out: tuple[str, ...]


def load_pages(folder: Path) -> list[Page]:
    """All pages; WrongLayout names the file, the page and the field where it is another format."""
    path = folder / ANNOTATIONS
    if not path.is_file():
        raise WrongLayout(f"{path} is missing: --omnidocbench takes the folder that holds it")
    if not (folder / "images").is_dir():
        raise WrongLayout(f"{folder / 'images'} is missing: the pages of {ANNOTATIONS} lie there")
    try:
        entries = json.loads(path.read_bytes())
    except ValueError as error:
        raise WrongLayout(f"{path} is not JSON: {error}") from None
    if not isinstance(entries, list) or not entries:
        raise WrongLayout(f"{path} must hold a list of pages, not {_what(entries)}")
    return [_page(entry, number, folder, path) for number, entry in enumerate(entries, 1)]


def page_crops(
    page: Page, engine: OcrEngine, left_out: LeftOut, *, per_page: int, seed: int
) -> Iterator[Crop]:
    """The crops of a page, at most `per_page`; their text is what `engine` reads in them."""
    place = f"{page.image.name} (page {page.number})"
    for slug in page.left_out:
        left_out.add("crop", slug, place)
    try:
        decoded = decode(page.image.read_bytes())
    except OSError:
        left_out.add("page", "missing_image", place)
        return
    if isinstance(decoded, Fault):
        left_out.add("page", decoded.slug, f"{place}: {decoded.why}")
        return
    taken = 0
    # Reading costs a second a crop: so blocks are drawn before.
    for i in generator(seed, "blocks", page.image.name).permutation(len(page.blocks)):
        if taken == per_page:
            left_out.add("crop", "not_drawn", place)
            continue
        crop = _crop(page, page.blocks[i], decoded.rgb, engine)
        if isinstance(crop, str):
            left_out.add("crop", crop, place)
        else:
            taken += 1
            yield crop


def _crop(page: Page, block: Block, rgb: Rgb, engine: OcrEngine) -> Crop | str:
    """Steps 1 to 3 of the report; a slug when there is none."""
    if not block.upright:
        return "rotated_text"
    standard = standard_of(block.text)
    if standard is None:
        return "other_language"
    left, top, right, bottom = block.box
    height, width = rgb.shape[:2]
    left, top = max(0.0, left), max(0.0, top)
    if min(right, width) - left < 1 or min(bottom, height) - top < 1:
        return "outside_page"
    glyph = glyph_height(rgb[int(top) : int(bottom), int(left) : int(right)], standard)
    if glyph is None:
        return "glyph_height"
    scale = _scale(page, block, glyph, standard)
    if scale is None:
        return "too_few_characters"
    side = SIDE_PX / scale
    if left + side > width or top + side > height:
        return "beyond_page"
    box = (left, top, left + side, top + side)
    # The corner is kept to a fraction of a pixel.
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    pixels = _resized(rgb, box, matrix, scale)
    text = "".join(joined(line.text) for line in engine.read(pixels))
    if not standard.fits(len(text)):
        few = len(text) < standard.least_chars
        return "too_few_characters" if few else "too_many_characters"
    png, look = encoded(pixels)
    return Crop(
        png=png,
        look=look,
        contrast_levels=contrast_levels(pixels),
        text=text,
        language=standard.language,
        kind=page.kind,
        source=page.image.name,
        page=page.number,
        box=box,
        scale=scale,
        glyph_px=glyph * scale,
    )


def _scale(page: Page, block: Block, glyph: float, standard: Standard) -> float | None:
    """The nearest to the height asked for at which enough of the annotated text is in the crop."""
    for factor in _FACTORS:
        scale = factor * standard.glyph_px / glyph
        side = SIDE_PX / scale
        left, top = block.box[:2]
        chars = sum(_inside(b, (left, top, left + side, top + side)) for b in page.blocks)
        if standard.fits(round(chars)):
            return float(scale)
    return None


def _inside(block: Block, box: Box) -> float:
    """About how many characters of a block are in a box, as if they were spread evenly."""
    across = min(block.box[2], box[2]) - max(block.box[0], box[0])
    down = min(block.box[3], box[3]) - max(block.box[1], box[1])
    area = (block.box[2] - block.box[0]) * (block.box[3] - block.box[1])
    return len(block.text) * max(0.0, across) * max(0.0, down) / area


def _resized(rgb: Rgb, box: Box, matrix: Any, scale: float) -> Rgb:
    """The square of the page as 256 x 256 px: averaged over areas where it shrinks."""
    left, top, right, bottom = box
    if scale >= 1:
        options = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
        grown: Rgb = cv2.warpAffine(rgb, matrix, (SIDE_PX, SIDE_PX), **options)
        return grown
    cut = rgb[round(top) : round(bottom), round(left) : round(right)]
    shrunk: Rgb = cv2.resize(cut, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    return shrunk


def _page(entry: Any, number: int, folder: Path, path: Path) -> Page:
    where = f"{path}, page {number}"
    info = _field(entry, "page_info", dict, where)
    image = _field(info, "image_path", str, f"{where}, page_info")
    # Some versions name the file below images/, some with it; a path out of it is no page.
    name = image.removeprefix("images/")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise WrongLayout(f"{where}: image_path {image!r} leads out of images/")
    attribute = _field(info, "page_attribute", dict, f"{where}, page_info")
    source = _field(attribute, "data_source", str, f"{where}, page_attribute")
    blocks: list[Block] = []
    left_out: list[str] = []
    for i, det in enumerate(_field(entry, "layout_dets", list, where)):
        spot = f"{where}, layout_dets[{i}]"
        if _field(det, "category_type", str, spot) != "text_block":
            left_out.append("no_text_block")
        elif det.get("ignore"):
            left_out.append("ignored")
        elif not (text := _text(det)):
            left_out.append("no_text")
        else:
            blocks.append(_block(det, text, spot))
    return Page(
        number=number,
        image=folder / "images" / name,
        kind=KINDS.get(source, source),
        blocks=tuple(blocks),
        left_out=tuple(left_out),
    )


def _text(det: Any) -> str:
    """What a block says, on one line: itself, or the first of its levels that does."""
    if not isinstance(det, dict):
        return ""
    if isinstance(det.get("text"), str) and det["text"].strip():
        return joined(det["text"])
    for level in ("merge_list", "line_with_spans"):
        parts = det.get(level)
        if isinstance(parts, list) and any(map(_text, parts)):
            return joined(" ".join(map(_text, parts)))
    return ""


def _block(det: dict[str, Any], text: str, where: str) -> Block:
    poly = _field(det, "poly", list, where)
    numbers = [v for v in poly if isinstance(v, int | float) and np.isfinite(v)]
    if len(numbers) != 8 or len(poly) != 8:
        raise WrongLayout(f"{where}: poly must hold 8 numbers, x and y of 4 corners; got {poly!r}")
    box = (min(poly[::2]), min(poly[1::2]), max(poly[::2]), max(poly[1::2]))
    if box[0] >= box[2] or box[1] >= box[3]:
        raise WrongLayout(f"{where}: poly {poly!r} has no area")
    attribute = det.get("attribute") or {}
    turned = attribute.get("text_rotate", "normal") if isinstance(attribute, dict) else "normal"
    return Block(box=box, text=text, upright=turned == "normal")


def _field(holder: Any, name: str, kind: type, where: str) -> Any:
    if not isinstance(holder, dict):
        raise WrongLayout(f"{where} must be a mapping, not {_what(holder)}")
    if name not in holder:
        raise WrongLayout(f"{where} has no field {name}; it has {', '.join(sorted(holder)) or '-'}")
    if not isinstance(holder[name], kind):
        wanted = {"dict": "a mapping", "list": "a list"}.get(kind.__name__, "text")
        raise WrongLayout(f"{where}: {name} must be {wanted}, not {_what(holder[name])}")
    return holder[name]


def _what(value: Any) -> str:
    return "an empty list" if value == [] else f"{type(value).__name__} {value!r}"[:60]
