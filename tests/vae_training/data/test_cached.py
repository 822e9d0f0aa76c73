"""A corpus on a real S3 server, through the cache of a node: same batches, few requests."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests import s3_server
from tests.slow_store import SlowStore
from tests.vae_training.data.remote_corpus import (
    BLOCK,
    SHARDS,
    STEPS,
    batches,
    opened,
    seen,
)
from vae_training.data import cached, loader, prefetch
from vae_training.data.cache import Draft

pytestmark = [
    pytest.mark.slow,
    # botocore still asks for the time in a way that Python has given up.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block here has fewer steps than the loader plans at once; real ones have thousands."""
    monkeypatch.setattr(loader, "_SELECTED_TOGETHER", 2)


def cached_shards(cache: Path) -> list[int]:
    return sorted(int(path.stem) for path in cache.rglob("*.tar"))


def until_cached(cache: Path, count: int) -> None:
    for _ in range(500):
        if len(cached_shards(cache)) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{cached_shards(cache)} after 5 s, not {count} shards")


def test_batches_are_those_from_the_disk_cold_and_warm(
    shards: Path, url: str, slow_s3: SlowStore, tmp_path: Path
) -> None:
    slow_s3.faults(latency_s=0.01)
    local = seen(batches(opened(str(shards), tmp_path)))
    assert seen(batches(opened(url, tmp_path))) == local
    assert cached_shards(tmp_path) == list(range(SHARDS))
    data = opened(url, tmp_path)
    before = slow_s3.counts()
    assert seen(batches(data)) == local
    assert not slow_s3.counts()["GET"] - before["GET"]


def test_a_shard_is_fetched_once_and_its_images_are_not(
    url: str, slow_s3: SlowStore, tmp_path: Path
) -> None:
    data = opened(url, tmp_path)
    found = batches(data)
    for _ in range(STEPS // SHARDS):  # the first block: of a run that has just begun
        next(found)
    until_cached(tmp_path, 2 * BLOCK)
    before = slow_s3.counts()
    list(found)
    assert slow_s3.counts()["GET"] - before["GET"] <= SHARDS - 2 * BLOCK + BLOCK


def test_a_run_begins_before_its_shards_are_here(
    url: str, slow_s3: SlowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch.Prefetch, "_fetch", lambda *_: time.sleep(1))
    found = batches(opened(url, tmp_path))
    began = time.monotonic()
    next(found)
    assert time.monotonic() - began < 0.9
    found.close()


def test_a_shard_that_is_late_is_waited_for_and_then_read_without(
    shards: Path, url: str, slow_s3: SlowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached, "PATIENCE_S", 0.4)
    monkeypatch.setattr(prefetch.Prefetch, "_fetch", lambda *_: time.sleep(0.1))
    began = time.monotonic()
    found = seen(batches(opened(url, tmp_path)))
    waited = time.monotonic() - began
    assert found == seen(batches(opened(str(shards), tmp_path)))
    # Shards of a block are waited for together, those of the first one not at all.
    assert 0.4 * (SHARDS // BLOCK - 1) <= waited < 0.4 * (SHARDS // BLOCK - 1) + 3


def test_the_cache_stays_within_its_bound_and_says_so_once(
    shards: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = max(path.stat().st_size for path in shards.rglob("*.tar"))
    data = opened(url, tmp_path, cache_gb=3 * size / 1e9)
    largest = 0
    found = []
    for batch in batches(data):
        found.append((batch.rows, batch.pixels.numpy().tobytes(), batch.damaged))
        files = [path for path in tmp_path.rglob("*.tar")] + list(tmp_path.rglob("*.part"))
        largest = max(largest, sum(path.stat().st_size for path in files if path.exists()))
        time.sleep(0.02)
    assert found == seen(batches(opened(str(shards), tmp_path)))
    assert size < largest <= 3 * size
    assert capsys.readouterr().err.count("cache_gb") == 1


def test_on_a_full_disk_images_are_read_one_by_one(
    shards: Path,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Draft, "write", full)
    found = seen(batches(opened(url, tmp_path)))
    assert found == seen(batches(opened(str(shards), tmp_path)))
    assert capsys.readouterr().err.count("No space left on device") == 1
    assert not list(tmp_path.rglob("*.tar")) and not list(tmp_path.rglob("*.part"))


def test_without_a_cache_every_image_is_a_request(
    shards: Path, url: str, slow_s3: SlowStore, tmp_path: Path
) -> None:
    data = opened(url, tmp_path / "cache", cache_gb=0)
    before = slow_s3.counts()
    found = list(batches(data))
    images = sum(len(batch.rows) for batch in found)
    assert slow_s3.counts()["GET"] - before["GET"] == images
    assert not (tmp_path / "cache" / "shards").exists()


def take(url: str, cache: str, rank: int, environment: dict[str, str], said: Any) -> None:
    """One of two ranks of a node: fetch its share of the shards, then say what it sees."""
    os.environ |= environment
    loader._SELECTED_TOGETHER = 2  # as in `small_steps`, in this process
    data = opened(url, Path(cache), rank=rank, world=2)
    data.shards.reader.expect([], list(range(SHARDS)))
    until_cached(Path(cache), SHARDS)
    said.put([(rows, hashlib.sha256(pixels).digest()) for rows, pixels, _ in seen(batches(data))])


def test_two_processes_fetch_each_shard_once(
    url: str, slow_s3: SlowStore, tmp_path: Path, shards: Path
) -> None:
    opened(url, tmp_path)  # makes the index
    context = multiprocessing.get_context("forkserver")
    said = context.Queue()
    before = slow_s3.counts()
    given = (url, str(tmp_path))
    environment = s3_server.environment(slow_s3.url)
    ranks = [context.Process(target=take, args=(*given, r, environment, said)) for r in (0, 1)]
    for process in ranks:
        process.start()
    answers = [said.get(timeout=60) for _ in ranks]
    for process in ranks:
        process.join(60)
        process.close()
    local = seen(batches(opened(str(shards), tmp_path)))
    assert answers == 2 * [[(rows, hashlib.sha256(pixels).digest()) for rows, pixels, _ in local]]
    sizes = [path.stat().st_size for path in shards.rglob("*.tar")]
    sent = slow_s3.counts()["bytes"] - before["bytes"]
    assert sum(sizes) <= sent < sum(sizes) + min(sizes)  # the rest: listings and a curriculum
