"""A sheet of originals above their reconstructions, two rows per kind, at native pixels."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from vae_training.data.crops import centre_crop
from vae_training.validation import Pair

_CELL_PX = 256
_GAP_PX = 4
_LABEL_PX = 22
_COLUMNS = 8


def compose_grid(pairs: dict[str, list[Pair]], title: str) -> Image.Image:
    """RGB sheet: per kind a label, a row of originals, a row of reconstructions.

    Cells are the centre 256 x 256 px, not resized, so that strokes of small characters are visible.
    """
    shown = {kind: some[:_COLUMNS] for kind, some in pairs.items() if some}
    columns = max((len(some) for some in shown.values()), default=1)
    step = _CELL_PX + _GAP_PX
    height = _LABEL_PX + len(shown) * (_LABEL_PX + 2 * step)
    # Labels need 560 px even where one sample alone was held out.
    sheet = Image.new("RGB", (max(columns * step, 560) + _GAP_PX, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    draw.text((_GAP_PX, 2), title, fill="black", font=font)
    y = _LABEL_PX
    for kind, some in shown.items():
        mean = sum(p.psnr for p in some) / len(some)
        label = f"{kind}: originals above, reconstructions below, {mean:.2f} dB"
        draw.text((_GAP_PX, y + 2), label, fill="black", font=font)
        y += _LABEL_PX
        for column, pair in enumerate(some):
            x = _GAP_PX + column * step
            for line, rgb in enumerate((pair.original, pair.reconstruction)):
                cell = Image.fromarray(centre_crop(rgb, _CELL_PX, _CELL_PX))
                sheet.paste(cell, (x, y + line * step))
        y += 2 * step
    return sheet


def write_grid(pairs: dict[str, list[Pair]], title: str, path: Path) -> Path:
    """Save the grid as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    compose_grid(pairs, title).save(path)
    return path
