"""A corpus of several shards, on the disk and behind a slow store."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.slow_store import SlowStore
from tests.vae_training.data.remote_corpus import stored, write_corpus


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory, write: SimpleNamespace) -> Path:
    return write_corpus(tmp_path_factory.mktemp("shards"), write)


@pytest.fixture
def url(shards: Path, slow_s3: SlowStore, tmp_path: Path) -> str:
    """The URL of a copy that a test may damage."""
    return stored(shards, slow_s3.root / "bucket", tmp_path.name)
