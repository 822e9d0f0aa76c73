"""What is known of shards saves work, and never hides that one was lost or changed."""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.planning.shards import Shard
from pipelines.stages import ledger
from pipelines.stages.committed import Stock
from tests.pictures import tree
from tests.pipelines.builds import run
from vae_corpus import storage, tar
from vae_corpus.storage import Entry
from vae_corpus.words import GENERAL, Group

RECIPE, OTHER = "0123456789abcdef", "fedcba9876543210"
NAMES = [f"shards/general/{rung}/a-{n:06d}" for rung in (256, 512) for n in range(3)]


def make(out: str, name: str, recipe: str = RECIPE, samples: int = 3) -> None:
    with storage.commit(storage.join(out, f"{name}.tar")) as file:
        writer = tar.ShardWriter(file, name)
        for n in range(samples):
            writer.add(
                tar.Stored(
                    key=f"s-{n:016x}",
                    ext="jpg",
                    data=bytes(100 + n),
                    width=288,
                    height=224,
                    group=Group(
                        kind=GENERAL, rung=int(name.split("/")[2]), bucket=f"288x22{n % 2}"
                    ),
                    source="s",
                    parent="p",
                    label={},
                )
            )
        index = writer.close()
    tar.commit_index(out, name, recipe, index)


@pytest.fixture(params=["local", "memory"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    where = str(tmp_path / "c") if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    for name in NAMES:
        make(where, name)
    return where


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was read, by its last name."""
    counted: Counter[str] = Counter()
    read = storage.read_bytes

    def counting(path: str, *args: int) -> bytes:
        counted[storage.name_of(path)] += 1
        return read(path, *args)

    monkeypatch.setattr(storage, "read_bytes", counting)
    return counted


def wanted(recipe: str = RECIPE) -> list[Shard]:
    return [Shard(name=name, recipe=recipe, samples=3) for name in NAMES]


def lacking(out: str) -> list[str]:
    return [shard.name for shard in Stock(out).not_committed(wanted())]


def remember(out: str) -> None:
    stock = Stock(out)
    assert stock.not_committed(wanted()) == []
    stock.ledger.save()


def test_what_is_known_is_not_read_again(out: str, reads: Counter[str]) -> None:
    remember(out)
    assert reads.total() == len(NAMES) + 1
    reads.clear()
    assert lacking(out) == []
    assert reads == {ledger.NAME: 1}


def test_a_known_shard_of_another_recipe_is_not_what_is_wanted(out: str) -> None:
    remember(out)
    assert Stock(out).not_committed(wanted(OTHER)) == wanted(OTHER)


@pytest.mark.parametrize("suffix", [".tar", ".parquet"])
def test_a_lost_file_is_seen(out: str, suffix: str) -> None:
    remember(out)
    storage.remove(storage.join(out, NAMES[1] + suffix))
    assert lacking(out) == [NAMES[1]]


def test_a_tar_of_another_size_is_seen(out: str) -> None:
    remember(out)
    path = storage.join(out, f"{NAMES[1]}.tar")
    storage.commit_bytes(path, storage.read_bytes(path)[:-512])
    assert lacking(out) == [NAMES[1]]


def test_an_index_of_another_recipe_is_seen(out: str) -> None:
    remember(out)
    path = storage.join(out, f"{NAMES[2]}.parquet")
    size = storage.size_bytes(path)
    make(out, NAMES[2], OTHER)
    assert storage.size_bytes(path) == size
    assert lacking(out) == [NAMES[2]]


@pytest.mark.parametrize("suffix", [".tar", ".parquet"])
def test_a_file_that_was_written_anew_is_looked_into(
    out: str, suffix: str, reads: Counter[str]
) -> None:
    remember(out)
    path = storage.join(out, NAMES[3] + suffix)
    with storage.commit(path) as file:
        file.write(storage.read_bytes(path))
    reads.clear()
    assert lacking(out) == []
    assert reads == {ledger.NAME: 1, storage.name_of(f"{NAMES[3]}.parquet"): 1}


def test_a_time_that_was_set_back_hides_nothing(tmp_path: Path) -> None:
    out = str(tmp_path)
    for name in NAMES:
        make(out, name)
    remember(out)
    index = tmp_path / f"{NAMES[0]}.parquet"
    before = index.stat()
    time.sleep(0.02)  # the clock of a disk may tick slowly
    make(out, NAMES[0], OTHER)
    os.utime(index, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert index.stat().st_mtime_ns == before.st_mtime_ns
    assert lacking(out) == [NAMES[0]]


@pytest.mark.parametrize(
    "fault", ["gone", "empty", "cut", "flipped", "garbage", "old version", "no table"]
)
def test_a_ledger_that_is_wrong_is_not_used(out: str, fault: str, reads: Counter[str]) -> None:
    remember(out)
    path = storage.join(out, ledger.NAME)
    data = storage.read_bytes(path)
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    old = storage.table_bytes(pa.table({"shard": NAMES, "recipe": [OTHER] * len(NAMES)}))
    faults = {
        "empty": b"",
        "cut": data[:-100],
        "flipped": bytes(flipped),
        "garbage": os.urandom(1000),
        "old version": ledger._digest(old) + old,
        "no table": ledger._digest(b"{}") + b"{}",
    }
    storage.remove(path)
    if fault in faults:
        storage.commit_bytes(path, faults[fault])
    reads.clear()
    stock = Stock(out)
    assert stock.not_committed(wanted()) == []
    assert reads.total() == len(NAMES) + 1
    stock.ledger.save()
    assert storage.read_bytes(path) == data


@pytest.mark.parametrize("fault", ["no footer", "damaged columns", "no marks"])
def test_an_index_that_cannot_be_read_marks_no_shard(out: str, fault: str) -> None:
    path = storage.join(out, f"{NAMES[0]}.parquet")
    data = storage.read_bytes(path)
    if fault == "no footer":
        data = data[:-4]
    elif fault == "damaged columns":
        data = data[:4] + b"\xff" * (len(data) // 3) + data[4 + len(data) // 3 :]
    else:
        data = storage.table_bytes(pa.table({"key": ["a"]}))
    storage.commit_bytes(path, data)
    assert lacking(out) == [NAMES[0]]


def test_nothing_is_known_where_a_store_tells_no_versions(out: str) -> None:
    known = ledger.read(out)
    tar_file, index = Entry(bytes=10240, stamp=""), Entry(bytes=10, stamp="")
    listed = Stock(out).listing.files[f"{NAMES[0]}.tar"]
    known.learn([(NAMES[0], Entry(bytes=listed.bytes, stamp=""), index)])
    assert known.recipe(NAMES[0], tar_file, index) is None
    assert known.recipe(NAMES[0], Entry(bytes=listed.bytes, stamp=""), index) is None


def test_group_counts_are_those_of_the_indexes(out: str) -> None:
    remember(out)
    make(out, NAMES[4], samples=5)
    stock = Stock(out)
    stock.not_committed(wanted())
    paths = [storage.join(out, f"{name}.parquet") for name in NAMES]
    assert stock.group_counts(NAMES) == storage.query(
        paths,
        """
        SELECT kind, rung, bucket, language, size_band, density,
               count(*) AS samples, sum("bytes")::BIGINT AS "bytes"
        FROM stored GROUP BY ALL ORDER BY ALL
        """,
    )


def test_shards_that_are_not_wanted_are_forgotten(out: str, reads: Counter[str]) -> None:
    remember(out)
    stock = Stock(out)
    stock.not_committed(wanted()[:2])
    stock.ledger.save(set(NAMES[:2]))
    reads.clear()
    assert lacking(out) == []
    assert reads.total() == 1 + len(NAMES) - 2


def test_strays_come_with_indexes_first(out: str) -> None:
    strays = Stock(out).strays(set(NAMES[1:]))
    assert strays == [f"{NAMES[0]}.parquet", f"{NAMES[0]}.tar"]


def test_a_finished_corpus_is_only_listed(
    built: tuple[Path, Path], reads: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, corpus = built
    assert run(config, corpus) == 0
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    reads.clear()

    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} is read again")

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.stages.digests.file_digest", refuse)
        assert run(config, corpus) == 0
    assert not [name for name in reads if name.endswith((".tar", ".parquet")) and "-0" in name]
    after = {path: path.stat().st_mtime_ns for path in corpus.rglob("*") if path.is_file()}
    assert after == {path: before[path] for path in after}


def test_caches_change_no_byte_of_a_corpus(built: tuple[Path, Path]) -> None:
    config, corpus = built
    before = tree(corpus)
    caches = [path for path in corpus.rglob(".*") if path.is_file()]
    assert {path.name for path in caches} > {ledger.NAME, ".digests.json"}
    for path in caches:
        path.unlink()
    assert run(config, corpus) == 0
    assert tree(corpus) == before
    assert [path for path in corpus.rglob(".*") if path.is_file()] == caches
