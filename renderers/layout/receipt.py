"""Receipts: narrow slips with a name on top, items and amounts, a total, and thanks at the foot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from renderers.arrays import Bools
from renderers.layout.base import Layout, Page, Params, sample_margin
from renderers.layout.sheet import Batch, Sheet
from renderers.setting.lines import CENTER, LEFT
from renderers.setting.typesetting import Texts


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Slips side by side, row height, the sign of money, how items are divided from the total."""
    m = sample_margin(rng, page)
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


def place_text(sheet: Sheet, p: Params) -> None:
    """Slip after slip, each on a plate of its own and down to the foot of the page.

    The rows of a slip are a name, date and time, a divider, items, a divider, the total, thanks.
    """
    m, row, rng = int(p["margin"]), int(p["pitch"]), sheet.rng
    count, size = int(p["slips"]), sheet.size_px
    width = (sheet.width - 2 * m - (count - 1) * 2 * size) // count
    slips = _slips(sheet, width, p)
    tall = slips[:, 2]
    slip = np.repeat(np.arange(len(slips)), tall)
    number = np.arange(len(slip)) - np.repeat(np.cumsum(tall) - tall, tall)
    x, y, left = slips[slip, 0], slips[slip, 1] + number * row, tall[slip] - number
    name, date, total, thanks = number == 0, number == 1, left == 2, left == 1
    divider = (number == 2) | (left == 3)
    item = ~(name | date | total | thanks | divider)

    worded = np.flatnonzero(name | item | total | thanks)
    shares = rng.uniform(0.25, 0.6, len(slip))
    shares[name], shares[total], shares[thanks] = 0.8, 0.3, 0.7
    words = sheet.phrases(shares[worded] * width, fresh=name[worded])
    if len(words) < len(worded):
        # Texts are used up: a slip that would not be complete is left out.
        whole = int(np.searchsorted(slip, slip[worded[len(words)]]))
        x, y, slip, name, date, item, total, thanks, divider = (
            part[:whole] for part in (x, y, slip, name, date, item, total, thanks, divider)
        )
        worded = worded[worded < whole]
    said = np.zeros((len(slip), 3), dtype=np.int32)
    said[worded] = words[: len(worded)]
    paired = np.flatnonzero(date | item | total)
    amounts, said[date] = _amounts(sheet, slip[item], total[paired], item[paired], p)

    right = sheet.set(amounts, width, heading=total[paired], max_lines=2)
    # Half an amount would be wrong.
    right = right.where((right.counts(len(paired)) == 1)[right.of])
    room = np.zeros(len(slip))
    room[paired[right.of]] = width - right.length_px - size
    room[name | thanks] = width
    named = np.flatnonzero(room > 0)
    words_set = sheet.set(
        said[named],
        room[named],
        align=np.where(name | thanks, CENTER, LEFT)[named],
        heading=(name | total)[named],
        max_lines=1,
    )
    # Words are cut where they meet the amount; one that fits in no way is left out.
    words_set = words_set.where(words_set.length_px <= room[named[words_set.of]])
    at, amount_at = named[words_set.of], paired[right.of]
    batches = [
        Batch(words_set, x[at], y[at], at),
        Batch(right, x[amount_at] + width - right.length_px, y[amount_at], amount_at),
    ]
    rows, sign = np.flatnonzero(divider), str(p["divider"])
    if sign == "rule":
        for left_px, top in zip(x[rows].tolist(), (y[rows] + row // 2).tolist(), strict=True):
            sheet.rule(left_px, top, left_px + width, top + 1)
    else:
        one = sheet.set(sheet.words([sign]), 4 * size).length_px[0]
        texts = np.repeat(sheet.words([sign * max(1, int(width / one))]), len(rows), axis=0)
        lines = sheet.set(texts, width, max_lines=1)
        batches.append(Batch(lines, x[rows[lines.of]], y[rows[lines.of]], rows[lines.of]))
    sheet.put_in_order(*batches)


def _slips(sheet: Sheet, width: int, p: Params) -> npt.NDArray[np.int64]:
    """Left, top and number of rows of each slip, `int64[n, 3]`; draws their plates."""
    m, row, size = int(p["margin"]), int(p["pitch"]), sheet.size_px
    slips = []
    for column in range(int(p["slips"])):
        x, y = m + column * (width + 2 * size), m
        sheet.plate(x - m // 2, m // 2, x + width + m // 2, sheet.height - m // 2)
        while y + 8 * row <= sheet.height - m:
            rows, wanted = (sheet.height - m - y) // row, 9 + sheet.dice.below(11)
            # Where another slip would not fit below, this one goes on to the foot of the page.
            rows = wanted if rows - wanted >= 10 else rows
            slips.append((x, y, rows))
            y += (rows + 2) * row
    return np.array(slips, dtype=np.int64).reshape(-1, 3)


def _amounts(
    sheet: Sheet,
    slip: npt.NDArray[np.int64],
    total: Bools,
    item: Bools,
    p: Params,
) -> tuple[Texts, Texts]:
    """What stands at the right of rows that are totals, items or dates; and the dates.

    `slip` says for each item whose it is.
    """
    dice = sheet.dice
    prices = (10 ** sheet.rng.uniform(2, 4.5, len(slip))).astype(np.int64)
    counts = sheet.rng.integers(1, 5, len(slip))
    sums = iter(np.bincount(slip, prices * counts).tolist())
    items = iter(zip(counts.tolist(), prices.tolist(), strict=True))
    amounts, dates = [], []
    for is_total, is_item in zip(total.tolist(), item.tolist(), strict=True):
        if is_total:
            amounts.append(f"{p['money']}{next(sums) / 100:,.2f}")
        elif is_item:
            count, price = next(items)
            amounts.append(f"{count} x {price / 100:.2f}")
        else:
            amounts.append(f"{dice.below(24):02d}:{dice.below(60):02d}")
            day = f"{1 + dice.below(12):02d}-{1 + dice.below(28):02d}"
            dates.append(f"{2010 + dice.below(30)}-{day}")
    texts = sheet.words([*amounts, *dates])
    return texts[: len(amounts)], texts[len(amounts) :]


LAYOUT = Layout("receipt", sample_params, place_text, fill=0.6)
