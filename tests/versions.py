"""Bytes that later readers rely on bear a version: both change, or neither does."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest


def assert_recorded(
    what: str, file: str, version: Any, made: bytes, recorded: tuple[Any, str]
) -> None:
    """`made` are the bytes of a small input, `recorded` the last version and the digest it had."""
    digest = hashlib.sha256(made).hexdigest()[:16]
    known, before = recorded
    if digest != before and version == known:
        pytest.fail(f"{what} changed: raise VERSION in {file}, then record {digest}")
    if digest == before and version != known:
        pytest.fail(f"{what} is that of version {known}: take back VERSION in {file}")
    assert (version, digest) == recorded, f"record version {version!r} and {digest} of {what}"
