"""PDFs of prose and a data set laid out as OmniDocBench is, both built in code; sets read back."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pypdfium2
from numpy.typing import NDArray
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from filters.ocr.engine import Line
from tests import tiny_font
from vae_corpus.seeds import generator

WIDTH, HEIGHT, LEFT, TOP, SIZE = 400, 560, 30, 40, 10
FUNCTION_WORDS = ("the", "of", "and", "to", "is", "for", "that", "with", "this", "are", "be", "as")
# About as often as in English, where three of five are small.
LETTERS = "eeeeeeaaaaoooonnnnssssrrrriimmccuuwwvxzhdltpgbfky"


def prose(characters: int, *parts: str | int) -> str:
    """Words that no other text has, with as many common ones as English has."""
    rng = generator(0, "prose", *parts)
    words: list[str] = []
    while sum(map(len, words)) + len(words) < characters:
        letters = rng.choice(list(LETTERS), int(rng.integers(3, 10)))
        common = FUNCTION_WORDS[int(rng.integers(len(FUNCTION_WORDS)))]
        words.append(common if rng.random() < 0.35 else "".join(letters))
    return " ".join(words)[:characters]


def english_lines(count: int, *parts: str | int) -> list[str]:
    return [prose(60, *parts, i).strip().capitalize() for i in range(count)]


def chinese_lines(count: int, *parts: str | int) -> list[str]:
    # Of this font those that fill their square about as Han characters do.
    tall = [c for i, c in enumerate(tiny_font.CHINESE) if i % 5 == 0 and i % 250 >= 150]
    rng = generator(0, "chinese", *parts)
    return ["".join(rng.choice(tall, 30)) for _ in range(count)]


def pdf(
    pages: Sequence[Sequence[str]],
    *,
    font: Path | None = None,
    pitch: float = 12,
    mode: int = 0,
    password: str = "",
    picture: bool = False,
) -> bytes:
    """Pages of lines of 10 pt; `mode` 3 leaves text undrawn, `picture` draws lines across."""
    data = io.BytesIO()
    lock = StandardEncryption(password) if password else None
    canvas = Canvas(data, pagesize=(WIDTH, HEIGHT), invariant=1, encrypt=lock)
    name = "Helvetica"
    if font is not None:
        name = font.stem
        pdfmetrics.registerFont(TTFont(name, str(font)))
    for lines in pages:
        if picture:
            for x in range(0, WIDTH, 4):
                canvas.line(x, 0, x, HEIGHT)
        text = canvas.beginText(LEFT, HEIGHT - TOP)
        text.setFont(name, SIZE)
        text.setTextRenderMode(mode)
        text.setLeading(pitch)
        for line in lines:
            text.textLine(line)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return data.getvalue()


def rgb_of(page: bytes, scale: float) -> NDArray[np.uint8]:
    document = pypdfium2.PdfDocument(page)
    pixels: NDArray[np.uint8] = document[0].render(scale=scale).to_numpy()[:, :, :3].copy()
    document.close()
    return pixels


def omnidocbench(folder: Path, pages: int = 1, scale: float = 3) -> list[dict[str, Any]]:
    """Write the data set; its pages as OmniDocBench.json has them, each with a block of text."""
    (folder / "images").mkdir(parents=True)
    entries: list[dict[str, Any]] = []
    for number in range(pages):
        lines = english_lines(40, "omni", number)
        Image.fromarray(rgb_of(pdf([lines]), scale)).save(folder / "images" / f"p{number}.png")
        sides = (LEFT, TOP - 8, WIDTH - LEFT, TOP + 40 * 12)
        left, top, right, bottom = (side * scale for side in sides)
        block = {
            "category_type": "text_block",
            "poly": [left, top, right, top, right, bottom, left, bottom],
            "ignore": False,
            "order": 1,
            "anno_id": 4,
            "text": " ".join(lines),
            "line_with_spans": [
                _span(line, left, right, top + 36 * i) for i, line in enumerate(lines)
            ],
            "attribute": {
                "text_language": "text_en",
                "text_background": "white",
                "text_rotate": "normal",
            },
        }
        # What has no place in the reading order has none of the fields of text either.
        others = ("category_type", "poly", "ignore", "order", "anno_id")
        figure = {k: block[k] for k in others} | {"category_type": "figure", "order": None}
        page_number = figure | {"category_type": "page_number", "text": str(number)}
        info = {
            "page_no": number,
            "height": round(HEIGHT * scale),
            "width": round(WIDTH * scale),
            "image_path": f"p{number}.png",
            "page_attribute": {
                "data_source": "PPT2PDF",
                "language": "en",
                "layout": "single_column",
                "special_issue": ["watermark"],
            },
        }
        relation = {"source_anno_id": 4, "target_anno_id": 5, "relation_type": "truncated"}
        entries.append(
            {
                "layout_dets": [block, figure, page_number],
                "page_info": info,
                "extra": {"relation": [relation]},
            }
        )
    annotate(folder, entries)
    return entries


def _span(text: str, left: float, right: float, top: float) -> dict[str, Any]:
    poly = [left, top, right, top, right, top + 30.5, left, top + 30.5]
    return {"category_type": "text_span", "poly": poly, "text": text}


def annotate(folder: Path, entries: Any) -> None:
    (folder / "OmniDocBench.json").write_text(json.dumps(entries), encoding="utf-8")


def reasons(out: Path) -> dict[str, int]:
    rows = json.loads((out / "left_out.json").read_text(encoding="utf-8"))
    return {f"{row['level']} {row['reason']}": row["count"] for row in rows}


def index(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "index.parquet").to_pylist()
    return rows


class FakeEngine:
    """Reads as many characters as it is told, other ones from every picture."""

    def __init__(self, characters: int = 350) -> None:
        self.characters, self.seen = characters, list[NDArray[np.uint8]]()

    def ready(self, *, to_read: bool = False) -> None:
        pass

    def read(self, rgb: NDArray[np.uint8]) -> list[Line]:
        self.seen.append(rgb)
        text = prose(self.characters, "read", len(self.seen))
        return [Line(text, np.zeros((4, 2), np.float32), 1.0)]
