"""The command as its user meets it: its first line, signals, full disks, a wrong address.

All of it on real processes.
"""

from __future__ import annotations

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
from tests.ray_cluster import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stops") / "photos"
    make_folder(folder, 40, 1000, 800)
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
    felt = feel(arguments(photos, photos.parent / "whole", 0))
    assert felt.code == 0, felt.said
    assert felt.first_line_s < 2
    return photos.parent / "whole"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stopped_build_says_one_sentence_and_goes_on_to_the_same_bytes(
    photos: Path, whole: Path, tmp_path: Path, workers: int
) -> None:
    marker = f"{os.getpid()}-{workers}"
    command = arguments(photos, tmp_path / "out", workers)
    for number, (signum, after) in enumerate(
        ((signal.SIGTERM, "score: "), (signal.SIGINT, "pack: "), (signal.SIGINT, "loading "))
    ):
        mark = f"{marker}-{number}"
        felt = feel(command, stop=signum, stop_after=after, stop_wait_s=0.3, VAE_CORPUS_TEST=mark)
        assert_stopped(felt, 128 + signum)
        deadline = time.monotonic() + 5
        while (left := mine(mark)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not left
    assert feel(command).code == 0
    assert tree(tmp_path / "out") == tree(whole)


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


@pytest.mark.parametrize("listening", [False, True])
def test_a_wrong_address_of_ray_ends_within_a_minute(
    photos: Path, tmp_path: Path, listening: bool
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{other.getsockname()[1]}"
        if listening:
            other.listen(50)
        # Ray's own patience is 30 s: the rest of the minute is ours.
        patience = {"RAY_py_gcs_connect_timeout_s": "2"}
        felt = feel(arguments(photos, tmp_path / "out", 2), RAY_ADDRESS=address, **patience)
    said = "\n".join(felt.said)
    assert felt.code == 1 and felt.seconds < 60 - 28
    assert f"error: no Ray cluster at RAY_ADDRESS={address}: " in said and "Traceback" not in said
    assert not (tmp_path / "out" / ".building.json").exists()


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
    assert feel(arguments(photos, tmp_path / "out", 0)).code == 0


def test_a_full_disk_ends_the_build_at_once_and_is_named(photos: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        felt = feel(arguments(photos, disk / "out", 2))
        assert_full(disk / "out", felt.code, "\n".join(felt.said))
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        assert feel(arguments(photos, disk / "out", 0)).code == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)
