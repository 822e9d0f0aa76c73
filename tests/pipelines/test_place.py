"""Where a corpus may be written: nobody's files are touched, and it never feeds on itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import build_corpus
from tests.pictures import jpeg, scene, write_tar
from vae_corpus import settings

FLAGS = ("--engine.workers", "0", "--score.text", "false", "--synth.samples", "{}")


def run(source: str, out: Path | str) -> int:
    argv = ["--sources", f"[{source}]", "--out", str(out), "--plan.min_clarity", "0", *FLAGS]
    return settings.run(build_corpus.main, argv)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "in" / "photos"
    folder.mkdir(parents=True)
    for n in range(3):
        (folder / f"{n}.jpg").write_bytes(jpeg(scene(300, 280, n), 95))
    return folder


def test_a_folder_that_is_no_corpus_is_left_alone(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    for name in ("plan/thesis/ch1.txt", "shards/general/256/mine.tar", "report/index.html"):
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_text("mine")
    source = f"{{name: a, type: folder, uri: {photos}}}"
    assert run(source, mine) == 2
    assert "holds plan, report, shards, and is no corpus" in capsys.readouterr().err
    assert sorted(p.read_text() for p in mine.rglob("*") if p.is_file()) == ["mine"] * 3


def test_a_corpus_keeps_what_others_put_beside_its_plans(photos: Path, tmp_path: Path) -> None:
    source, out = f"{{name: a, type: folder, uri: {photos}}}", tmp_path / "out"
    out.mkdir()
    (out / "corpus.yaml").write_text("its settings")
    assert run(source, out) == 0
    (out / "plan" / "notes").mkdir()
    (out / "plan" / "notes" / "a.txt").write_text("mine")
    assert run(source, out) == 0
    assert (out / "plan" / "notes" / "a.txt").read_text() == "mine"


@pytest.mark.parametrize("out", ["", "  "])
def test_no_place_is_a_wrong_setting(
    photos: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"{{name: a, type: folder, uri: {photos}}}", out) == 2
    assert "out: a corpus needs a place" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = f"{{name: a, type: folder, uri: {photos}}}"
    (tmp_path / "file").write_text("")
    assert run(source, tmp_path / "file") == 2
    assert f"{tmp_path}/file is a file" in capsys.readouterr().err
    assert run(source, "/proc/corpus") == 1
    assert "cannot write to /proc/corpus" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        ("{name: a, type: folder, uri: IN}", True),
        ("{name: a, type: webdataset, uri: IN}", True),
        ("{name: a, type: webdataset, uri: IN/*.tar}", False),
        ("{name: a, type: folder, uri: IN, exclude: [corpus/*]}", False),
        ("{name: a, type: folder, uri: IN, include: [photos/*]}", False),
        ("{name: a, type: folder, uri: IN/photos}", False),
    ],
)
def test_a_corpus_inside_a_source_is_refused(
    photos: Path, source: str, inside: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    root = photos.parent
    write_tar(root / "a.tar", {"a.jpg": jpeg(scene(300, 280, 9), 95)})
    (root / "link").symlink_to(root)
    for out in (root / "corpus", root / "link" / "corpus"):
        code = run(source.replace("IN", str(root)), out)
        said = capsys.readouterr().err
        if inside:
            assert code == 2 and "lies inside source a" in said and not (root / "corpus").exists()
        else:
            assert code == 0, said
