"""Near-duplicates among crops: by their text and by their looks (report, Evaluation, text).

The report compares character n-grams, 3 of Chinese and 5 of English: crops of one page may share a
fifth of them, crops of a kind 0.3, and the one with most characters stays. It does not say of what:
our choice is of the n-grams of the shorter text, so that a part of another crop is found too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vae_training.tokenbench.crop import Crop
from vae_training.tokenbench.standard import STANDARDS

WITHIN_PAGE, WITHIN_KIND = 0.2, 0.3
# Correlation of thumbnails of 64 x 64 px, where a letter is two to four px high. Different text in
# the same setting stays below 0.6, the same text drawn a quarter of a pixel further above 0.9.
SAME_LOOK = 0.8

Drops = dict[int, str]


def near_duplicates(crops: Sequence[Crop], kind: Callable[[Crop], str]) -> Drops:
    """Which crops to leave out, by place, and why: `same_text_page`, `same_text`, `same_look`.

    Of one language only crops with the same `kind(crop)` are compared. Those with most characters
    are kept first; among equals, the first.
    """
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, crop in enumerate(crops):
        groups[crop.language, kind(crop)].append(i)
    drops: Drops = {}
    for (language, _), members in sorted(groups.items()):
        order = sorted(members, key=lambda i: (-crops[i].chars, i))
        drops |= _of_group(crops, order, STANDARDS[language].ngram)
    return drops


def ngrams(text: str, n: int) -> set[str]:
    """The n-grams of a text's characters; spaces are none, for engines set them as they like."""
    plain = "".join(text.lower().split())
    return {plain[i : i + n] for i in range(len(plain) - n + 1)}


def overlap(one: set[str], other: set[str]) -> float:
    """Share of the n-grams of the smaller set that both have, in [0, 1]."""
    return len(one & other) / max(1, min(len(one), len(other)))


def _of_group(crops: Sequence[Crop], order: Sequence[int], n: int) -> Drops:
    drops: Drops = {}
    holders: dict[str, list[int]] = defaultdict(list)
    sizes: dict[int, int] = {}
    looks = np.zeros((len(order), crops[order[0]].look.size), np.float32)
    for i in order:
        grams, look = ngrams(crops[i].text, n), _normal(crops[i].look)
        shared = Counter(j for gram in grams for j in holders[gram])
        slug = next(
            (s for j, k in shared.items() if (s := _same(crops, i, j, k, grams, sizes))), ""
        )
        if not slug and float(np.max(looks[: len(sizes)] @ look, initial=-1)) >= SAME_LOOK:
            slug = "same_look"
        if slug:
            drops[i] = slug
            continue
        looks[len(sizes)] = look
        sizes[i] = len(grams)
        for gram in grams:
            holders[gram].append(i)
    return drops


def _same(
    crops: Sequence[Crop], i: int, j: int, common: int, grams: set[str], sizes: dict[int, int]
) -> str:
    share = common / max(1, min(len(grams), sizes[j]))
    one_page = (crops[i].source, crops[i].page) == (crops[j].source, crops[j].page)
    if one_page and share > WITHIN_PAGE:
        return "same_text_page"
    return "same_text" if share > WITHIN_KIND else ""


def _normal(look: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = look.astype(np.float32).ravel()
    values -= values.mean()
    normal: NDArray[np.float32] = values / max(1e-6, float(np.linalg.norm(values)))
    return normal
