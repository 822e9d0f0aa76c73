"""`python -m renderers.documents`: pages and tiles, the same bytes again, and words for people."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import cv2
import pytest
from PIL import Image

from renderers.documents.__main__ import main
from tests.characters import words_of, wrapped
from tests.forked import children_are_forked
from tests.pictures import tree
from tests.pipelines import pdfs
from vae_corpus import settings
from vae_corpus.demo import DemoInputs

SIZE = (560, 700)

pytestmark = pytest.mark.usefixtures("forked_children")


def paper(seed: int) -> bytes:
    lines = [line.strip() for line in wrapped(words_of(300, seed), 75)]
    return pdfs.page(pdfs.text(lines, size=11, top=670), size=SIZE)


def write_papers(folder: Path) -> Path:
    (folder / "more").mkdir(parents=True)
    for n in range(3):
        (folder / f"paper {n}.v1.pdf").write_bytes(paper(n))
    (folder / "more" / "paper.pdf").write_bytes(paper(7))
    (folder / "notes.txt").write_text("no document")
    return folder


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    return write_papers(tmp_path / "papers")


BROKEN = {
    "broken.pdf": b"%PDF-1.4 and then nothing",
    "empty.pdf": b"",
    "broken.epub": b"no archive",
    "strange.docx": b"no archive",
}
TILED = ("--tile", "128", "--format", "webp", "--preview")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of these papers, with a preview."""
    return drawn_with(tmp_path_factory.mktemp("drawn"), "--preview")


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles of them, among broken documents."""
    return drawn_with(tmp_path_factory.mktemp("tiled"), *TILED, broken=True)


def drawn_with(root: Path, *flags: str, broken: bool = False) -> Path:
    papers = write_papers(root / "papers")
    for name, data in BROKEN.items() if broken else ():
        (papers / name).write_bytes(data)
    with children_are_forked():
        assert run(papers, "--out", root / "out", *flags) == 0
    return root / "out"


def labels(out: Path) -> dict[str, dict[str, Any]]:
    return {
        path.stem: json.loads(path.read_text())
        for path in sorted(out.glob("*.json"))
        if path.name != "left_out.json"
    }


def left_out(out: Path) -> dict[str, str]:
    listed = json.loads((out / "left_out.json").read_text())
    assert all(one["why"] for one in listed)
    return {one["name"]: one["slug"] for one in listed}


def run(*words: object) -> int:
    return settings.run(main, [str(word) for word in words])


def test_pages_have_a_picture_and_a_label_each(drawn: Path) -> None:
    found = labels(drawn)
    assert len(found) == 4 and left_out(drawn) == {}
    for name, label in found.items():
        with Image.open(drawn / f"{name}.png") as picture:
            width, height = picture.size
        assert label["tile"] == [0, 0, width, height]
        assert label["language"] == "en" and label["doubt"] is None
        assert height / width == pytest.approx(SIZE[1] / SIZE[0], rel=0.02)
        words = " ".join(line["text"] for line in label["lines"]).split()
        assert words in [words_of(300, seed) for seed in (0, 1, 2, 7)]
        assert label["page"]["renderer"].startswith("pdfium")


def assert_median(out: Path, low: float, high: float) -> None:
    for label in labels(out).values():
        sizes = sorted(line["em_px"] for line in label["lines"] for _ in line["text"])
        assert low - 0.05 <= sizes[len(sizes) // 2] <= high + 0.05


def test_names_are_unique_and_have_no_dots(papers: Path, tmp_path: Path) -> None:
    # All of these would be a_b.
    for name in ("a b.pdf", "a.b.pdf", "a,b.pdf", "..a...b.pdf"):
        (papers / name).write_bytes(paper(3))
    out = tmp_path / "out"
    again = (papers / "a b.pdf", papers / "more" / "paper.pdf")
    assert run(papers, *again, "--glyph_px", "10-10", "--out", out) == 0
    names = [path.stem for path in out.glob("*.png")]
    # Eight in the folder, and two that are named again.
    assert len(names) == 10
    assert not any("." in name or " " in name or "/" in name for name in names)
    assert_median(out, 10, 10)


def test_the_median_letter_has_a_size_of_the_range(papers: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(papers, "--glyph_px", "20.5-24", "--out", out) == 0
    assert_median(out, 20.5, 24)


def test_tiles_are_parts_of_pages(tiled: Path, drawn: Path) -> None:
    found = labels(tiled)
    assert len(found) > 20
    for name, label in found.items():
        page, _, _ = name.rpartition("-x")
        x, y, width, height = label["tile"]
        assert (width, height) == (128, 128) and name == f"{page}-x{x}y{y}"
        whole, tile = drawn / f"{page}.png", tiled / f"{name}.webp"
        picture, part = (cv2.imread(str(path)) for path in (whole, tile))
        assert picture is not None and part is not None
        assert (picture[y : y + 128, x : x + 128] == part).all()
        # Of 20 characters in 256 x 256 px.
        assert sum(len(line["text"]) for line in label["lines"]) >= 5
        for line in label["lines"]:
            for x0, y0, x1, y1 in line["boxes"]:
                assert 0 <= x0 <= x1 <= 128 and 0 <= y0 <= y1 <= 128


def test_documents_that_give_no_tile_are_told(tmp_path: Path) -> None:
    small = pdfs.page(pdfs.text(["a line"]), size=(300, 400))
    pages = {"small": small, "blank": pdfs.page(pdfs.text(["a"]), size=SIZE)}
    for name, data in (pages | {"broken": BROKEN["broken.pdf"]}).items():
        (tmp_path / f"{name}.pdf").write_bytes(data)
    out = tmp_path / "out"
    # With nothing drawn its exit code is an error's.
    assert run(tmp_path, "--out", out, "--glyph_px", "12-12", "--tile", 512) == 1
    assert labels(out) == {}
    assert left_out(out) == {
        "small_pdf-p0001": "too_small",
        "blank_pdf-p0001": "no_text",
        "broken_pdf": "broken_document",
    }


def test_the_same_bytes_wherever_documents_lie_with_any_number_of_workers(
    tiled: Path, tmp_path: Path
) -> None:
    again = drawn_with(tmp_path / "elsewhere", *TILED, "--workers", "2", broken=True)
    assert tree(again) == tree(tiled) and len(tree(tiled)) > 40


def test_another_seed_gives_others(papers: Path, drawn: Path, tmp_path: Path) -> None:
    assert run(papers, "--out", tmp_path / "other", "--preview", "--seed", 1) == 0
    assert tree(tmp_path / "other") != tree(drawn)


def test_typeset_documents_are_the_same_with_any_number_of_workers(
    demo: DemoInputs, tmp_path: Path
) -> None:
    flags = ["--typeset", "2", "--lang", "en", "--max_pages", "1", "--texts", demo.texts["en"][0]]
    made = []
    for workers in (1, 2):
        out = tmp_path / f"{workers}"
        assert run(*flags, "--workers", workers, "--out", out) == 0
        made.append(tree(out))
    assert made[0] == made[1] and len(labels(tmp_path / "1")) == 2
    assert all(label["language"] == "en" for label in labels(tmp_path / "1").values())


def test_what_gives_no_page_is_listed_with_a_reason(
    papers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in BROKEN.items():
        (papers / name).write_bytes(data)
    out = tmp_path / "out"
    assert run(papers, "--out", out) == 0
    found = left_out(out)
    assert set(found) == {"broken_pdf", "empty_pdf", "broken_epub", "strange_docx"}
    assert found["broken_pdf"] == "broken_document" and found["empty_pdf"] == "empty"
    assert len(labels(out)) == 4
    said = capsys.readouterr().out
    assert "left out, empty: 1" in said and "4 pages of 8 documents" in said


def test_a_tar_holds_all_and_is_whole(papers: Path, tmp_path: Path) -> None:
    (papers / "broken.pdf").write_bytes(BROKEN["broken.pdf"])
    out = tmp_path / "out.tar"
    assert run(papers, "--out", out, "--preview") == 0
    with tarfile.open(out) as tar:
        names = tar.getnames()
        first = json.loads(tar.extractfile(names[1]).read())  # type: ignore[union-attr]
    assert len(names) == 8 and first["lines"]
    # A sample of WebDataset: its files stand together and share all before the first dot.
    assert [a.split(".")[0] for a in names[::2]] == [b.split(".")[0] for b in names[1::2]]
    assert (tmp_path / "out.preview.png").stat().st_size > 1000


def test_a_preview_is_drawn_beside_pages(drawn: Path) -> None:
    assert (drawn / "preview.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to draw"),
        (["nowhere.pdf"], "no such file or folder: nowhere.pdf"),
        (["papers/notes.txt"], "notes.txt is not read: .pdf"),
        (["nothing"], "no documents in nothing"),
        (["papers", "--fonts", "nofonts"], "nofonts, named by --fonts"),
        (["--typeset", "1", "--texts", "no.txt"], "no.txt, named by --texts"),
        (["--typeset", "1", "--pictures", "nophotos"], "nophotos, named by --pictures"),
    ],
)
def test_what_is_missing_is_told_in_words(
    papers: Path,
    tmp_path: Path,
    words: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing").mkdir()
    assert run(*words, "--out", "out") == 1
    told = capsys.readouterr()
    assert said in told.err and "Traceback" not in told.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--glyph_px", "24-6", "LOW-HIGH"),
        ("--glyph_px", "12", "LOW-HIGH"),
        ("--tile", "32", "64"),
        ("--kinds", "novel", "novel"),
        ("--kinds", "en", "there are"),
        ("--workers", "0", "workers"),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, flag: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--out", tmp_path / "out", flag, value) == 2
    told = capsys.readouterr().err
    assert said in told and flag.strip("-") in told


def test_help_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "--glyph_px" in said and "python -m renderers.documents papers/" in said
