"""The names of files mean the same in every locale: same members, same units, same corpus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.pictures import jpeg, scene, tree

# Names that are UTF-8, no UTF-8 at all, and UTF-8 that sorts otherwise when read as ISO-8859-1.
NAMES = ("ä.jpg".encode(), b"b\xe9.jpg", "字/z.jpg".encode(), b"b\xe9 %/\xff.jpg", b"a.jpg")

LIST = """
import json, sys
from pipelines.sources import FolderSource, WebDatasetSource
found = []
for kind, uri in ((FolderSource, sys.argv[1] + "/in"), (WebDatasetSource, sys.argv[1] + "/t.tar")):
    source = kind(name="a", uri=uri)
    for unit in source.units():
        for item in source.read(unit):
            same = source.fetch(item.uri, item.offset, len(item.data)) == item.data
            found.append([unit.unit_id, unit.members, item.member, item.uri, len(item.data), same])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("names")
    for number, name in enumerate(NAMES):
        path = os.fsencode(root / "in") + b"/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(jpeg(scene(300, 280, number)))
    with tarfile.open(root / "t.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for name in NAMES:
            tar.add(os.fsencode(root / "in") + b"/" + name, os.fsdecode(name))
    return root


@pytest.fixture(params=["C", "de_DE.ISO-8859-1"])
def locale(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An environment whose file names are not read as UTF-8."""
    env = os.environ | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": request.param}
    if request.param != "C":
        localedef = shutil.which("localedef")
        where = tmp_path / request.param
        args = [str(localedef), "--no-archive", "-i", "de_DE", "-f", "ISO-8859-1", str(where)]
        if localedef is None or subprocess.run(args, capture_output=True).returncode:
            pytest.skip("localedef cannot make this locale here")
        env["LOCPATH"] = str(tmp_path)
    return env


def run(env: dict[str, str], *args: str) -> str:
    done = subprocess.run(
        [sys.executable, *args], env=env, capture_output=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "replace")


@pytest.fixture(scope="module")
def listed(root: Path) -> str:
    return run(os.environ | {"PYTHONUTF8": "1"}, "-c", LIST, str(root))


def test_members_units_and_bytes_are_those_of_a_utf8_locale(
    root: Path, locale: dict[str, str], listed: str
) -> None:
    assert "utf" not in run(locale, "-c", "import sys; print(sys.getfilesystemencoding())")
    found = run(locale, "-c", LIST, str(root))
    assert found == listed and "false" not in found


def test_a_name_that_the_terminal_cannot_show_ends_nothing(locale: dict[str, str]) -> None:
    say = "from pipelines.report.console import Console; Console().say(chr(0x5b57))"
    assert "5b57" in run(locale, "-c", say)


def build(root: Path, env: dict[str, str], out: Path) -> dict[str, bytes]:
    sources = "".join(
        f"{{name: {kind}, type: {kind}, uri: {root / name}}}, "
        for kind, name in (("folder", "in"), ("webdataset", "t.tar"))
    )
    argv = ["-m", "pipelines.build_corpus", "--sources", f"[{sources}]", "--engine.workers", "0"]
    argv += ["--score.text", "false", "--synth.samples", "{}", "--plan.min_clarity", "0"]
    run(env, *argv, "--out", str(out))
    return tree(out)


@pytest.fixture(scope="module")
def reference(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return build(root, os.environ | {"PYTHONUTF8": "1"}, tmp_path_factory.mktemp("utf8") / "out")


@pytest.mark.slow
def test_a_build_gives_the_same_bytes(
    root: Path, locale: dict[str, str], reference: dict[str, bytes], tmp_path: Path
) -> None:
    assert build(root, locale, tmp_path / "out") == reference
