"""The errands of docs/extending.md, done in a copy of the tree as they stand there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipelines import build_corpus
from tests.pictures import encoded, jpeg, scene

ROOT = Path(__file__).parents[1]
PACKAGES = ("vae_corpus", "filters", "fonts", "renderers", "pipelines", "vae_training")
SMALL = (
    *("--score.text", "false", "--synth.samples", "{}", "--plan.min_clarity", "0"),
    *("--plan.rung_weights", "{256: 1}", "--engine.workers", "0"),
)


def blocks(heading: str) -> list[list[str]]:
    """Lines of the code blocks below the heading that begins so."""
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    (section,) = [part for part in text.split("\n## ") if part.startswith(heading)]
    return [found.splitlines() for found in re.findall(r"```\w+\n(.*?)\n```", section, re.S)]


def run_errand(heading: str, tree: Path) -> set[str]:
    """Do what the blocks say, in `tree`; the paths that were touched."""
    touched = set()
    for mark, *lines in blocks(heading):
        kind, path = mark.rsplit(maxsplit=1)
        touched.add(path)
        file = tree / path
        if kind == "# file:":
            assert not file.exists(), f"{path} is there already"
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")
            continue
        before, after = (
            "\n".join(line[1:] for line in lines if line[0] in f" {sign}") for sign in "-+"
        )
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{path} does not hold this once:\n{before}"
        file.write_text(text.replace(before, after), encoding="utf-8")
    return touched


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in PACKAGES:
        # With the compiled loops of numba, which count for files of the same size and time.
        shutil.copytree(ROOT / package, tmp_path / "tree" / package)
    return tmp_path / "tree"


_RUN = """
import json, runpy, sys
for sys.argv in json.loads(sys.argv[1]):
    module = sys.argv[0].removeprefix("-m ")
    run = runpy.run_path if module == sys.argv[0] else runpy.run_module
    try:
        run(module, run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise
"""


def call(tree: Path, *commands: Sequence[str]) -> str:
    """Run scripts of the copy, all in one process, which loads much; what they print.

    A module is `-m NAME`.
    """
    env = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, json.dumps(commands)],
        cwd=tree,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def building(out: Path, source: str, *flags: str) -> list[str]:
    """The command that builds a corpus of one source."""
    given = ("--sources", f"[{source}]", "--out", str(out), *SMALL, *flags)
    return ["pipelines/build_corpus.py", *given]


def images_of(out: Path) -> dict[str, dict[str, int]]:
    """Where the images of a corpus went."""
    facts = json.loads((out / "corpus.json").read_text(encoding="utf-8"))
    images: dict[str, dict[str, int]] = facts["images"]
    return images


def shards(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((out / "shards").rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_a_score_takes_two_files_and_repacks_nothing(tree: Path, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "corpus"
    photos.mkdir()
    for n in range(3):
        rgb = scene(400, 300, n)
        (photos / f"{n}.jpg").write_bytes(jpeg(rgb))
        grey = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
        (photos / f"grey{n}.jpg").write_bytes(jpeg(np.ascontiguousarray(grey[::-1])))
    source = f"{{name: photos, type: folder, uri: {photos}}}"
    # Before it the copy is what is tested here.
    assert build_corpus.main(building(out, source)[1:]) == 0
    before = shards(out)
    made = {path: (out / path).stat().st_mtime_ns for path in before}
    fewer = Path(shutil.copytree(out, tmp_path / "fewer"))
    assert run_errand("A score", tree) == {"filters/colourfulness.py", "filters/scores.py"}
    shutil.copytree(ROOT / "tests", tree / "tests")
    told = call(
        tree,
        building(out, source),
        building(fewer, source, "--plan.min_colourfulness", "5"),
        ["pipelines/explain.py", str(fewer), "grey"],
        # No version has to be raised for it.
        ["-m pytest", "-q", "-c", os.devnull, "tests/pipelines/test_versions.py"],
        ["pipelines/build_corpus.py", "--help"],
    )
    assert images_of(out)["selected"] == {"general": 6}
    assert shards(out) == before
    assert {path: (out / path).stat().st_mtime_ns for path in before} == made
    assert "Colourfulness" in (out / "report" / "index.html").read_text(encoding="utf-8")
    images = images_of(fewer)
    assert images["selected"] == {"general": 3} and images["dropped"] == {"grey": 3}
    assert "plan.min_colourfulness 5" in told and "--plan.min_colourfulness" in told


@pytest.mark.slow
def test_a_source_takes_two_files(tree: Path, tmp_path: Path) -> None:
    zips = tmp_path / "zips"
    zips.mkdir()
    with zipfile.ZipFile(zips / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(4):
            archive.writestr(f"in/{n}.png", encoded(scene(400, 300, n), "png"))
    (zips / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    source = f"{{name: zips, type: zip, uri: {zips}}}"
    touched = run_errand("A source", tree)
    assert touched == {"pipelines/sources/zip_files.py", "pipelines/sources/__init__.py"}
    report = tmp_path / "estimate.json"
    estimate = ["--sources", f"[{source}]", *SMALL, "--estimate", "--estimate.report", str(report)]
    call(tree, building(tmp_path / "corpus", source), ["pipelines/build_corpus.py", *estimate])
    images = images_of(tmp_path / "corpus")
    assert images["selected"] == {"general": 4} and images["rejected"] == {"unreadable": 1}
    (tar, *_) = (tmp_path / "corpus" / "shards").rglob("*.tar")
    assert (tmp_path / "corpus" / "shards") in tar.parents
    assert json.loads(report.read_text(encoding="utf-8"))["images"]["value"] == 5


@pytest.mark.slow
def test_a_layout_takes_one_file(tree: Path, tmp_path: Path) -> None:
    assert run_errand("A layout", tree) == {"renderers/layout/subtitle.py"}
    out = tmp_path / "out"
    argv = ("--lang", "en", "--layout", "subtitle", "--canvas", "512", "--count", "3")
    call(tree, ["renderers/synth_text.py", *argv, "--out", str(out)])
    labels = [json.loads(path.read_bytes()) for path in sorted(out.glob("*.json"))]
    assert len(labels) == 3
    for label in labels:
        assert label["layout"] == "subtitle" and 1 <= len(label["lines"]) <= 3
        assert all(line["box"][1] > 256 for line in label["lines"])


@pytest.mark.slow
def test_an_autoencoder_takes_one_file(tree: Path) -> None:
    assert run_errand("An autoencoder", tree) == {"vae_training/model/configs.py"}
    assert "f64c384" in call(tree, ["vae_training/model/__main__.py", "f64c384"])
    assert "f64c384" in call(tree, ["vae_training/train.py", "--help"])
