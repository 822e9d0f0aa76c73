from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests import tiny_font
from tests.pipelines import pdfs
from tests.vae_training import tokenbench_inputs as inputs
from vae_training.tokenbench import build
from vae_training.tokenbench.__main__ import main
from vae_training.tokenbench.crop import Crop, encoded
from vae_training.tokenbench.duplicates import near_duplicates, ngrams, overlap
from vae_training.tokenbench.glyph_height import glyph_height
from vae_training.tokenbench.standard import EN, ZH, joined, standard_of


def reasons(out: Path) -> dict[str, int]:
    rows = json.loads((out / "left_out.json").read_text(encoding="utf-8"))
    return {f"{row['level']} {row['reason']}": row["count"] for row in rows}


def index(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "index.parquet").to_pylist()
    return rows


def pixels(out: Path, row: dict[str, Any]) -> NDArray[np.uint8]:
    with Image.open(out / "gt_dir" / row["file"]) as image:
        return np.asarray(image)


def made(tmp_path: Path, *files: bytes, code: int = 0) -> Path:
    """The set of these PDFs, a.pdf, b.pdf and so on."""
    folder, out = tmp_path / "pdfs", tmp_path / "out"
    folder.mkdir()
    for name, data in zip("abcdef", files, strict=False):
        (folder / f"{name}.pdf").write_bytes(data)
    assert main(["--documents", str(folder), "--out", str(out)]) == code
    return out


@pytest.fixture(scope="session")
def chinese_font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fonts") / "TinyHan.ttf"
    tiny_font.write_font(path, tiny_font.CHINESE, family="TinyHan")
    return path


@pytest.fixture
def pages() -> list[list[str]]:
    return [inputs.english_lines(40, "page", i) for i in range(2)]


def test_english_crops_have_the_asked_for_size_and_count(
    tmp_path: Path, pages: list[list[str]]
) -> None:
    out = made(tmp_path, inputs.pdf(pages))
    rows = index(out)
    assert len(rows) >= 4 and {row["page"] for row in rows} == {1, 2}
    for row in rows:
        assert pixels(out, row).shape == (256, 256, 3)
        assert EN.fits(row["chars"]) and row["chars"] == len(row["gt_text"])
        assert EN.off(row["glyph_px"]) <= 0.15


def test_text_is_whole_lines_of_the_page_in_reading_order(
    tmp_path: Path, pages: list[list[str]]
) -> None:
    out = made(tmp_path, inputs.pdf(pages))
    for row in index(out):
        rest, lines = row["gt_text"], pages[row["page"] - 1]
        first = next(i for i, line in enumerate(lines) if rest.startswith(line[:20]))
        for line in lines[first:]:
            shared = next((n for n in range(len(line), 0, -1) if rest.startswith(line[:n])), 0)
            rest = rest[shared:].lstrip()
            if not rest:
                break
        assert not rest


def test_no_stroke_reaches_the_edge_of_a_crop(tmp_path: Path, pages: list[list[str]]) -> None:
    out = made(tmp_path, inputs.pdf(pages))
    for row in index(out):
        rgb = pixels(out, row)
        edge = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
        assert edge.min() == 255


def test_median_glyph_measured_on_pixels_agrees(tmp_path: Path, pages: list[list[str]]) -> None:
    out = made(tmp_path, inputs.pdf(pages))
    for row in index(out):
        rgb = pixels(out, row)
        measured = glyph_height(rgb, EN)
        assert measured is not None and abs(measured - row["glyph_px"]) <= 1.5


def test_chinese_crops(tmp_path: Path, chinese_font: Path) -> None:
    lines = inputs.chinese_lines(40)
    out = made(tmp_path, inputs.pdf([lines], font=chinese_font, pitch=11))
    rows = index(out)
    assert rows and {row["language"] for row in rows} == {"zh"}
    for row in rows:
        assert ZH.fits(row["chars"]) and ZH.off(row["glyph_px"]) <= 0.15
        assert row["gt_text"][:10] in "".join(line[:10] for line in lines)


def test_layout_is_that_of_the_official_script(tmp_path: Path, pages: list[list[str]]) -> None:
    out = made(tmp_path, inputs.pdf(pages))
    truth = json.loads((out / "ground_truth.json").read_text(encoding="utf-8"))
    images = sorted(path.name for path in (out / "gt_dir").iterdir())
    assert [row["file"] for row in truth] == images == [row["file"] for row in index(out)]
    assert all(row["gt_text"] for row in truth)
    assert (out / "contact_sheet.png").is_file()


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
    assert one == two and len(index(outs[0])) == 2


def test_the_same_text_stays_once(tmp_path: Path, pages: list[list[str]]) -> None:
    alone = made(tmp_path, inputs.pdf(pages))
    (tmp_path / "twice").mkdir()
    twice = made(tmp_path / "twice", inputs.pdf(pages), inputs.pdf(pages, pitch=12.5))
    texts = [row["gt_text"] for row in index(twice)]
    shares = [overlap(ngrams(a, 5), ngrams(b, 5)) for i, a in enumerate(texts) for b in texts[:i]]
    assert max(shares) <= 0.3
    assert reasons(twice)["crop same_text"] > 0 and "crop same_text" not in reasons(alone)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda pages: inputs.pdf(pages, password="secret"), "file encrypted"),
        (lambda pages: inputs.pdf(pages)[:200], "file broken_document"),
        (lambda pages: b"", "file broken_document"),
        (lambda pages: inputs.pdf([[]], picture=True), "page no_text_layer"),
        (lambda pages: inputs.pdf(pages, mode=3), "crop invisible_text"),
        (lambda pages: inputs.pdf(pages, picture=True), "crop other_ink"),
        (lambda pages: inputs.pdf([["Zwölf Boxkämpfer jagen Viktor"] * 40]), "crop other_language"),
    ],
    ids=["encrypted", "truncated", "empty", "no-text", "invisible", "over-lines", "german"],
)
def test_what_gives_no_crop_is_counted_by_its_reason(
    tmp_path: Path, pages: list[list[str]], spoil: Callable[[Any], bytes], reason: str
) -> None:
    out = made(tmp_path, spoil(pages), inputs.pdf(pages))
    assert reasons(out)[reason] > 0
    assert {row["source"] for row in index(out)} == {"b.pdf"}


def test_a_document_that_announces_a_million_pages(tmp_path: Path) -> None:
    pages = "<</Type/Pages/Kids[3 0 R]/Count 1000000>>"
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>"
    data = pdfs.document(["<</Type/Catalog/Pages 2 0 R>>", pages, page])
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "a.pdf").write_bytes(data)
    out = tmp_path / "out"
    assert main(["--documents", str(tmp_path / "pdfs"), "--pages", "5", "--out", str(out)]) == 1
    assert reasons(out) == {"page broken_page": 5, "page not_drawn": 999_995}


def test_a_set_without_crops_is_told_by_the_exit_code(tmp_path: Path) -> None:
    out = made(tmp_path, b"no document", code=1)
    assert not index(out) and reasons(out) == {"file broken_document": 1}


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
        contrast=255,
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


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> inputs.FakeEngine:
    fake = inputs.FakeEngine()
    monkeypatch.setattr(build, "make_engine", lambda *_, **__: fake)
    return fake


def omni(tmp_path: Path, code: int = 0) -> Path:
    out = tmp_path / "out"
    assert main(["--omnidocbench", str(tmp_path / "omni"), "--out", str(out)]) == code
    return out


def test_omnidocbench_is_cut_from_the_corner_of_a_block(
    tmp_path: Path, engine: inputs.FakeEngine
) -> None:
    entries = inputs.omnidocbench(tmp_path / "omni", pages=2)
    rows = index(omni(tmp_path))
    assert [row["source"] for row in rows] == ["p0.png", "p1.png"]
    for row, entry in zip(rows, entries, strict=True):
        assert [row["left"], row["top"]] == entry["layout_dets"][0]["poly"][:2]
        assert row["kind"] == "slides" and row["language"] == "en"
        # Helvetica of 10 pt at 3 px a point: capitals are 21.5 px high.
        assert EN.off(21.5 * row["scale"]) <= 0.15
        side = row["right"] - row["left"]
        assert side * row["scale"] == pytest.approx(256, rel=1e-4)
    assert all(rgb.shape == (256, 256, 3) for rgb in engine.seen)
    assert reasons(tmp_path / "out")["crop no_text_block"] == 2


def test_omnidocbench_keeps_what_is_read_with_enough_characters(
    tmp_path: Path, engine: inputs.FakeEngine
) -> None:
    inputs.omnidocbench(tmp_path / "omni")
    engine.characters = 299
    assert reasons(omni(tmp_path, code=1))["crop too_few_characters"] == 1


def test_images_that_are_missing_or_broken_are_reasons(
    tmp_path: Path, engine: inputs.FakeEngine
) -> None:
    inputs.omnidocbench(tmp_path / "omni", pages=3)
    images = tmp_path / "omni" / "images"
    (images / "p0.png").unlink()
    (images / "p1.png").write_bytes((images / "p1.png").read_bytes()[:500])
    out = omni(tmp_path)
    assert [row["source"] for row in index(out)] == ["p2.png"]
    assert reasons(out)["page missing_image"] == reasons(out)["page truncated"] == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda entries: {"pages": entries}, "must hold a list of pages"),
        (lambda entries: entries[0].pop("page_info"), "has no field page_info"),
        (lambda entries: entries[0]["page_info"].pop("image_path"), "has no field image_path"),
        (lambda entries: entries[0]["page_info"].update(image_path="../x.png"), "leads out"),
        (lambda entries: entries[0]["layout_dets"][0].update(poly=[1, 2]), "poly must hold 8"),
        (lambda entries: entries[0]["layout_dets"][0].update(poly=[1] * 8), "has no area"),
        (lambda entries: entries[0].update(layout_dets="none"), "layout_dets must be a list"),
    ],
)
def test_another_format_is_told_by_page_and_field(
    tmp_path: Path,
    engine: inputs.FakeEngine,
    spoil: Callable[[Any], Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = inputs.omnidocbench(tmp_path / "omni")
    other = spoil(entries)
    inputs.annotate(tmp_path / "omni", other if "pages" in (other or {}) else entries)
    omni(tmp_path, code=2)
    assert said in capsys.readouterr().err


def test_garbage_for_annotations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs.omnidocbench(tmp_path / "omni")
    (tmp_path / "omni" / "OmniDocBench.json").write_bytes(b"\xff\xfe{]")
    omni(tmp_path, code=2)
    assert "is not JSON" in capsys.readouterr().err


def test_turned_and_ignored_blocks_are_left_out(tmp_path: Path, engine: inputs.FakeEngine) -> None:
    entries = inputs.omnidocbench(tmp_path / "omni", pages=2)
    entries[0]["layout_dets"][0]["attribute"]["text_rotate"] = "rotate90"
    entries[1]["layout_dets"][0]["ignore"] = True
    inputs.annotate(tmp_path / "omni", entries)
    found = reasons(omni(tmp_path, code=1))
    assert found["crop rotated_text"] == found["crop ignored"] == 1
    assert not engine.seen
