"""The page of an evaluation in a browser, opened from disk: tables, rows, zoom and differences."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.pipelines.browser import browser, needs_chromium
from tests.vae_training.conftest import picture
from tests.vae_training.evaluation import photos, rows, run, save
from tests.vae_training.test_evaluate_text import Reader
from vae_training.evaluation import run as evaluation

MODELS = ("identity", "blur-4x", "jpeg-q10")
# Names as files may have them; the last closes a script element with the name of its folder.
NASTY = ('"><img src=x onerror=alert(1)>', "it's #1? 100% & <b>bold</b>", "x<__script>alert(1)")

Opener = Callable[[Path], Any]


@pytest.fixture(scope="module")
def tab() -> Iterator[tuple[Any, list[str]]]:
    """A tab of Chromium without network, and what is wrong in it."""
    wrong: list[str] = []
    with browser() as chromium:
        context = chromium.new_context(viewport={"width": 1400, "height": 1000}, offline=True)
        tab = context.new_page()
        tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on(
            "request",
            lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append("net"),
        )
        tab.on("dialog", lambda dialog: wrong.append("a dialog"))
        yield tab, wrong


@pytest.fixture
def opened(tab: tuple[Any, list[str]]) -> Iterator[Opener]:
    """Opens pages; nothing may be asked for elsewhere or complained of."""
    shown, wrong = tab

    def look_at(out: Path) -> Any:
        shown.goto((out / "index.html").as_uri())
        return shown

    yield look_at
    shown.goto("about:blank")
    assert not wrong


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    flags = ("--metrics", "psnr,ssim", "--size", "64", "--out", root / "out")
    assert run("--model", *MODELS, "--photos", photos(root / "photos", 4), *flags) == 0
    return root / "out"


def seen(element: Any) -> Any:
    """What a person sees inside an element, as int[H, W, 3]; its edges lie between pixels."""
    whole = np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"))
    return whole[2:-2, 2:-2].astype(int)


def names(shown: Any, selector: str, key: str) -> list[str]:
    found: list[str] = shown.eval_on_selector_all(
        selector, "(found, key) => found.map((x) => x.dataset[key])", key
    )
    return found


@needs_chromium
def test_the_table_sorts_by_a_metric_and_turns(evaluated: Path, opened: Opener) -> None:
    shown = opened(evaluated)
    measured = rows(evaluated).values()
    means = {m: np.mean([row["ssim"] for row in measured if row["model"] == m]) for m in MODELS}
    best = sorted(MODELS, key=lambda m: -means[m])
    head = shown.locator("th button", has_text="SSIM")
    head.click()
    assert names(shown, "#tables tr[data-model]", "model") == best
    assert head.locator("..").get_attribute("aria-sort") == "descending"
    head.click()
    assert names(shown, "#tables tr[data-model]", "model") == best[::-1]


@needs_chromium
def test_rows_are_worst_first_by_any_metric_and_model(evaluated: Path, opened: Opener) -> None:
    shown = opened(evaluated)
    for model, metric in (("blur-4x", "psnr"), ("jpeg-q10", "ssim")):
        shown.select_option("#metric", metric)
        shown.select_option("#model", model)
        found = [row for row in rows(evaluated).values() if row["model"] == model]
        worst = [row["name"] for row in sorted(found, key=lambda row: row[metric])]
        assert names(shown, ".row", "name") == worst
    shown.click("#turn")
    assert names(shown, ".row", "name") == worst[::-1]
    shown.keyboard.press("/")
    shown.keyboard.type("P2")
    assert names(shown, ".row", "name") == ["p2"]


@needs_chromium
def test_pictures_of_a_row_zoom_and_move_together(evaluated: Path, opened: Opener) -> None:
    shown = opened(evaluated)
    row = shown.locator(".row").nth(1)
    row.scroll_into_view_if_needed()
    frame = row.locator(".frame").nth(2)
    frame.click()
    where = "(found) => found.map((x) => getComputedStyle(x).transform)"

    def views(which: Any) -> list[str]:
        found: list[str] = which.locator(".stack").evaluate_all(where)
        return found

    assert set(views(row)) == {"none"}
    frame.hover()
    shown.mouse.wheel(0, -500)
    shown.wait_for_function("document.querySelector('#scale').textContent === '4×'")
    (zoomed,) = set(views(row))
    assert zoomed.startswith("matrix(4, 0, 0, 4") and len(views(row)) == 4
    shown.mouse.down()
    box = frame.bounding_box()
    shown.mouse.move(box["x"] + 20, box["y"] + 20, steps=3)
    shown.mouse.up()
    (moved,) = set(views(row))
    assert moved != zoomed and moved.startswith("matrix(4, 0, 0, 4")
    assert set(views(shown.locator(".row").nth(0))) == {"none"}
    image = row.locator("img").nth(1)
    assert image.evaluate("(x) => getComputedStyle(x).imageRendering") == "pixelated"


@needs_chromium
def test_a_held_key_shows_the_original_in_place_of_models(evaluated: Path, opened: Opener) -> None:
    shown = opened(evaluated)
    shown.locator(".row").first.scroll_into_view_if_needed()
    shown.keyboard.press("j")
    row = shown.locator(".row[aria-current=true]")
    assert row.get_attribute("data-name") == names(shown, ".row", "name")[1]
    over = row.locator("[data-model=blur-4x] .over")
    shown.keyboard.down("f")
    over.wait_for(state="visible")
    assert over.get_attribute("src") == row.locator(".original img").get_attribute("src")
    over.wait_for(state="hidden")
    shown.keyboard.up("f")
    shown.wait_for_timeout(400)
    assert not over.is_visible()


@needs_chromium
def test_a_difference_is_black_where_pictures_are_equal(evaluated: Path, opened: Opener) -> None:
    shown = opened(evaluated)
    shown.keyboard.press("d")
    row = shown.locator(".row[aria-current=true]")
    most = {}
    for model in MODELS:
        canvas = row.locator(f"[data-model={model}] canvas")
        canvas.wait_for()
        row.scroll_into_view_if_needed()
        most[model] = seen(canvas).max()
    assert most["identity"] == 0 and most["jpeg-q10"] > 20
    shown.select_option("#gain", "1")
    assert 0 < seen(row.locator("[data-model=jpeg-q10] canvas")).mean() < 128
    shown.keyboard.press("k")
    shown.click("#difference")
    assert shown.locator("canvas").count() == 0


@needs_chromium
def test_texts_are_compared_letter_by_letter(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Words(Reader):
        def read(self, rgb: Any) -> Any:
            (line, _) = super().read(rgb)
            text = "naïve <b>fox</b>" if rgb.std() > 60 else "nave <b>f0x</b>es"
            return [line._replace(text=text)]

    monkeypatch.setattr(evaluation, "_new_engine", lambda settings: Words())
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 255
    folder = save(tmp_path / "text", stripes=stripes)
    out = tmp_path / "out"
    flags = ("--metrics", "ned", "--out", out)
    assert run("--model", "identity", "blur-4x", "--text", folder, *flags) == 0
    assert rows(out)["text", "identity", "stripes"]["reconstruction_text"] == "naïve <b>fox</b>"
    shown = opened(out)
    read = shown.locator("dd[data-model=blur-4x]")
    read.wait_for()
    assert read.locator("del").all_text_contents() == ["ï", "o"]
    assert read.locator("ins").all_text_contents() == ["0", "es"]
    assert shown.locator("dd[data-model=identity] :is(del, ins)").count() == 0


@needs_chromium
def test_names_are_never_read_as_html(tmp_path: Path, opened: Opener) -> None:
    pictures = {name: picture(72, 80, "photo", n) for n, name in enumerate(NASTY)}
    out = tmp_path / "out & <b>"
    folder = save(tmp_path / "photos", **pictures)
    flags = ("--metrics", "psnr", "--size", "64", "--out", out)
    assert run("--model", "blur-2x", "--photos", folder, *flags) == 0
    assert '"><img' not in (out / "index.html").read_text(encoding="utf-8")
    shown = opened(out)
    shown.select_option("#metric", "")
    expected = sorted(name.replace("__", "/") for name in NASTY)
    assert names(shown, ".row", "name") == expected
    assert shown.locator("b:text('bold')").count() == 0
    shown.locator(".row").last.scroll_into_view_if_needed()
    shown.wait_for_function(
        "[...document.querySelectorAll('.row img')].every((x) => x.naturalWidth === 64)"
    )
