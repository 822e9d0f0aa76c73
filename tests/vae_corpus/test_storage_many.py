"""Many requests in flight: the same bytes as one after the other, few requests, bounded memory."""

from __future__ import annotations

import io
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slow_store import SlowStore
from vae_corpus import storage
from vae_corpus.storage import ahead, flight, ranges

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

KB = 1024


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "PART_BYTES", 64 * KB)
    monkeypatch.setattr(ranges, "FIRST_BYTES", 8 * KB)
    monkeypatch.setattr(ranges, "GAP_BYTES", 4 * KB)
    monkeypatch.setattr(ahead, "GAP_BYTES", 4 * KB)
    monkeypatch.setattr(ranges, "WHOLE_BYTES", 32 * KB)


@pytest.fixture(params=["local", "memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        request.getfixturevalue("slow_s3")
    name = uuid.uuid4().hex
    return {"local": str(tmp_path), "memory": f"memory://{name}", "s3": f"s3://bucket/{name}"}[
        request.param
    ]


@pytest.fixture(params=[1, 3, 64])
def in_flight(request: pytest.FixtureRequest) -> Iterator[None]:
    storage.allow_requests(request.param)
    yield
    storage.allow_requests(flight.DEFAULT_REQUESTS)


def written(path: str, size: int, seed: int = 0) -> bytes:
    data = random.Random(seed).randbytes(size)
    storage.commit_bytes(path, data)
    return data


@pytest.mark.usefixtures("in_flight")
def test_ranges_are_the_same_whatever_is_in_flight(folder: str) -> None:
    path = storage.join(folder, "a b%20#.bin")
    data = written(path, 700 * KB)
    dice = random.Random(1)
    wanted = [(dice.randrange(700 * KB), dice.randrange(3 * KB)) for _ in range(200)]
    near = [(start, 900) for start in range(0, 600 * KB, 1000)]
    odd = [(0, 700 * KB), (5, 0), (700 * KB - 3, 9), (900 * KB, 5), (3, 2), (3, 2), (0, 200 * KB)]
    for given in (wanted, sorted(wanted), near, odd, []):
        found = list(storage.read_ranges(path, given))
        assert found == [data[start : start + size] for start, size in given]


@pytest.mark.usefixtures("in_flight")
def test_files_are_the_same_whatever_is_in_flight(folder: str) -> None:
    sizes = [0, 1, 32 * KB, 32 * KB + 1, 150 * KB, *range(100, 160)]
    names = [f"{n:03}" for n in range(len(sizes))]
    paths = [storage.join(folder, name) for name in names]
    data = [written(path, size, n) for n, (path, size) in enumerate(zip(paths, sizes, strict=True))]
    assert list(storage.read_many(paths)) == data
    assert list(storage.read_many(paths, sizes=sizes)) == data
    assert list(storage.read_many([])) == []
    with_gone = [paths[0], storage.join(folder, "gone"), paths[4], paths[1]]
    empty, gone, large, small = storage.read_many(with_gone, max_bytes=100 * KB)
    assert (empty, small) == (data[0], data[1])
    assert isinstance(gone, FileNotFoundError) and "gone" in str(gone)
    assert gone.strerror == os.strerror(2)
    assert isinstance(large, storage.TooLarge) and large.size_bytes == 150 * KB


@pytest.mark.usefixtures("in_flight")
@pytest.mark.parametrize("how", ["stream", "open_read", "ahead"])
def test_an_open_file_reads_and_seeks_as_one_on_a_disk(folder: str, how: str) -> None:
    path = storage.join(folder, "a.bin")
    data = written(path, 900 * KB)
    wanted = [(300 * KB, 200 * KB), (10, 50 * KB), (640 * KB, 900 * KB)]
    peer = io.BytesIO(data)
    dice = random.Random(2)
    with {
        "stream": lambda: storage.stream(path),
        "open_read": lambda: storage.open_read(path),
        "ahead": lambda: storage.open_read(path, wanted),
    }[how]() as file:
        assert file.seek(0, io.SEEK_END) == len(data) and file.read(1) == b""
        assert file.seek(-5, io.SEEK_END) and file.read() == data[-5:]
        for _ in range(60):
            # Two places that are read by turns, as columns of a row group are, and jumps.
            at = dice.choice([peer.tell(), dice.randrange(len(data)), 300 * KB])
            size = dice.choice([0, 512, 5 * KB, 130 * KB, 300 * KB])
            peer.seek(at)
            file.seek(at)
            assert file.read(size) == peer.read(size)
            assert file.tell() == peer.tell()
        file.seek(0)
        assert file.read() == data
    with pytest.raises(FileNotFoundError):
        storage.stream(storage.join(folder, "gone"))


def test_an_empty_file_is_open_and_empty(folder: str) -> None:
    path = storage.join(folder, "empty")
    written(path, 0)
    with storage.stream(path) as file:
        assert file.read() == b""
    assert storage.read_bytes(path) == b"" and storage.read_bytes(path, 5, 3) == b""


def test_neighbours_come_together(slow_s3: SlowStore) -> None:
    path = "s3://bucket/neighbours"
    written(path, 600 * KB)
    before = slow_s3.counts()
    given = [(start, 1000) for start in range(0, 600 * KB, 1100)]
    assert len(list(storage.read_ranges(path, given))) == len(given) > 500
    asked = slow_s3.counts() - before
    # 8, 16 and 32 KB, then 64 KB each.
    assert asked["GET"] == asked.total() - asked["bytes"] <= 13
    with storage.stream(path) as file:
        while file.read(10_000):
            pass
    both = slow_s3.counts() - before
    assert both["GET"] - asked["GET"] <= 13 and both["HEAD"] == 1


def test_a_key_that_obstore_does_not_take_is_read_all_the_same(slow_s3: SlowStore) -> None:
    (slow_s3.root / "bucket" / "x").mkdir(exist_ok=True)
    (slow_s3.root / "bucket" / "x" / "y").write_bytes(b"0123")
    assert list(storage.read_many(["s3://bucket/x//y"])) == [b"0123"]
    assert list(storage.read_ranges("s3://bucket/x//y", [(1, 2)])) == [b"12"]


def test_many_are_in_flight_and_no_more_than_allowed() -> None:
    storage.allow_requests(5)
    both, at_once, most = threading.Lock(), 0, 0
    # The first five meet: one after the other they would wait for each other in vain.
    gate = threading.Barrier(5)

    def ask(number: int) -> int:
        nonlocal at_once, most
        with both:
            at_once += 1
            most = max(most, at_once)
        if number < 5:
            gate.wait(timeout=30)
        with both:
            at_once -= 1
        return number

    asks = ((1, lambda n=n: ask(n)) for n in range(100))
    assert list(flight.in_order(asks)) == list(range(100))
    assert most == 5
    storage.allow_requests(flight.DEFAULT_REQUESTS)


def test_few_bytes_are_ahead_of_who_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "MOST_BYTES", 1000)
    asked = taken = most = 0

    def asks() -> Iterator[tuple[int, object]]:
        nonlocal asked, most
        for _ in range(200):
            asked += 90
            most = max(most, asked - taken)
            yield 90, lambda: bytes(90)
        asked += 5000
        yield 5000, lambda: bytes(5000)

    for data in flight.in_order(asks()):
        taken += len(data)
    assert taken == asked == 200 * 90 + 5000
    assert 500 < most <= 1000 + 2 * 90


def test_what_came_smaller_than_it_might_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "MOST_BYTES", 1000)
    asked = taken = most = 0

    def asks() -> Iterator[tuple[int, object]]:
        nonlocal asked, most
        for _ in range(300):
            asked += 1
            most = max(most, asked - taken)
            yield 400, lambda: bytes(20)

    for _ in flight.in_order(asks(), len):
        taken += 1
        # Answers that are here by now count as they are.
        time.sleep(0.001)
    assert taken == asked == 300
    assert 10 < most <= 50


def test_of_an_open_file_six_blocks_are_in_memory_at_most() -> None:
    blocks = [(at, at + 64 * KB) for at in range(0, 4000 * KB, 64 * KB)]
    file = ahead._File(lambda start, stop: bytes(stop - start), 4000 * KB, blocks)
    dice = random.Random(3)
    for at in [*range(0, 2000 * KB, 7 * KB), *(dice.randrange(4000 * KB) for _ in range(300))]:
        file.seek(at)
        assert file.readinto(bytearray(KB))
        assert len(file._held) <= 6


def test_who_stops_early_leaves_nothing_to_do() -> None:
    begun = 0

    def ask() -> int:
        nonlocal begun
        begun += 1
        return begun

    answers = flight.in_order((1, ask) for _ in range(10_000))
    assert next(answers) > 0
    answers.close()
    assert begun <= 2 * flight.DEFAULT_REQUESTS + 1
