"""Stores that are busy, cut answers short, hang or refuse: what passes is waited for, else told."""

from __future__ import annotations

import http.server
import random
import re
import threading
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.slow_store import SlowStore
from vae_corpus import storage
from vae_corpus.storage import patience, ranges, reader, upload

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

KB = 1024
PART = 5 * KB * KB
SECRETS = ("nothing", "hush")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_S", 0.02)
    monkeypatch.setattr(patience, "LONGEST_S", 0.1)
    monkeypatch.setattr(ranges, "PART_BYTES", 16 * KB)
    monkeypatch.setattr(ranges, "FIRST_BYTES", 4 * KB)
    monkeypatch.setattr(upload, "PART_BYTES", PART)


@pytest.fixture
def files(slow_s3: SlowStore) -> dict[str, bytes]:
    folder = f"s3://bucket/{uuid.uuid4().hex}"
    data = {f"{folder}/{n:03}": random.Random(n).randbytes(20 * KB + n) for n in range(60)}
    for path, each in data.items():
        storage.commit_bytes(path, each)
    return data


FAULTS = [{"busy_every": 3}, {"cut_every": 3}, {"reset_every": 3}, {"busy_s": 0.7}]
FAULTS += [{"busy_s": 0.5, "busy_status": 429}, {"busy_every": 4, "busy_status": 500}]


@pytest.mark.parametrize("faults", FAULTS, ids=str)
def test_what_passes_is_waited_for(
    slow_s3: SlowStore, files: dict[str, bytes], faults: dict[str, float]
) -> None:
    before = slow_s3.counts()
    slow_s3.faults(**faults)
    assert list(storage.read_many(list(files))) == list(files.values())
    for path, data in list(files.items())[:5]:
        wanted = [(start, 700) for start in range(0, len(data), 6 * KB)]
        assert list(storage.read_ranges(path, wanted)) == [data[a : a + n] for a, n in wanted]
        with storage.stream(path) as file:
            assert file.read() == data
        assert storage.read_bytes(path, 100, 50) == data[100:150]
    assert storage.names(next(iter(files)).rpartition("/")[0])
    counts = slow_s3.counts() - before
    assert counts["busy"] + counts["cut"] + counts["reset"] > 10, "the faults were there"


def test_an_answer_that_never_comes_is_asked_for_again(
    slow_s3: SlowStore, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "SILENT_S", 0.3)
    storage.forget()
    slow_s3.faults(hang_every=5)
    assert list(storage.read_many(list(files))) == list(files.values())
    assert slow_s3.counts()["hung"] > 3
    slow_s3.faults()
    storage.forget()


@pytest.mark.parametrize("faults", [{"busy_every": 3}, {"reset_every": 3}, {"lose_every": 3}])
def test_uploads_come_through_whole(slow_s3: SlowStore, faults: dict[str, float]) -> None:
    path = f"s3://bucket/{uuid.uuid4().hex}/a"
    data = random.Random(0).randbytes(4 * PART + 1000)
    before = slow_s3.counts()
    slow_s3.faults(**faults)
    for size in (len(data), 1000, len(data) - 7, 0):
        with storage.commit(path) as file:
            file.write(data[:size])
        assert storage.read_bytes(path) == data[:size]
    counts = slow_s3.counts() - before
    assert counts["busy"] + counts["reset"] + counts["lost"] > 1, "the faults were there"


def test_a_store_that_stays_busy_is_told_of(
    slow_s3: SlowStore, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "GIVE_UP_S", 0.3)
    slow_s3.faults(busy_s=60)
    path = next(iter(files))
    began_s = time.monotonic()
    with pytest.raises(storage.StoreError, match=re.escape(path)) as told:
        storage.read_bytes(path)
    assert 0.3 <= time.monotonic() - began_s < 5
    assert "503" in str(told.value)
    (busy,) = storage.read_many([path])
    assert isinstance(busy, storage.StoreError)


def test_what_is_refused_or_gone_is_told_at_once(slow_s3: SlowStore) -> None:
    gone, denied = "s3://bucket/not/here.jpg", "s3://bucket/secret.jpg"
    with pytest.raises(FileNotFoundError, match=gone):
        storage.read_bytes(gone)
    slow_s3.faults(denied=1)
    asks: list[Any] = [
        lambda: storage.read_bytes(denied),
        lambda: storage.stream(denied),
        lambda: list(storage.read_ranges(denied, [(0, 5)])),
        lambda: storage.commit_bytes(denied, b"a"),
        lambda: storage.names("s3://bucket/secret.jpg"),
    ]
    for ask in asks:
        before = slow_s3.counts()
        with pytest.raises(PermissionError) as told:
            ask()
        text = f"{told.value} {told.value.__cause__}"
        assert denied in text and "AWS_ACCESS_KEY_ID" in text
        assert not any(secret in text for secret in SECRETS)
        asked = slow_s3.counts() - before
        assert asked.total() - asked["bytes"] <= 4, "not asked again and again"


def test_a_store_that_never_answered_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "NEVER_ANSWERED_S", 0.2)
    fs = fsspec.filesystem("memory")

    def refuse(*_: Any, **__: Any) -> bytes:
        raise ConnectionRefusedError("https://me:hush@nowhere/a?sig=hush refused")

    with pytest.raises(storage.StoreError) as told:
        patience.Patience().call(partial(refuse, fs), "https://me:hush@nowhere/a")
    assert "nowhere/a" in str(told.value) and "hush" not in str(told.value)


def test_a_wrong_argument_is_nobodys_fault_but_ours() -> None:
    calls = []

    def wrong() -> None:
        calls.append(1)
        raise TypeError("no such argument")

    with pytest.raises(TypeError, match="no such"):
        patience.Patience().call(wrong, "s3://bucket/a")
    assert calls == [1]


def test_the_extra_is_named_where_a_client_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> Any:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    for scheme, extra in (
        ("gs", "gs"),
        ("az", "az"),
        ("hf", "hf"),
        ("https", "http"),
        ("s3", "s3"),
    ):
        with pytest.raises(ImportError, match=re.escape(f"'vae-corpus[{extra}]'")):
            storage.exists(f"{scheme}://{uuid.uuid4().hex}/a")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A server that knows no ranges, as many do not."""
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_web_server_is_read_as_a_disk(web: str, tmp_path: Path) -> None:
    data = random.Random(0).randbytes(100 * KB)
    (tmp_path / "a b.bin").write_bytes(data)
    path = f"{web}/a%20b.bin"
    assert storage.read_bytes(path) == data
    assert storage.size_bytes(path) == len(data)
    assert list(storage.read_ranges(path, [(5, 9), (50 * KB, 3)])) == [
        data[5:14],
        data[50 * KB : 50 * KB + 3],
    ]
    whole, gone = storage.read_many([path, f"{web}/gone"])
    assert whole == data and isinstance(gone, FileNotFoundError)
    with storage.stream(path) as file:
        file.seek(7)
        assert file.read() == data[7:]
