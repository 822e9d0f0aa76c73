"""What the tasks of a plan share: the settings, who holds which rows, and where files lie.

Rows belong to a neighbourhood, a group of units that is dealt once (`neighbourhoods`); a task
handles a batch of consecutive neighbourhoods or one of as many partitions of all rows. How many
there are changes no decision: a row is named by (neighbourhood, place in it).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.config import PackSettings
from pipelines.planning.settings import PlanSettings
from pipelines.planning.taken_down import TakenDown
from vae_corpus import storage

# A row is named by its neighbourhood and, below it, its place there.
PLACE_BITS = np.uint64(32)


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """A group of units whose images are planned and packed together.

    Of a later `generation` are those that came when a corpus grew. `units` is the table of its
    units.
    """

    number: int
    generation: int
    units: str

    @property
    def name(self) -> str:
        return f"{self.number:06d}"


@dataclass(frozen=True, kw_only=True)
class PlanJob:
    """One plan: `folder` takes its tables, `work` what passes hand to each other."""

    plan: PlanSettings
    pack: PackSettings
    seed: int
    sources: tuple[str, ...]
    scores: str
    folder: str
    work: str
    batches: tuple[tuple[Neighbourhood, ...], ...]
    given_up: frozenset[str] = frozenset()
    taken_down: TakenDown = TakenDown()

    @property
    def partitions(self) -> int:
        return len(self.batches)

    def is_alone(self, neighbourhood: Neighbourhood) -> bool:
        """Whether no other neighbourhood came with this one."""
        sizes = Counter(n.generation for batch in self.batches for n in batch)
        return sizes[neighbourhood.generation] == 1

    def numbered(self) -> list[str]:
        """Names of the files that the tasks of a pass write, in order."""
        return [exchange_name(n) for n in range(self.partitions)]

    def batch_of(self, neighbourhoods: NDArray[np.int64]) -> NDArray[np.int64]:
        """The batch of each neighbourhood, by number."""
        firsts = [batch[0].number for batch in self.batches]
        return np.searchsorted(firsts, neighbourhoods, side="right") - 1

    def batch_of_rows(self, rows: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The batch that holds each row."""
        return self.batch_of((rows >> PLACE_BITS).astype(np.int64))

    def unit_ids(self, neighbourhood: Neighbourhood) -> list[str]:
        """The units that have scores, in order."""
        with storage.open_read(neighbourhood.units) as file:
            ids: list[str] = pq.read_table(file, columns=["unit_id"])["unit_id"].to_pylist()
        return [unit_id for unit_id in ids if unit_id not in self.given_up]


def exchange_name(task: int) -> str:
    return f"{task:06d}.arrow"


def done_path(job: PlanJob, name: str, number: int) -> str:
    """The commit mark of a task of a pass, which holds what the task says of itself."""
    return storage.join(job.work, "done", f"{name}-{number:06d}.json")


def read_done(job: PlanJob, name: str, number: int) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(storage.read_bytes(done_path(job, name, number)))
    return said


def row_ids(neighbourhood: Neighbourhood, count: int) -> NDArray[np.uint64]:
    """The names of the rows 0..count-1 of a neighbourhood."""
    base = np.uint64(neighbourhood.number) << PLACE_BITS
    return base + np.arange(count, dtype=np.uint64)


def places(rows: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The places of rows in their neighbourhoods."""
    return (rows & np.uint64(0xFFFFFFFF)).astype(np.int64)


def column(table: pa.Table, name: str) -> Any:
    """A column without nulls as numpy sees it, without a copy where there is one chunk."""
    array = table[name].combine_chunks()
    if pa.types.is_fixed_size_binary(array.type):
        width = array.type.byte_width
        raw = np.frombuffer(array.buffers()[1], np.uint8)
        start = array.offset * width
        return raw[start : start + len(array) * width].reshape(-1, width)
    return array.to_numpy(zero_copy_only=False)
