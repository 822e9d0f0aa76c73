from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from renderers.documents.page import DocumentFault, PageImage, RendererMissing
from renderers.documents.pdf import open_pdf
from renderers.documents.pdf.characters import _joined
from renderers.documents.pdf.fonts import pdf_fonts
from renderers.documents.recipe import PageRecipe
from tests.pipelines import pdfs
from vae_corpus.demo import DemoInputs
from vae_corpus.pictures.decode import Limits


def drawn(
    data: bytes,
    glyph_px: float = 12,
    fonts: tuple[str, ...] = (),
    limits: Limits | None = None,
    number: int = 0,
) -> PageImage:
    both = {"en": glyph_px, "zh": glyph_px}
    recipe = PageRecipe(glyph_px=both, band=dict.fromkeys(both, "11-14"))
    document = open_pdf(data, len(data), pdf_fonts(fonts))
    try:
        return document.render(number, recipe, limits or Limits())
    finally:
        document.close()


def slug(data: bytes, fonts: tuple[str, ...] = (), number: int = 0) -> str:
    with pytest.raises(DocumentFault) as caught:
        drawn(data, fonts=fonts, number=number)
    return caught.value.slug


LINES = ["The quick brown fox", "jumps over 42 lazy dogs."]


def test_characters_stand_where_their_ink_is() -> None:
    page = drawn(pdfs.page(pdfs.text(LINES)), glyph_px=20)
    said = page.characters
    assert said.text.split("\r\n") == LINES and page.doubt is None
    assert said.language == "en" and said.fonts[said.font[0]] == "Helvetica"
    assert said.median_em_px == pytest.approx(20, abs=0.05)
    assert said.line[said.inked].tolist() == sorted(said.line[said.inked].tolist())
    assert set(said.line.tolist()) == {0, 1}
    dark = page.rgb.min(axis=2) < 128
    for box in said.boxes[said.inked]:
        x0, y0 = np.floor(box[:2]).astype(int)
        x1, y1 = np.ceil(box[2:]).astype(int)
        assert dark[y0:y1, x0:x1].any()
        dark[y0:y1, x0:x1] = False
    assert dark.sum() < 10, "no ink is beside the boxes"


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_boxes_turn_with_the_page(turn: int) -> None:
    upright = drawn(pdfs.page(pdfs.text(LINES)))
    data = pdfs.page(pdfs.text(LINES)).replace(b"/Annots", b"/Rotate %d/Annots" % turn)
    turned = drawn(data)
    height, width = turned.rgb.shape[:2]
    assert (width > height) == (turn == 180)
    dark = turned.rgb.min(axis=2) < 128
    for box in turned.characters.boxes[turned.characters.inked]:
        x0, y0 = np.floor(box[:2]).astype(int)
        x1, y1 = np.ceil(box[2:]).astype(int)
        assert dark[y0:y1, x0:x1].any()
    # pdfium puts the lines of a page on its side into another order.
    assert sorted(turned.characters.text.split()) == sorted(upright.characters.text.split())


def test_a_page_has_the_scale_that_its_letters_ask_for() -> None:
    data = pdfs.page(pdfs.text(LINES, size=10), size=(800, 600))
    for glyph_px in (6.0, 13.0, 23.5):
        page = drawn(data, glyph_px)
        assert page.characters.median_em_px == pytest.approx(glyph_px, rel=0.005)
        assert page.rgb.shape[1] == pytest.approx(80 * glyph_px, abs=2)


def test_no_side_is_below_the_smallest_sample() -> None:
    page = drawn(pdfs.page(pdfs.text(LINES, size=40), size=(400, 300)), 5)
    assert min(page.rgb.shape[:2]) >= 256 and page.characters.median_em_px > 20


def test_limits_of_pixels_make_pages_smaller() -> None:
    data = pdfs.page(pdfs.text(LINES), size=(14_000, 14_000))
    page = drawn(data, 24, limits=Limits(max_pixels=1_000_000))
    assert 900_000 < page.rgb.shape[0] * page.rgb.shape[1] <= 1_000_000


def test_what_is_hidden_is_not_said() -> None:
    for content in (
        pdfs.text(["hidden words"], mode=3),
        "1 1 1 rg " + pdfs.text(["white words"]),
        "1 0 0 1 900 0 cm " + pdfs.text(["words beside the page"]),
    ):
        page = drawn(pdfs.page(f"q {content} Q {pdfs.text(LINES, top=150)}"))
        assert page.characters.text.split() == " ".join(LINES).split()


def test_a_letter_drawn_twice_is_said_once() -> None:
    page = drawn(pdfs.page(pdfs.text(["bold"]) + " " + pdfs.text(["bold"])))
    assert page.characters.text.strip() == "bold"


def test_columns_are_lines_of_their_own() -> None:
    left, right = (
        f"BT /F 12 Tf {x} 200 Td ({words}) Tj ET" for x, words in ((20, "a b"), (200, "c d"))
    )
    said = drawn(pdfs.page(f"{left} {right}")).characters
    line_of = dict(zip(said.text, said.line.tolist(), strict=True))
    assert line_of["a"] == line_of["b"] != line_of["c"] == line_of["d"]


def shifted(words: str) -> str:
    return "".join(chr((ord(c) - 97 + 13) % 26 + 97) if c.isalpha() else c for c in words.lower())


def test_a_text_layer_of_other_letters_is_doubted() -> None:
    words = "it is the business of a text layer to say what is written on the page " * 8
    lines = [words[i : i + 60] for i in range(0, len(words), 60)]
    sound, odd = (
        drawn(pdfs.page(pdfs.text(said, size=8, top=280)))
        for said in (lines, [*map(shifted, lines)])
    )
    assert (sound.doubt, odd.doubt) == (None, "implausible")


def test_codes_without_characters_are_doubted() -> None:
    cmap = (
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF>"
        " endcodespacerange 1 beginbfrange <41> <5A> <E000> endbfrange endcmap"
    )
    data = pdfs.page(
        pdfs.text(["ABCDEF GHIJ"]),
        fonts={"F": "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 10 0 R>>"},
        more=[pdfs.stream(cmap)],
    )
    assert drawn(data).doubt == "unmapped"


def test_text_under_an_image_is_not_said() -> None:
    words = pdfs.text(LINES)
    picture = "q 400 0 0 300 0 0 cm BI /W 2 /H 2 /CS /G /BPC 8 ID " + "\xd0\xf0\xf0\xd0" + " EI Q"
    assert drawn(pdfs.page(f"{words} {picture}")).characters.text.strip() == ""
    assert drawn(pdfs.page(f"{picture} {words}")).characters.text.split() == " ".join(LINES).split()


def test_letters_beyond_the_first_plane_are_one_character() -> None:
    units = np.frombuffer("a\U0001d465b\U00020000".encode("utf-16-le"), np.uint16).tolist()
    boxes = np.arange(4 * len(units), dtype=np.float32).reshape(-1, 4)
    points, kept, style = _joined(units, boxes, list(range(len(units))))
    assert points.tolist() == [ord("a"), 0x1D465, ord("b"), 0x20000]
    assert style.tolist() == [0, 1, 3, 4] and (kept == boxes[[0, 1, 3, 4]]).all()


def test_letters_that_are_controls_are_doubted() -> None:
    cmap = (
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF>"
        " endcodespacerange 1 beginbfrange <41> <5A> <0003> endbfrange endcmap"
    )
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/ToUnicode 10 0 R>>"
    data = pdfs.page(pdfs.text(["ABCD"]), fonts={"F": font}, more=[pdfs.stream(cmap)])
    assert drawn(data).doubt == "unmapped"


def test_letters_like_dust_are_not_said() -> None:
    page = drawn(pdfs.page(pdfs.text(LINES) + " " + pdfs.text(["dust"], size=1, top=50)), 12)
    assert "dust" not in page.characters.text


def test_a_text_layer_that_shows_nothing_is_doubted() -> None:
    cover = " 1 1 1 rg 0 0 400 300 re f"
    assert drawn(pdfs.page(pdfs.text(LINES) + cover)).doubt == "unseen"


def test_images_and_figures_are_told() -> None:
    picture = "q 200 0 0 100 50 60 cm BI /W 2 /H 1 /CS /G /BPC 8 ID " + "\x10\xf0" + " EI Q"
    page = drawn(pdfs.page(pdfs.text(LINES) + " " + picture))
    (box,) = page.pictures
    scale = page.facts["scale"]
    assert np.allclose(box, np.array([50, 140, 250, 240]) * scale, atol=1)
    assert [(r.kind, r.box) for r in page.regions] == [("figure", box)]


def test_rules_over_columns_are_a_table() -> None:
    rules = " ".join(f"20 {y} 300 0.5 re f" for y in (250, 200, 150, 100))
    cells = " ".join(
        f"BT /F 10 Tf {x} {y} Td (cell {x}) Tj ET" for x in (30, 130, 230) for y in (230, 180, 130)
    )
    (region,) = drawn(pdfs.page(f"{rules} {cells}")).regions
    assert region.kind == "table"


CHINESE = pdfs.page(pdfs.cjk_text(["发票号码", "中文文字"]), fonts={"F": pdfs.cjk_font()})


def named(demo: DemoInputs, part: str) -> tuple[str, ...]:
    return tuple(str(folder) for folder in demo.fonts if part in str(folder))


@pytest.mark.parametrize(
    ("encoding", "coding"), [("UniGB-UCS2-H", "utf-16-be"), ("GBK-EUC-H", "gbk")]
)
def test_text_without_its_font_is_drawn_with_the_fonts_named(
    demo: DemoInputs, encoding: str, coding: str
) -> None:
    font = pdfs.cjk_font(encoding=encoding)
    data = pdfs.page(pdfs.cjk_text(["发票号码", "中文文字"], coding), fonts={"F": font})
    page = drawn(data, fonts=named(demo, "microhei"))
    assert int((page.rgb < 128).all(axis=2).sum()) > 200
    assert page.characters.text.split() == ["发票号码", "中文文字"]
    assert page.characters.language == "zh"


def test_text_that_no_font_draws_is_rejected() -> None:
    with pytest.raises(DocumentFault, match="fonts") as caught:
        drawn(CHINESE)
    assert caught.value.slug == "missing_glyphs" and "发" in caught.value.why


@pytest.mark.parametrize(
    "content",
    [
        pdfs.cjk_text(["看不见"], mode=3),
        "1 1 1 rg " + pdfs.cjk_text(["看不见"]),
        "1 0 0 1 900 0 cm " + pdfs.cjk_text(["看不见"]),
    ],
    ids=["undrawn", "white", "beside"],
)
def test_text_that_leaves_no_mark_misses_no_glyphs(content: str) -> None:
    assert drawn(pdfs.page(content, fonts={"F": pdfs.cjk_font()})).characters.median_em_px == 0


def test_fonts_are_known_by_their_bytes(tmp_path: Path, demo: DemoInputs) -> None:
    (folder,) = named(demo, "microhei")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in Path(folder).rglob("*.ttc"):
        (moved / f"renamed-{path.name}").symlink_to(path)
    assert pdf_fonts((str(moved),)).digest == pdf_fonts((folder,)).digest != pdf_fonts(()).digest
    with pytest.raises(RendererMissing, match="no such font folder"):
        pdf_fonts(("/nowhere",))


def form(need_appearances: bool = False) -> bytes:
    """A form with two text fields (one without an appearance), a ticked box, and a stamp."""
    shapes = [
        pdfs.appearance("BT /Helv 12 Tf 2 5 Td (Anna Bell 4711) Tj ET", "0 0 200 20"),
        pdfs.appearance("0 0 12 12 re f", "0 0 12 12"),
        pdfs.appearance("", "0 0 12 12"),
        pdfs.appearance("0 0 60 30 re f", "0 0 60 30"),
    ]
    annotations = [
        pdfs.text_field("name", "Anna Bell 4711", "100 200 300 220", "/AP<</N 10 0 R>>"),
        pdfs.text_field("sum", "1234.50", "100 170 300 190"),
        "<</Type/Annot/Subtype/Widget/FT/Btn/T(paid)/V/Yes/AS/Yes/Rect[100 140 112 152]/F 4"
        "/AP<</N<</Yes 11 0 R/Off 12 0 R>>>>>>",
        "<</Type/Annot/Subtype/Stamp/Rect[200 100 260 130]/F 4/Contents(APPROVED)"
        "/AP<</N 13 0 R>>>>",
        "<</Type/Annot/Subtype/FreeText/Rect[20 40 200 60]/F 4/Contents(free words)"
        "/DA(/Helv 12 Tf 0 g)/AP<</N 10 0 R>>>>",
    ]
    return pdfs.page(
        pdfs.text(["Name:"]),
        fields=True,
        need_appearances=need_appearances,
        more=shapes,
        annotations=annotations,
    )


@pytest.mark.parametrize("need_appearances", [False, True])
def test_what_is_filled_in_is_drawn_and_read(need_appearances: bool) -> None:
    page = drawn(form(need_appearances))
    scale = page.facts["scale"]
    boxes = {
        "text": (80, 100, 100, 300),
        "text without an appearance": (110, 130, 100, 300),
        "tick": (148, 160, 100, 112),
        "stamp": (170, 200, 200, 260),
        "free text": (240, 260, 20, 200),
    }
    blank = []
    for name, sides in boxes.items():
        y, bottom, x, right = (math.ceil(side * scale) for side in sides)
        if page.rgb[y:bottom, x:right].min() > 128:
            blank.append(name)
    assert blank == []
    for words in ("Name:", "Anna Bell 4711", "1234.50", "APPROVED", "free words"):
        assert words in page.characters.text
    assert int(page.characters.inked.sum()) == len("Name:"), "nobody tells where the others stand"
    assert len(page.pictures) == 5, "so they are looked for"


def sized(width: float, height: float, locked: bool = False, pages: int = 1) -> bytes:
    return pdfs.document(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            f"<</Type/Pages/Kids[3 0 R]/Count {pages}>>",
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]>>",
            f"<</Filter/Standard/V 1/R 2/O<{'00' * 32}>/U<{'00' * 32}>/P -4>>",
        ],
        f"/Encrypt 4 0 R/ID[<{'00' * 16}><{'00' * 16}>]" if locked else "",
    )


def test_broken_documents_are_faults() -> None:
    assert slug(b"") == "empty"
    assert slug(b"%PDF-1.4 and then nothing") == "broken_document"
    assert slug(sized(100, 100, locked=True)) == "locked_document"


def test_pages_that_a_small_file_only_announces_are_one_fault() -> None:
    data = sized(100, 100, pages=1_000_000)
    document = open_pdf(data, len(data), pdf_fonts(()))
    assert document.pages == 2
    document.close()
    assert slug(data, number=1) == "broken_document"


def test_pages_of_any_size_are_drawn() -> None:
    for width, height in ((14_400, 14_400), (60_000, 10), (3, 3)):
        page = drawn(sized(width, height))
        assert page.rgb.size and page.characters.text == ""
