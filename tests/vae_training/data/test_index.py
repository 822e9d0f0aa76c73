from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.vae_training.data.made_up import photos, tiles
from tests.versions import assert_recorded
from vae_corpus.curriculum import CorpusError
from vae_corpus.words import GENERAL, GROUP_COLUMNS, TEXT_SYNTH, Group
from vae_training.data import index_build
from vae_training.data.holdout import hold_out
from vae_training.data.shards import Shards, open_shards

RECORDED = (1, "67091328fe31fd95")
TAR = "shards/general/256/general-000000"


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    """A copy of the corpus that a test may change."""
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A cache of its own."""
    return str(tmp_path / "cache")


def folders(own: str) -> list[str]:
    return sorted(path.name for path in Path(own, "index").iterdir() if path.is_dir())


def told(shards: Shards) -> set[tuple[object, ...]]:
    """All that an index says of each row."""
    return {
        (
            shards.key(row),
            shards.names[shards.shard[row]],
            int(shards.offset[row]),
            int(shards.bytes[row]),
            shards.groups[shards.group[row]],
        )
        for row in range(len(shards))
    }


def test_an_index_says_what_the_parquet_files_say(corpus: Path, own: str) -> None:
    expected = set()
    for path in corpus.glob("shards/*/*/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            group = Group(**{name: row[name] for name in GROUP_COLUMNS})
            expected.add((row["key"], row["shard"], row["offset"], row["bytes"], group))
    assert len(expected) == 32 and told(open_shards(str(corpus), own)) == expected


def test_rows_of_a_group_in_a_shard_are_a_run_in_the_order_of_their_bytes(
    corpus: Path, own: str
) -> None:
    shards = open_shards(str(corpus), own)
    runs = shards.runs
    assert len(runs.shard) > len(shards.names)
    assert runs.count.sum() == len(shards) and (runs.count > 0).all()
    for shard, group, first, count in zip(
        runs.shard, runs.group, runs.first, runs.count, strict=True
    ):
        rows = slice(first, first + count)
        assert (shards.shard[rows] == shard).all() and (shards.group[rows] == group).all()
        assert (np.diff(shards.offset[rows]) > 0).all()
    assert shards.samples() == np.bincount(shards.group).tolist()


def test_rows_of_one_parent_have_one_hash(tmp_path: Path, own: str, write: SimpleNamespace) -> None:
    samples = tiles(12, of_a_page=4)
    write.shard(tmp_path, TEXT_SYNTH, 256, samples)
    shards = open_shards(str(tmp_path), own)
    parents = {sample["key"]: sample["parent"] for sample in samples}
    pairs = {(parents[shards.key(row)], int(shards.parent[row])) for row in range(12)}
    assert len(pairs) == len(set(shards.parent.tolist())) == 3


def test_an_index_is_made_once_and_told(corpus: Path, own: str) -> None:
    lines: list[str] = []
    first = open_shards(str(corpus), own, lines.append)
    assert len(lines) == 1 and "3 shards" in lines[0] and "once per machine" in lines[0]
    second = open_shards(str(corpus), own, lines.append)
    assert len(lines) == 1 and told(first) == told(second)


def test_a_corpus_that_has_grown_gets_another_index_and_the_old_one_goes_when_nobody_uses_it(
    copy: Path, own: str, write: SimpleNamespace
) -> None:
    lines: list[str] = []
    before = open_shards(str(copy), own, lines.append)
    rows, digest = len(before), before.digest()
    write.shard(copy, GENERAL, 1024, photos(2))
    between = open_shards(str(copy), own, lines.append)
    assert "the corpus has changed" in lines[-1]
    assert len(between) == rows + 2 and between.digest() != digest
    # It is in use, and still says what it said.
    assert len(folders(own)) == 2 and before.key(rows - 1)
    del before
    for path in copy.glob(f"{TAR}.*"):
        path.unlink()
    after = open_shards(str(copy), own, lines.append)
    assert len(lines) == 3 and len(after) == len(between) - 16
    assert between.index.folder.name in folders(own) and len(folders(own)) == 2
    del between
    for path in copy.glob("shards/general/512/*"):
        path.unlink()
    open_shards(str(copy), own)
    assert after.index.folder.name in folders(own) and len(folders(own)) == 2


def test_another_index_of_the_same_size_is_told_apart(copy: Path, own: str) -> None:
    path = copy / f"{TAR}.parquet"
    before = open_shards(str(copy), own).index.folder
    size = path.stat().st_size
    os.utime(path, (1, 1))
    assert path.stat().st_size == size
    assert open_shards(str(copy), own).index.folder != before


def test_indexes_of_other_corpora_stay(corpus: Path, copy: Path, own: str) -> None:
    first = open_shards(str(corpus), own).index.folder
    assert open_shards(str(copy), own).index.folder != first
    assert first.is_dir()


def test_what_a_killed_process_left_is_made_anew(corpus: Path, own: str) -> None:
    whole = open_shards(str(corpus), own)
    folder, expected = whole.index.folder, told(whole)
    del whole
    draft = folder.rename(folder.with_name(f".{folder.name}"))
    (draft / index_build.MARK).unlink()
    assert told(open_shards(str(corpus), own)) == expected
    assert folders(own) == [folder.name]


def test_an_error_leaves_nothing_and_no_lock(copy: Path, own: str) -> None:
    good = (copy / f"{TAR}.parquet").read_bytes()
    (copy / f"{TAR}.parquet").write_bytes(b"no Parquet")
    with pytest.raises(CorpusError, match="is no shard index"):
        open_shards(str(copy), own)
    assert folders(own) == []
    (copy / f"{TAR}.parquet").write_bytes(good)
    assert len(open_shards(str(copy), own)) == 32


def test_a_cache_that_cannot_be_written_is_told(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CorpusError, match="cannot keep the index.*--cache"):
        open_shards(str(corpus), str(tmp_path / "file"))


def open_and_say(corpus: str, own: str, said: multiprocessing.Queue) -> None:
    lines: list[str] = []
    shards = open_shards(corpus, own, lines.append)
    said.put((len(lines), len(shards)))


@pytest.mark.slow
def test_of_processes_that_come_together_one_makes_the_index(corpus: Path, own: str) -> None:
    context = multiprocessing.get_context("forkserver")
    said = context.Queue()
    # They all wait here, so that they come together.
    index = Path(own, "index")
    index.mkdir(parents=True)
    (name,) = {folder.split("-")[0] for folder in made_elsewhere(corpus)}
    with open(index / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        processes = [
            context.Process(target=open_and_say, args=(str(corpus), own, said)) for _ in range(3)
        ]
        for process in processes:
            process.start()
    answers = [said.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
        process.close()
    assert sorted(lines for lines, _ in answers) == [0, 0, 1]
    assert {rows for _, rows in answers} == {32}


def made_elsewhere(corpus: Path) -> list[str]:
    """The names of the indexes of a corpus."""
    return [open_shards(str(corpus)).index.folder.name]


def test_memory_does_not_hold_all_parts_at_once(
    copy: Path, own: str, write: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are read a few ahead of the one that is written."""
    for rung in (1024, 2048, 4096, 8192):
        write.shard(copy, GENERAL, rung, photos(2))
    read: list[str] = []
    written: list[int] = []
    part, write_part = index_build.read_part, index_build._write

    def reading(corpus: str, name: str, *sizes: int) -> index_build.Part:
        read.append(name)
        return part(corpus, name, *sizes)

    def writing(files: object, name: str, values: object) -> None:
        if name == "ends":
            written.append(len(read))
        write_part(files, name, values)  # type: ignore[arg-type]

    monkeypatch.setattr(index_build, "_AT_ONCE", 1)
    monkeypatch.setattr(index_build, "read_part", reading)
    monkeypatch.setattr(index_build, "_write", writing)
    open_shards(str(copy), own)
    assert len(written) == len(read) == 7
    assert all(ahead <= number + 2 for number, ahead in enumerate(written))


def test_files_and_version_change_together(
    tmp_path: Path, own: str, write: SimpleNamespace
) -> None:
    write.shard(tmp_path, GENERAL, 256, photos(8))
    write.shard(tmp_path, TEXT_SYNTH, 256, tiles(12, of_a_page=2))
    shards = open_shards(str(tmp_path), own)
    held = hold_out(shards, 1)
    made = [(shards.index.folder / name).read_bytes() for name in sorted(index_build.COLUMNS)]
    told = json.loads((shards.index.folder / index_build.MARK).read_bytes())
    told.pop("corpus")
    made += [json.dumps([told, held.validation, held.left_out.tolist()]).encode()]
    file = "vae_training/data/index_build.py"
    assert_recorded("an index", file, index_build.VERSION, b"".join(made), RECORDED)
