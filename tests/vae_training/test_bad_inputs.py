"""A corpus that cannot be trained on: the command names the file and the way out, and ends."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.vae_training.runs import Forked, command
from vae_corpus.curriculum import CorpusError
from vae_corpus.settings import load
from vae_training import train
from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data
from vae_training.data.shards import open_shards

TAR = "shards/general/256/general-000000.tar"
INDEX = "shards/general/256/general-000000.parquet"


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    """A copy of the corpus that a test may damage."""
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def cut(folder: Path) -> None:
    data = (folder / TAR).read_bytes()
    (folder / TAR).write_bytes(data[: len(data) // 2])


def no_parquet(folder: Path) -> None:
    (folder / INDEX).write_bytes(b"no parquet at all")


def indexed(**columns: Any) -> Callable[[Path], None]:
    """Give columns of the index other values, all rows the same."""

    def write(folder: Path) -> None:
        table = pq.read_table(folder / INDEX)
        for name, value in columns.items():
            values = pa.array([value] * table.num_rows, table.schema.field(name).type)
            table = table.set_column(table.column_names.index(name), name, values)
        pq.write_table(table, folder / INDEX)

    return write


def without_column(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / INDEX).drop_columns(["offset"]), folder / INDEX)


def of_bucket(bucket: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        indexed(bucket=bucket)(folder)
        path = folder / "curriculum.json"
        data = json.loads(path.read_text())
        groups = [g for g in data["groups"] if (g["kind"], g["rung"]) != ("general", 256)]
        groups.append({"kind": "general", "rung": 256, "bucket": bucket, "samples": 16})
        path.write_text(json.dumps({**data, "groups": groups}))

    return write


def needing(kind: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        path = folder / "curriculum.json"
        data = json.loads(path.read_text())
        data["phases"][0]["kinds"] = {kind: 1.0}
        path.write_text(json.dumps(data))

    return write


@pytest.mark.parametrize(
    ("damage", "named", "way_out"),
    [
        (without("curriculum.json"), "curriculum.json", "build one"),
        (without(TAR), f"{TAR} is missing", "delete the index and build the corpus again"),
        (without(INDEX), "curriculum.json counts", "build the corpus again"),
        (cut, f"{TAR} has ", "delete both and build the corpus again"),
        (no_parquet, f"{INDEX} is no shard index", "delete it and build again"),
        (without_column, f"{INDEX} lacks the columns ['offset']", "delete it and build again"),
        (indexed(shard="other.tar"), f"{INDEX} speaks of other.tar", "delete both, build again"),
        (indexed(offset=-5), f"{INDEX} places test-256-0000 at byte -5", "build again"),
        (indexed(bytes=0), f"{INDEX} places test-256-0000 at byte", "build again"),
        (indexed(offset=10**9), f"{TAR} has ", "delete both and build the corpus again"),
        (indexed(bucket="square"), f"{INDEX}: a bucket is named like", "build again"),
        (indexed(rung=512), "curriculum.json counts", "build the corpus again"),
        (indexed(offset=7), TAR, "build the corpus again"),
        (needing("document"), "curriculum.json: phase general needs document", "add such images"),
        (of_bucket("250x250"), "shards/general/256 holds images of 250x250 px", "multiples of 4"),
    ],
)
def test_the_command_names_the_file_and_the_way_out(
    copy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    named: str,
    way_out: str,
) -> None:
    damage(copy)
    assert train.main(command(copy, tmp_path / "out", "--steps", "3")) == 1
    said = capsys.readouterr().err
    assert named in said and way_out in said and str(copy) in said
    assert "Traceback" not in said


def test_a_tar_that_is_cut_while_training_is_named(copy: Path) -> None:
    shards = open_shards(str(copy))
    (copy / TAR).write_bytes(b"")
    with pytest.raises(
        CorpusError, match=rf"{TAR} ends before byte \d+: the tar is truncated; delete"
    ):
        shards.read(0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--batch_multiple", "3"], "batch_multiple 3 cannot be shared evenly by 2 ranks"),
        (
            ["--steps", "2", "--batch_pixels", "524288"],
            "2 steps are too few for 3 phases: give --steps 3",
        ),
    ],
)
def test_an_impossible_batch_or_run_is_told(corpus: Path, arguments: list[str], told: str) -> None:
    settings = load(TrainSettings, ["--corpus", str(corpus), *arguments], description="")
    with pytest.raises(ValueError, match=told):
        open_data(settings, 2)


@pytest.mark.parametrize("world", [1, 2])
def test_a_run_that_cannot_read_on_saves_its_state_and_says_so_once(
    copy: Path, tmp_path: Path, world: int
) -> None:
    out = tmp_path / "out"
    arguments = command(copy, out, "--steps", "900", "--checkpoint_every", "900")
    process = Forked(
        tmp_path / "log", [*arguments, "--batch_pixels", "131072", "--crop_px", "256"], world
    )
    deadline = time.monotonic() + 20
    while "dB" not in process.said():  # the line of a step
        assert time.monotonic() < deadline, process.said()
        time.sleep(0.01)
    (copy / TAR).write_bytes(b"")
    said = process.finish(code=1)
    assert said.count("the tar is truncated; delete it") == 1
    assert said.count("The state before this step is saved in") == 1
    (saved,) = (out / "checkpoints").glob("step-*")
    assert 0 < int(saved.name.removeprefix("step-")) < 900
