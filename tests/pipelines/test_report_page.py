"""The page in a browser, opened from disk: what it shows is what the plan decided, or would."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.config import CorpusConfig
from pipelines.planning import neighbourhoods, tables
from pipelines.report import strata
from pipelines.stages import plan
from tests.pictures import encoded, scene
from tests.pipelines.browser import browser, needs_chromium
from tests.pipelines.builds import run, write_config
from tests.pipelines.report_corpus import FLAGS, Corpus, make_corpus
from vae_corpus import settings
from vae_corpus.demo import DemoInputs


@pytest.fixture(scope="module")
def corpus(demo: DemoInputs, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("report"), demo)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as running:
        yield running


@dataclass(frozen=True)
class Tab:
    """A tab without network; `wrong` is what it asked for elsewhere or complained of."""

    page: Any
    wrong: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def tab(chromium: Any) -> Tab:
    """One for all tests: with each tab this browser opens more that nobody sees."""
    tab = Tab(chromium.new_context(offline=True).new_page())
    asked = tab.wrong.append
    tab.page.on("console", lambda said: asked(said.text) if said.type == "error" else None)
    tab.page.on("pageerror", lambda error: asked(str(error)))
    tab.page.on(
        "request", lambda one: None if one.url.startswith(("file:", "data:")) else asked(one.url)
    )
    return tab


@contextmanager
def shown_in(tab: Tab, path: Path, width: int, height: int, scheme: str = "light") -> Iterator[Any]:
    """The page at `path`, from disk and anew; nothing may be wrong with it."""
    tab.page.set_viewport_size({"width": width, "height": height})
    tab.page.emulate_media(color_scheme=scheme)
    tab.page.goto(path.as_uri())
    yield tab.page
    tab.page.goto("about:blank")
    assert not tab.wrong


@pytest.fixture
def opened(tab: Tab, corpus: Corpus) -> Iterator[Any]:
    with shown_in(tab, corpus.page, 1400, 1000) as page:
        yield page


@pytest.fixture(scope="module")
def as_built(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    return replanned(corpus, tmp_path_factory.mktemp("planned"))


def replanned(corpus: Corpus, folder: Path, *flags: str) -> Counter[str]:
    """What a plan with these settings decides: images by `kept <kind>` or slug."""
    argv = ["--config", str(corpus.config), "--out", str(corpus.folder), *FLAGS, *flags]
    config = settings.load(CorpusConfig, argv, description="")
    (scores,) = corpus.folder.glob("scores/*")
    known = neighbourhoods.listed(str(corpus.folder / "units"))
    names = tuple(config.sources_by_name())
    plan.make_plan(plan.plan_job(config, str(scores), str(folder), known, names))
    rows = {
        fate: [
            row
            for path in tables.paths(str(folder), fate)
            for row in pq.read_table(path).to_pylist()
        ]
        for fate in (tables.SELECTED, tables.DROPPED)
    }
    found = Counter(f"kept {row['kind']}" for row in rows[tables.SELECTED])
    return found + Counter(str(row["slug"]) for row in rows[tables.DROPPED])


def trial_counts(shown: Any) -> Counter[str]:
    rows = shown.eval_on_selector_all(
        "#trial-table tbody tr", "rows => rows.map(r => [r.dataset.name, +r.dataset.count])"
    )
    return +Counter(dict(rows))


@needs_chromium
@pytest.mark.parametrize("setting", ["min_clarity", "max_aspect", "min_side_px"])
def test_a_dragged_threshold_counts_as_a_plan_would(
    opened: Any, corpus: Corpus, as_built: Counter[str], tmp_path: Path, setting: str
) -> None:
    card = opened.locator(f"#t-{setting}")
    card.scroll_into_view_if_needed()
    rule = card.locator(".handle .rule").bounding_box()
    drawing = card.locator(".histogram svg").bounding_box()
    x, y = rule["x"] + rule["width"] / 2, drawing["y"] + 60
    to = drawing["x"] + drawing["width"] * {"max_aspect": 0.1}.get(setting, 0.62)
    opened.mouse.move(x, y)
    opened.mouse.down()
    opened.mouse.move(to, y, steps=8)
    opened.mouse.up()
    opened.wait_for_selector("#whatif:not([hidden])")
    flags = opened.inner_text("#flags")
    assert re.fullmatch(rf"--plan\.{setting} [0-9.]+", flags)
    expected = replanned(corpus, tmp_path, *flags.split())
    assert expected != as_built
    assert trial_counts(opened) == expected


@needs_chromium
def test_a_sample_says_how_sure_it_is_and_is_right_about_it(
    tab: Tab,
    corpus: Corpus,
    as_built: Counter[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(strata, "ROWS", 24)
    out = tmp_path / "corpus"
    shutil.copytree(corpus.folder, out)
    (out / "report" / "index.html").unlink()
    assert run(corpus.config, out, *FLAGS) == 0
    after = replanned(corpus, tmp_path / "after", "--plan.min_clarity", "0.6")
    counts = "Object.fromEntries(Object.entries({}).map(([n, c]) => [n, [c.count, c.half]]))"
    with shown_in(tab, out / "report" / "index.html", 1280, 720) as shown:
        planned = shown.evaluate(counts.format("Trial.planned"))
        # What the plan decided is counted, not guessed.
        assert {name: (round(n), half) for name, (n, half) in planned.items()} == {
            name: (n, 0) for name, n in as_built.items()
        }
        shown.evaluate("Trial.set('min_clarity', 0.6)")
        shown.wait_for_selector("#whatif:not([hidden])")
        now = shown.evaluate(counts.format("Trial.now()"))
        kept, half = now["kept general"]
        assert 0 < half < 20 and abs(kept - after["kept general"]) <= half
        assert now["too_small"] == [after["too_small"], 0]
        assert "±" in shown.inner_text("#trial-kept")


@needs_chromium
def test_both_sides_of_a_threshold_are_shown_nearest_first(opened: Any, corpus: Corpus) -> None:
    opened.evaluate("Trial.set('min_clarity', 0.5)")
    opened.locator("#t-min_clarity").scroll_into_view_if_needed()
    opened.wait_for_function(
        "document.querySelector('#t-min_clarity h4').textContent.includes('0.5')"
    )
    below, above = (
        [float(text) for text in strip.locator(".words").all_inner_texts()]
        for strip in opened.locator("#t-min_clarity .strip").all()
    )
    assert below == sorted(below, reverse=True) and all(value < 0.5 for value in below) and below
    assert above == sorted(above) and all(value >= 0.5 for value in above) and above


@needs_chromium
def test_the_keyboard_moves_a_threshold(opened: Any) -> None:
    handle = opened.locator("#t-min_clarity .handle")
    handle.scroll_into_view_if_needed()
    handle.focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowRight")
    # The page reckons between two frames: the first step may be told before the second.
    opened.wait_for_selector("#flags:text-is('--plan.min_clarity 0.32')")
    assert handle.get_attribute("aria-valuenow") == "0.32"
    opened.click("#copy-flags")
    opened.wait_for_selector("#copy-flags:text('Copied')")


@needs_chromium
def test_a_card_asks_all_that_no_earlier_rule_drops(opened: Any, corpus: Corpus) -> None:
    told = opened.locator("#t-min_side_px .told")
    (first,) = re.findall(r"of the (\d+) images", told.inner_text())
    # Its rule is the first one: everything that was decoded is asked, at any value.
    assert int(first) == len(corpus.rows("selected")) + len(corpus.rows("dropped"))
    opened.fill("#t-min_side_px-value", "500")
    opened.press("#t-min_side_px-value", "Enter")
    opened.wait_for_selector("#flags")
    assert f"of the {first} images" in told.inner_text()


@needs_chromium
def test_values_that_the_build_refuses_are_not_taken(opened: Any) -> None:
    for setting, typed, taken in (("min_clarity", "5", "1"), ("max_aspect", "0.5", "1")):
        opened.fill(f"#t-{setting}-value", typed)
        opened.press(f"#t-{setting}-value", "Enter")
        opened.wait_for_function(
            f"document.querySelector('#flags')?.textContent.includes('--plan.{setting} {taken}')"
        )


@needs_chromium
def test_the_arrows_go_from_picture_to_picture(opened: Any) -> None:
    opened.evaluate("Gallery.show({fate: 'selected', kind: 'general'})")
    opened.click("#gallery .tile")
    seen = []
    for _ in range(3):
        seen.append(opened.inner_text("#viewer dd code"))
        opened.keyboard.press("ArrowRight")
    assert len(set(seen)) == 3
    opened.keyboard.press("Escape")
    assert not opened.evaluate("document.getElementById('viewer').open")


@needs_chromium
def test_what_was_listed_is_without_what_was_rendered(opened: Any, corpus: Corpus) -> None:
    listed = sum(len(corpus.rows(name)) for name in ("selected", "dropped", "rejected"))
    opened.locator('#flow-chart [role=button][aria-label^="listed: "]').click()
    assert opened.inner_text("#found").split()[0] == str(listed)
    # A search in the head of the page starts anew.
    opened.fill("#find input", "broken.jpg")
    opened.wait_for_function("document.querySelector('#filters [name=kind]').value === ''")


@needs_chromium
def test_the_page_and_the_plan_agree(opened: Any, corpus: Corpus) -> None:
    assert opened.evaluate("Trial.disagree") == 0


@needs_chromium
def test_a_reason_in_the_flow_shows_its_images(opened: Any, corpus: Corpus) -> None:
    dropped = Counter(row["slug"] for row in corpus.rows("dropped"))
    for slug in ("too_small", "near_duplicate"):
        assert dropped[slug]
        opened.locator(f'#flow-chart [role=button][aria-label^="{slug}: "]').click()
        assert opened.inner_text("#found").split()[0] == str(dropped[slug])
        assert opened.locator("#gallery .tile img").count() == dropped[slug]
    opened.locator('#flow-chart [role=button][aria-label^="truncated: "]').click()
    (rejected,) = corpus.rows("rejected")
    assert rejected["why"] in opened.inner_text("#rows-without")


@needs_chromium
def test_a_phase_in_the_flow_shows_what_it_trains_on(opened: Any, corpus: Corpus) -> None:
    curriculum = json.loads((corpus.folder / "curriculum.json").read_text())
    assert len(curriculum["phases"]) > 1
    kept = corpus.rows("selected")
    for phase in curriculum["phases"]:
        shown = [
            row
            for row in kept
            if str(row["rung"]) in phase["rungs"] and row["kind"] in phase["kinds"]
        ]
        assert shown
        opened.locator(f'#flow-chart [role=button][aria-label^="{phase["name"]}: "]').click()
        opened.select_option("#filters [name=kind]", shown[0]["kind"])
        expected = sum(row["kind"] == shown[0]["kind"] for row in shown)
        assert opened.inner_text("#found").split()[0] == str(expected)


@needs_chromium
def test_text_shows_the_lines_that_the_detector_finds(opened: Any, corpus: Corpus) -> None:
    (text,) = {row["kind"] for row in corpus.rows("selected") if row["chars_est"]}
    opened.evaluate(f"Gallery.show({{kind: '{text}', fate: 'selected'}})")
    opened.click("#gallery .tile")
    opened.wait_for_selector("#viewer .overlay polygon", state="attached")
    lines = opened.locator("#viewer .overlay polygon")
    # Lines of a page lie below one another and inside the crop.
    middles = [box["y"] + box["height"] / 2 for box in (one.bounding_box() for one in lines.all())]
    assert len(middles) >= 5 and len({round(y / 6) for y in middles}) >= 5
    frame = opened.locator("#viewer .stage img").bounding_box()
    assert all(frame["y"] <= y <= frame["y"] + frame["height"] for y in middles)


@needs_chromium
def test_a_key_and_a_path_are_found(opened: Any, corpus: Corpus) -> None:
    row = corpus.rows("selected")[0]
    for text in (row["key"], row["member"]):
        opened.fill("#find input", text)
        opened.wait_for_function("document.querySelectorAll('#gallery .tile').length === 1")
        assert row["key"] in opened.get_attribute("#gallery .tile", "title")
    opened.click("#gallery .tile")
    assert row["key"] in opened.inner_text("#viewer")
    opened.keyboard.press("Escape")
    opened.fill("#find input", "<i>&'odd")
    opened.wait_for_function("document.querySelectorAll('#gallery .tile').length === 1")


@needs_chromium
def test_duplicates_lie_side_by_side_with_their_distance(opened: Any) -> None:
    pair = opened.locator(".pair", has_text="near_duplicate")
    assert pair.count() == 1
    assert re.search(r"\d+ of 64, \d+ of 256 bits apart", pair.inner_text())
    assert pair.locator("img").count() == 2


@needs_chromium
def test_rendered_pages_show_the_boxes_of_their_characters(opened: Any) -> None:
    opened.evaluate("Gallery.show({kind: 'text_synth'})")
    opened.click("#gallery .tile")
    opened.wait_for_selector("#viewer .overlay rect", state="attached")
    boxes = opened.locator("#viewer .overlay rect")
    boxes.nth(boxes.count() // 2).hover(force=True)
    assert "em " in opened.inner_text("#viewer .read")


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_follows_the_system(tab: Tab, corpus: Corpus, scheme: str) -> None:
    with shown_in(tab, corpus.page, 390, 844, scheme) as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") == 390
        assert shown.evaluate("document.documentElement.dataset.theme") == scheme
        shown.click("#theme")
        assert shown.evaluate("document.documentElement.dataset.theme") != scheme


def test_the_same_corpus_gives_the_same_page(corpus: Corpus, tmp_path: Path) -> None:
    before = corpus.page.read_bytes()
    corpus.page.unlink()
    assert run(corpus.config, corpus.folder, *FLAGS) == 0
    assert corpus.page.read_bytes() == before
    elsewhere = tmp_path / "elsewhere"
    assert run(corpus.config, elsewhere, *FLAGS, "--engine.attempts", "2") == 0
    assert (elsewhere / "report" / "index.html").read_bytes() == before
    assert str(corpus.folder).encode() not in before


def test_what_a_stage_took_names_each_image_once(corpus: Corpus) -> None:
    script = (corpus.page.parent / "run.js").read_text()
    told = json.loads(script.removeprefix("showRun(").removesuffix(");\n"))
    done = {row["stage"]: row["done"] for row in told["stages"]}
    paths = sorted(corpus.folder.glob("shards/*/*/*.parquet"))
    held = {kind: 0 for kind in ("text_synth", "others")}
    for path in paths:
        kind = "text_synth" if "text_synth" in path.parts else "others"
        held[kind] += pq.read_metadata(path).num_rows
    assert done["pack"] == held["others"] and done["synthesize"] == held["text_synth"]


def test_a_page_that_is_right_is_not_made_anew(corpus: Corpus) -> None:
    before = corpus.page.stat().st_mtime_ns
    times = (corpus.page.parent / "run.js").read_bytes()
    assert run(corpus.config, corpus.folder, *FLAGS) == 0
    assert corpus.page.stat().st_mtime_ns == before
    assert (corpus.page.parent / "run.js").read_bytes() == times


def test_images_whose_source_has_gone_are_shown_without_pictures(
    demo: DemoInputs, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for n in range(3):
        (photos / f"{n}.png").write_bytes(encoded(scene(400, 300 if n else 200, n), "png"))
    source = [{"name": "photos", "type": "folder", "uri": str(photos)}]
    config = write_config(tmp_path / "c.yaml", tmp_path, demo, sources=source)
    flags = ("--score.text", "false", "--synth.samples", "{}")
    out = tmp_path / "out"
    assert run(config, out, *flags) == 0
    (out / "report" / "index.html").unlink()
    small = photos / "0.png"
    # The same name, size and time, so that it is not scored anew: the page meets it as it is.
    stat = small.stat()
    small.write_bytes(bytes(stat.st_size))
    shutil.os.utime(small, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # type: ignore[attr-defined]
    assert run(config, out, *flags) == 0
    data = embedded(out / "report" / "index.html")
    assert len(data["columns"]["key"]) == 3
    assert len(data["pictures"]["thumbnail"]) == 2


def embedded(path: Path) -> dict[str, Any]:
    """What the page carries."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data
