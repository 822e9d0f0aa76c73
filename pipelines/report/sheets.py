"""Contact sheets: some samples of each kind, as they lie in the shards."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines import decode as door
from pipelines import storage

_CELL_PX = 256
_CAPTION_PX = 18
_GAP_PX = 6
_COLUMNS = 6
_PAPER, _INK = (250, 250, 250), (40, 40, 40)


def sheet_rows(out: str, shards: Sequence[str], kind: str, count: int) -> list[dict[str, Any]]:
    """Up to `count` index rows of a kind, spread over its rungs, in an order fixed by the keys."""
    paths = [storage.join(out, f"{s}.parquet") for s in shards if s.startswith(f"shards/{kind}/")]
    rows = storage.query(
        paths,
        f"""
        WITH drawn AS (
            SELECT *, row_number() OVER (PARTITION BY rung ORDER BY md5(key)) AS place FROM stored)
        SELECT * EXCLUDE (place) FROM drawn ORDER BY place, rung LIMIT {count}
        """,
    )
    return sorted(rows, key=lambda row: (row["rung"], row["key"]))


def contact_sheet(out: str, rows: Sequence[dict[str, Any]], title: str) -> bytes:
    """A PNG of thumbnails with captions. Text is shown as a crop at 1:1, so that it can be read."""
    columns = min(_COLUMNS, len(rows))
    lines = math.ceil(len(rows) / columns)
    step_x, step_y = _CELL_PX + _GAP_PX, _CELL_PX + _CAPTION_PX + _GAP_PX
    head = 30
    sheet = Image.new("RGB", (columns * step_x + _GAP_PX, head + lines * step_y), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP_PX, 6), title, fill=_INK, font=ImageFont.load_default(16))
    font = ImageFont.load_default(11)
    for i, row in enumerate(rows):
        x, y = _GAP_PX + i % columns * step_x, head + i // columns * step_y
        cell = _cell(out, row)
        sheet.paste(cell, (x + (_CELL_PX - cell.width) // 2, y + (_CELL_PX - cell.height) // 2))
        draw.text((x, y + _CELL_PX + 2), _caption(row), fill=_INK, font=font)
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _cell(out: str, row: dict[str, Any]) -> Image.Image:
    data = storage.read_bytes(storage.join(out, row["shard"]), row["offset"], row["bytes"])
    picture = door.decode(data)
    if isinstance(picture, door.Fault):
        raise ValueError(f"{row['key']} in {row['shard']} does not decode: {picture.why}")
    rgb = picture.rgb
    if row["kind"] != "general":
        height, width = rgb.shape[:2]
        y, x = max(0, (height - _CELL_PX) // 2), max(0, (width - _CELL_PX) // 2)
        return Image.fromarray(np.ascontiguousarray(rgb[y : y + _CELL_PX, x : x + _CELL_PX]))
    image = Image.fromarray(rgb)
    image.thumbnail((_CELL_PX, _CELL_PX), Image.Resampling.LANCZOS)
    return image


def _caption(row: dict[str, Any]) -> str:
    parts = [f"{row['rung']}", f"{row['width']}x{row['height']}"]
    if row["kind"] == "general" and row["clarity"] is not None:
        parts.append(f"clarity {row['clarity']:.2f}")
    elif row["chars_per_mpx"] is not None:
        parts.append(f"{row['chars_per_mpx'] * 65536e-6:.0f} chars per 256x256")
    if row["size_band"]:
        parts.append(f"{row['language']} {row['size_band']} px")
    return "  ".join(parts)
