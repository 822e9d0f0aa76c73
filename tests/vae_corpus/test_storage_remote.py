"""What is written to an object store: in parts, visible at the end, and nothing left of a fault."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.s3_server import empty_bucket
from vae_corpus import storage
from vae_corpus.storage import patience, upload

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

# The least that S3 takes for a part that is not the last.
PART = 5 * 1024**2


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with empty_bucket() as url:
        yield url


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.slow)])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(upload, "PART_BYTES", PART)
    name = uuid.uuid4().hex
    if request.param == "memory":
        return f"memory://{name}/a"
    return storage.join(request.getfixturevalue("bucket"), name, "a")


def left_behind(path: str) -> list[Any]:
    """Uploads that were begun and neither finished nor aborted."""
    if not path.startswith("s3"):
        return []
    fs, inner = storage.filesystem(path)
    begun = fs.call_s3("list_multipart_uploads", Bucket=inner.split("/")[0])
    return list(begun.get("Uploads", ()))


def is_of_parts(path: str) -> bool:
    fs, inner = storage.filesystem(path)
    return "-" in fs.info(inner)["ETag"]


def test_a_large_file_is_whole_and_only_seen_at_the_end(path: str) -> None:
    data = os.urandom(3 * PART + 1000)
    with storage.commit(path) as file:
        for at in range(0, len(data), 1_000_003):
            file.write(data[at : at + 1_000_003])
            assert file.tell() == min(at + 1_000_003, len(data))
            assert not storage.exists(path)
    assert storage.read_bytes(path) == data
    assert not left_behind(path)


def test_one_write_may_be_larger_than_many_parts(path: str) -> None:
    data = os.urandom(4 * PART)
    assert storage.commit_bytes(path, data)
    assert not storage.commit_bytes(path, data)
    assert storage.read_bytes(path) == data


def test_nothing_is_left_of_a_writer_that_fails(path: str) -> None:
    with pytest.raises(RuntimeError, match="dies"), storage.commit(path) as file:
        file.write(bytes(2 * PART + 5))
        raise RuntimeError("the writer dies")
    assert not storage.exists(path)
    assert not left_behind(path)


def test_the_guard_is_asked_when_all_is_sent(path: str) -> None:
    def refuse() -> None:
        asked.append(storage.exists(path))
        raise RuntimeError("not yours any more")

    asked: list[bool] = []
    storage.commit_bytes(path, b"old")
    with (
        pytest.raises(RuntimeError, match="not yours"),
        storage.guarded(refuse),
        storage.commit(path) as file,
    ):
        file.write(bytes(2 * PART))
        assert not asked
    assert asked == [True]
    assert storage.read_bytes(path) == b"old"
    assert not left_behind(path)


def test_tables_are_streamed_to_the_same_bytes(path: str) -> None:
    table = pa.table({"n": list(range(1000))})
    storage.commit_table(path, table)
    assert storage.read_bytes(path) == storage.table_bytes(table)
    noise = pa.table({"b": [os.urandom(PART // 2) for _ in range(6)]})
    with storage.commit(path) as file, pq.ParquetWriter(file, noise.schema) as writer:
        for batch in noise.to_batches(max_chunksize=1):
            writer.write_batch(batch)
    assert storage.query([path], "SELECT count(*) AS n FROM stored") == [{"n": 6}]


@pytest.mark.slow
def test_small_files_are_one_put(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", PART)
    small, empty, large = (storage.join(bucket, "puts", name) for name in "sel")
    for url, size in ((small, PART - 1), (empty, 0), (large, PART + 1)):
        with storage.commit(url) as file:
            file.write(bytes(size))
        assert storage.size_bytes(url) == size
    assert (is_of_parts(small), is_of_parts(empty), is_of_parts(large)) == (False, False, True)


@pytest.mark.slow
def test_a_part_that_cannot_be_sent_is_an_error(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", PART)
    url = storage.join(bucket, "refused", "a")
    fs, _ = storage.filesystem(url)
    send = fs.call_s3

    def refuse(method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "upload_part" and kwargs["PartNumber"] == 2:
            raise OSError("the store is full")
        return send(method, *args, **kwargs)

    monkeypatch.setattr(fs, "call_s3", refuse)
    monkeypatch.setattr(patience, "GIVE_UP_S", 0.0)
    with pytest.raises(OSError, match="full"), storage.commit(url) as file:
        file.write(bytes(6 * PART))
    assert not storage.exists(url)
    assert not left_behind(url)


@pytest.mark.slow
def test_uploads_of_killed_writers_are_swept(bucket: str) -> None:
    folder = storage.join(bucket, "killed")
    for name in ("a", "sub/b"):
        fs, inner = storage.filesystem(storage.join(folder, name))
        where = dict(zip(("Bucket", "Key"), inner.split("/", 1), strict=True))
        fs.call_s3("create_multipart_upload", **where)
    storage.sweep(folder)
    assert [found["Key"] for found in left_behind(folder)] == ["killed/sub/b"]
    storage.sweep(storage.join(folder, "sub"))
    assert not left_behind(folder)


def test_a_store_has_one_connection() -> None:
    first, _ = storage.filesystem("memory://x/a")
    second, inner = storage.filesystem("memory://x/b/c")
    assert first is second
    assert inner == "/x/b/c"


class _Busy:
    """As much of s3fs as an upload asks for: counts the parts that are under way at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def split_path(self, path: str) -> tuple[str, str, None]:
        return "bucket", path, None

    def call_s3(self, method: str, **arguments: Any) -> dict[str, str]:
        if method == "upload_part":
            with self._lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.005)
            with self._lock:
                self.now -= 1
        return {"UploadId": "u", "ETag": "e"}


def test_files_that_are_written_at_once_share_the_parts_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", 1000)
    store = _Busy()
    files = [upload.S3Upload(store, f"{n}", lambda request: request()) for n in range(30)]
    for _ in range(4):
        for file in files:
            file.write(bytes(1000))
    for file in files:
        file.settle()
    assert 1 < store.most <= upload._ALL_UNDER_WAY


@pytest.mark.parametrize("cuts", [["b"], ["a", "b.tar", "b.tar0", "zz"], ["0", "c", "d"]], ids=str)
def test_a_listing_in_parts_is_that_of_the_whole(path: str, cuts: list[str]) -> None:
    names = [f"{letter}{end}" for letter in "abcd" for end in (".parquet", ".tar", "/in.tar")]
    for name in (*names, ".hidden"):
        storage.commit_bytes(storage.join(path, "a", name), name.encode())
    storage.commit_bytes(storage.join(path, "a2", "b.tar"), b"")
    whole = storage.listing(storage.join(path, "a"))
    assert list(whole) == [name for name in sorted(names) if "/" not in name]
    assert storage.listing(storage.join(path, "a"), cuts) == whole
    assert storage.listing(storage.join(path, "nowhere"), cuts) == {}
    assert set(storage.folders(path)) == {"a", "a2"}


@pytest.mark.slow
def test_a_bucket_is_a_folder_too(bucket: str) -> None:
    name = uuid.uuid4().hex
    storage.commit_bytes(storage.join(bucket, name, "in"), b"")
    storage.commit_bytes(storage.join(bucket, name + ".tar"), b"a")
    assert name in storage.folders(bucket) and name not in storage.listing(bucket)
    assert storage.listing(bucket)[f"{name}.tar"].bytes == 1
