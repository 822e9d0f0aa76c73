from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import discover
from renderers.effects.extras import Extras
from renderers.layout import LAYOUTS
from renderers.page.colour import contrast_ratio, local_luminance, luminance
from renderers.recipe import Recipe
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from tests.tiny_font import CHINESE, write_font
from vae_corpus.demo import DemoInputs
from vae_corpus.words import SIZE_BANDS

ENGLISH = (
    "The rain had stopped by noon, and the roofs of the old mill were steaming (or so).",
    "Affluent officials file waffles: ligatures, f.i., matter; so do $1,234.56 and 99%!",
)
HAN = (
    "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少？（孟浩然《春晓》）",
    "白日依山尽，黄河入海流。",
)
WHITE = np.full((300, 340, 3), 255, dtype=np.uint8)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "latin.ttf", family="Latin")
    write_font(folder / "han.ttf", ASCII_PRINTABLE + CHINESE, family="Han")
    return Renderer(
        faces=discover([folder], cache=folder / "cache"),
        texts={"en": TextSource("en", ENGLISH), "zh": TextSource("zh", HAN, 0.0)},
    )


@pytest.fixture(scope="session")
def real(demo: DemoInputs) -> Renderer:
    return Renderer(
        faces=discover(demo.fonts),
        texts={
            name: TextSource.from_paths(demo.texts[name], language=name) for name in ("en", "zh")
        },
    )


def _plain(recipe: Recipe) -> Recipe:
    """Black ink on the bare background: what differs from it is ink."""
    return replace(
        recipe, wash=0.0, plate=0.0, contrast=(21.0, 21.0), dark_text=True, saturation=0.0
    )


def _draw(renderer: Renderer, seed: int, **wanted: Any) -> Recipe:
    given = {"language": "en", "size_band": "8-10", "width": 320, "height": 288} | wanted
    return renderer.sample_recipe(np.random.default_rng(seed), **given)


def _boxes(labels: dict[str, Any]) -> list[list[int]]:
    """Those of characters with ink."""
    return [box for line in labels["lines"] for box in line["boxes"] if box[0] < box[2]]


def _outside(ink: npt.NDArray[np.bool_], labels: dict[str, Any]) -> int:
    left = ink.copy()
    for x0, y0, x1, y1 in _boxes(labels):
        left[y0:y1, x0:x1] = False
    return int(left.sum())


def _slack(ink: npt.NDArray[np.bool_], box: list[int]) -> int:
    x0, y0, x1, y1 = box
    part = ink[y0:y1, x0:x1]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    if not len(rows):
        return 99
    return int(
        max(rows[0], part.shape[0] - 1 - rows[-1], columns[0], part.shape[1] - 1 - columns[-1])
    )


@pytest.mark.parametrize("band", SIZE_BANDS)
@pytest.mark.parametrize("language", ["en", "zh", "mixed"])
def test_boxes_hold_all_ink_and_nothing_but_it(real: Renderer, language: str, band: str) -> None:
    recipe = _plain(_draw(real, 5, language=language, size_band=band, layout="paragraph"))
    rgb, labels = real.render(recipe, WHITE)
    ink = (rgb != 255).any(axis=2)
    assert len(_boxes(labels)) > 100
    assert _outside(ink, labels) == 0
    # Only a ligature, whose box is shared out among its letters, may be off by more than 0.5 px.
    slack = np.array([_slack(ink, box) for box in _boxes(labels)])
    assert (slack == 0).mean() >= 0.99


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_stays_inside_and_is_dense(real: Renderer, name: str) -> None:
    for language in LAYOUTS[name].languages:
        for seed in range(4):
            recipe = _draw(real, seed, language=language, size_band="5-10", layout=name)
            rgb, labels = real.render(recipe, WHITE)
            assert rgb.shape == (288, 320, 3)
            boxes = np.array(_boxes(labels))
            assert len(boxes) > 60, (name, language, seed)
            assert boxes.min() >= 0
            assert (boxes[:, 2] <= 320).all() and (boxes[:, 3] <= 288).all()
            assert (boxes[:, 0] < boxes[:, 2]).all() and (boxes[:, 1] < boxes[:, 3]).all()
            assert labels["left_out"] <= 0.02 * len(labels["lines"])


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_two_lines_overlap(real: Renderer, name: str) -> None:
    language = LAYOUTS[name].languages[-1]
    for seed in range(3):
        recipe = _draw(real, seed, language=language, layout=name)
        _, labels = real.render(recipe, WHITE)
        taken = np.zeros((288, 320), dtype=np.int32)
        crossed = 0
        for number, line in enumerate(labels["lines"], 1):
            for x0, y0, x1, y1 in line["boxes"]:
                part = taken[y0:y1, x0:x1]
                crossed += int(((part != 0) & (part != number)).any())
                part[:] = number
        assert crossed <= 0.01 * len(_boxes(labels))


def test_every_character_shown_is_covered_by_its_face(real: Renderer) -> None:
    faces = {face.key: face for face in real.faces}
    for seed in range(12):
        recipe = _draw(real, seed, language=("en", "zh", "mixed")[seed % 3])
        _, labels = real.render(recipe, WHITE)
        for line in labels["lines"]:
            assert faces[line["font"]].covers(line["text"])
            boxed = zip(line["text"], line["boxes"], strict=True)
            shown = "".join(char for char, box in boxed if box[0] < box[2])
            assert shown == line["text"].replace(" ", "")


@pytest.mark.parametrize("band", SIZE_BANDS)
@pytest.mark.parametrize("language", ["en", "zh", "mixed"])
def test_pages_of_a_band_are_labelled_with_it(tiny: Renderer, language: str, band: str) -> None:
    low, high = map(int, band.split("-"))
    sizes = set()
    for seed in range(50):
        recipe = _draw(tiny, seed, language=language, size_band=band)
        _, labels = tiny.render(recipe, WHITE)
        assert (labels["language"], labels["size_band"]) == (language, band)
        assert recipe.size_px == min(line["size_px"] for line in labels["lines"])
        sizes.add(recipe.size_px)
    assert sizes == set(range(low, high + 1))


@pytest.mark.parametrize("name", LAYOUTS)
def test_nothing_is_repeated_line_by_line(real: Renderer, name: str) -> None:
    for language in LAYOUTS[name].languages:
        for seed in range(3):
            recipe = _draw(real, seed, language=language, size_band="5-10", layout=name)
            assert len({text for _, text in recipe.texts}) == len(recipe.texts)
            _, labels = real.render(recipe, WHITE)
            # Short cells and code may come twice by chance, dividers are the same by design.
            prose = [line["text"] for line in labels["lines"] if _letters(line["text"]) >= 12]
            twice = len(prose) - len(set(prose))
            assert twice <= 0.02 * len(labels["lines"]), (language, seed)


def _letters(text: str) -> int:
    return len({c for c in text if c.isalpha()})


def test_a_source_too_small_for_a_page_is_repeated(tiny: Renderer) -> None:
    recipe = _draw(tiny, 0, language="zh", layout="paragraph")
    assert len(recipe.texts) > len({text for _, text in recipe.texts})
    _, labels = tiny.render(recipe, WHITE)
    assert len(labels["lines"]) > 10


def test_code_is_set_in_letters_of_one_width(real: Renderer) -> None:
    faces = {face.key: face for face in real.faces}
    for seed in range(8):
        language = ("en", "zh")[seed % 2]
        recipe = _draw(real, seed, language=language, layout="code")
        assert faces[recipe.fonts[0]].monospaced
    assert any(not faces[_draw(real, seed).fonts[0]].monospaced for seed in range(8))


def test_a_text_that_no_face_covers_is_skipped_and_counted(tiny: Renderer) -> None:
    texts = {"en": TextSource("en", (*ENGLISH, "Grüße aus Köln, völlig unlesbar hier"), 0.0)}
    renderer = Renderer(faces=tiny.faces, texts=texts)
    recipe = _draw(renderer, 0)
    assert recipe.skipped_texts > 0
    assert all("ü" not in text for _, text in recipe.texts)
    alone = Renderer(faces=tiny.faces, texts={"en": TextSource("en", ("größtenteils",), 0.0)})
    with pytest.raises(ValueError, match="no face covers"):
        _draw(alone, 0)


def test_the_same_state_draws_and_renders_the_same_bytes(tiny: Renderer) -> None:
    background = np.random.default_rng(9).integers(0, 256, (320, 400, 3), dtype=np.uint8)
    for seed in range(6):
        language = ("en", "zh", "mixed")[seed % 3]
        fresh = Renderer(faces=tiny.faces, texts=tiny.texts)
        first = tiny.render(_draw(tiny, seed, language=language), background)
        second = fresh.render(_draw(fresh, seed, language=language), background)
        assert np.array_equal(first[0], second[0])
        assert first[1] == second[1]


def test_the_label_survives_json_and_replays_the_page(tiny: Renderer) -> None:
    background = np.random.default_rng(9).integers(0, 256, (320, 400, 3), dtype=np.uint8)
    rgb, labels = tiny.render(_draw(tiny, 3, language="mixed"), background)
    stored = json.loads(json.dumps(labels))
    fresh = Renderer(faces=tiny.faces, texts={})
    again, labels_again = fresh.render(Recipe.from_json(stored["recipe"]), background)
    assert np.array_equal(rgb, again)
    assert json.loads(json.dumps(labels_again)) == stored


def test_contrast_is_as_labelled(tiny: Renderer) -> None:
    background = np.random.default_rng(2).integers(90, 160, (300, 340, 3), dtype=np.uint8)
    recipe = replace(_plain(_draw(tiny, 1, layout="paragraph")), contrast=(3.0, 3.0), crop=(0, 0))
    _, labels = tiny.render(recipe, background)
    for line in labels["lines"]:
        boxes = np.array(line["boxes"])
        box = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
        mean, _ = local_luminance(background[:288, :320], box[None].astype(np.int32))
        own = luminance(np.array([line["colour"]], dtype=np.uint8))
        assert line["contrast"] == pytest.approx(float(contrast_ratio(own, mean)[0]), abs=0.01)
        assert line["contrast"] >= 2.9


def test_the_background_is_left_as_it_was(tiny: Renderer) -> None:
    background = WHITE.copy()
    tiny.render(_draw(tiny, 1), background)
    assert (background == 255).all()


def test_wrong_requests_say_what_is_wrong(tiny: Renderer) -> None:
    recipe = _draw(tiny, 0)
    with pytest.raises(ValueError, match="100x100 px, smaller than the page of 320x288"):
        tiny.render(recipe, WHITE[:100, :100])
    with pytest.raises(ValueError, match="uint8"):
        tiny.render(recipe, WHITE.astype(np.float32))
    with pytest.raises(ValueError, match="unknown layout"):
        _draw(tiny, 0, layout="scroll")
    with pytest.raises(ValueError, match="vertical is for zh"):
        _draw(tiny, 0, layout="vertical")
    with pytest.raises(ValueError, match="from top to bottom"):
        _draw(tiny, 0, language="zh", layout="vertical")
    with pytest.raises(ValueError, match="no text source for fr"):
        _draw(tiny, 0, language="fr")
    with pytest.raises(ValueError, match="LOW-HIGH"):
        _draw(tiny, 0, size_band="large")
    with pytest.raises(ValueError, match="too small"):
        _draw(tiny, 0, width=30)
    with pytest.raises(ValueError, match="at least one face"):
        Renderer(faces=[], texts=tiny.texts)
    with pytest.raises(ValueError, match="not among"):
        tiny.render(replace(recipe, fonts=("gone.ttf#0@00000000",) * 2), WHITE)
    with pytest.raises(ValueError, match="version"):
        Recipe.from_json('{"version": 99}')
    for text in ("[1]", "{", {"version": 5}):
        with pytest.raises(ValueError):
            Recipe.from_json(text)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_line_of_every_layout_has_a_size_that_was_asked_for(
    real: Renderer, language: str
) -> None:
    for name in (name for name, layout in LAYOUTS.items() if language in layout.languages):
        for band, low, high in (("5-7", 5, 7), ("9-9", 9, 9), ("15-20", 15, 20)):
            sizes = set()
            for seed in range(4):
                recipe = _draw(
                    real, seed, language=language, size_band=band, layout=name, height=320
                )
                _, labels = real.render(recipe, np.full((320, 320, 3), 255, dtype=np.uint8))
                sizes |= {line["size_px"] for line in labels["lines"]}
            assert sizes and low <= min(sizes) and max(sizes) <= high, (name, band, sizes)


@pytest.mark.parametrize("layout", ["article", "slide", "poster"])
def test_headings_stand_out_within_the_sizes_asked_for(real: Renderer, layout: str) -> None:
    larger = bolder = 0
    for seed in range(40):
        recipe = _draw(real, seed, size_band="8-10", layout=layout)
        _, labels = real.render(recipe, WHITE)
        sizes = {line["size_px"] for line in labels["lines"]}
        if recipe.size_px < 10:
            larger += max(sizes) > recipe.size_px
        elif recipe.fonts[0] != recipe.fonts[1]:
            bolder += recipe.fonts[1] in {line["font"] for line in labels["lines"]}
    assert larger > 10 and bolder


@pytest.mark.parametrize("layout", ["article", "slide", "poster"])
def test_headings_grow_where_that_is_asked_for(real: Renderer, layout: str) -> None:
    largest = 0
    for seed in range(8):
        recipe = _draw(real, seed, size_band="8-10", layout=layout, extras=Extras(large_headings=1))
        _, labels = real.render(Recipe.from_json(recipe.to_json()), WHITE)
        largest = max(largest, *(line["size_px"] for line in labels["lines"]))
    assert 13 <= largest <= 20
