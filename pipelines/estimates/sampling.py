"""Draw a sample of images over all sources, reproducibly, and read it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.estimates.piles import Files, Pile
from pipelines.estimates.strata import Draw, Stratum
from pipelines.sources import Item, Source
from vae_corpus.seeds import generator

_PER_FILE = 10
_LEAST_FILES = 4
_LEAST_IMAGES = 2


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One drawn file, or all that was drawn of a source that could be counted."""

    source: Source
    stratum: int
    probability: float
    pile: Pile
    places: list[int]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One image of the sample; `read_s` is the CPU time that a build takes to read one."""

    item: Item
    source: Source
    read_s: float


def plan_draws(
    sources: Sequence[Files], images: int, seed: int
) -> tuple[list[Stratum], list[Piece], list[Piece]]:
    """What to read: strata without rows as yet, and pieces, first those that must be read.

    The number of images is shared out in proportion to what the sources hold, at least two each.
    A sample that ends after the first pieces has no source without any.
    """
    strata: list[Stratum] = []
    first: list[Piece] = []
    rest: list[Piece] = []
    counted: list[Pile | None] = []
    guesses: list[float] = []
    pilots: list[list[tuple[int, float, Pile]]] = []
    for files in sources:
        rng = generator(seed, "estimate", "files", files.source.name)
        pilot: list[tuple[int, float, Pile]] = []
        if files.can_be_counted():
            pile: Pile | None = files.whole()
            assert pile is not None
            guesses.append(pile.count)
        else:
            pile = None
            pilot = [_draw_file(files, rng) for _ in range(_LEAST_FILES)]
            guesses.append(float(np.mean([p.count / chance for _, chance, p in pilot])))
        counted.append(pile)
        pilots.append(pilot)
    for number, files in enumerate(sources):
        pile, name = counted[number], files.source.name
        share = round(images * guesses[number] / max(1.0, sum(guesses)))
        rng = generator(seed, "estimate", "images", name)
        like = f"{files.source.type} {files.source.content}"  # type: ignore[attr-defined]
        if pile is not None:
            size = min(pile.count, max(_LEAST_IMAGES, share))
            order = [int(place) for place in rng.choice(pile.count, size, replace=False)]
            strata.append(Stratum(name=name, like=like, count=pile.count))
            pieces = [
                Piece(source=files.source, stratum=number, probability=1, pile=pile, places=part)
                for part in _parts(order)
            ]
            first += pieces[:1]
            rest += pieces[1:]
            continue
        strata.append(Stratum(name=name, like=like, count=None))
        wanted = max(_LEAST_FILES, round(share / _PER_FILE))
        more = generator(seed, "estimate", "more files", name)
        drawn = pilots[number]
        drawn += [_draw_file(files, more) for _ in range(wanted - len(drawn))]
        for n, (_, chance, opened) in enumerate(drawn):
            places = _places_in(opened, rng)
            piece = Piece(
                source=files.source, stratum=number, probability=chance, pile=opened, places=places
            )
            (first if n < _LEAST_IMAGES else rest).append(piece)
    shuffled = generator(seed, "estimate", "order").permutation(len(rest))
    return strata, first, [rest[int(i)] for i in shuffled]


def read_pieces(
    strata: Sequence[Stratum],
    first: Sequence[Piece],
    rest: Sequence[Piece],
    take: Callable[[Drawn], None],
    enough: Callable[[], bool],
) -> None:
    """Read piece by piece, giving each image to `take`, and note the rows in the strata."""
    number = 0
    for done, piece in enumerate([*first, *rest]):
        if done >= len(first) and enough():
            return
        rows = []
        for drawn in _timed(piece):
            take(drawn)
            rows.append(number)
            number += 1
        draws = strata[piece.stratum].draws
        if strata[piece.stratum].count is not None and draws:
            draws[0].rows.extend(rows)
        else:
            draws.append(Draw(probability=piece.probability, count=piece.pile.count, rows=rows))


def _timed(piece: Piece) -> Iterator[Drawn]:
    start = time.process_time()
    for item, passed in piece.pile.read(piece.places):
        spent = (time.process_time() - start) / passed
        yield Drawn(item=item, source=piece.source, read_s=spent)
        start = time.process_time()


def _draw_file(files: Files, rng: np.random.Generator) -> tuple[int, float, Pile]:
    """A file with images, drawn in proportion to bytes, and how likely that was."""
    sizes = np.array([max(1, file.bytes) for file in files.files], np.float64)
    shares = sizes / sizes.sum()
    number = int(rng.choice(len(sizes), p=shares))
    return number, float(shares[number]), files.open(number)


def _places_in(pile: Pile, rng: np.random.Generator) -> list[int]:
    """Some images of one part of a file; the part is drawn in proportion to what it holds."""
    if not pile.count:
        return []
    shares = np.array(pile.parts, np.float64) / pile.count
    part = int(rng.choice(len(shares), p=shares))
    places = rng.choice(pile.parts[part], min(pile.parts[part], _PER_FILE), replace=False)
    return sorted(sum(pile.parts[:part]) + int(place) for place in places)


def _parts(order: list[int]) -> list[list[int]]:
    """The first two images, then a few at a time: each part is a fair draw of what is left."""
    cuts = [0, *range(_LEAST_IMAGES, len(order), _PER_FILE), len(order)]
    return [sorted(order[a:b]) for a, b in zip(cuts, cuts[1:], strict=False) if a < b]
