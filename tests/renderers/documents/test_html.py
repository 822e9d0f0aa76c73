"""HTML in a real browser: what is shown is told, each character where its ink is."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from renderers.documents.page import DocumentFault
from renderers.documents.web.browser import Browser
from renderers.documents.web.html import open_html
from tests.pipelines.browser import needs_chromium
from tests.renderers.documents.pages import RECIPE, look, show
from vae_corpus.pictures.decode import Limits

pytestmark = needs_chromium

_LONG = "".join(f"<p>paragraph {number} of many</p>" for number in range(120))


def _lines(image: object) -> list[str]:
    said = image.characters  # type: ignore[attr-defined]
    return [
        "".join(c for c, at in zip(said.text, said.line, strict=True) if at == line).strip()
        for line in range(int(said.line.max(initial=-1)) + 1)
    ]


def test_boxes_hold_the_ink_and_nothing_else(chromium: Browser) -> None:
    image = show(chromium, "<p>Hello World</p><p>中文字</p>", em_px=20)
    said = image.characters
    assert said.text.replace(" ", "") == "HelloWorld中文字"
    assert np.allclose(said.em_px, 20, atol=0.1)
    dark = image.rgb.max(axis=2) < 200
    covered = np.zeros_like(dark)
    for left, top, right, bottom in said.boxes[said.inked].astype(int):
        box = dark[top:bottom, left:right]
        assert box[0].any() and box[-1].any() and box[:, 0].any() and box[:, -1].any()
        covered[top:bottom, left:right] = True
    assert not (dark & ~covered).any()


def test_underlines_are_no_ink_of_letters(chromium: Browser) -> None:
    style = "text-underline-offset:4px;text-decoration-skip-ink:none"
    lined = show(chromium, f"<p><u style='{style}'>text</u> <a href=x style='{style}'>text</a>")
    plain = show(chromium, "<p>text <span style='color:#0000ee'>text</span>")
    assert (lined.characters.boxes == plain.characters.boxes).all()
    assert (lined.rgb != plain.rgb).any()


@pytest.mark.parametrize("em_px", [5.5, 9.0, 13.0, 22.0])
def test_letters_have_the_size_that_was_asked_for(chromium: Browser, em_px: float) -> None:
    image = show(chromium, _LONG, em_px=em_px)
    assert image.characters.median_em_px == pytest.approx(em_px, rel=0.01)
    assert image.facts["scale"] == pytest.approx(em_px / 16, rel=0.01)
    assert image.rgb.shape[1] == round(768 * image.facts["scale"])


def test_large_letters_are_drawn_and_not_enlarged(chromium: Browser) -> None:
    small, large = (show(chromium, _LONG, em_px=em).rgb for em in (8, 24))
    enlarged = cv2.resize(small, large.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    edges = [
        cv2.Laplacian(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
        for p in (large, enlarged)
    ]
    assert edges[0] > 2 * edges[1]


@pytest.mark.parametrize(
    "hidden",
    [
        "<span style='display:none'>hidden</span>",
        "<span style='visibility:hidden'>hidden</span>",
        "<div style='opacity:0'><b>hidden</b></div>",
        "<span style='color:transparent'>hidden</span>",
        "<span style='color:white'>hidden</span>",
        "<span style='font-size:0'>hidden</span>",
        "<div style='position:absolute;left:-999px'>hidden</div>",
        "<div style='height:0;overflow:hidden'>hidden</div>",
        "<div style='clip-path:inset(100%)'>hidden</div>",
        "<div style='position:relative'>hidden<i style='position:absolute;inset:0;background:#eee'>"
        "</i></div>",
        "<details><summary>open</summary>hidden</details>",
        "<script>hidden</script><style>hidden</style><template>hidden</template>",
        "<!-- hidden -->",
    ],
)
def test_what_is_not_seen_is_not_told(chromium: Browser, hidden: str) -> None:
    said = show(chromium, f"<p>before</p>{hidden}<p>after</p>").characters.text
    assert "hidden" not in said
    assert "before" in said and "after" in said


def test_it_tells_what_style_sheets_write(chromium: Browser) -> None:
    html = """<style>.n::before{content:"Note "} b{text-transform:uppercase}</style>
        <p class=n>read <b>this</b></p><ol><li>one<li>two</ol><ul><li>point</ul>"""
    image = show(chromium, html)
    lines = _lines(image)
    assert [line for line in lines if line] == [
        "Note", "read THIS", "1.", "one", "2.", "two", "•", "point"
    ]  # fmt: skip


def test_columns_and_cells_are_lines_apart(chromium: Browser) -> None:
    html = """<div style='columns:2;width:400px'>one two three four five six seven eight nine ten
        one two three four five six seven eight nine ten eleven</div>
        <table><tr><td>left<td>right</table><p>sup<sup>2</sup> and <b>bold</b>, <i>italic</i></p>"""
    lines = _lines(show(chromium, html))
    assert "left" in lines and "right" in lines
    assert "sup2 and bold, italic" in lines
    assert all(len(line.split()) < 8 for line in lines)


def test_a_transformed_letter_has_the_em_it_is_drawn_with(chromium: Browser) -> None:
    html = "<p style='transform:scale(2);transform-origin:0 0;width:200px'>twice</p><p><br><p>once"
    said = show(chromium, html).characters
    ratio = said.em_px[said.text.index("t")] / said.em_px[said.text.index("o")]
    assert ratio == pytest.approx(2, rel=0.01)


def test_it_tells_figures_tables_formulas_and_pictures(chromium: Browser, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((40, 60, 3), (0, 0, 255), np.uint8))
    html = """<p>text</p><figure><img src=red.png><figcaption>a</figcaption></figure>
        <table><tr><td>cell</table><math><mi>x</mi><mo>=</mo><mn>1</mn></math>"""
    image = show(chromium, html, resources=tmp_path)
    assert sorted(region.kind for region in image.regions) == ["figure", "formula", "table"]
    (picture,) = image.pictures
    left, top, right, bottom = (round(side) for side in picture)
    assert (right - left, bottom - top) == (60, 40)
    assert (image.rgb[top + 2 : bottom - 2, left + 2 : right - 2] == (255, 0, 0)).all()


def test_a_long_page_is_cut_between_lines_and_nothing_is_lost(chromium: Browser) -> None:
    document = open_html(_LONG.encode(), resources=None, recipe=RECIPE, browser=chromium)
    with closing(document):
        assert document.pages > 2
        images = [document.render(n, look(12), Limits()) for n in range(document.pages)]
    told = [line for image in images for line in _lines(image)]
    assert told == [f"paragraph {number} of many" for number in range(120)]
    for image in images:
        edges = np.concatenate([image.rgb[0], image.rgb[-1]])
        assert (edges == 255).all()


def test_pages_that_are_as_high_as_the_window_stay_so(chromium: Browser) -> None:
    html = "<body style='margin:0'><div style='height:100vh'>one</div><div>two</div>"
    document = open_html(html.encode(), resources=None, recipe=RECIPE, browser=chromium)
    with closing(document):
        assert document.pages == 2
        told = [document.render(n, look(16), Limits()).characters.text for n in range(2)]
    assert told == ["one", "two"]


def test_dark_is_dark(chromium: Browser) -> None:
    html = "<meta name=color-scheme content='light dark'><p>text"
    bright = show(chromium, html).rgb.mean()
    dark = show(chromium, html, recipe=replace(RECIPE, dark=True))
    assert dark.rgb.mean() < 60 < 200 < bright
    assert dark.characters.text == "text"
    assert dark.facts["dark"] is True


def test_the_same_bytes_in_two_browsers(chromium: Browser) -> None:
    html = "<h1>Title 标题</h1>" + _LONG + "<p style='transform:rotate(3deg)'>slanted"
    first = show(chromium, html, em_px=7.3)
    chromium.close()
    second = show(chromium, html, em_px=7.3)
    assert (first.rgb == second.rgb).all()
    assert (first.characters.boxes == second.characters.boxes).all()
    assert first.facts == second.facts


def test_scripts_run_only_when_they_are_asked_to(chromium: Browser) -> None:
    html = "<p>text<script>document.querySelector('p').append(' and script')</script>"
    assert show(chromium, html).characters.text == "text"
    assert show(chromium, html, javascript=True).characters.text == "text and script"


def test_pages_keep_to_the_limits_of_pixels(chromium: Browser) -> None:
    side = show(chromium, "<p>text", limits=Limits(max_side_px=500))
    area = show(chromium, "<p>text", limits=Limits(max_pixels=40_000))
    assert max(side.rgb.shape) <= 500 and area.rgb[:, :, 0].size <= 40_000


def test_pages_are_the_same_in_any_order(chromium: Browser, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 600, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    html = "<p>text<img src=noise.png>" * 8

    def drawn(order: tuple[int, ...]) -> dict[int, bytes]:
        document = open_html(html.encode(), resources=tmp_path, recipe=RECIPE, browser=chromium)
        with closing(document):
            sizes = {0: 15.0, 1: 9.0, 2: 6.0}
            return {n: document.render(n, look(sizes[n]), Limits()).rgb.tobytes() for n in order}

    assert drawn((0, 1, 2)) == drawn((2, 1, 0)) == drawn((1,)) | drawn((2,)) | drawn((0,))


def test_a_blank_page_is_a_page(chromium: Browser) -> None:
    image = show(chromium, "<body></body>")
    assert image.characters.text == ""
    assert (image.rgb == 255).all()


def test_no_bytes_are_no_document(chromium: Browser) -> None:
    with pytest.raises(DocumentFault) as fault:
        open_html(b" \n", resources=None, recipe=RECIPE, browser=chromium)
    assert fault.value.slug == "empty"


def test_documents_do_not_see_each_other(chromium: Browser, tmp_path: Path) -> None:
    html = "<link rel=stylesheet href=style.css><p>text"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "style.css").write_text(f"p::before {{ content: '{name} ' }}")
    open_at_once = [
        open_html(html.encode(), resources=tmp_path / name, recipe=RECIPE, browser=chromium)
        for name in ("one", "two")
    ]
    told = [document.render(0, look(16), Limits()).characters.text for document in open_at_once]
    for document in open_at_once:
        document.close()
    assert [text.split()[0] for text in told] == ["one", "two"]
    assert show(chromium, html).characters.text == "text"


def test_fonts_of_the_system_are_not_used(chromium: Browser) -> None:
    styled = "<p style=\"font-family:'DejaVu Sans',serif\">text</p>"
    assert (show(chromium, styled).rgb == show(chromium, "<p>text</p>").rgb).all()
