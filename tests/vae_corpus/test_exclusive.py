from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.s3_server import empty_bucket
from vae_corpus import storage

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with empty_bucket() as url:
        yield url


@pytest.fixture(params=["local", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "a" / "lease")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex}/lease"
    return storage.join(request.getfixturevalue("bucket"), uuid.uuid4().hex)


def test_only_what_is_not_there_is_created(path: str) -> None:
    assert storage.create(path, b"first")
    assert not storage.create(path, b"second")
    assert storage.read_bytes(path) == b"first"


def test_only_what_is_expected_is_exchanged(path: str) -> None:
    assert not storage.exchange(path, b"old", b"new")
    storage.create(path, b"a longer one")
    assert not storage.exchange(path, b"something else", b"new")
    assert storage.exchange(path, b"a longer one", b"short")
    assert storage.read_bytes(path) == b"short"
    assert not storage.exchange(path, b"a longer one", None)
    assert storage.exchange(path, b"short", None)
    assert not storage.exists(path)


@pytest.mark.parametrize(
    "path", ["local", pytest.param("s3", marks=pytest.mark.slow)], indirect=True
)
def test_one_of_many_wins(path: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        for turn in range(10):
            created = pool.map(lambda n: storage.create(path, b"old %d" % n), range(8))
            assert sum(created) == 1, turn
            old = storage.read_bytes(path)
            taken = pool.map(lambda n, o=old: storage.exchange(path, o, b"new %d" % n), range(8))
            assert sum(taken) == 1, turn
            assert storage.exchange(path, storage.read_bytes(path), None)
