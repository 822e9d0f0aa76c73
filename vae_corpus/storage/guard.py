"""A check that is asked right before anything becomes visible or is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_may_write: ContextVar[Callable[[], None] | None] = ContextVar("_may_write", default=None)


@contextmanager
def guarded(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` right before anything is committed or removed in this block; it may raise."""
    before = _may_write.set(check)
    try:
        yield
    finally:
        _may_write.reset(before)


def ask() -> None:
    """Whatever the innermost `guarded` block checks; it raises when nothing may be written."""
    check = _may_write.get()
    if check is not None:
        check()
