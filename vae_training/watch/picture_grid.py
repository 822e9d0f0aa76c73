"""A sheet of originals above their reconstructions, two rows per kind, at native pixels."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from vae_corpus.pictures.sheet import Section, contact_sheet
from vae_training.data.crops import centre_crop
from vae_training.metrics.psnr import exact, mean_psnr, told
from vae_training.validation import Pair

_CELL_PX = 256
_COLUMNS = 8
# Titles need so much even where one sample alone was held out.
_TITLE_PX = 560


def compose_grid(pairs: dict[str, list[Pair]], title: str) -> Image.Image:
    """RGB sheet: per kind a label, a row of originals, a row of reconstructions.

    Cells are the centre 256 x 256 px, not resized, so that strokes of small characters are visible.
    """
    sections = []
    for kind, some in pairs.items():
        shown = some[:_COLUMNS]
        if not shown:
            continue
        values = [pair.psnr for pair in shown]
        psnr = told(mean_psnr(values), exact(values), len(values))
        rows = ([pair.original for pair in shown], [pair.reconstruction for pair in shown])
        sections.append(
            Section(
                title=f"{kind}: originals above, reconstructions below, dB {psnr}",
                pictures=[centre_crop(rgb, _CELL_PX, _CELL_PX) for row in rows for rgb in row],
                columns=len(shown),
            )
        )
    return contact_sheet(sections, title=title, min_width_px=_TITLE_PX)


def write_grid(pairs: dict[str, list[Pair]], title: str, path: Path) -> Path:
    """Save the grid as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    compose_grid(pairs, title).save(path)
    return path
