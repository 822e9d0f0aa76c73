"""The names of files mean the same in every locale: same members, same units, same corpus."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines import build_corpus
from pipelines.sources import FolderSource, WebDatasetSource
from tests.pictures import jpeg, scene, tree

ROOT = Path(__file__).parents[2]
# Names that are UTF-8, no UTF-8 at all, and UTF-8 that sorts otherwise when read as ISO-8859-1.
NAMES = ("ä.jpg".encode(), b"b\xe9.jpg", "字/z.jpg".encode(), b"b\xe9 %/\xff.jpg", b"a.jpg")

# All in one process, which loads much.
ASK = """
import sys
from tests.pipelines.test_locales import found_in
from pipelines import build_corpus
from pipelines.report.console import Console
print(sys.getfilesystemencoding())
print(found_in(sys.argv[1]))
Console().say(chr(0x5b57))
sys.exit(build_corpus.main(sys.argv[2:]))
"""


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


@pytest.fixture(scope="module", params=["C", "de_DE.ISO-8859-1"])
def locale(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """An environment whose file names are not read as UTF-8."""
    env = os.environ | {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": request.param}
    if request.param != "C":
        localedef, folder = shutil.which("localedef"), tmp_path_factory.mktemp("locales")
        where = folder / request.param
        args = [str(localedef), "--no-archive", "-i", "de_DE", "-f", "ISO-8859-1", str(where)]
        if localedef is None or subprocess.run(args, capture_output=True).returncode:
            pytest.skip("localedef cannot make this locale here")
        env["LOCPATH"] = str(folder)
    return env


@dataclass(frozen=True)
class Seen:
    """What a process in another locale said, line by line, and the corpus that it built."""

    lines: list[str]
    built: dict[str, bytes]


@pytest.fixture(scope="module")
def seen(root: Path, locale: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    out = tmp_path_factory.mktemp("there") / "out"
    command = [sys.executable, "-c", ASK, str(root), *arguments(root, out)]
    done = subprocess.run(command, env=locale, capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return Seen(done.stdout.decode("utf-8", "replace").splitlines(), tree(out))


@pytest.fixture(autouse=True)
def _utf8_here() -> None:
    assert sys.getfilesystemencoding() == "utf-8", "what is found in this process is compared with"


def test_members_units_and_bytes_are_those_of_a_utf8_locale(root: Path, seen: Seen) -> None:
    encoding, found, *_ = seen.lines
    assert "utf" not in encoding
    assert found == found_in(str(root)) and "false" not in found


def test_a_name_that_the_terminal_cannot_show_ends_nothing(seen: Seen) -> None:
    assert "5b57" in seen.lines[2]


def arguments(root: Path, out: Path) -> list[str]:
    sources = "".join(
        f"{{name: {kind}, type: {kind}, uri: {root / name}}}, "
        for kind, name in (("folder", "in"), ("webdataset", "t.tar"))
    )
    argv = ["--sources", f"[{sources}]", "--engine.workers", "0", "--out", str(out)]
    return [*argv, "--score.text", "false", "--synth.samples", "{}", "--plan.min_clarity", "0"]


@pytest.fixture(scope="module")
def reference(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("utf8") / "out"
    assert build_corpus.main(arguments(root, out)) == 0
    return tree(out)


@pytest.mark.slow
def test_a_build_gives_the_same_bytes(seen: Seen, reference: dict[str, bytes]) -> None:
    assert seen.built == reference
