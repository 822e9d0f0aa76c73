"""The names of files mean the same in every locale: same members, same units, same corpus."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from pipelines.sources import FolderSource, WebDatasetSource
from tests.pictures import jpeg, scene, tree

ROOT = Path(__file__).parents[2]
# Names that are UTF-8, no UTF-8 at all, and UTF-8 that sorts otherwise when read as ISO-8859-1.
NAMES = ("ä.jpg".encode(), b"b\xe9.jpg", "字/z.jpg".encode(), b"b\xe9 %/\xff.jpg", b"a.jpg")

LIST = "import sys; from tests.pipelines.test_locales import found_in; print(found_in(sys.argv[1]))"


def found_in(root: str) -> str:
    """What sources find there, as JSON."""
    found = []
    for kind, uri in ((FolderSource, f"{root}/in"), (WebDatasetSource, f"{root}/t.tar")):
        source = kind(name="a", uri=uri)
        for unit in source.units():
            for item in source.read(unit):
                same = source.fetch(item.uri, item.offset, len(item.data)) == item.data
                item_found = [item.member, item.uri, len(item.data), same]
                found.append([unit.unit_id, unit.members, *item_found])
    return json.dumps(found)


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
    done = subprocess.run([sys.executable, *args], env=env, capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "replace")


@pytest.fixture(autouse=True)
def _utf8_here() -> None:
    assert sys.getfilesystemencoding() == "utf-8", "what is found in this process is compared with"


def test_members_units_and_bytes_are_those_of_a_utf8_locale(
    root: Path, locale: dict[str, str]
) -> None:
    assert "utf" not in run(locale, "-c", "import sys; print(sys.getfilesystemencoding())")
    found = run(locale, "-c", LIST, str(root))
    assert found == found_in(str(root)) + "\n" and "false" not in found


def test_a_name_that_the_terminal_cannot_show_ends_nothing(locale: dict[str, str]) -> None:
    say = "from pipelines.report.console import Console; Console().say(chr(0x5b57))"
    assert "5b57" in run(locale, "-c", say)


def arguments(root: Path, out: Path) -> list[str]:
    sources = "".join(
        f"{{name: {kind}, type: {kind}, uri: {root / name}}}, "
        for kind, name in (("folder", "in"), ("webdataset", "t.tar"))
    )
    argv = ["--sources", f"[{sources}]", "--engine.workers", "0", "--out", str(out)]
    return [*argv, "--score.text", "false", "--synth.samples", "{}", "--plan.min_clarity", "0"]


@pytest.fixture(scope="module")
def reference(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    # Not above: the processes that list would load it for nothing.
    from pipelines import build_corpus

    out = tmp_path_factory.mktemp("utf8") / "out"
    assert build_corpus.main(arguments(root, out)) == 0
    return tree(out)


@pytest.mark.slow
def test_a_build_gives_the_same_bytes(
    root: Path, locale: dict[str, str], reference: dict[str, bytes], tmp_path: Path
) -> None:
    run(locale, "-m", "pipelines.build_corpus", *arguments(root, tmp_path / "out"))
    assert tree(tmp_path / "out") == reference
