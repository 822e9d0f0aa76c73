"""What pages and tiles say, as sets of hashes, and how much two of them have in common.

Perceptual hashes find pages that look alike. The same text in another layout, at another size or
out of another kind of file looks otherwise; its runs of characters are the same (`text_marks`). Two
texts with nine in ten runs in common share at least 3 of their 8 smallest hashes all but surely, so
pairs that do are candidates, and each is verified by all of its marks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.planning.job import column
from pipelines.planning.ranks import better, hash_bytes, prefixes
from vae_corpus.seeds import mixed

# The smallest hashes of a text find those that share this many of them.
KEYS, SHARED_KEYS = 8, 3
# A run in more texts than this, such as a header's, is no key: what shares it is not alike by that.
MOST_TEXTS = 200
# Pages have hundreds of marks: one in eight will do. These are of some 200 characters; tiles with
# fewer, of some 100 characters, say too little to be told apart.
THINNED = 8
LEAST_ON_PAGE, LEAST_IN_TILE = 6, 24

TEXTS_SCHEMA = pa.schema(
    [
        ("row", pa.uint64()),
        # 0: the page; else the tile of that number, from 1.
        ("tile", pa.uint16()),
        ("page", pa.uint64()),
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("digest", pa.uint64()),
        ("keys", pa.list_(pa.uint32())),
    ]
)


class Texts(NamedTuple):
    """Texts of rows: text t is of row `row[t]` and tile `tile[t]` (0: the page), and has the sorted
    distinct hashes `marks[ends[t]:ends[t + 1]]`."""

    row: NDArray[np.int64]
    tile: NDArray[np.int64]
    ends: NDArray[np.int64]
    marks: NDArray[np.uint32]

    def of_least(self, least: int) -> Texts:
        """Those with at least so many hashes."""
        sizes = np.diff(self.ends)
        keep = sizes >= least
        marks = self.marks[np.repeat(keep, sizes)]
        ends = np.concatenate(([0], np.cumsum(sizes[keep])))
        return Texts(self.row[keep], self.tile[keep], ends, marks)


def page_texts(rows: pa.Table) -> Texts:
    """What the pages say of rows with `text_marks`."""
    listed = rows["text_marks"].combine_chunks()
    sizes = np.diff(listed.offsets.to_numpy())
    hashes = listed.flatten().field("hash").to_numpy(zero_copy_only=False).astype(np.uint64)
    # Of a null nothing is flattened, whatever its offsets are.
    sizes = np.where(listed.is_valid().to_numpy(zero_copy_only=False), sizes, 0)
    owner = np.repeat(np.arange(len(rows), dtype=np.uint64), sizes)
    thin = hashes % np.uint64(THINNED) == 0
    # Sorted, as numpy's own way to find what is distinct no longer is.
    every_mark = np.sort((owner[thin] << np.uint64(32)) | hashes[thin])
    found = every_mark[np.diff(every_mark, prepend=every_mark[:1] + np.uint64(1)) != 0]
    row = (found >> np.uint64(32)).astype(np.int64)
    ends = np.searchsorted(row, np.arange(len(rows) + 1))
    every = np.arange(len(rows))
    return Texts(every, np.zeros_like(every), ends, found.astype(np.uint32)).of_least(LEAST_ON_PAGE)


def tile_texts(rows: pa.Table) -> Texts:
    """What the tiles say, as `said` of the rows has it."""
    listed = rows["said"].combine_chunks()
    tiles = listed.flatten()
    counts = np.diff(listed.offsets.to_numpy())
    counts = np.where(listed.is_valid().to_numpy(zero_copy_only=False), counts, 0)
    row = np.repeat(np.arange(len(rows)), counts)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    ends = tiles.offsets.to_numpy().astype(np.int64)
    marks = tiles.values.to_numpy()[ends[0] : ends[-1]].astype(np.uint32)
    number = np.arange(len(row)) - before + 1
    return Texts(row, number, ends - ends[0], marks).of_least(LEAST_IN_TILE)


def texts_table(rows: pa.Table, ids: NDArray[np.uint64], generation: int) -> pa.Table:
    """What texts are found by, as `TEXTS_SCHEMA`, of rows that are not dropped so far.

    A tile is no worse or better than another: the hash of its page decides.
    """
    known = rows["text_marks"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    known &= rows["slug"].combine_chunks().is_null().to_numpy(zero_copy_only=False)
    if not known.any():
        return TEXTS_SCHEMA.empty_table()
    rows, ids = rows.filter(pa.array(known)), ids[known]
    prefix = prefixes(hash_bytes(rows))
    first, second = better(rows, generation, prefix)
    page = column(rows, "page")
    tables = []
    for texts, ranks in (
        (page_texts(rows), (first, second)),
        (tile_texts(rows), (np.full(len(rows), generation, np.uint64), prefix)),
    ):
        of = texts.row
        tables.append(
            pa.table(
                {
                    "row": ids[of],
                    "tile": texts.tile.astype(np.uint16),
                    "page": page[of],
                    "first": ranks[0][of],
                    "second": ranks[1][of],
                    "digest": _digests(texts),
                    "keys": _keys(texts),
                },
                schema=TEXTS_SCHEMA,
            )
        )
    return pa.concat_tables(tables)


def _digests(texts: Texts) -> NDArray[np.uint64]:
    """A number for the set of hashes of each text."""
    if not len(texts.row):
        return np.zeros(0, np.uint64)
    hashed = mixed(texts.marks.astype(np.uint64))
    sums = np.add.reduceat(hashed, texts.ends[:-1])
    return mixed(sums + np.diff(texts.ends).astype(np.uint64))


def _keys(texts: Texts) -> pa.ListArray:
    sizes = np.minimum(np.diff(texts.ends), KEYS)
    ends = np.concatenate(([0], np.cumsum(sizes)))
    at = np.repeat(texts.ends[:-1] - ends[:-1], sizes) + np.arange(ends[-1])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(texts.marks[at]))
