"""Pages of one template through the whole build: all stay, and their copies do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from numpy.typing import NDArray

from renderers.documents.pdf import open_pdf
from renderers.documents.pdf.fonts import pdf_fonts
from renderers.documents.recipe import PageRecipe
from tests.pictures import encoded
from tests.pipelines import pdfs
from tests.pipelines.builds import run
from vae_corpus.pictures.decode import Limits

_PAGES = 12
_WORDS = "North River Copper Harbour Maple Silver Orchard Granite Meadow Lantern Willow Falcon"


def filled(number: int) -> tuple[str, str]:
    """A name and a sum."""
    rng = np.random.default_rng(number)
    first, second = rng.choice(_WORDS.split(), 2, replace=False)
    return f"{first} {second} Works", f"{rng.integers(100, 9999)}.{rng.integers(10, 99)}"


def invoice(number: int) -> bytes:
    name, total = filled(number)
    lines = ["INVOICE", "Harbour Supply, 12 Quay Road", f"To: {name}", ""]
    lines += [f"Item {n}: bolts and hinges, {n} pieces at 3.20 each" for n in range(1, 9)]
    lines += [f"Total: {total}", "", "Payable within thirty days without deduction."]
    return pdfs.page(pdfs.text(lines, top=560), size=(420, 600))


def behind_an_empty_page(number: int) -> bytes:
    whole = invoice(number).replace(b"/Kids[3 0 R]/Count 1", b"/Kids[7 0 R 3 0 R]/Count 2")
    empty = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 420 600]>>"
    return whole.replace(b"7 0 obj\nnull", b"7 0 obj\n" + empty)


def form(number: int) -> bytes:
    name, total = filled(number)
    labels = ["Application for a stall", "", "Company", "", "Deposit", "", "I accept the rules."]
    fields = [
        pdfs.text_field("name", name, "20 480 300 500"),
        pdfs.text_field("sum", total, "20 440 300 460"),
    ]
    content = pdfs.text(labels, top=560) + " 20 480 280 20 re S 20 440 280 20 re S"
    return pdfs.page(content, size=(420, 600), fields=True, annotations=fields)


def build(folder: Path, **source: Any) -> dict[str, list[str]]:
    """The members that were kept, and those dropped as duplicates, of `folder`/in."""
    config = {
        "sources": [{"name": "a", "uri": str(folder / "in"), "content": "document", **source}],
        "score": {"text": False},
        "plan": {"min_clarity_text": 0},
        "synth": {"samples": {}},
        "engine": {"workers": 0},
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    assert run(folder / "c.yaml", folder / "corpus") == 0
    (plan,) = (folder / "corpus" / "plan").iterdir()
    members = {}
    for name in ("selected", "dropped"):
        rows = pq.read_table(plan / name).to_pylist()
        members[name] = sorted(row["member"] for row in rows)
    return members


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def scans(make: Callable[[int], bytes]) -> list[NDArray[np.uint8]]:
    """The pages as pixels."""
    # Print of 12 points at 100 dpi.
    recipe = PageRecipe(glyph_px={"en": 12 * 100 / 72, "zh": 12 * 100 / 72}, band={})
    found = []
    for number in range(_PAGES):
        data = make(number)
        document = open_pdf(data, len(data), pdf_fonts(()))
        found.append(document.render(0, recipe, Limits()).rgb)
        document.close()
    return found


@pytest.mark.parametrize("make", [invoice, form])
def test_all_documents_of_a_template_stay(folder: Path, make: Callable[[int], bytes]) -> None:
    for number in range(_PAGES):
        (folder / "in" / f"{number:02d}.pdf").write_bytes(make(number))
    made = build(folder, type="documents")
    assert len(made["selected"]) == _PAGES


@pytest.mark.parametrize("make", [invoice, form])
def test_all_scans_of_a_template_stay_and_their_copies_go(
    folder: Path, make: Callable[[int], bytes]
) -> None:
    for number, rgb in enumerate(scans(make)):
        (folder / "in" / f"{number:02d}.png").write_bytes(encoded(rgb, "png"))
        quality = (cv2.IMWRITE_JPEG_QUALITY, 80)
        (folder / "in" / f"{number:02d}-copy.jpg").write_bytes(encoded(rgb, "jpg", quality))
        small = cv2.resize(rgb, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
        (folder / "in" / f"{number:02d}-small.png").write_bytes(
            encoded(small.astype(np.uint8), "png")
        )
    made = build(folder, type="folder")
    assert {name[:2] for name in made["selected"]} == {f"{n:02d}" for n in range(_PAGES)}
    assert len(made["selected"]) == _PAGES


def test_the_same_page_in_another_file_is_a_twin(folder: Path) -> None:
    for number in range(2):
        (folder / "in" / f"{number}.pdf").write_bytes(invoice(number))
        # As a page behind an empty one, so that it takes the other resolution.
        (folder / "in" / f"{number}-again.pdf").write_bytes(behind_an_empty_page(number))
    made = build(folder, type="documents")
    # Which of the two is larger is drawn.
    assert [name[0] for name in made["selected"]] == ["0", "1"]
