"""Several builds on one corpus: real processes, on a local disk and on a real S3 server."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines import build_corpus
from pipelines.guard import lease
from pipelines.stages import report as last_stage
from tests.forked import Child, nursery
from tests.pictures import jpeg, scene
from tests.ray_cluster import wait_until
from tests.s3_server import empty_bucket
from vae_corpus import storage, tar

pytestmark = [
    pytest.mark.slow,
    # botocore still asks for the time in a way that Python has given up.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for n in range(12):
        (root / f"{n:02d}.jpg").write_bytes(jpeg(scene(270 + 3 * n, 260 + 5 * n, n), 95))
    return root


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with empty_bucket() as url:
        yield url


@pytest.fixture(params=["local"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """On a local disk, or where a test asks for it on the server."""
    if request.param == "local":
        return str(tmp_path / "corpus")
    return storage.join(request.getfixturevalue("bucket"), tmp_path.name)


def flags(photos: Path, out: str, seed: int) -> list[str]:
    text = f"""--sources [{{name: p, type: folder, uri: {photos}}}]
        --out {out} --seed {seed} --engine.workers 0 --score.text false --synth.samples {{}}
        --plan.min_clarity 0 --plan.rung_weights {{256: 1}} --pack.shard_samples 2"""
    # Values with blanks stay one argument.
    parts = text.replace("--", "\0--").split("\0")[1:]
    return [word for part in parts for word in part.strip().split(maxsplit=1)]


@contextmanager
def started(
    argv: list[str], log: Path, *, gate: Path | None = None, beat_s: float = 0.2, silent: int = 10
) -> Iterator[Child]:
    """A build as a process of its own; with a gate it is now about to commit its third shard."""
    if gate:
        gate.mkdir()
    given = [str(beat_s), str(silent), str(gate or ""), *argv]
    child = nursery("tests.pipelines.gated_build").start(given, os.environ, log)
    try:
        if gate:
            wait_until(lambda: (gate / "waits").exists() or child.poll() is not None, "gate", 60)
            assert child.poll() is None, child.complaints()
        yield child
    finally:
        child.kill()
        child.wait(30)


def ended(child: Child) -> tuple[int, str, str]:
    code = child.wait(120)
    return code, child.said(), child.complaints()


def contents(out: str) -> dict[str, bytes]:
    """What the corpus is made of: not its log, where each build tells of itself, nor caches."""
    fs, inner = storage.filesystem(out)
    fs.invalidate_cache()
    names = [path.removeprefix(inner) for path in fs.find(inner)]
    made = [name for name in names if not name.startswith("/log") and "/." not in name]
    return {name: fs.cat_file(inner + name) for name in made}


def assert_whole(out: str, seed: int) -> None:
    """There is a curriculum, and the shards are those of the one plan, each image once."""
    assert json.loads(storage.read_bytes(f"{out}/curriculum.json"))["seed"] == seed
    (plan,) = storage.folders(f"{out}/plan")
    with storage.open_read(f"{out}/plan/{plan}/shards.parquet") as file:
        rows = pq.read_table(file).to_pylist()
    assert len(rows) == 6
    for row in rows:
        size = storage.size_bytes(f"{out}/{row['shard']}.tar")
        marks = {"recipe": row["recipe"], "tar_bytes": str(size)}
        assert storage.parquet_metadata(f"{out}/{row['shard']}.parquet") == marks
    keys = storage.query([f"{out}/{r['shard']}.parquet" for r in rows], "SELECT key FROM stored")
    assert len({row["key"] for row in keys}) == len(keys) == 12
    assert not storage.exists(f"{out}/.building.json")


@pytest.mark.parametrize(("out", "seed"), [("local", 1), ("s3", 2)], indirect=["out"])
def test_a_second_build_is_refused_and_the_first_stays_whole(
    photos: Path, out: str, tmp_path: Path, seed: int
) -> None:
    with started(flags(photos, out, 1), tmp_path / "first", gate=tmp_path / "gate") as first:
        with started(flags(photos, out, seed), tmp_path / "second") as second:
            code, _, errors = ended(second)
        (tmp_path / "gate" / "go").touch()
        assert code == 1
        assert f"pid {first.pid} on {os.uname().nodename}, at work for" in errors
        assert "--out" in errors
        assert ended(first)[0] == 0
    assert_whole(out, seed=1)


def test_a_killed_build_can_be_started_again_at_once(
    photos: Path, out: str, tmp_path: Path
) -> None:
    with started(flags(photos, out, 1), tmp_path / "first", gate=tmp_path / "gate") as first:
        # Nobody has asked for its exit code yet: it stays in the table of processes.
        first.kill()
        # Silence alone would be believed after hours.
        with started(flags(photos, out, 2), tmp_path / "second", beat_s=1000) as second:
            code, said, errors = ended(second)
        assert code == 0, errors
        assert f"took over {out}" in said and f"pid {first.pid}" in said
    assert_whole(out, seed=2)


# What a build that wakes up writes meets the store's own guard.
@pytest.mark.parametrize("out", ["s3"], indirect=True)
def test_a_suspended_build_is_taken_over_and_harms_nothing_when_it_wakes(
    photos: Path, out: str, tmp_path: Path
) -> None:
    with started(flags(photos, out, 1), tmp_path / "first", gate=tmp_path / "gate") as first:
        first.send_signal(signal.SIGSTOP)
        with started(flags(photos, out, 2), tmp_path / "second") as second:
            code, said, errors = ended(second)
        assert code == 0, errors
        assert "watching whether it goes on" in said and f"took over {out}" in said
        assert_whole(out, seed=2)
        before = contents(out)
        (tmp_path / "gate" / "go").touch()
        first.send_signal(signal.SIGCONT)
        code, _, errors = ended(first)
    # Its lease is gone by now, as the second build has ended.
    assert code == 1 and "lease" in errors
    assert contents(out) == before


def test_a_build_that_wakes_while_the_other_is_at_work_names_it(
    photos: Path, out: str, tmp_path: Path
) -> None:
    with started(flags(photos, out, 1), tmp_path / "first", gate=tmp_path / "one") as first:
        first.send_signal(signal.SIGSTOP)
        with started(flags(photos, out, 2), tmp_path / "second", gate=tmp_path / "two") as second:
            (tmp_path / "one" / "go").touch()
            first.send_signal(signal.SIGCONT)
            code, _, errors = ended(first)
            assert code == 1
            assert "taken over" in errors and f"pid {second.pid}" in errors
            (tmp_path / "two" / "go").touch()
            assert ended(second)[0] == 0
    assert_whole(out, seed=2)


@pytest.mark.parametrize(
    ("out", "number", "code"),
    [("local", signal.SIGINT, 130), ("s3", signal.SIGTERM, 143)],
    indirect=["out"],
)
def test_a_stopped_build_lets_the_corpus_go(
    photos: Path, out: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with started(flags(photos, out, 1), tmp_path / "first", gate=tmp_path / "gate") as first:
        assert storage.exists(f"{out}/.building.json")
        first.send_signal(number)
        assert ended(first)[0] == code
    assert not storage.exists(f"{out}/.building.json")


def test_a_failed_build_lets_the_corpus_go(tmp_path: Path) -> None:
    out = str(tmp_path / "corpus")
    assert build_corpus.main(flags(tmp_path / "nowhere", out, 1)) == 1
    assert not storage.exists(f"{out}/.building.json")


@pytest.mark.parametrize("what", ["another recipe", "another tar", "a stray"])
def test_what_was_written_just_before_the_end_is_found(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
) -> None:
    out = str(tmp_path / "corpus")
    write_page = last_stage._write_page

    def meanwhile(*args: Any) -> str:
        page = write_page(*args)
        index = next(iter(sorted(Path(out).glob("shards/*/*/*.parquet"))))
        shard = str(index.relative_to(out).with_suffix(""))
        if what == "another recipe":
            tar.commit_index(out, shard, "0123456789abcdef", pq.read_table(index))
        elif what == "another tar":
            index.with_suffix(".tar").write_bytes(bytes(1024))
        else:
            index.with_name("of-another-plan-000000.parquet").write_bytes(index.read_bytes())
        return page

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.stages.report._write_page", meanwhile)
        assert build_corpus.main(flags(photos, out, 1)) == 1
    assert "changed by something else" in capsys.readouterr().err
    assert not storage.exists(f"{out}/curriculum.json")
    assert build_corpus.main(flags(photos, out, 1)) == 0
    assert_whole(out, seed=1)


def test_a_lease_of_another_machine_is_watched_before_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    out, said = str(tmp_path), []
    path = tmp_path / ".building.json"
    there = lease.Holder(host="elsewhere", pid=1, held_s=7.0)
    path.write_bytes(there.text())
    start = time.monotonic()
    with lease.hold(out, said.append) as ticket:
        assert time.monotonic() - start >= 0.05 * lease.SILENT_BEATS
        ticket.check()
    assert any("pid 1 on elsewhere" in sentence for sentence in said)
    assert not path.exists()


def test_a_lease_that_nobody_can_read_is_not_in_the_way_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_S", 0.01)
    (tmp_path / ".building.json").write_bytes(b"")
    with lease.hold(str(tmp_path), lambda text: None) as ticket:
        ticket.check()


def test_a_lease_that_was_removed_stops_its_build(tmp_path: Path) -> None:
    with lease.hold(str(tmp_path), lambda text: None) as ticket:
        (tmp_path / ".building.json").unlink()
        with (
            storage.guarded(ticket.check),
            pytest.raises(lease.LeaseError, match="is gone"),
            storage.commit(str(tmp_path / "x")) as file,
        ):
            file.write(b"of a build that lost its lease")
    assert list(tmp_path.iterdir()) == []
