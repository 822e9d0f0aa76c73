"""A user who can read the code, and write neither it nor a home folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from filters.scores import Scores
from filters.settings import ScoreSettings
from tests.pictures import jpeg, scene
from tests.ray_cluster import ROOT, environment
from tests.test_imports import PACKAGES

pytestmark = pytest.mark.slow

_NOBODY = 65534


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """`tree`, our code for reading alone, and `tmp`, a folder for temporary files of anybody."""
    # Ray's sockets want a short path.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        root = Path(name)
        root.chmod(0o755)
        for package in PACKAGES:
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, root / "tree" / package, ignore=leave)
        for folder in [*(root / "tree").rglob("*/"), root / "tree"]:
            folder.chmod(0o555)
        (root / "tmp").mkdir()
        (root / "tmp").chmod(0o1777)
        yield root
        for folder in [root / "tree", *(root / "tree").rglob("*/")]:
            folder.chmod(0o755)


def call(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with `command` in the tree, as another user where we may become one."""
    become: list[str] = []
    if os.getuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root writes anywhere, and there is no setpriv to become somebody else")
        # The interpreter may lie in root's home: reading is allowed everywhere, writing is not.
        may = "-all,+dac_read_search"
        become = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
        become += [f"--inh-caps={may}", f"--ambient-caps={may}", f"--bounding-set={may}"]
    env = environment(TMPDIR=str(place / "tmp"))
    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "PYTHONPATH"):
        env.pop(name, None)
    return subprocess.run(
        [*become, sys.executable, *command],
        cwd=place / "tree",
        env=env | ({} if become else {"HOME": "/nonexistent"}),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize(
    "command",
    [
        ("pipelines/build_corpus.py",),
        ("renderers/synth_text.py",),
        ("fonts/catalog.py",),
        ("vae_training/train.py",),
        ("-m", "filters.clarity"),
        ("-m", "filters.text_density"),
    ],
    ids=lambda command: command[-1],
)
def test_help_needs_no_place_to_write(place: Path, command: tuple[str, ...]) -> None:
    done = call(place, *command, "--help")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "usage:" in done.stdout


def lay_compiled(place: Path, cache: Path) -> set[Path]:
    """What is compiled of this checkout, laid where the other user keeps it: he has the same files.

    All but for the loops of `filters` itself: they are his to compile, the others would take half a
    minute.
    """
    Scores(ScoreSettings(text=False)).ready()
    laid = set()
    for compiled in ROOT.glob("*/**/__pycache__/*.nb[ic]"):
        folder = compiled.parents[1]
        theirs = place / "tree" / folder.relative_to(ROOT)
        # As numba names the folder of a source folder.
        there = cache / f"{folder.name}_{hashlib.sha1(str(theirs).encode()).hexdigest()}"
        if there.is_dir() and folder != ROOT / "filters":
            laid.add(Path(shutil.copy(compiled, there)))
            shutil.chown(there / compiled.name, cache.stat().st_uid)
    return laid


def test_workers_compile_into_a_folder_of_their_user_alone(place: Path) -> None:
    # Whoever loads what is to be compiled makes the folder.
    assert call(place, "-c", "import pipelines.build_corpus").returncode == 0
    (cache,) = (place / "tmp").glob("vae-corpus-numba-*")
    laid = lay_compiled(place, cache)
    assert not [path for path in cache.rglob("*.nbi") if path not in laid]
    photos, out = place / "tmp" / "photos", place / "tmp" / "corpus"
    photos.mkdir()
    for n in range(2):
        (photos / f"{n}.jpg").write_bytes(jpeg(scene(300, 280, n), 95))
    for folder in (photos, *photos.iterdir()):
        folder.chmod(0o755)
    done = call(
        place,
        *("pipelines/build_corpus.py", "--engine.workers", "1", "--score.text", "false"),
        *("--synth.samples", "{}", "--plan.min_clarity", "0", "--out", str(out)),
        *("--sources", f"[{{name: p, type: folder, uri: {photos}}}]"),
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (out / "curriculum.json").exists()
    assert list((place / "tmp").glob("vae-corpus-numba-*")) == [cache]
    assert cache.stat().st_mode & 0o777 == 0o700
    assert set(cache.rglob("*.nbi")) - laid
    assert not list((place / "tree").rglob("*.nbi"))
