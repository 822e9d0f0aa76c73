"""The command as its user meets it: its first line, signals, full disks, a wrong address.

On real processes, but where nothing but the work is of interest.
"""

from __future__ import annotations

import functools
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.build_feel import Felt, feel, make_folder
from pipelines import build_corpus, engine
from pipelines.workers import ray_address
from tests.ray_cluster import ROOT

pytestmark = pytest.mark.slow

_PATIENCE = ("RAY_py_gcs_connect_timeout_s", "RAY_gcs_rpc_server_connect_timeout_s")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stops") / "photos"
    make_folder(folder, 24, 1000, 800)
    return folder


def arguments(photos: Path, out: Path, workers: int) -> list[str]:
    source = f"[{{name: p, type: folder, uri: {photos}}}]"
    given = ["--sources", source, "--out", str(out), "--engine.workers", str(workers)]
    return [*given, "--score.text", "false", "--synth.samples", "{}", "--plan.min_clarity", "0"]


def tree(out: Path) -> dict[str, bytes]:
    files = [*out.glob("shards/**/*"), out / "curriculum.json", out / "corpus.json"]
    return {str(f.relative_to(out)): f.read_bytes() for f in files if f.is_file()}


def mine(marker: str) -> list[psutil.Process]:
    """Processes of this machine that carry a mark in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VAE_CORPUS_TEST") == marker:
                found.append(process)
        except psutil.Error:
            continue
    return found


def assert_stopped(felt: Felt, code: int) -> None:
    said = "\n".join(felt.said)
    assert felt.code == code, said
    assert felt.to_end_s is not None and felt.to_end_s < 10
    assert "Traceback" not in said and "interrupted" not in said and "error:" not in said
    sentences = [line for line in felt.said if line.startswith("stopped")]
    assert len(sentences) == 1 and sentences[0].endswith("the same command goes on from here")


@pytest.fixture(scope="module")
def whole(photos: Path) -> Path:
    """The corpus of a build that nothing stopped."""
    return finished(photos, photos.parent / "whole")


def finished(photos: Path, out: Path) -> Path:
    """The corpus of a build that works through all that is left."""
    assert build_corpus.main(arguments(photos, out, 0)) == 0
    return out


@pytest.mark.parametrize(
    ("workers", "stops"),
    [
        (0, [(signal.SIGTERM, "score: "), (signal.SIGINT, "pack: ")]),
        (1, [(signal.SIGTERM, "score: "), (signal.SIGINT, "loading ")]),
    ],
)
def test_a_stopped_build_says_one_sentence_and_goes_on_to_the_same_bytes(
    photos: Path, whole: Path, tmp_path: Path, workers: int, stops: list[tuple[signal.Signals, str]]
) -> None:
    marker = f"{os.getpid()}-{workers}"
    command = arguments(photos, tmp_path / "out", workers)
    for number, (signum, after) in enumerate(stops):
        mark = f"{marker}-{number}"
        felt = feel(command, stop=signum, stop_after=after, stop_wait_s=0.3, VAE_CORPUS_TEST=mark)
        assert felt.first_line_s < 2
        assert_stopped(felt, 128 + signum)
        deadline = time.monotonic() + 5
        while (left := mine(mark)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not left
    assert tree(finished(photos, tmp_path / "out")) == tree(whole)


def test_a_call_that_does_not_come_back_is_ended_all_the_same() -> None:
    code = (
        "import time; from pipelines import stopping\n"
        "from pipelines.workers.last_words import last_words\n"
        "stopping._GRACE_S = 1\n"
        "with last_words('cut off'), stopping.Stoppable(lambda: 'somewhere'):\n"
        "    while True:\n"
        "        try: print('begun', flush=True); time.sleep(60)\n"
        "        except BaseException: pass\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert said == "stopped somewhere; the same command goes on from here\n"


def test_the_way_out_after_an_error_takes_no_longer_than_a_stop() -> None:
    code = (
        "import time; from pipelines import stopping\n"
        "stopping._GRACE_S = 1\n"
        "with stopping.Stoppable(lambda: 'somewhere'): stopping.hurry('error: away')\n"
        "print('left in time', flush=True); time.sleep(2)\n"
        "with stopping.Stoppable(lambda: 'somewhere'):\n"
        "    stopping.hurry('error: away'); time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "left in time\n", "error: away\n")


def test_an_error_that_a_signal_has_become_is_still_a_stop() -> None:
    code = (
        "import os, signal; from pipelines import stopping\n"
        "stop = stopping.Stoppable(lambda: 'somewhere')\n"
        "try:\n"
        "    with stop:\n"
        "        try: os.kill(os.getpid(), signal.SIGTERM)\n"
        "        except BaseException: raise RuntimeError('Query interrupted') from None\n"
        "except stopping.Stopped: print(stop.code, stop.sentence)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "143 stopped somewhere; the same command goes on from here\n"


def assert_no_cluster(out: Path, address: str, code: int, said: str) -> None:
    assert code == 1
    assert f"error: no Ray cluster at RAY_ADDRESS={address}: " in said and "Traceback" not in said
    assert not (out / ".building.json").exists()


def test_an_address_at_which_nobody_listens_ends_the_build(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Bound and not listening, so that nobody else takes it.
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{other.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        soon = functools.partial(ray_address.unreachable, patience_s=0.5)
        monkeypatch.setattr(engine, "unreachable", soon)
        code = build_corpus.main(arguments(photos, tmp_path / "out", 2))
    assert_no_cluster(tmp_path / "out", address, code, capsys.readouterr().err)


def test_an_address_of_something_else_ends_the_build(photos: Path, tmp_path: Path) -> None:
    # Both within a minute, for an address that never answers costs both.
    assert ray_address.PATIENCE_S + engine._JOIN_S < 60
    code = (
        "import sys; from pipelines import build_corpus, engine\n"
        "engine._JOIN_S = 2\n"
        "sys.exit(build_corpus.main(sys.argv[1:]))\n"
    )
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(50)
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments(photos, tmp_path / "out", 2)],
            cwd=ROOT,
            # Ray's own patience within, which is 30 s.
            env=os.environ | dict.fromkeys(_PATIENCE, "1") | {"RAY_ADDRESS": address},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert_no_cluster(tmp_path / "out", address, done.returncode, done.stderr)


def assert_full(out: Path, code: int, said: str) -> None:
    assert code == 1
    assert f"error: no room to write {out}/shards/general/" in said
    assert "It needs more than" in said and "name another folder with --out" in said
    assert "Traceback" not in said and said.count("error:") == 1


def test_a_file_that_grows_to_its_limit_is_named(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "pipelines" / "build_corpus.py")]
    command += arguments(photos, tmp_path / "out", 0)
    limit = (100_000, resource.RLIM_INFINITY)
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert_full(tmp_path / "out", done.returncode, done.stderr)
    assert not list((tmp_path / "out").rglob("*.tmp"))
    finished(photos, tmp_path / "out")


def test_a_full_disk_ends_the_build_at_once_and_is_named(photos: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        felt = feel(arguments(photos, disk / "out", 1))
        assert_full(disk / "out", felt.code, "\n".join(felt.said))
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        finished(photos, disk / "out")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
