"""Labels of parts of a page: their lines say what is inside, and where its ink is."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from renderers.documents.labels import lines_in
from renderers.documents.page import PageImage
from tests.characters import set_in_lines, words_of, wrapped
from tests.pictures import encoded, scene
from tests.pipelines import pdfs
from tests.pipelines.builds import run
from tests.renderers.documents.test_pdf import drawn
from vae_corpus.characters import Characters
from vae_corpus.demo import DemoInputs

BLACK = (0, 0, 0)


def shown(
    said: Characters,
    size: tuple[int, int] = (300, 200),
    ink: tuple[int, int, int] = BLACK,
    ground: tuple[int, int, int] = (255, 255, 255),
) -> PageImage:
    """A page on which every character is a bar in its box."""
    width, height = size
    rgb = np.full((height, width, 3), ground, np.uint8)
    for x0, y0, x1, y1 in said.boxes[said.inked].tolist():
        rgb[max(0, round(y0)) : round(y1), max(0, round(x0)) : round(x1)] = ink
    return PageImage(rgb=rgb, characters=said)


def lines(page: PageImage, part: tuple[int, int, int, int] | None = None) -> list[dict[str, Any]]:
    height, width = page.rgb.shape[:2]
    return lines_in(page, *(part or (0, 0, width, height)))


def texts(page: PageImage, part: tuple[int, int, int, int] | None = None) -> list[str]:
    return [line["text"] for line in lines(page, part)]


LINES = ["First words here", "and the second line"]


def test_a_whole_page_says_all_its_lines() -> None:
    page = shown(set_in_lines(LINES, em_px=12))
    assert texts(page) == LINES
    for line in lines(page):
        assert len(line["boxes"]) == len(line["text"])
        for letter, (x0, y0, x1, y1) in zip(line["text"], line["boxes"], strict=True):
            assert (x0 < x1 and y0 < y1) == bool(letter.strip())
            assert 0 <= x0 <= x1 <= 300 and 0 <= y0 <= y1 <= 200


def test_a_space_has_an_empty_box_at_the_corner_of_the_box_before_it() -> None:
    (line,) = lines(shown(set_in_lines(["ab  c"], em_px=12)))
    _, b, *gaps, _ = line["boxes"]
    assert line["text"] == "ab  c" and gaps == [[b[2], b[3], b[2], b[3]]] * 2


def test_boxes_lie_around_the_ink_of_the_part() -> None:
    page = drawn(pdfs.page(pdfs.text(["The quick brown fox", "jumps over"])), glyph_px=20)
    x, y, width, height = part = (60, 40, 200, 100)
    ink = page.rgb[y : y + height, x : x + width].min(axis=2) < 128
    found = lines(page, part)
    assert found
    for line in found:
        x0, y0, x1, y1 = line["box"]
        inked = [box for box in line["boxes"] if box[0] < box[2]]
        assert [x0, y0] == np.min(inked, axis=0)[:2].tolist()
        assert [x1, y1] == np.max(inked, axis=0)[2:].tolist()
        assert line["quad"] == [x0, y0, x1, y0, x1, y1, x0, y1]
        for left, top, right, bottom in inked:
            assert 0 <= left < right <= width and 0 <= top < bottom <= height
            assert ink[top:bottom, left:right].any()


def test_letters_of_which_half_shows_are_said() -> None:
    # Letters of 10 px, from 20 px on.
    page = shown(set_in_lines(["abcdefgh"], em_px=20))
    assert texts(page, (20, 0, 80, 200)) == ["abcdefgh"]
    assert texts(page, (26, 0, 58, 200)) == ["bcdef"]
    assert texts(page, (24, 0, 62, 200)) == ["abcdefg"]
    (line,) = lines(page, (24, 0, 62, 200))
    assert line["boxes"][0][0] == 0 and line["boxes"][-1][2] == 62, "boxes end at the edge"
    # The line is from 20 to 40 px.
    assert texts(page, (0, 29, 200, 100)) == ["abcdefgh"]
    assert texts(page, (0, 31, 200, 100)) == []


def test_of_a_corner_the_share_of_both_sides_counts() -> None:
    page = shown(set_in_lines(["a"], em_px=20))
    assert texts(page, (23, 24, 100, 100)) == ["a"]
    assert texts(page, (23, 28, 100, 100)) == []


def test_spaces_at_the_cut_end_of_a_line_are_left_out() -> None:
    page = shown(set_in_lines(["ab cd ef"], em_px=20))
    assert texts(page, (40, 0, 35, 200)) == ["cd"]


@pytest.mark.parametrize("seed", range(5))
def test_side_by_side_parts_say_every_letter_once(seed: int) -> None:
    said = set_in_lines(wrapped(words_of(60, seed), 35), em_px=8.0, left=11, top=13, pitch=1.7)
    page = shown(said, (256, 256))
    letters = ""
    for y in range(0, 256, 32):
        for x in range(0, 256, 32):
            letters += "".join(texts(page, (x, y, 32, 32)))
    # A letter of which each part shows less than half, at a corner, would be in none.
    whole = sorted("".join(texts(page)).replace(" ", ""))
    halves = sorted(letters.replace(" ", ""))
    assert abs(len(halves) - len(whole)) <= 12


def test_a_part_without_text_has_no_lines() -> None:
    page = shown(set_in_lines(LINES))
    assert lines(page, (0, 150, 100, 50)) == []
    assert lines(shown(Characters.none())) == []
    assert lines(shown(set_in_lines(["   "]))) == []


def test_lines_come_in_the_order_of_reading() -> None:
    left, right = set_in_lines(["one", "two"]), set_in_lines(["three", "four"], left=150)
    both = replace(
        left,
        text=left.text + right.text,
        boxes=np.concatenate([left.boxes, right.boxes]),
        em_px=np.concatenate([left.em_px, right.em_px]),
        line=np.concatenate([left.line, right.line + 2]),
        font=np.concatenate([left.font, right.font]),
    )
    assert texts(shown(both)) == ["one", "two", "three", "four"]


def test_line_breaks_are_no_letters_and_tabs_are_spaces() -> None:
    said = set_in_lines(["one\ttwo\r\n", "three"])
    assert texts(shown(said)) == ["one two", "three"]


@pytest.mark.parametrize(
    ("ink", "ground", "contrast"),
    [
        (BLACK, (255, 255, 255), 21.0),
        ((255, 255, 255), BLACK, 21.0),
        ((255, 0, 0), (255, 255, 255), 3.998),
        ((119, 119, 119), (255, 255, 255), 4.478),
    ],
)
def test_ink_and_contrast_are_those_of_the_pixels(
    ink: tuple[int, int, int], ground: tuple[int, int, int], contrast: float
) -> None:
    # Letters with gaps: the ground is most of the line.
    page = shown(set_in_lines(["a   b   c   d"]), ink=ink, ground=ground)
    (line,) = lines(page)
    assert line["colour"] == list(ink) and line["contrast"] == pytest.approx(contrast, abs=0.01)


def test_black_print_on_white_has_the_full_contrast() -> None:
    for line in lines(drawn(pdfs.page(pdfs.text(LINES)), glyph_px=16)):
        assert line["contrast"] > 15 and max(line["colour"]) < 50
        assert line["font"] == "Helvetica"
        assert line["size_px"] == line["em_px"] == pytest.approx(16, abs=0.05)


@pytest.mark.parametrize("em_px", [8, 30])
def test_the_height_of_an_x_is_measured(em_px: float) -> None:
    data = pdfs.page(pdfs.text(["axe noses"]), size=(800, 600))
    (line,) = lines(drawn(data, glyph_px=em_px))
    # Of Helvetica it is .52 em, and round letters are a little taller.
    assert line["x_height_px"] == pytest.approx(0.54 * em_px, rel=0.06)


def test_without_such_letters_it_is_estimated_and_of_han_the_height_of_one() -> None:
    (capitals,) = lines(shown(set_in_lines(["ABC 123"], em_px=20)))
    (han,) = lines(shown(set_in_lines(["汉字和 x"], em_px=20)))
    assert (capitals["x_height_px"], han["x_height_px"]) == (10, 20)


@pytest.fixture(scope="module")
def corpus(demo: DemoInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of PDF documents, a scan without known text, and synthetic text."""
    folder = tmp_path_factory.mktemp("labels")
    inputs, scans, photos = (folder / name for name in ("in", "scans", "photos"))
    for place in (inputs, scans, photos):
        place.mkdir()
    for n in range(3):
        (photos / f"{n}.png").write_bytes(encoded(scene(300, 280, n), "png"))
        said = [line.strip() for line in wrapped(words_of(90, n), 60)]
        data = pdfs.page(pdfs.text(said, size=10, top=280), size=(420, 300))
        (inputs / f"{n}.pdf").write_bytes(data)
        scan = drawn(pdfs.page(pdfs.text(words_of(12, 50 + n), size=10, top=280)), 14).rgb
        (scans / f"{n}.png").write_bytes(encoded(scan, "png"))
    config = {
        "sources": [
            {"name": "pdf", "type": "documents", "uri": str(inputs)},
            {"name": "scan", "type": "folder", "uri": str(scans), "content": "document"},
            {"name": "photo", "type": "folder", "uri": str(photos)},
        ],
        "plan": {"min_clarity": 0, "min_clarity_text": 0, "rung_weights": {256: 1.0}},
        "pack": {"shard_samples": 4},
        "synth": {
            "samples": {256: 4},
            "texts": {name: [str(paths[0])] for name, paths in demo.texts.items()},
            "fonts": [str(p) for p in demo.fonts if "microhei" in str(p) or "dejavu" in str(p)],
        },
        "engine": {"workers": 0},
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    assert run(folder / "c.yaml", folder / "corpus") == 0
    return folder / "corpus"


def labels(corpus: Path, kind: str) -> list[dict[str, Any]]:
    import webdataset

    tars = sorted(map(str, (corpus / "shards" / kind).glob("*/*.tar")))
    data = webdataset.WebDataset(tars, shardshuffle=False)
    return [label for (label,) in data.decode().to_tuple("json")]


reading = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@reading
def test_lines_have_the_members_of_synthetic_ones(corpus: Path) -> None:
    (synthetic, *_), drawn_ones = labels(corpus, "text_synth"), labels(corpus, "document")
    told = [label for label in drawn_ones if "lines" in label]
    assert told and len(told) < len(drawn_ones), "scans have no lines"
    for line in (line for label in told for line in label["lines"]):
        wanted = synthetic["lines"][0]
        assert line.keys() == wanted.keys()
        for name, value in wanted.items():
            assert isinstance(line[name], (int, float) if name == "size_px" else type(value))


@reading
def test_lines_of_packed_tiles_are_what_the_document_says(corpus: Path) -> None:
    said = {n: set(words_of(90, n)) for n in range(3)}
    for label in labels(corpus, "document"):
        if "lines" not in label:
            continue
        words = " ".join(line["text"] for line in label["lines"]).split()
        assert len(words) > 10 and label["language"] == "en"
        known = said[int(label["member"][0])]
        # Words at the edges are cut.
        assert sum(word in known for word in words) > 0.6 * len(words)


@reading
def test_readers_of_tables_load_every_shard(corpus: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

    datasets.disable_progress_bars()
    tars = sorted((corpus / "shards" / "document").glob("*/*.tar"))
    assert len({"-lines-" in tar.name for tar in tars}) == 2, "labelled ones are apart"
    for tar in tars:
        loaded = datasets.load_dataset(
            "webdataset", data_files=[str(tar)], split="train", cache_dir=str(tmp_path)
        )
        rows = pq.read_table(tar.with_suffix(".parquet")).to_pylist()
        assert loaded["__key__"][:] == [row["key"] for row in rows]
        for sample in loaded:
            told = sample["json"].get("lines")
            assert bool(told) == ("-lines-" in tar.name)
