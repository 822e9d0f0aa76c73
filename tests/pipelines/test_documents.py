from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest

from pipelines.sources import DocumentSource, SourceError
from tests.pipelines import pdfs
from tests.pipelines.reading import assert_fetch_gives_the_same, read_all, slugs
from vae_corpus.demo import DemoInputs
from vae_corpus.pictures.decode import Decoded, Limits, decode

pytestmark = pytest.mark.usefixtures("forked_children")


def pages_of(count: int, size: int = 10) -> bytes:
    """A document of some pages, each with a line of its own."""
    kids = " ".join(f"{10 + 2 * n} 0 R" for n in range(count))
    objects = ["<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Kids[{kids}]/Count {count}>>"]
    objects += ["null"] * 7
    for n in range(count):
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 500]/Contents {11 + 2 * n} 0 R"
            f"/Resources<</Font<</F {pdfs.HELVETICA}>>>>>>",
            pdfs.stream(pdfs.text([f"page number {n}", "and a line of text below it"], size)),
        ]
    return pdfs.document(objects)


def test_pages_of_a_real_document(demo: DemoInputs) -> None:
    source = DocumentSource(name="d", uri=str(demo.pdfs[0]), max_pages=3)
    items = read_all(source)
    numbers = [int(item.member.rsplit("=", 1)[1]) for item in items]
    assert len(set(numbers)) == 3 and max(numbers) > 20, "the pages are spread over the document"
    for item in items:
        picture = decode(item.data)
        assert isinstance(picture, Decoded) and item.page is not None
        assert (picture.rgb == item.page.rgb).all(), "the bytes are the page"
    assert items == read_all(source)
    assert_fetch_gives_the_same(source)


def test_a_broken_document_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "x.pdf").write_bytes(b"%PDF-1.4 and then nothing")
    (tmp_path / "empty.pdf").write_bytes(b"")
    (tmp_path / "good.pdf").write_bytes(pages_of(2))
    source = DocumentSource(name="d", uri=str(tmp_path))
    assert sorted(slugs(source)) == ["broken_document", "empty"]
    assert len(read_all(source)) == 4


def test_listing_opens_no_file(tmp_path: Path) -> None:
    for n in range(70):
        (tmp_path / f"{n}.pdf").write_bytes(b"whatever")
    source = DocumentSource(name="d", uri=str(tmp_path), files_per_unit=20)
    (tmp_path / "3.pdf").chmod(0)
    units = list(source.units())
    assert 3 < len(units) <= 8
    listed = [name for unit in units for name in unit.members[1:]]
    assert sorted(listed) == sorted(f"{n}.pdf" for n in range(70))


def test_a_large_file_is_read_in_parts(tmp_path: Path) -> None:
    data = pages_of(50)
    (tmp_path / "a.pdf").write_bytes(data + b"\n%" + b"x" * 7_000_000 + b"\n")
    source = DocumentSource(name="d", uri=str(tmp_path))
    units = list(source.units())
    assert [(unit.start, unit.stop) for unit in units] == [(n, 4) for n in range(4)]
    parts = [[item.member for item in source.read(unit)] for unit in units]
    assert sum(parts, []) == [f"a.pdf#page={n + 1}" for n in range(50)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_broken_file_of_many_parts_is_one_fault(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF" + b"x" * 7_000_000)
    assert slugs(DocumentSource(name="d", uri=str(tmp_path))) == ["broken_document"]


def test_letters_have_drawn_sizes(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pages_of(40))
    source = DocumentSource(name="d", uri=str(tmp_path), glyph_px={"8-10": 1, "11-14": 1})
    pages = [item.page for item in read_all(source)]
    ems = np.array([page.characters.median_em_px for page in pages if page])
    assert len(ems) == 40 and ((ems >= 7.99) & (ems <= 14.01)).all()
    assert 5 < (ems < 10.5).sum() < 35 and len(set(ems.tolist())) > 20
    other = read_all(source.for_build(Limits(), seed=1))
    assert [item.data for item in other] != [item.data for item in read_all(source)]
    with pytest.raises(ValueError, match="8-10"):
        DocumentSource(name="d", uri=str(tmp_path), glyph_px={"8-9": 1})


def test_a_page_is_drawn_at_several_sizes(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pages_of(2))
    source = DocumentSource(name="d", uri=str(tmp_path), scales_per_page=3)
    items = read_all(source)
    assert [item.member for item in items] == [
        f"a.pdf#page={page}@{n}" for page in (1, 2) for n in (1, 2, 3)
    ]
    assert len({item.data for item in items}) == 6
    assert_fetch_gives_the_same(source)


CHINESE = pdfs.page(pdfs.cjk_text(["发票号码", "中文文字"]), fonts={"F": pdfs.cjk_font()})


def one_page(folder: Path, data: bytes, fonts: tuple[str, ...] = ()) -> DocumentSource:
    (folder / "x.pdf").write_bytes(data)
    return DocumentSource(name="d", uri=str(folder), fonts=fonts)


def named(demo: DemoInputs, part: str) -> tuple[str, ...]:
    return tuple(str(folder) for folder in demo.fonts if part in str(folder))


def test_real_pages_miss_no_glyphs(demo: DemoInputs) -> None:
    for path in demo.pdfs:
        assert slugs(DocumentSource(name="d", uri=str(path), max_pages=8)) == []


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


def test_a_node_with_other_fonts_refuses(tmp_path: Path, demo: DemoInputs) -> None:
    (unit,) = one_page(tmp_path, CHINESE).units()
    elsewhere = one_page(tmp_path, CHINESE, named(demo, "microhei"))
    with pytest.raises(SourceError, match="other fonts"):
        list(elsewhere.read(unit))
    with pytest.raises(SourceError, match="no such font folder"):
        list(one_page(tmp_path, CHINESE, ("/nowhere",)).units())


def test_pages_keep_to_the_limits_of_scoring(tmp_path: Path) -> None:
    source = one_page(tmp_path, pdfs.page(size=(4000, 4000)))
    small = source.for_build(Limits(max_pixels=90_000), seed=0)
    for one in (small, pickle.loads(pickle.dumps(small))):
        (item,) = read_all(one)
        assert item.page is not None and item.page.rgb[:, :, 0].size <= 90_000


def test_a_page_whose_process_dies_is_a_fault_and_the_next_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = one_page(tmp_path, pages_of(3))
    renderings = source.renderings()
    answer = renderings._answer

    def dying(request: tuple[object, ...], limit_s: float) -> object:
        if request[0] == "render" and request[2] == 1:
            renderings._running()
            assert renderings._child is not None
            os.kill(renderings._child.pid, signal.SIGKILL)
        return answer(request, limit_s)

    monkeypatch.setattr(renderings, "_answer", dying)
    assert slugs(source) == ["page_crashed"] and len(read_all(source)) == 3


def test_a_page_that_takes_too_long_is_a_fault(tmp_path: Path) -> None:
    # Each form draws the next one many times.
    forms = [
        pdfs.stream(
            f"/X{n + 1} Do " * 40 if n < 6 else "0 0 1 1 re f",
            "/Type/XObject/Subtype/Form/BBox[0 0 400 300]"
            + (f"/Resources<</XObject<</X{n + 1} {11 + n} 0 R>>>>" if n < 6 else ""),
        )
        for n in range(7)
    ]
    data = pdfs.page("/X0 Do", more=forms).replace(b"<</Font", b"<</XObject<</X0 10 0 R>>/Font")
    (tmp_path / "bomb.pdf").write_bytes(data)
    (tmp_path / "good.pdf").write_bytes(pages_of(1))
    items = read_all(DocumentSource(name="d", uri=str(tmp_path), page_timeout_s=1))
    faults = [item.fault and item.fault[0] for item in items]
    assert sorted(faults, key=str) == [None, "page_timeout"]


def test_a_changed_recipe_is_another_unit(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pages_of(1))
    source = DocumentSource(name="d", uri=str(tmp_path))
    changes = ({"scales_per_page": 2}, {"max_pages": 1}, {"glyph_px": {"8-10": 1.0}})
    changed = [source, *(source.model_copy(update=change) for change in changes)]
    ids = {next(iter(one.units())).unit_id for one in changed}
    ids.add(next(iter(source.for_build(Limits(), 7).units())).unit_id)
    assert len(ids) == 5
