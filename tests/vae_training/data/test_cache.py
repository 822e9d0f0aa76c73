"""The folder of shards: bounded, shared by processes, and in order again after any of them died."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from vae_training.data.cache import ShardCache

SIZE = 100
LIMIT = 5 * SIZE


def opened(root: Path, digest: str = "one", count: int = 20) -> ShardCache:
    return ShardCache(root, digest, [SIZE] * count, LIMIT)


def fetch(cache: ShardCache, number: int, keep: set[int] | None = None) -> bool:
    draft = cache.draft(number, keep or set())
    if draft is None:
        return False
    with draft:
        draft.write(0, memoryview(bytes([number]) * SIZE))
        draft.finish()
    return True


def held(cache: ShardCache, count: int = 20) -> list[int]:
    return [number for number in range(count) if cache.has(number)]


def used(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def test_the_cache_never_has_more_than_its_limit(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for number in range(20):
        assert fetch(cache, number)
        assert used(tmp_path) <= LIMIT
    assert held(cache) == [15, 16, 17, 18, 19]


def test_what_was_not_wanted_for_longest_goes_first(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for number in range(5):
        fetch(cache, number)
        os.utime(cache.path(number), ns=(number, number))
    assert fetch(cache, 5, keep={0, 1})  # 2 goes
    assert fetch(cache, 6, keep={3})  # 4 goes: 0 and 1 were wanted a moment ago
    assert held(cache) == [0, 1, 3, 5, 6]


def test_what_is_wanted_stays_and_what_does_not_fit_is_left_out(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    keep = set(range(6))
    assert [fetch(cache, number, keep) for number in range(6)] == [True] * 5 + [False]
    assert held(cache) == [0, 1, 2, 3, 4]


def test_a_draft_counts_in_full_and_leaves_nothing(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for number in range(4):
        fetch(cache, number)
    draft = cache.draft(4, {0, 1, 2, 3})
    assert draft is not None and used(tmp_path) == LIMIT
    assert not fetch(cache, 5, {0, 1, 2, 3, 4})
    with draft:
        draft.write(0, memoryview(b"half"))
    assert not cache.has(4) and used(tmp_path) == 4 * SIZE


def test_a_shard_that_another_process_fetches_is_left_to_it(tmp_path: Path) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    draft = one.draft(3, set())
    assert draft is not None
    assert not fetch(two, 3)
    with draft:
        draft.write(0, memoryview(bytes(SIZE)))
        draft.finish()
    assert two.has(3) and not fetch(two, 3)


def test_a_draft_of_a_dead_process_is_begun_anew(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    left = Path(cache.path(3)).with_suffix(".part")
    left.write_bytes(b"x" * SIZE)
    assert fetch(cache, 3)
    assert Path(cache.path(3)).read_bytes() == bytes([3]) * SIZE and not left.exists()


def test_drafts_of_the_dead_make_room(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for number in range(5):
        Path(cache.path(number)).with_suffix(".part").write_bytes(b"x" * SIZE)
    assert fetch(cache, 9)
    assert used(tmp_path) <= LIMIT


def test_whole_files_are_found_again_and_others_are_not(tmp_path: Path) -> None:
    before = opened(tmp_path)
    fetch(before, 1), fetch(before, 2)
    Path(before.path(2)).write_bytes(b"cut")
    del before
    assert held(opened(tmp_path)) == [1]


def test_folders_of_other_corpora_go_when_no_run_uses_them(tmp_path: Path) -> None:
    old, other = opened(tmp_path, "old"), opened(tmp_path, "other")
    assert fetch(old, 1) and fetch(other, 2)
    del old
    opened(tmp_path, "new")
    assert {path.name for path in (tmp_path / "shards").iterdir()} >= {"other", "new"}
    assert not (tmp_path / "shards" / "old").exists() and other.has(2)


def test_a_folder_that_is_no_cache_is_left_alone(tmp_path: Path) -> None:
    """As when somebody names the folder of a corpus."""
    shard = tmp_path / "shards" / "general" / "256" / "general-000000.tar"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"kept")
    opened(tmp_path)
    assert shard.read_bytes() == b"kept"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        opened(tmp_path / "file")


def test_the_lock_of_a_run_ends_with_it(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    with open(tmp_path / "shards" / "one" / "used", "rb") as mark:
        with pytest.raises(BlockingIOError):
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        del cache
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
