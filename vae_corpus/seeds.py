"""Chance that depends on a seed and names alone: never on time, worker or order of work."""

from __future__ import annotations

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 6


def generator(seed: int, *parts: str | int) -> np.random.Generator:
    """A random generator that depends on `seed` and `parts` alone: never on time or worker."""
    digest = hashlib.sha256(json.dumps([seed, *parts]).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


def permuted(
    positions: NDArray[np.int64], n: int, seed: int, *parts: str | int
) -> NDArray[np.int64]:
    """The images of `positions` (int64[K], each in 0..n-1) under the permutation of the seed.

    Computed by position, never stored: a group of a corpus may hold 10^9 samples, whose permutation
    takes 8 GB per rank and epoch. A Feistel network permutes the next power of four, and walking
    its cycles until the value falls below n permutes 0..n-1; less than four steps on average.
    """
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = generator(seed, "permutation", *parts).integers(0, 2**63, size=_ROUNDS, dtype=np.uint64)
    values = _feistel(positions.astype(np.uint64), half, keys)
    while (outside := values >= n).any():
        values[outside] = _feistel(values[outside], half, keys)
    return values.astype(np.int64)


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Other values of which each bit depends on every bit of its own: int64's hash, one to one.

    The finaliser of splitmix64 (Steele et al. 2014); products wrap modulo 2^64 by intent.
    """
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _feistel(x: NDArray[np.uint64], half: int, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = x >> bits, x & mask
    for key in keys:
        left, right = right, left ^ (mixed(right ^ key) & mask)
    return (left << bits) | right
