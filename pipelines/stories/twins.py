"""How far two images that the plan took for twins differ, in the terms of its settings."""

from __future__ import annotations

import math

import numpy as np

from filters import layout
from pipelines.planning.settings import PlanSettings
from pipelines.stories.corpus import Corpus, Row, find_images, scored
from pipelines.stories.spoken import shown
from vae_corpus.words import GENERAL


def tell_twin(corpus: Corpus, row: Row) -> list[str]:
    """Lines on the image that this one is a duplicate of."""
    key = row["duplicate_of"]
    others = [
        other
        for other in find_images(corpus, key)
        if not _same_place(other, row) and other["fate"] != "rejected"
    ]
    if not others:
        return [f"{key}, of which no row is left: run the build again"]
    twin = others[0]
    fate = "kept" if twin["fate"] == "selected" else f"dropped as {twin['slug']}"
    lines = [f"{key}, {fate}", f"  read at {place(twin)}"]
    if row["slug"] == "duplicate":
        first = "the first by neighbourhood, source and path"
        return [*lines, f"  the same bytes: of equal files {first} stays"]
    mine, its = scored(corpus, row), scored(corpus, twin)
    lines += [f"  {line}" for line in distances(mine, its, row, twin, corpus.config.plan)]
    better = "more pixels, then higher clarity, then the smaller sha256"
    if len(corpus.generations("selected")) > 1:
        better = f"what came to the corpus first, then {better}"
    return [
        *lines,
        f"  of twins the better stays ({better}): {_size(twin)} before {_size(row)}",
    ]


def distances(mine: Row, its: Row, row: Row, twin: Row, s: PlanSettings) -> list[str]:
    """What differs between two score rows beside the most that twins may differ."""
    bits = (mine["phash"] ^ its["phash"]).bit_count()
    lines = [
        f"hash: {bits} of 64 bits differ (duplicate_bits {s.duplicate_bits})",
        f"fine hash: {_bits(mine['phash_fine'], its['phash_fine'])} of 256 bits differ"
        f" (duplicate_fine_bits {s.duplicate_fine_bits})",
        f"aspect: {_aspect(mine, its):.2%} apart; brightness:"
        f" {shown(abs(mine['luma_mean'] - its['luma_mean']))} of 255 apart",
    ]
    if row["kind"] == twin["kind"] == GENERAL:
        return lines
    if mine["text_sketch"] and its["text_sketch"]:
        runs = _bits(mine["text_sketch"], its["text_sketch"])
        lines.append(
            f"text: {runs} runs of characters differ (duplicate_text_runs {s.duplicate_text_runs})"
        )
    elif mine["layout"] and its["layout"]:
        one, other = (np.frombuffer(r["layout"], np.uint8)[None] for r in (mine, its))
        levels = float(layout.differences(one, other)[0])
        lines.append(
            f"layout: {shown(levels)} levels apart beyond what differs all over"
            f" (duplicate_layout_levels {s.duplicate_layout_levels})"
        )
    return lines


def place(row: Row) -> str:
    """Where an image was read, with its address inside the file where there is one."""
    inside = [] if row["uri"].endswith(row["member"]) else [f"member {row['member']}"]
    if row["offset"]:
        inside.append(f"offset {row['offset']:,}")
    return ", ".join([row["uri"], *inside])


def _same_place(one: Row, other: Row) -> bool:
    return all(one[name] == other[name] for name in ("uri", "offset", "member"))


def _bits(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _aspect(one: Row, other: Row) -> float:
    ratios = [math.log(r["width"] / r["height"]) for r in (one, other)]
    return abs(ratios[0] - ratios[1])


def _size(row: Row) -> str:
    return f"{row['width']} x {row['height']} px at clarity {shown(row['clarity'])}"
