"""How a score declares itself: the columns it fills, the settings that cut them, what it drops.

A filter declares one `Score` beside its code. Scoring, planning, packing, the report and `--help`
read the declaration, so a new score is one file and one line in `filters.scores`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from vae_corpus.characters import KnownText
from vae_corpus.expressions import Expression
from vae_corpus.pictures.decode import to_luma

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the score table.

    `meaning` gives unit and range. With a `title` the report draws it. `label` puts it into the
    JSON beside each stored image, `index` into the index of its shard; nothing else of a score
    reaches a shard. `carried` columns go along into the plan's tables; large ones do not. With
    `sql` the column is not stored: the plan computes it from stored ones.
    """

    name: str
    type: pa.DataType
    meaning: str
    title: str | None = None
    label: bool = False
    index: bool = False
    carried: bool = True
    sql: str | None = None

    def __post_init__(self) -> None:
        numeric = pa.types.is_floating(self.type) or pa.types.is_integer(self.type)
        if self.title and not numeric:
            raise ValueError(f"column {self.name}: only numbers have a title, not {self.type}")
        if (self.label or self.index) and not (self.carried and self.sql is None):
            raise ValueError(f"column {self.name}: what is packed must be stored and carried")


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A setting of the plan that cuts a column; it becomes the flag `--plan.<setting>`.

    The build takes values from `least` to `most`. The report lets it be dragged along an axis from
    `low` to `high` by `step`, for the `kinds` of image that it is asked of; `keeps` says which side
    of the cut stays ("above", "below"; "both" when it decides the kind).
    """

    setting: str
    default: float
    about: str
    least: float = 0
    most: float | None = None
    column: str
    title: str
    kinds: tuple[str, ...]
    low: float = 0
    high: float
    step: float
    scale: str = "linear"
    keeps: str = "above"

    def field(self) -> tuple[type, Any]:
        """Type and Field for a settings model."""
        limits = Field(self.default, ge=self.least, le=self.most, description=self.about)
        return type(self.default), limits


@dataclass(frozen=True, kw_only=True)
class DropRule:
    """An image is dropped as `slug` when `when` holds and no rule before this one does."""

    slug: str
    when: Expression


class Look:
    """A decoded picture as scores see it: what several of them need is computed once.

    `rgb` is uint8[H, W, 3], upright, sRGB. `content` is what its source says it is ("auto",
    "document"), `known` what came with it, of a page that was rendered.
    """

    def __init__(
        self,
        rgb: NDArray[np.uint8],
        *,
        content: str = "auto",
        known: KnownText | None = None,
        measures: Mapping[str, Measure] | None = None,
    ) -> None:
        self.rgb = rgb
        self.content = content
        self.known = known
        self._measures = measures or {}
        self._values: dict[str, Any] = {}
        self._measured: set[Measure] = set()
        self._shared: dict[str, Any] = {}

    @cached_property
    def luma(self) -> NDArray[np.uint8]:
        """The brightness of each pixel, uint8[H, W]."""
        return to_luma(self.rgb)

    def shared(self, name: str, compute: Callable[[], S]) -> S:
        """What `compute` gives, computed at the first call that bears this name."""
        if name not in self._shared:
            self._shared[name] = compute()
        value: S = self._shared[name]
        return value

    def value(self, column: str) -> Any:
        """The value of a column, measured now if it was not before; None if nobody measures it."""
        measure = self._measures.get(column)
        if measure is not None and measure not in self._measured:
            self._measured.add(measure)
            found = measure(self)
            if unknown := found.keys() - self._measures.keys():
                raise ValueError(f"no column is declared for {', '.join(sorted(unknown))}")
            self._values |= found
        return self._values.get(column)


Measure = Callable[[Look], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A score as the settings want it: `version` names all that its values depend on.

    `ready` loads what is slow to load; a process that only asks for the version does not call it.
    """

    version: str
    measure: Measure
    ready: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Score(Generic[S]):
    """A filter's declaration.

    `prepare` loads what the score needs, such as models, by the settings of scoring; None when
    they say that it is not wanted, and then its columns stay empty.
    """

    name: str
    columns: tuple[Column, ...]
    prepare: Callable[[S], Prepared | None]
    thresholds: tuple[Threshold, ...] = ()
    drops: tuple[DropRule, ...] = ()


def always(version: str, measure: Measure) -> Callable[[Any], Prepared]:
    """`prepare` of a score that has no settings and needs nothing loaded."""
    return lambda settings: Prepared(version=version, measure=measure)
