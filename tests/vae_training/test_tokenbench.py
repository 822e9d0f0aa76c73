from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests import tiny_font
from tests.pipelines import pdfs
from tests.vae_training import tokenbench_inputs as inputs
from vae_training.tokenbench.__main__ import main
from vae_training.tokenbench.crop import Crop, contrast_levels, encoded
from vae_training.tokenbench.cutting import Cut
from vae_training.tokenbench.drawing import cleared
from vae_training.tokenbench.duplicates import near_duplicates, ngrams, overlap
from vae_training.tokenbench.glyph_height import glyph_height
from vae_training.tokenbench.lines import Line
from vae_training.tokenbench.standard import EN, ZH, joined, standard_of
from vae_training.tokenbench.text_layer import Character, same_glyphs


def pixels(out: Path, row: dict[str, Any]) -> NDArray[np.uint8]:
    with Image.open(out / "gt_dir" / row["file"]) as image:
        return np.asarray(image)


def made(tmp_path: Path, *files: bytes, code: int = 0) -> Path:
    """The set of these PDFs, a.pdf to h.pdf at most."""
    folder, out = tmp_path / "pdfs", tmp_path / "out"
    folder.mkdir()
    for name, data in zip("abcdefgh", files, strict=False):
        (folder / f"{name}.pdf").write_bytes(data)
    assert main(["--documents", str(folder), "--out", str(out)]) == code
    return out


@pytest.fixture(scope="session")
def chinese_font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fonts") / "TinyHan.ttf"
    tiny_font.write_font(path, tiny_font.CHINESE, family="TinyHan")
    return path


@pytest.fixture(scope="module")
def pages() -> list[list[str]]:
    return [inputs.english_lines(40, "page", i) for i in range(2)]


@pytest.fixture(scope="module")
def english(pages: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The set of a PDF of these pages."""
    return made(tmp_path_factory.mktemp("english"), inputs.pdf(pages))


def test_english_crops_have_the_asked_for_size_and_count(english: Path) -> None:
    rows = inputs.index(english)
    assert len(rows) >= 4 and {row["page"] for row in rows} == {1, 2}
    for row in rows:
        assert pixels(english, row).shape == (256, 256, 3)
        assert EN.fits(row["chars"]) and row["chars"] == len(row["gt_text"])
        assert EN.off(row["glyph_px"]) <= 0.15


def test_text_is_whole_lines_of_the_page_in_reading_order(
    english: Path, pages: list[list[str]]
) -> None:
    for row in inputs.index(english):
        rest, lines = row["gt_text"], pages[row["page"] - 1]
        first = next(i for i, line in enumerate(lines) if rest.startswith(line[:20]))
        for line in lines[first:]:
            shared = next((n for n in range(len(line), 0, -1) if rest.startswith(line[:n])), 0)
            rest = rest[shared:].lstrip()
            if not rest:
                break
        assert not rest


def test_no_stroke_reaches_the_edge_of_a_crop(english: Path) -> None:
    for row in inputs.index(english):
        rgb = pixels(english, row)
        edge = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
        assert edge.min() == 255


def test_median_glyph_measured_on_pixels_agrees(english: Path) -> None:
    for row in inputs.index(english):
        rgb = pixels(english, row)
        measured = glyph_height(rgb, EN)
        assert measured is not None and abs(measured - row["glyph_px"]) <= 1.5


def test_chinese_crops(tmp_path: Path, chinese_font: Path) -> None:
    lines = inputs.chinese_lines(40)
    out = made(tmp_path, inputs.pdf([lines], font=chinese_font, pitch=11))
    rows = inputs.index(out)
    assert rows and {row["language"] for row in rows} == {"zh"}
    for row in rows:
        assert ZH.fits(row["chars"]) and ZH.off(row["glyph_px"]) <= 0.15
        assert row["gt_text"][:10] in "".join(line[:10] for line in lines)


def test_layout_is_that_of_the_official_script(english: Path) -> None:
    truth = json.loads((english / "ground_truth.json").read_text(encoding="utf-8"))
    images = sorted(path.name for path in (english / "gt_dir").iterdir())
    files = [row["file"] for row in inputs.index(english)]
    assert [row["file"] for row in truth] == images == files
    assert all(row["gt_text"] for row in truth)
    assert (english / "contact_sheet.png").is_file()


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, pages: list[list[str]]) -> None:
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "a.pdf").write_bytes(inputs.pdf(pages))
    outs = [tmp_path / "one", tmp_path / "two"]
    command = ["--documents", str(tmp_path / "pdfs"), "--crops-per-page", "1", "--seed", "3"]
    for out in outs:
        assert main([*command, "--out", str(out)]) == 0
    one, two = (
        {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()} for out in outs
    )
    assert one == two and len(inputs.index(outs[0])) == 2


def test_the_same_text_stays_once(tmp_path: Path, pages: list[list[str]]) -> None:
    alone = made(tmp_path, inputs.pdf(pages))
    (tmp_path / "twice").mkdir()
    twice = made(tmp_path / "twice", inputs.pdf(pages), inputs.pdf(pages, pitch=12.5))
    texts = [row["gt_text"] for row in inputs.index(twice)]
    shares = [overlap(ngrams(a, 5), ngrams(b, 5)) for i, a in enumerate(texts) for b in texts[:i]]
    assert max(shares) <= 0.3
    assert inputs.reasons(twice)["crop same_text"] > 0 and "crop same_text" not in inputs.reasons(
        alone
    )


def test_what_gives_no_crop_is_counted_by_its_reason(
    tmp_path: Path, pages: list[list[str]]
) -> None:
    spoilt = {
        "encrypted": inputs.pdf(pages, password="secret"),
        "truncated": inputs.pdf(pages)[:200],
        "empty": b"",
        "no text": inputs.pdf([[]], picture=True),
        "invisible": inputs.pdf(pages, mode=3),
        "over lines": inputs.pdf(pages, picture=True),
        "German": inputs.pdf([["Zwölf Boxkämpfer jagen Viktor"] * 40]),
    }
    out = made(tmp_path, *spoilt.values(), inputs.pdf(pages))
    rows = json.loads((out / "left_out.json").read_text(encoding="utf-8"))
    found = {(row["level"], row["reason"], row["example"][:5]) for row in rows}
    assert found >= {
        ("file", "encrypted", "a.pdf"),
        ("file", "broken_document", "b.pdf"),
        ("file", "broken_document", "c.pdf"),
        ("page", "no_text_layer", "d.pdf"),
        ("crop", "invisible_text", "e.pdf"),
        ("crop", "other_ink", "f.pdf"),
        ("crop", "other_language", "g.pdf"),
    }
    assert {row["source"] for row in inputs.index(out)} == {"h.pdf"}


def test_every_document_that_gave_none_has_a_row(tmp_path: Path, pages: list[list[str]]) -> None:
    locked = inputs.pdf(pages, password="secret")
    scan = inputs.pdf([[], []], picture=True)
    out = made(tmp_path, locked, b"no document", scan, locked, inputs.pdf(pages))
    rows = json.loads((out / "left_out.json").read_text(encoding="utf-8"))
    found = [(row["reason"], row["example"][:5]) for row in rows if row["level"] == "file"]
    assert found == [
        ("broken_document", "b.pdf"),
        ("encrypted", "a.pdf"),
        ("encrypted", "d.pdf"),
        ("no_text_layer", "c.pdf"),
    ]


def test_the_number_of_processes_changes_no_byte(tmp_path: Path, pages: list[list[str]]) -> None:
    folder = tmp_path / "pdfs"
    (folder / "book").mkdir(parents=True)
    (folder / "book" / "a.pdf").write_bytes(inputs.pdf(pages))
    (folder / "b.pdf").write_bytes(inputs.pdf([inputs.english_lines(40, "other")]))
    (folder / "c.pdf").write_bytes(b"no document")
    outs = {}
    for workers in ("1", "2"):
        out = tmp_path / f"out{workers}"
        assert main(["--documents", str(folder), "--workers", workers, "--out", str(out)]) == 0
        outs[workers] = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert outs["1"] == outs["2"]
    assert {row["kind"] for row in inputs.index(out)} == {"book", "document"}


def test_contrast_is_between_paper_and_strokes() -> None:
    rgb = np.full((256, 256, 3), 200, np.uint8)
    rgb[::8] = 60
    assert contrast_levels(rgb) == 140
    assert contrast_levels(np.full((256, 256, 3), 7, np.uint8)) == 0


def test_boxes_for_missing_glyphs_are_no_text() -> None:
    def glyphs(widths: list[float]) -> list[Character]:
        return [
            Character(chr(0x4E00 + i), (0, 0, w, 9), 9, 10, i, False, True, True)
            for i, w in enumerate(widths)
        ]

    assert same_glyphs(glyphs([6.0] * 12 + [7.0, 8.0]))
    assert not same_glyphs(glyphs([6 + i / 9 for i in range(14)]))


def test_of_lines_that_go_on_nothing_is_left_above_and_below() -> None:
    font, em = (5.0, 3.0, 12.0, 13.0), 12.0

    def line(top: float, count: int) -> Line:
        boxes = [(4 + 14 * i, top, 16 + 14 * i, top + em) for i in range(count)]
        return Line.of([Character("字", b, b[3], em, 0, False, True, True) for b in boxes])

    lines = tuple(line(4 + 13 * row, 18) for row in range(4))
    kept = (lines[0], Line.of(lines[1].characters[:9]), *lines[2:])
    rgb = np.full((256, 256, 3), 255, np.uint8)
    for row in lines:
        for c in row.characters:
            x0, y0, x1, y1 = map(int, c.box)
            rgb[y0:y1, x0:x1] = 0
    cut = Cut(
        standard=ZH,
        lines=kept,
        ends=(256.0, 130.0, 256.0, 256.0),
        left=0,
        top=0,
        bottom=256,
        scale=1,
        glyph_px=font[3],
    )
    clean = cleared(rgb, cut)
    assert not isinstance(clean, str)
    # Its lines are 1 px apart: their frames reach into what is painted over.
    assert clean[17:29, 134:].min() == 255 and clean[17:29, 4:120].min() == 0
    assert (clean[4:16, 4:] == rgb[4:16, 4:]).all() and (clean[30:42, 4:] == rgb[30:42, 4:]).all()


def test_a_document_that_announces_a_million_pages(tmp_path: Path) -> None:
    pages = "<</Type/Pages/Kids[3 0 R]/Count 1000000>>"
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>"
    data = pdfs.document(["<</Type/Catalog/Pages 2 0 R>>", pages, page])
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "a.pdf").write_bytes(data)
    out = tmp_path / "out"
    assert main(["--documents", str(tmp_path / "pdfs"), "--pages", "5", "--out", str(out)]) == 1
    assert inputs.reasons(out) == {"page broken_page": 5, "page not_drawn": 999_995}


def test_a_set_without_crops_is_told_by_the_exit_code(tmp_path: Path) -> None:
    out = made(tmp_path, b"no document", code=1)
    assert not inputs.index(out) and inputs.reasons(out) == {"file broken_document": 1}


def test_another_set_is_not_mixed_in(
    tmp_path: Path, pages: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    out = made(tmp_path, inputs.pdf(pages))
    assert main(["--documents", str(tmp_path / "pdfs"), "--out", str(out)]) == 2
    assert "holds images already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "either --omnidocbench DIR or --documents DIR"),
        (["--documents", "a", "--omnidocbench", "b"], "either"),
        (["--documents", "nowhere"], "there is no folder nowhere"),
        (["--omnidocbench", "nowhere"], "OmniDocBench.json is missing"),
    ],
)
def test_wrong_origins_are_named(
    tmp_path: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err


def crop(text: str, page: int = 1, source: str = "a", look: int = 0) -> Crop:
    noise = np.random.default_rng(look).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    png, thumbnail = encoded(np.repeat(np.repeat(noise[::8, ::8], 8, 0), 8, 1))
    return Crop(
        png=png,
        look=thumbnail,
        contrast_levels=255,
        text=text,
        language="en",
        kind="k",
        source=source,
        page=page,
        box=(0, 0, 1, 1),
        scale=1,
        glyph_px=10,
    )


def test_pages_are_stricter_than_kinds() -> None:
    mine, other = inputs.prose(300, 1), inputs.prose(300, 2)
    quarter = mine[:80] + other[80:]
    near = [crop(mine, look=1), crop(quarter, look=2)]
    far = [crop(mine, look=1), crop(quarter, page=2, look=2)]
    assert near_duplicates(near, lambda c: c.kind) == {1: "same_text_page"}
    assert near_duplicates(far, lambda c: c.kind) == {}


def test_of_near_duplicates_the_longest_stays() -> None:
    text = inputs.prose(400, 1)
    found = [crop(text[:300], look=1), crop(text, look=2, source="b")]
    assert near_duplicates(found, lambda c: c.kind) == {0: "same_text"}


def test_the_same_picture_is_found_without_its_text() -> None:
    found = [crop(inputs.prose(300, i), look=1, source=str(i)) for i in range(2)]
    assert near_duplicates(found, lambda c: c.kind) == {1: "same_look"}


def test_languages() -> None:
    assert standard_of(inputs.prose(300)) is EN
    assert standard_of("这是一个用于测试的中文句子") is ZH
    assert standard_of("これはテストのためのぶんしょうです") is None
    assert standard_of("der Hund und die Katze sind nicht im Haus") is None
    assert standard_of("123 456") is None
    assert joined("使用 apt  安装 a  b") == "使用apt安装a b"
