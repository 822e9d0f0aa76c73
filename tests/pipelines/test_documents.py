from __future__ import annotations

import gc
from pathlib import Path

import pytest

from pipelines.demo import DemoInputs
from pipelines.sources import (
    DocumentSource,
    documents,
)
from tests.pipelines.reading import assert_fetch_gives_the_same, read_all, slugs


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


def pdf(width: float, height: float, locked: bool = False) -> bytes:
    """A document of one empty page; `locked` asks for a password that nobody knows."""
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]>>",
        f"<</Filter/Standard/V 1/R 2/O<{'00' * 32}>/U<{'00' * 32}>/P -4>>",
    ]
    text, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(text))
        text += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    lock = f"/Encrypt 4 0 R/ID[<{'00' * 16}><{'00' * 16}>]" if locked else ""
    text += f"xref\n0 5\n0000000000 65535 f \n{table}"
    start = text.index("xref\n")
    return f"{text}trailer\n<</Size 5/Root 1 0 R{lock}>>\nstartxref\n{start}\n%%EOF\n".encode()


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
    (tmp_path / "x.pdf").write_bytes(pdf(width, height))
    source = DocumentSource(name="d", uri=str(tmp_path), dpi=(72,))
    assert slugs(source) == ([slug] if slug else [])


def test_a_document_with_a_password_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(pdf(100, 100, locked=True))
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
        (tmp_path / f"{number}.pdf").write_bytes(pdf(100, 100))
    documents.close_documents()
    source = DocumentSource(name="d", uri=str(tmp_path))
    units = list(source.units())
    assert still_open() == 0, "listing keeps none"
    assert not any(item.fault for unit in units for item in source.read(unit))
    assert 1 <= still_open() <= 4
    documents.close_documents()
    assert still_open() == 0
