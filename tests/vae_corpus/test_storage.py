from __future__ import annotations

import uuid
from pathlib import Path

import pyarrow as pa
import pytest

from vae_corpus import storage


@pytest.fixture(params=["local", "remote"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "c") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def test_a_file_appears_whole_or_not_at_all(folder: str) -> None:
    path = storage.join(folder, "a", "b.bin")
    with pytest.raises(RuntimeError), storage.commit(path) as file:
        file.write(b"half")
        raise RuntimeError("the writer dies")
    assert not storage.exists(path)
    with storage.commit(path) as file:
        file.write(b"whole")
        assert not storage.exists(path)
    assert storage.read_bytes(path) == b"whole"
    assert storage.size_bytes(path) == 5
    assert storage.names(storage.join(folder, "a")) == ["b.bin"]


def test_ranges_and_folders(folder: str) -> None:
    storage.commit_bytes(storage.join(folder, "a", "x.bin"), b"0123456789")
    assert storage.read_bytes(storage.join(folder, "a", "x.bin"), 3, 4) == b"3456"
    assert storage.folders(folder) == ["a"]
    assert storage.names(storage.join(folder, "nowhere")) == []


def test_equal_bytes_are_not_written_again(folder: str) -> None:
    path = storage.join(folder, "x")
    assert storage.commit_bytes(path, b"a")
    assert not storage.commit_bytes(path, b"a")
    assert storage.commit_bytes(path, b"b")


def test_parquet_marks_and_queries(folder: str) -> None:
    table = pa.table({"n": [1, 2]}).replace_schema_metadata({"recipe": "abc"})
    path = storage.join(folder, "t.parquet")
    storage.commit_bytes(path, storage.table_bytes(table))
    assert storage.parquet_metadata(path) == {"recipe": "abc"}
    assert storage.parquet_metadata(path + ".none") is None
    assert storage.query([path], "SELECT sum(n) AS s FROM stored") == [{"s": 3}]


def test_a_broken_parquet_file_has_no_marks(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 cut off")
    assert storage.parquet_metadata(str(path)) is None


def test_remove_is_quiet_about_what_is_not_there(folder: str) -> None:
    path = storage.join(folder, "x")
    storage.commit_bytes(path, b"a")
    storage.remove(path)
    storage.remove(path)
    assert not storage.exists(path)


def test_nothing_is_committed_or_removed_against_the_guard(folder: str) -> None:
    def refuse() -> None:
        raise RuntimeError("not yours any more")

    kept, new = storage.join(folder, "a", "kept"), storage.join(folder, "a", "new")
    storage.commit_bytes(kept, b"a")
    for write in (
        lambda: storage.commit_bytes(kept, b"b"),
        lambda: storage.commit_bytes(new, b"b"),
        lambda: storage.remove(kept),
        lambda: storage.remove_folder(storage.join(folder, "a")),
    ):
        with pytest.raises(RuntimeError, match="not yours"), storage.guarded(refuse):
            write()
    assert storage.names(storage.join(folder, "a")) == ["kept"]
    assert storage.read_bytes(kept) == b"a"
    storage.remove(kept)
    assert not storage.exists(kept)


def test_a_listing_tells_sizes_and_what_was_written_anew(folder: str) -> None:
    for name in ("x.tar", "y.tar", ".hidden", "sub/z.tar"):
        storage.commit_bytes(storage.join(folder, "a", name), b"a")
    before = storage.listing(storage.join(folder, "a"))
    assert {name: entry.bytes for name, entry in before.items()} == {"x.tar": 1, "y.tar": 1}
    storage.commit_bytes(storage.join(folder, "a", "x.tar"), b"b")
    after = storage.listing(storage.join(folder, "a"))
    assert after["y.tar"] == before["y.tar"]
    assert after["x.tar"].bytes == 1 and after["x.tar"].stamp != before["x.tar"].stamp
    assert storage.listing(storage.join(folder, "nowhere")) == {}
