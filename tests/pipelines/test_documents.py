from __future__ import annotations

import gc
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.sources import DocumentSource, SourceError, pdf
from pipelines.sources.pdf_fonts import pdf_fonts
from tests.pipelines import pdfs
from tests.pipelines.reading import assert_fetch_gives_the_same, read_all, slugs
from vae_corpus.demo import DemoInputs
from vae_corpus.pictures.decode import Limits


def test_pages_of_a_real_document(demo: DemoInputs) -> None:
    source = DocumentSource(name="d", uri=str(demo.pdfs[0]), max_pages=3, pages_per_unit=2)
    assert [(unit.start, unit.stop) for unit in source.units()] == [(0, 2), (2, 3)]
    items = read_all(source)
    numbers = [int(item.member.rsplit("=", 1)[1]) for item in items]
    assert len(set(numbers)) == 3 and max(numbers) > 20, "the pages are spread over the document"
    assert all(item.data.startswith(b"\x89PNG") for item in items)
    assert items == read_all(source)
    assert_fetch_gives_the_same(source)


def test_a_broken_document_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(b"%PDF-1.4 and then nothing")
    (item,) = read_all(DocumentSource(name="d", uri=str(tmp_path)))
    assert item.fault is not None and item.fault[0] == "broken_document"


def test_an_empty_file_is_one_fault_and_stops_no_listing(tmp_path: Path) -> None:
    (tmp_path / "empty.pdf").write_bytes(b"")
    (tmp_path / "good.pdf").write_bytes(sized(100, 100))
    source = DocumentSource(name="d", uri=str(tmp_path))
    assert slugs(source) == ["empty"] and len(read_all(source)) == 2


def sized(width: float, height: float, locked: bool = False, pages: int = 1) -> bytes:
    """A document of one empty page; `locked` asks for a password that nobody knows.

    It may say that there are more pages.
    """
    return pdfs.document(
        [
            "<</Type/Catalog/Pages 2 0 R>>",
            f"<</Type/Pages/Kids[3 0 R]/Count {pages}>>",
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]>>",
            f"<</Filter/Standard/V 1/R 2/O<{'00' * 32}>/U<{'00' * 32}>/P -4>>",
        ],
        f"/Encrypt 4 0 R/ID[<{'00' * 16}><{'00' * 16}>]" if locked else "",
    )


@pytest.mark.parametrize(
    ("width", "height", "slug"),
    [
        (14_400, 14_400, "too_many_pixels"),
        (70_000, 10, "side_too_long"),
        (60_000, 10, None),
    ],
)
def test_pages_too_large_to_render_are_faults(
    tmp_path: Path, width: int, height: int, slug: str | None
) -> None:
    (tmp_path / "x.pdf").write_bytes(sized(width, height))
    source = DocumentSource(name="d", uri=str(tmp_path), dpi=(72,))
    assert slugs(source) == ([slug] if slug else [])


def test_pages_that_a_small_file_only_announces_are_one_fault(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sized(100, 100, pages=1_000_000))
    source = DocumentSource(name="d", uri=str(tmp_path))
    (unit,) = source.units()
    assert (unit.start, unit.stop) == (0, 2)
    first, rest = source.read(unit)
    assert first.fault is None and first.member == "x.pdf#page=1"
    assert rest.fault is not None and rest.fault[0] == "broken_document"


def test_a_document_with_a_password_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(sized(100, 100, locked=True))
    (item,) = read_all(DocumentSource(name="d", uri=str(tmp_path)))
    assert item.fault is not None and item.fault[0] == "broken_document"
    assert "password" in item.fault[1]


def test_few_documents_are_open_at_a_time(tmp_path: Path) -> None:
    import pypdfium2

    def still_open() -> int:
        gc.collect()
        # Not isinstance: some objects of other libraries warn when they are asked.
        held = (o for o in gc.get_objects() if type(o) is pypdfium2.PdfDocument)
        return sum(document.raw is not None for document in held)

    for number in range(9):
        (tmp_path / f"{number}.pdf").write_bytes(sized(100, 100))
    pdf.close_documents()
    source = DocumentSource(name="d", uri=str(tmp_path))
    units = list(source.units())
    assert still_open() == 0, "listing keeps none"
    assert not any(item.fault for unit in units for item in source.read(unit))
    assert 1 <= still_open() <= 4
    pdf.close_documents()
    assert still_open() == 0


CHINESE = pdfs.page(pdfs.cjk_text(["发票号码", "中文文字"]), fonts={"F": pdfs.cjk_font()})


def one_page(folder: Path, data: bytes, fonts: tuple[str, ...] = ()) -> DocumentSource:
    (folder / "x.pdf").write_bytes(data)
    return DocumentSource(name="d", uri=str(folder), dpi=(72,), fonts=fonts)


def ink_px(png: bytes) -> int:
    grey = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    return int((grey < 128).sum())


def named(demo: DemoInputs, part: str) -> tuple[str, ...]:
    return tuple(str(folder) for folder in demo.fonts if part in str(folder))


@pytest.mark.parametrize(
    ("encoding", "coding"), [("UniGB-UCS2-H", "utf-16-be"), ("GBK-EUC-H", "gbk")]
)
def test_text_without_its_font_is_drawn_with_the_fonts_named(
    tmp_path: Path, demo: DemoInputs, encoding: str, coding: str
) -> None:
    font = pdfs.cjk_font(encoding=encoding)
    data = pdfs.page(pdfs.cjk_text(["发票号码", "中文文字"], coding), fonts={"F": font})
    (item,) = read_all(one_page(tmp_path, data, named(demo, "microhei")))
    assert item.fault is None and ink_px(item.data) > 300
    assert item.text is not None and "发票号码" in item.text


def test_text_that_no_font_draws_is_rejected(tmp_path: Path) -> None:
    (item,) = read_all(one_page(tmp_path, CHINESE))
    assert item.fault is not None and item.fault[0] == "missing_glyphs"
    assert "发" in item.fault[1] and "fonts" in item.fault[1]


@pytest.mark.parametrize(
    "content",
    [
        pdfs.cjk_text(["看不见"], mode=3),
        "1 1 1 rg " + pdfs.cjk_text(["看不见"]),
        "1 0 0 1 900 0 cm " + pdfs.cjk_text(["看不见"]),
    ],
    ids=["undrawn", "white", "beside"],
)
def test_text_that_leaves_no_mark_misses_no_glyphs(tmp_path: Path, content: str) -> None:
    (item,) = read_all(one_page(tmp_path, pdfs.page(content, fonts={"F": pdfs.cjk_font()})))
    assert item.fault is None


def test_real_pages_miss_no_glyphs(demo: DemoInputs) -> None:
    for path in demo.pdfs:
        source = DocumentSource(name="d", uri=str(path), max_pages=8, dpi=(50,))
        assert slugs(source) == []


def test_a_page_is_drawn_with_the_fonts_of_its_source_alone(
    tmp_path: Path, demo: DemoInputs
) -> None:
    sans, serif = (
        one_page(tmp_path, CHINESE, named(demo, part)) for part in ("microhei", "noto-cjk")
    )
    none = one_page(tmp_path, CHINESE)
    first, other = read_all(sans), read_all(serif)
    assert first != other and slugs(none) == ["missing_glyphs"]
    assert read_all(sans) == first, "what was drawn in between has left nothing behind"
    assert [u.unit_id for u in sans.units()] != [u.unit_id for u in serif.units()]
    assert_fetch_gives_the_same(sans)


def test_fonts_are_known_by_their_bytes(tmp_path: Path, demo: DemoInputs) -> None:
    (folder,) = named(demo, "microhei")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in Path(folder).rglob("*.ttc"):
        (moved / f"renamed-{path.name}").symlink_to(path)
    assert pdf_fonts((str(moved),)).digest == pdf_fonts((folder,)).digest != pdf_fonts(()).digest


def test_a_node_with_other_fonts_refuses(tmp_path: Path, demo: DemoInputs) -> None:
    (unit,) = one_page(tmp_path, CHINESE).units()
    elsewhere = one_page(tmp_path, CHINESE, named(demo, "microhei"))
    with pytest.raises(SourceError, match="other fonts"):
        list(elsewhere.read(unit))
    with pytest.raises(SourceError, match="no such font folder"):
        list(one_page(tmp_path, CHINESE, ("/nowhere",)).units())


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
def test_what_is_filled_in_is_drawn_and_read(tmp_path: Path, need_appearances: bool) -> None:
    (item,) = read_all(one_page(tmp_path, form(need_appearances)))
    grey = cv2.imdecode(np.frombuffer(item.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    boxes = {
        "text": (80, 100, 100, 300),
        "text without an appearance": (110, 130, 100, 300),
        "tick": (148, 160, 100, 112),
        "stamp": (170, 200, 200, 260),
        "free text": (240, 260, 20, 200),
    }
    blank = [
        name for name, (y, bottom, x, right) in boxes.items() if grey[y:bottom, x:right].min() > 128
    ]
    assert blank == []
    assert item.text is not None
    for words in ("Name:", "Anna Bell 4711", "1234.50", "APPROVED", "free words"):
        assert words in item.text


def test_pages_keep_to_the_limits_of_scoring(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(sized(200, 200))
    source = DocumentSource(name="d", uri=str(tmp_path / "a.pdf"), dpi=(72,))
    small = source.limited(Limits(max_pixels=10_000))
    assert slugs(source) == [] and slugs(small) == ["too_many_pixels"]
    assert slugs(pickle.loads(pickle.dumps(small))) == ["too_many_pixels"]
