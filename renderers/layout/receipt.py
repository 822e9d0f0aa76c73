"""Receipts: narrow slips with a name on top, items and amounts, a total, and thanks at the foot."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, margin
from renderers.layout.sheet import Sheet, Text


def draw(rng: np.random.Generator, page: Page) -> Params:
    """Slips side by side, row height, the sign of money, how items are divided from the total."""
    m = margin(rng, page)
    # A slip of a shop's printer holds 32 to 48 characters.
    width = int(page.size_px * rng.uniform(14, 22))
    fitting = max(1, (page.width - 2 * m + page.size_px) // (width + page.size_px))
    return {
        "margin": m,
        "slips": int(rng.integers(max(1, fitting - 1), fitting + 1)),
        "pitch": max(page.size_px + 1, round(page.size_px * rng.uniform(1.15, 1.4))),
        "money": ("$", "", "EUR ", "RMB ")[int(rng.integers(4))],
        "divider": ("-", "=", "*", "rule")[int(rng.integers(4))],
    }


def place(sheet: Sheet, p: Params) -> None:
    """Slip after slip, each on a plate of its own and down to the foot of the page."""
    m, slips, size = int(p["margin"]), int(p["slips"]), sheet.size_px
    width = (sheet.width - 2 * m - (slips - 1) * 2 * size) // slips
    for slip in range(slips):
        x = m + slip * (width + 2 * size)
        sheet.plate(x - m // 2, m // 2, x + width + m // 2, sheet.height - m // 2)
        y = m
        while y + 8 * int(p["pitch"]) <= sheet.height - m:
            below = _slip(sheet, x, y, width, sheet.height - m, p)
            if below is None:
                return
            y = below + 2 * int(p["pitch"])


def _slip(sheet: Sheet, x: int, y: int, width: int, bottom: int, p: Params) -> int | None:
    """One receipt; where it ends, or None when texts are used up."""
    row = int(p["pitch"])
    name = sheet.phrase(0.8 * width, fresh=True)
    if name is None:
        return None
    for strip in sheet.set(name, width, align="center", heading=True, max_lines=1):
        sheet.put(strip, x, y)
    y += row
    rng = sheet.rng
    year, month, day = rng.integers((2010, 1, 1), (2040, 13, 29)).tolist()
    hour, minute = rng.integers((24, 60)).tolist()
    date, time = f"{year}-{month:02d}-{day:02d}", f"{hour:02d}:{minute:02d}"
    _pair(sheet, x, y, width, date, time)
    y = _divide(sheet, x, y + row, width, p)
    total = 0
    room, items = (bottom - y) // row - 4, int(rng.integers(3, 14))
    # Where another slip would not fit below, this one goes on to the foot of the page.
    for _ in range(items if room - items >= 10 else room):
        item = sheet.phrase(width * float(rng.uniform(0.25, 0.6)))
        if item is None:
            return None
        price, count = int(10 ** rng.uniform(2, 4.5)), int(rng.integers(1, 5))
        total += price * count
        _pair(sheet, x, y, width, item, f"{count} x {price / 100:.2f}")
        y += row
    y = _divide(sheet, x, y, width, p)
    label = sheet.phrase(0.3 * width)
    _pair(sheet, x, y, width, label or "Total", f"{p['money']}{total / 100:,.2f}", heading=True)
    y += row
    thanks = sheet.phrase(0.7 * width)
    if thanks is not None:
        for strip in sheet.set(thanks, width, align="center", max_lines=1):
            sheet.put(strip, x, y)
        y += row
    return y


def _pair(
    sheet: Sheet,
    x: int,
    y: int,
    width: int,
    left: Text | str,
    right: str,
    *,
    heading: bool = False,
) -> None:
    """Words at the left, an amount at the right; words that do not fit beside it are cut."""
    amounts = sheet.set(Text(right, sheet.body), width, heading=heading)
    if len(amounts) != 1:
        return
    start = width - amounts[0].length_px
    sheet.put(amounts[0], x + start, y)
    words = left if isinstance(left, Text) else Text(left, sheet.body)
    room = start - sheet.size_px
    strips = sheet.set(words, room, heading=heading, max_lines=1) if room > 0 else []
    for strip in strips:
        if strip.length_px <= room:
            sheet.put(strip, x, y)


def _divide(sheet: Sheet, x: int, y: int, width: int, p: Params) -> int:
    sign, row = str(p["divider"]), int(p["pitch"])
    if sign == "rule":
        sheet.rule(x, y + row // 2, x + width, y + row // 2 + 1)
        return y + row
    (one,) = sheet.set(Text(sign, sheet.body), 4 * sheet.size_px)
    line = Text(sign * max(1, int(width / one.length_px)), sheet.body)
    for strip in sheet.set(line, width, max_lines=1):
        sheet.put(strip, x, y)
    return y + row


LAYOUT = Layout("receipt", draw, place, fill=0.6)
