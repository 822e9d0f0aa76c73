"""A finished set on disk, in the layout that the official script of OmniDoc-TokenBench reads.

OUT/gt_dir/0001.png ...     the crops, 256 x 256 px: its --gt_dir
OUT/ground_truth.json       [{"file": "0001.png", "gt_text": "..."}, ...], named as its own
                            ned_details.json names them; beside the images, which it lists
OUT/index.parquet           a row per crop: where it is from, its box, language, kind, height of its
                            glyphs in px, contrast in levels of luma
OUT/left_out.json           what gave no crop: level, reason, count, an example; a row per document
OUT/contact_sheet.png       crops of each language and kind, to look at
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from PIL import Image

from vae_corpus import storage
from vae_corpus.pictures.sheet import Section, contact_sheet
from vae_corpus.seeds import generator
from vae_training.tokenbench.crop import Crop, LeftOut
from vae_training.tokenbench.standard import STANDARDS, TOLERANCE

IMAGES = "gt_dir"
_SHEET_COLUMNS, _SHEET_ROWS = 6, 3
_CAPTION_CHARS = 38

SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("source", pa.string()),
        ("page", pa.int32()),
        ("left", pa.float32()),
        ("top", pa.float32()),
        ("right", pa.float32()),
        ("bottom", pa.float32()),
        ("scale", pa.float32()),
        ("language", pa.string()),
        ("kind", pa.string()),
        ("chars", pa.int32()),
        ("glyph_px", pa.float32()),
        ("contrast_levels", pa.int32()),
        ("gt_text", pa.string()),
    ]
)


def check_out(out: Path) -> None:
    """ValueError when the folder holds crops already: the script would take them for this set's."""
    images = out / IMAGES
    if images.is_dir() and any(images.iterdir()):
        raise ValueError(f"{images} holds images already: name another --out, or remove it")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; --out takes a folder")


def write(out: Path, crops: Sequence[Crop], left_out: LeftOut, *, seed: int) -> None:
    """Write the set; the same crops give the same bytes. Files are named in the order given."""
    digits = max(4, len(str(len(crops))))
    names = [f"{number:0{digits}d}.png" for number in range(1, len(crops) + 1)]
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    for name, crop in zip(names, crops, strict=True):
        storage.commit_bytes(str(out / IMAGES / name), crop.png)
    truth = [{"file": name, "gt_text": c.text} for name, c in zip(names, crops, strict=True)]
    _commit_json(out / "ground_truth.json", truth)
    _commit_json(out / "left_out.json", left_out.rows())
    rows = [_row(name, crop) for name, crop in zip(names, crops, strict=True)]
    storage.commit_table(str(out / "index.parquet"), pa.Table.from_pylist(rows, SCHEMA))
    if crops:
        sheet = io.BytesIO()
        _sheet(names, crops, seed).save(sheet, "png")
        storage.commit_bytes(str(out / "contact_sheet.png"), sheet.getvalue())


def summary(crops: Sequence[Crop], left_out: LeftOut) -> str:
    """A table for people: crops by language and kind with their sizes, then what was left out."""
    lines = [
        f"{'language':<10}{'kind':<20}{'sources':>8}{'crops':>7}{'characters':>13}{'glyph px':>26}"
    ]
    for language, kind in sorted({(c.language, c.kind) for c in crops}):
        some = [c for c in crops if (c.language, c.kind) == (language, kind)]
        chars, px = [c.chars for c in some], [c.glyph_px for c in some]
        told = f"{min(px):.1f} - {max(px):.1f}, median {median(px):.1f}"
        count = f"{min(chars)} - {max(chars)}"
        sources = len({c.source for c in some})
        lines.append(
            f"{language:<10}{kind[:19]:<20}{sources:>8}{len(some):>7}{count:>13}{told:>26}"
        )
    off = sum(STANDARDS[c.language].off(c.glyph_px) > TOLERANCE for c in crops)
    lines.append(
        f"{len(crops)} crops; {off} whose median glyph is off by more than {TOLERANCE:.0%}"
    )
    lines += ["", f"{'left out':<10}{'reason':<24}{'count':>9}  for example"]
    for row in left_out.totals():
        lines.append(f"{row['level']:<10}{row['reason']:<24}{row['count']:>9}  {row['example']}")
    return "\n".join(lines)


def _commit_json(path: Path, value: object) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    storage.commit_bytes(str(path), f"{text}\n".encode())


def _row(name: str, crop: Crop) -> dict[str, object]:
    row: dict[str, object] = {
        column: getattr(crop, column)
        for column in (
            *("source", "page", "scale", "language", "kind"),
            *("chars", "glyph_px", "contrast_levels"),
        )
    }
    sides = dict(zip(("left", "top", "right", "bottom"), crop.box, strict=True))
    return {"file": name, **row, **sides, "gt_text": crop.text}


def _sheet(names: Sequence[str], crops: Sequence[Crop], seed: int) -> Image.Image:
    sections = []
    for language, kind in sorted({(c.language, c.kind) for c in crops}):
        members = [i for i, c in enumerate(crops) if (c.language, c.kind) == (language, kind)]
        order = generator(seed, "sheet", language, kind).permutation(len(members))
        shown = sorted(members[i] for i in order[: _SHEET_COLUMNS * _SHEET_ROWS])
        pairs = [(_pixels(crops[i]), _caption(names[i], crops[i])) for i in shown]
        sections.append(Section.of(pairs, columns=_SHEET_COLUMNS))
    return contact_sheet(sections, title=f"{len(crops)} crops, some of each language and kind")


def _pixels(crop: Crop) -> Image.Image:
    return Image.fromarray(np.asarray(Image.open(io.BytesIO(crop.png)).convert("RGB")))


def _caption(name: str, crop: Crop) -> str:
    source = f"{crop.source} p{crop.page}"
    # The sheet's face has Latin only.
    latin = "".join(c if c.isascii() else "?" for c in source)[-_CAPTION_CHARS:]
    size = f"{crop.glyph_px:.1f} px, {crop.chars} characters"
    return f"{name} {crop.language} {crop.kind[:16]}\n{size}\n{latin}"
