"""What a process makes once and keeps: models, browsers. It lets go of them when its work changes.

A worker that scored and now packs would hold networks and a browser for nothing, beside what
packing needs.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Hashable
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_kept: list[dict[Hashable, Any]] = []


def memo(make: Callable[_P, _T]) -> Callable[_P, _T]:
    """`functools.cache` that `forget` empties."""
    made: dict[Hashable, Any] = {}
    _kept.append(made)

    @functools.wraps(make)
    def get(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        given = args, frozenset(kwargs.items())
        if given not in made:
            made[given] = make(*args, **kwargs)
        thing: _T = made[given]
        return thing

    return get


def forget() -> None:
    """Let go of all that was made; what has a `close` is closed. It is made anew when asked for."""
    for made in _kept:
        while made:
            _, thing = made.popitem()
            getattr(thing, "close", lambda: None)()
    gc.collect()
