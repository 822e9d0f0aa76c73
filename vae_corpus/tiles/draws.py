"""The draws of many pages at once, number for number those of `seeds.generator` for each.

To make a generator costs 15 us, and a page draws one or a few numbers from it. Its steps are
written out here: the seeding of numpy's SeedSequence and PCG64 (O'Neill, "PCG: a family of simple
fast space-efficient statistically good algorithms for random number generation", 2014; XSL-RR), the
bounded integers of Lemire ("Fast random integer generation in an interval", 2019) and numpy's
shuffle, which masks and tries again. Tests hold them against numpy's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vae_corpus.tiles.compiled import EXACT, INNER


def digests(seed: int, name: str, keys: Iterable[str]) -> NDArray[np.uint32]:
    """uint32[N, 4]: what `generator(seed, name, key)` is seeded with, lowest word first."""
    head = json.dumps([seed, name])[:-1] + ", "
    whole = b"".join(
        hashlib.sha256(f"{head}{encode_basestring_ascii(key)}]".encode()).digest()[:16]
        for key in keys
    )
    return np.ascontiguousarray(np.frombuffer(whole, ">u4").reshape(-1, 4)[:, ::-1], np.uint32)


def integers(seeds: NDArray[np.uint32], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[N]: what `integers(count)` draws first; counts lie below 2^32, and 0 gives -1."""
    drawn: NDArray[np.int64] = _integers(seeds, counts)
    return drawn


def chances(seeds: NDArray[np.uint32]) -> NDArray[np.float64]:
    """float64[N, 2]: what `random()` draws first and second."""
    drawn: NDArray[np.float64] = _chances(seeds)
    return drawn


def orders(
    seeds: NDArray[np.uint32], skipped: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """One after the other what `permutation(count)` draws behind `skipped` calls of `random()`."""
    drawn: NDArray[np.int64] = _orders(seeds, skipped, counts)
    return drawn


@njit(**INNER)
def _product(a, b):  # type: ignore[no-untyped-def]
    """High and low 64 bits of a product of two uint64."""
    half, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    a1, a0, b1, b0 = a >> half, a & low, b >> half, b & low
    first, second, third = a0 * b0, a1 * b0, a0 * b1
    middle = (first >> half) + (second & low) + (third & low)
    return a1 * b1 + (second >> half) + (third >> half) + (middle >> half), a * b


@njit(**INNER)
def _step(state):  # type: ignore[no-untyped-def]
    factor_high, factor_low = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)
    high, low = _product(state[1], factor_low)
    high += state[0] * factor_low + state[1] * factor_high
    state[1] = low + state[3]
    state[0] = high + state[2] + np.uint64(state[1] < low)


@njit(**INNER)
def _word(state):  # type: ignore[no-untyped-def]
    """The next 64 bits."""
    _step(state)
    mixed, turn = state[0] ^ state[1], state[0] >> np.uint64(58)
    return (mixed >> turn) | (mixed << ((np.uint64(64) - turn) & np.uint64(63)))


@njit(**INNER)
def _half(state):  # type: ignore[no-untyped-def]
    """The next 32 bits: the lower half of a word, then its upper half, which waits in `state`."""
    if state[4]:
        state[4] = 0
        return state[5]
    word = _word(state)
    state[4], state[5] = 1, word >> np.uint64(32)
    return word & np.uint64(0xFFFFFFFF)


@njit(**INNER)
def _begin(seed, pool, state):  # type: ignore[no-untyped-def]
    """Set `state`, uint64[6], as numpy does for a SeedSequence of four words."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(16)
    factor = np.uint64(0x43B0D7E5)
    for n in range(4):
        value = np.uint64(seed[n]) ^ factor
        factor = factor * np.uint64(0x931E8875) & mask
        value = value * factor & mask
        pool[n] = value ^ (value >> half)
    for n in range(4):
        for to in range(4):
            if n != to:
                value = pool[n] ^ factor
                factor = factor * np.uint64(0x931E8875) & mask
                value = value * factor & mask
                value ^= value >> half
                value = np.uint64(0xCA01F9DD) * pool[to] - np.uint64(0x4973F715) * value & mask
                pool[to] = value ^ (value >> half)
    factor = np.uint64(0x8B51F9DD)
    for n in range(8):
        value = pool[n % 4] ^ factor
        factor = factor * np.uint64(0x58F38DED) & mask
        value = value * factor & mask
        value ^= value >> half
        if n % 2:
            state[n // 2] |= value << np.uint64(32)
        else:
            state[n // 2] = value
    high, low = state[0], state[1]
    state[2] = (state[2] << np.uint64(1)) | (state[3] >> np.uint64(63))
    state[3] = (state[3] << np.uint64(1)) | np.uint64(1)
    state[0] = state[1] = state[4] = 0
    _step(state)
    state[1] += low
    state[0] += high + np.uint64(state[1] < low)
    _step(state)


@njit(**INNER)
def _chance(state):  # type: ignore[no-untyped-def]
    return np.float64(_word(state) >> np.uint64(11)) * 2.0**-53


@njit(**EXACT)
def _integers(seeds, counts):  # type: ignore[no-untyped-def]
    found = np.zeros(len(seeds), np.int64)
    pool, state = np.zeros(4, np.uint64), np.zeros(6, np.uint64)
    mask = np.uint64(0xFFFFFFFF)
    for n in range(len(seeds)):
        if counts[n] <= 1:
            found[n] = counts[n] - 1
            continue
        _begin(seeds[n], pool, state)
        count = np.uint64(counts[n])
        least = ((mask - count) + np.uint64(1)) % count
        product = _half(state) * count
        while (product & mask) < least:
            product = _half(state) * count
        found[n] = np.int64(product >> np.uint64(32))
    return found


@njit(**EXACT)
def _chances(seeds):  # type: ignore[no-untyped-def]
    found = np.empty((len(seeds), 2))
    pool, state = np.zeros(4, np.uint64), np.zeros(6, np.uint64)
    for n in range(len(seeds)):
        _begin(seeds[n], pool, state)
        found[n, 0] = _chance(state)
        found[n, 1] = _chance(state)
    return found


@njit(**EXACT)
def _orders(seeds, skipped, counts):  # type: ignore[no-untyped-def]
    found = np.empty(counts.sum(), np.int64)
    pool, state = np.zeros(4, np.uint64), np.zeros(6, np.uint64)
    first = 0
    for n in range(len(seeds)):
        _begin(seeds[n], pool, state)
        for _ in range(skipped[n]):
            _word(state)
        for at in range(counts[n]):
            found[first + at] = at
        for at in range(counts[n] - 1, 0, -1):
            mask = np.uint64(1)
            while mask < np.uint64(at):
                mask = (mask << np.uint64(1)) | np.uint64(1)
            other = np.int64(_half(state) & mask)
            while other > at:
                other = np.int64(_half(state) & mask)
            kept = found[first + at]
            found[first + at] = found[first + other]
            found[first + other] = kept
        first += counts[n]
    return found
