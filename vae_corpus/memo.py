"""What a process makes once and keeps: models, browsers. It lets go of them when its work changes.

A worker that scored and waits, or packs, would hold networks and a browser for nothing.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Hashable
from typing import Any, Generic, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_memos: list[memo[Any, Any]] = []


class memo(Generic[_P, _T]):  # noqa: N801  a decorator, as `functools.cache` is
    """A function that makes each thing once, until that is forgotten."""

    def __init__(self, make: Callable[_P, _T]) -> None:
        functools.update_wrapper(self, make)
        self._make = make
        self._made: dict[Hashable, _T] = {}
        _memos.append(self)

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        given = args, frozenset(kwargs.items())
        if given not in self._made:
            self._made[given] = self._make(*args, **kwargs)
        return self._made[given]

    def forget(self, *, close: bool = True) -> None:
        """Let go of what was made, and close what has a `close`. A later call makes it anew."""
        while self._made:
            _, thing = self._made.popitem()
            if close:
                getattr(thing, "close", lambda: None)()


def forget() -> None:
    """Let go of all that any of these functions made."""
    for one in _memos:
        one.forget()
    gc.collect()
