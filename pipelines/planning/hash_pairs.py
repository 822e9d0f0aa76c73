"""Pairs of near perceptual hashes among rows that share a block of their hash, compiled.

Two 64-bit hashes that differ in at most d bits, cut into d + 3 blocks, agree in at least 3 whole
blocks. So every such pair meets among the rows that agree in some 3 blocks, sorted by these. Equal
hashes are compared once for all; each pair is looked at in the first 3 blocks that it agrees in.

A template or a blank page may have a million namesakes. Where more than a million pairs of rows
with two hashes would have to be compared, each row is compared with those next to it in the order
of each quarter of its fine hash, and the rows concerned are counted.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vae_corpus import numba_cache

HASH_BITS = 64
# What a row is, as bits of `flags`.
IS_GENERAL, HAS_TEXT, HAS_LAYOUT = 1, 2, 4
# Of the rows that must be looked at closer, so many at most, the nearest ones.
LOOKS = 32
# Beyond so many hashes in one run, or pairs of rows with two hashes, not all are compared.
_MOST_HASHES, _MOST_PAIRS, _WINDOW = 1 << 16, 1 << 20, 128
_INDEX_BITS = 32
_COMPILED: dict[str, Any] = {
    "cache": numba_cache.ready(Path(__file__).parent),
    "nogil": True,
    "error_model": "numpy",
}


@dataclass(frozen=True, kw_only=True)
class Hashed:
    """Rows to compare. `better` is uint64[N, 3]: of two rows the one with the smaller triple stays.

    `phash` uint64[N], `fine` uint64[N, 4], `aspect` (natural logarithm) and `luma` float64[N],
    `page` uint64[N] (rows of one page are no twins), `same` uint64[N] (rows that agree in it are
    alike in all that is compared), `flags` uint8[N].
    """

    phash: NDArray[np.uint64]
    fine: NDArray[np.uint64]
    aspect: NDArray[np.float64]
    luma: NDArray[np.float64]
    page: NDArray[np.uint64]
    same: NDArray[np.uint64]
    flags: NDArray[np.uint8]
    better: NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Met:
    """What was found: for each row the best twin (-1: none), and whom to look at closer.

    `twin` int64[N], `looks` int64[N, 32] (-1: no more), each better than its row. `capped`: rows
    that were not compared with all others.
    """

    twin: NDArray[np.int64]
    looks: NDArray[np.int64]
    capped: int


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """How far near hashes may be apart."""

    bits: int
    fine_bits: int
    log_aspect: float
    luma: float


def blocks(bits: int) -> list[tuple[int, int]]:
    """First bit and width of each block of a hash, for hashes that differ in so many bits."""
    count = bits + 3
    edges = [round(i * HASH_BITS / count) for i in range(count + 1)]
    return [(low, high - low) for low, high in itertools.pairwise(edges)]


def block_values(phash: NDArray[np.uint64], block: tuple[int, int]) -> NDArray[np.uint64]:
    """What stands in a block of each hash."""
    low, width = block
    return (phash >> np.uint64(low)) & np.uint64((1 << width) - 1)


def first_blocks(bits: int) -> range:
    """Numbers of the blocks that may be the first of three."""
    return range(bits + 1)


def meet(rows: Hashed, near: Nearness, first: int) -> Met:
    """The pairs of rows whose first common block is number `first`."""
    count = len(rows.phash)
    if not count:
        return Met(twin=np.zeros(0, np.int64), looks=np.zeros((0, LOOKS), np.int64), capped=0)
    order = np.argsort(rows.phash, kind="stable")
    hashes, starts = np.unique(rows.phash[order], return_index=True)
    ends = np.append(starts[1:], count)
    twin = np.full(count, -1, np.int64)
    looks = np.full((count if (rows.flags & IS_GENERAL == 0).any() else 0, LOOKS), -1, np.int64)
    apart = np.zeros(looks.shape, np.int16)
    # Rows that are alike in everything are twins of the best one; the others need not meet anybody.
    leads = np.ones(count, np.bool_)
    _follow(order, starts, ends, rows.same, rows.page, rows.better, twin, leads)
    kept = leads[order]
    ends = np.cumsum(kept)[ends - 1]
    starts = np.append(0, ends[:-1])
    order = order[kept]
    cut = blocks(near.bits)
    lows = np.array([low for low, _ in cut], np.uint64)
    masks = np.array([(1 << width) - 1 for _, width in cut], np.uint64)
    capped = np.zeros(count, np.bool_)
    index = np.arange(len(hashes), dtype=np.uint64)
    for second, third in itertools.combinations(range(first + 1, len(cut)), 2):
        key = np.zeros(len(hashes), np.uint64)
        for number in (first, second, third):
            key = (key << np.uint64(cut[number][1])) | block_values(hashes, cut[number])
        # Where three blocks have more bits than 32, the last ones decide: more rows meet.
        packed = np.sort((key << np.uint64(_INDEX_BITS)) | index)
        _meet(
            *(packed, hashes, starts, ends, order),
            *(rows.fine, rows.aspect, rows.luma, rows.page, rows.flags, rows.better),
            *(near.bits, near.fine_bits, near.log_aspect, near.luma),
            *(lows, masks, np.array([first, second, third])),
            *(twin, looks, apart, capped),
        )
    return Met(twin=twin, looks=looks, capped=int(capped.sum()))


@njit(**_COMPILED)
def _ones(x):  # type: ignore[no-untyped-def]
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(**_COMPILED)
def _is_better(better, one, other):  # type: ignore[no-untyped-def]
    for k in range(3):
        if better[one, k] != better[other, k]:
            return better[one, k] < better[other, k]
    return False


@njit(**_COMPILED)
def _follow(order, starts, ends, same, page, better, twin, leads):  # type: ignore[no-untyped-def]
    for h in range(len(starts)):
        if ends[h] - starts[h] < 2:
            continue
        rows = order[starts[h] : ends[h]]
        rows = rows[np.argsort(same[rows], kind="mergesort")]
        begin = 0
        while begin < len(rows):
            end = begin + 1
            while end < len(rows) and same[rows[end]] == same[rows[begin]]:
                end += 1
            best = rows[begin]
            for k in range(begin + 1, end):
                if _is_better(better, rows[k], best):
                    best = rows[k]
            for k in range(begin, end):
                row = rows[k]
                if row != best and page[row] != page[best]:
                    twin[row], leads[row] = best, False
            begin = end


@njit(**_COMPILED)
def _compare(  # type: ignore[no-untyped-def]
    one, other, fine, aspect, luma, page, flags, better, fine_bits, most_aspect, most_luma,
    twin, looks, apart,
):  # fmt: skip
    if abs(luma[one] - luma[other]) > most_luma or abs(aspect[one] - aspect[other]) > most_aspect:
        return
    distance = 0
    for k in range(4):
        distance += _ones(fine[one, k] ^ fine[other, k])
    if distance > fine_bits or page[one] == page[other]:
        return
    if _is_better(better, other, one):
        one, other = other, one
    both = flags[one] & flags[other]
    # Pages of one template are alike: where more is known of both, that decides.
    if both & 1 == 0 and both & 6 != 0:
        place = len(looks[other])
        while place > 0 and (
            looks[other, place - 1] < 0
            or apart[other, place - 1] > distance
            or (apart[other, place - 1] == distance
                and _is_better(better, one, looks[other, place - 1]))
        ):  # fmt: skip
            place -= 1
        if place == len(looks[other]):
            return
        for k in range(len(looks[other]) - 1, place, -1):
            looks[other, k], apart[other, k] = looks[other, k - 1], apart[other, k - 1]
        looks[other, place], apart[other, place] = one, distance
    elif twin[other] < 0 or _is_better(better, one, twin[other]):
        twin[other] = one


@njit(**_COMPILED)
def _meet(  # type: ignore[no-untyped-def]
    packed, hashes, starts, ends, order, fine, aspect, luma, page, flags, better,
    bits, fine_bits, most_aspect, most_luma, lows, masks, three, twin, looks, apart, capped,
):  # fmt: skip
    shift, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    for i in range(len(packed)):
        key, u = packed[i] >> shift, np.int64(packed[i] & low)
        for j in range(i, len(packed)):
            if packed[j] >> shift != key:
                break
            if j - i > _MOST_HASHES:
                capped[order[starts[u]]] = True
                break
            v = np.int64(packed[j] & low)
            differ = hashes[u] ^ hashes[v]
            if _ones(differ) > bits:
                continue
            found = 0
            for b in range(len(lows)):
                if (differ >> lows[b]) & masks[b] == 0:
                    if b != three[found]:
                        break
                    found += 1
                    if found == 3:
                        break
            if found < 3:
                continue
            ones, others = order[starts[u] : ends[u]], order[starts[v] : ends[v]]
            if len(ones) * len(others) <= _MOST_PAIRS:
                for m in range(len(ones)):
                    for n in range(m + 1 if u == v else 0, len(others)):
                        _compare(
                            ones[m], others[n], fine, aspect, luma, page, flags, better, fine_bits,
                            most_aspect, most_luma, twin, looks, apart,
                        )  # fmt: skip
                continue
            every = ones if u == v else np.concatenate((ones, others))
            capped[every] = True
            for k in range(4):
                every = every[np.argsort(fine[every, k], kind="mergesort")]
                for m in range(len(every)):
                    for n in range(m + 1, min(len(every), m + 1 + _WINDOW)):
                        _compare(
                            every[m], every[n], fine, aspect, luma, page, flags, better, fine_bits,
                            most_aspect, most_luma, twin, looks, apart,
                        )  # fmt: skip
