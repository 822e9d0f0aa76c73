"""Pillow with raqm: lines, lines with character boxes, or all that a page of this project takes.

    python pillow_pages.py PAGES.json lines|boxes|page

`lines`: each given line by ImageDraw.text. `boxes`: also the ink box of each character, from
getlength of what stands before it and getbbox. `page`: from paragraphs, broken greedily by the
getlength of each word (or Han character), measured once; for each line a grey with the wanted
contrast against the mean of what lies under it; the boxes; the label as JSON. Fonts are opened
once. Vertical lines are drawn horizontally.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features
from rounds import inked, serve

_HAN = r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_UNITS = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+\s*|\s")
_VALUE = np.arange(256) / 255
_LINEAR = np.where(_VALUE <= 0.04045, _VALUE / 12.92, ((_VALUE + 0.055) / 1.055) ** 2.4)
_WEIGHTS = np.array([0.2126, 0.7152, 0.0722])


@cache
def font(path: str, index: int, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, index=index, layout_engine=ImageFont.Layout.RAQM)


def boxes(text: str, face: ImageFont.FreeTypeFont, x: int, y: int) -> list[list[Any]]:
    found = []
    for i, character in enumerate(text):
        x0, y0, x1, y1 = face.getbbox(character, anchor="ls")
        if x1 > x0:
            left = x + face.getlength(text[:i])
            found.append([character, left + x0, y + y0, left + x1, y + y1])
    return found


def broken(text: str, face: ImageFont.FreeTypeFont, width: float) -> list[str]:
    lines, line, length = [], "", 0.0
    for unit in _UNITS.findall(text):
        own = face.getlength(unit)
        if line and length + own > width:
            lines.append(line.rstrip())
            line, length = "", 0.0
        line += unit
        length += own
    return [*lines, line.rstrip()]


def colour_on(page: Image.Image, box: tuple[int, int, int, int]) -> tuple[tuple[int, ...], float]:
    under = np.asarray(page.crop(box))
    ground = float((_LINEAR[under].reshape(-1, 3).mean(axis=0) * _WEIGHTS).sum())
    dark = (ground + 0.05) / 5 - 0.05
    wanted = dark if dark >= 0 else min(1.0, (ground + 0.05) * 5 - 0.05)
    grey = int(np.searchsorted(_LINEAR, wanted))
    own = float(_LINEAR[min(grey, 255)])
    ratio = (max(own, ground) + 0.05) / (min(own, ground) + 0.05)
    return (min(grey, 255),) * 3, ratio


def lines_only(pages: list[dict[str, Any]], *, boxed: bool) -> int:
    count = 0
    for page in pages:
        picture = Image.fromarray(np.load(page["ground"]))
        draw = ImageDraw.Draw(picture)
        kept = []
        for line in page["lines"]:
            face = font(line["path"], line["index"], line["size_px"])
            place = line["x"], line["y"]
            draw.text(place, line["text"], fill=tuple(line["colour"]), font=face, anchor="ls")
            count += inked(line["text"])
            if boxed:
                kept.append(boxes(line["text"], face, *place))
        np.asarray(picture)
    return count


def whole(pages: list[dict[str, Any]]) -> int:
    count = 0
    for page in pages:
        picture = Image.fromarray(np.load(page["ground"]))
        draw = ImageDraw.Draw(picture)
        label = []
        for block in page["blocks"]:
            face = font(block["path"], block["index"], block["size_px"])
            for text, (x, y) in zip(
                broken(block["text"], face, block["width"]), block["places"], strict=False
            ):
                if not text:
                    continue
                x0, y0, x1, y1 = face.getbbox(text, anchor="ls")
                colour, contrast = colour_on(picture, (x + x0, y + y0, x + x1 + 1, y + y1 + 1))
                draw.text((x, y), text, fill=colour, font=face, anchor="ls")
                label.append(
                    {
                        "text": text,
                        "chars": boxes(text, face, x, y),
                        "font": block["path"],
                        "size_px": block["size_px"],
                        "colour": colour,
                        "contrast": round(contrast, 3),
                    }
                )
                count += inked(text)
        np.asarray(picture)
        json.dumps({"lines": label}, ensure_ascii=False, separators=(",", ":"))
    return count


if not features.check("raqm"):
    sys.exit("this Pillow has no raqm")
serve(
    {
        "lines": lambda pages: lines_only(pages, boxed=False),
        "boxes": lambda pages: lines_only(pages, boxed=True),
        "page": whole,
    }[sys.argv[2]]
)
