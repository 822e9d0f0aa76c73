from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import discover
from renderers import renderer as rendering
from renderers import sampling
from renderers.effects import camera, outline, shadow
from renderers.effects.camera import Camera, degrade
from renderers.effects.extras import Extras
from renderers.effects.outline import Outline
from renderers.effects.shadow import Shadow
from renderers.effects.warp import sheet_size
from renderers.layout import LAYOUTS
from renderers.page.colour import contrast_ratio, local_luminance, luminance
from renderers.page.compose import paint_glyphs, place_glyphs
from renderers.page.ink_maps import Ink, ink_of, paint_ink
from renderers.recipe import Recipe, band_limits
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from tests.pictures import scene
from tests.tiny_font import write_font
from vae_corpus.words import SIZE_BANDS, Bucket, buckets

ENGLISH = ("The rain had stopped by noon, and the roofs of the old mill were steaming (or so).",)
EVERYTHING = Extras(tilt_degrees=6, perspective=0.2, shadow=1, outline=1, camera=1)
TILTS = (
    Extras(tilt_degrees=3),
    Extras(tilt_degrees=10, perspective=0.1),
    Extras(tilt_degrees=45, perspective=0.5),
)


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "a.ttf", ASCII_PRINTABLE)
    return Renderer(
        faces=discover([folder], cache=folder / "cache"), texts={"en": TextSource("en", ENGLISH)}
    )


def _draw(renderer: Renderer, seed: int, extras: Extras, **wanted: Any) -> Recipe:
    given = {"language": "en", "size_band": "8-10", "width": 256, "height": 224} | wanted
    return renderer.sample_recipe(np.random.default_rng(seed), extras=extras, **given)


def test_the_maps_give_the_bytes_of_the_fast_way(renderer: Renderer) -> None:
    recipe = _draw(renderer, 2, Extras())
    sheet = renderer._lay_out(recipe, np.random.Generator(np.random.PCG64(recipe.seed)))
    glyphs = place_glyphs(sheet.lines, renderer._atlas, recipe.phases)
    colours = np.random.default_rng(0).integers(0, 256, (len(sheet.lines), 3), dtype=np.uint8)
    one, two = scene(256, 224).copy(), scene(256, 224).copy()
    paint_glyphs(one, glyphs, renderer._atlas, colours)
    paint_ink(two, ink_of(glyphs, renderer._atlas, 224, 256), colours)
    assert np.array_equal(one, two)


def test_no_extras_draw_what_is_drawn_without_the_word(renderer: Renderer) -> None:
    given = {"language": "en", "size_band": "8-10", "width": 256, "height": 224}
    plain = renderer.sample_recipe(np.random.default_rng(4), **given)
    assert _draw(renderer, 4, Extras()) == plain
    drawn = _draw(renderer, 4, Extras(shadow=1, outline=1, camera=1))
    assert replace(drawn, shadow=None, outline=None, camera=None) == plain


@pytest.mark.parametrize("layout", ["paragraph", "table", "captions"])
def test_a_page_with_everything_replays_from_its_label(renderer: Renderer, layout: str) -> None:
    background = np.random.default_rng(9).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    page, labels = renderer.render(_draw(renderer, 3, EVERYTHING, layout=layout), background)
    stored = json.loads(json.dumps(labels))
    fresh = Renderer(faces=renderer.faces, texts={})
    again, labels_again = fresh.render(Recipe.from_json(stored["recipe"]), background)
    assert np.array_equal(page, again)
    assert json.loads(json.dumps(labels_again)) == stored


def test_ink_of_a_warped_page_is_what_its_boxes_say(renderer: Renderer) -> None:
    extras = Extras(tilt_degrees=10, perspective=0.2)
    for seed in range(6):
        recipe = replace(
            _draw(renderer, seed, extras, layout="paragraph"),
            **{"wash": 0.0, "plate": 0.0, "contrast": (21.0, 21.0), "saturation": 0.0},
        )
        page, labels = renderer.render(recipe, np.full((224, 256, 3), 255, dtype=np.uint8))
        ink = (page != 255).any(axis=2)
        left = ink.copy()
        boxes = [box for line in labels["lines"] for box in line["boxes"] if box[0] < box[2]]
        assert len(boxes) > 100
        for x0, y0, x1, y1 in boxes:
            part = ink[y0:y1, x0:x1]
            assert part.any(axis=1)[[0, -1]].all() and part.any(axis=0)[[0, -1]].all()
            left[y0:y1, x0:x1] = False
        assert not left.any()
        assert labels["left_out"] == 0


def test_a_warped_line_names_its_corners_and_its_size(renderer: Renderer) -> None:
    _, labels = renderer.render(_draw(renderer, 1, Extras(perspective=0.3)), scene(256, 224))
    for line in labels["lines"]:
        assert len(line["quad"]) == 8
        assert line["em_px"] == pytest.approx(line["size_px"], rel=0.3)
        em = renderer.faces[0].x_height_em * line["em_px"]
        assert line["x_height_px"] == pytest.approx(em, abs=0.02)


@pytest.mark.parametrize(
    "effect",
    [
        {"shadow": Shadow(right_px=1, down_px=1, blur_px=0.8, strength=0.9)},
        {"outline": Outline(width_px=2, strength=1.0)},
    ],
)
@pytest.mark.parametrize("warped", [False, True])
def test_contrast_is_measured_with_what_lies_under_the_letters(
    renderer: Renderer, effect: dict[str, Any], warped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = Extras(tilt_degrees=5 * warped)
    plain = replace(
        _draw(renderer, 3, extras, layout="paragraph"), plate=0.0, contrast=(3.0, 3.0), wash=0.0
    )
    background = np.random.default_rng(2).integers(90, 160, (224, 256, 3), dtype=np.uint8)
    before = renderer.render(plain, background)[1]["lines"]
    # Without its last step a page shows what lies under the letters.
    monkeypatch.setattr(rendering, "paint_ink", lambda page, ink, colours: None)
    page, labels = renderer.render(replace(plain, **effect), background)
    # White or black under the letters sets them off further, and changes neither ink nor colour.
    assert all(
        new["contrast"] > old["contrast"] + 0.2
        for old, new in zip(before, labels["lines"], strict=True)
    )
    for old, new in zip(before, labels["lines"], strict=True):
        assert (old["boxes"], old["colour"]) == (new["boxes"], new["colour"])
    if warped:
        return
    for line in labels["lines"]:
        mean, _ = local_luminance(page, np.array([line["box"]], dtype=np.int32))
        own = luminance(np.array(line["colour"], dtype=np.uint8))
        assert line["contrast"] == pytest.approx(float(contrast_ratio(own, mean)[0]), abs=0.01)


def test_a_shadow_falls_beside_its_ink_and_an_outline_around_it() -> None:
    ink = Ink(np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.int32))
    ink.covered[8:12, 8:12] = 255
    tones = np.array([0], dtype=np.uint8)
    page = np.full((20, 20, 3), 200, dtype=np.uint8)
    shadow.paint_shadow(page, ink, tones, Shadow(right_px=3, down_px=2, blur_px=0.0, strength=0.5))
    assert (page[10:14, 11:15] == 100).all()
    assert (page == 100).sum() == 3 * 16
    page = np.full((20, 20, 3), 200, dtype=np.uint8)
    outline.paint_outline(page, ink, tones, Outline(width_px=1, strength=1.0))
    assert (page[8:12, 7:13] == 0).all() and (page[7:13, 8:12] == 0).all()
    assert (page[:, :6] == 200).all()


def test_each_line_has_the_tone_of_its_own() -> None:
    ink = Ink(np.zeros((10, 20), np.uint8), np.zeros((10, 20), np.int32))
    ink.covered[4:6, 3:6] = ink.covered[4:6, 13:16] = 255
    ink.owner[:, 10:] = 1
    page = np.full((10, 20, 3), 128, dtype=np.uint8)
    outline.paint_outline(
        page, ink, np.array([0, 255], dtype=np.uint8), Outline(width_px=1, strength=1.0)
    )
    assert page[:, :10].min() == 0 and page[:, :10].max() == 128
    assert page[:, 10:].min() == 128 and page[:, 10:].max() == 255


def test_a_camera_changes_the_page_as_told() -> None:
    page = scene(96, 80)
    assert np.array_equal(degrade(page, Camera(1.0, 0.0, 0.0, 0, 1)), page)
    for name, value in (("shrink", 1.4), ("blur_px", 0.8), ("noise", 6.0), ("jpeg", 50)):
        one = Camera(1.0, 0.0, 0.0, 0, 1)._replace(**{name: value})
        made = degrade(page, one)
        assert made.shape == page.shape and made.dtype == np.uint8
        assert 0 < np.abs(made.astype(int) - page).mean() < 12
        assert np.array_equal(made, degrade(page, one))
    noisy = degrade(np.full((200, 200, 3), 128, np.uint8), Camera(1.0, 0.0, 6.0, 0, 3))
    assert noisy.std() == pytest.approx(6.0, rel=0.05)


def test_every_drawn_camera_does_something() -> None:
    page = scene(96, 80)
    for seed in range(30):
        drawn = camera.sample_camera(np.random.default_rng(seed))
        assert not np.array_equal(degrade(page, drawn), page)


def test_the_page_under_the_camera_has_the_label_of_the_sharp_one(renderer: Renderer) -> None:
    recipe = _draw(renderer, 5, Extras(camera=1))
    blurred, label = renderer.render(recipe, scene(256, 224))
    sharp, sharp_label = renderer.render(replace(recipe, camera=None), scene(256, 224))
    assert label["lines"] == sharp_label["lines"]
    assert not np.array_equal(blurred, sharp)


def test_a_sheet_too_small_for_its_letters_is_drawn_again(renderer: Renderer) -> None:
    extras = Extras(tilt_degrees=45, perspective=0.3)
    for seed in range(20):
        recipe = _draw(renderer, seed, extras, width=100, height=100)
        assert min(sheet_size(recipe.quad)) >= 8 * 10


@pytest.mark.parametrize("extras", TILTS, ids=str)
@pytest.mark.parametrize("bucket", buckets(256), ids=str)
def test_every_bucket_takes_letters_of_every_size_at_every_tilt(
    renderer: Renderer, bucket: Bucket, extras: Extras
) -> None:
    page = {"width": bucket.width, "height": bucket.height}
    tilted = 0
    for band in SIZE_BANDS:
        _, largest = band_limits(band)
        recipes = [_draw(renderer, seed, extras, size_band=band, **page) for seed in range(5)]
        for recipe in recipes:
            assert min(sheet_size(recipe.quad)) >= 7 * largest
            tilted += recipe.quad != _flat(bucket)
        painted = [renderer.paint(recipe, scene(400, 400))[1] for recipe in recipes]
        assert any(len(labels.lines) for labels in painted)
    assert tilted >= 15


def test_where_only_a_flat_page_has_room_it_is_flat(renderer: Renderer) -> None:
    rng = np.random.default_rng(0)
    assert sampling._sample_quad(rng, Extras(tilt_degrees=45), 10**6, 80, 10) == ()
    with pytest.raises(ValueError, match="too small for text of 10 px"):
        _draw(renderer, 0, Extras(tilt_degrees=45), width=256, height=79)


def _flat(bucket: Bucket) -> tuple[tuple[float, float], ...]:
    width, height = bucket
    return ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))


def test_extras_out_of_range_are_named() -> None:
    for given in ({"tilt_degrees": 60}, {"perspective": -0.1}, {"shadow": 1.2}, {"camera": 2}):
        with pytest.raises(ValueError, match=next(iter(given))):
            Extras(**given)


def test_recipes_with_unknown_effects_are_refused(renderer: Renderer, tmp_path: Path) -> None:
    plain = json.loads(_draw(renderer, 0, Extras(shadow=1)).to_json())
    with pytest.raises(ValueError, match="not a recipe"):
        Recipe.from_json(json.dumps(plain | {"shadow": {"size": 3}}))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"fonts": ["a"]}, "two or more"),
        ({"texts": [[9, "one"]]}, "font is one of 0 to"),
        ({"texts": [[-1, "one"]]}, "font is one of 0 to"),
        ({"texts": [[0, "\ud800"]]}, "surrogate"),
        ({"texts": "one"}, "not a recipe"),
        ({"size_px": 0}, "not in the band"),
        ({"phases": 3}, "1 or 4"),
        ({"size_band": "0-9"}, "size band"),
    ],
)
def test_a_recipe_that_would_lead_astray_is_refused(
    renderer: Renderer, change: dict[str, Any], why: str
) -> None:
    plain = json.loads(_draw(renderer, 3, Extras()).to_json())
    assert Recipe.from_json(json.dumps(plain))
    with pytest.raises(ValueError, match=why):
        Recipe.from_json(json.dumps(plain | change))
    del plain["fonts"]
    with pytest.raises(ValueError, match="it has no 'fonts'"):
        Recipe.from_json(json.dumps(plain))


def test_a_recipe_without_texts_is_an_empty_page(renderer: Renderer) -> None:
    for layout in LAYOUTS.values():
        if "en" in layout.languages:
            recipe = replace(_draw(renderer, 3, Extras(), layout=layout.name), texts=())
            page, labels = renderer.render(recipe, np.full((300, 300, 3), 255, dtype=np.uint8))
            # Numbers and code are made up, words are not.
            assert labels["left_out"] == 0


def test_no_line_number_of_a_listing_is_cut(renderer: Renderer) -> None:
    drawn = _draw(renderer, 3, Extras(), layout="code", height=512)
    recipe = replace(drawn, params=drawn.params | {"number": 996, "columns": 1})
    _, labels = renderer.render(recipe, np.full((600, 300, 3), 255, dtype=np.uint8))
    numbers = [int(line["text"]) for line in labels["lines"] if line["text"].isdigit()]
    assert numbers[:8] == list(range(996, 1004))


def test_contrast_of_a_slanted_line_is_that_of_what_lies_under_it(renderer: Renderer) -> None:
    # A page that is dark at the left and light at the right: upright boxes would mix the two.
    background = np.zeros((224, 256, 3), dtype=np.uint8)
    background[:] = np.linspace(40, 220, 256)[None, :, None]
    recipe = replace(
        _draw(renderer, 3, Extras(tilt_degrees=5), layout="captions"), plate=0.0, wash=0.0
    )
    _, labels = renderer.render(recipe, background)
    for line in labels["lines"]:
        boxes = np.array([box for box in line["boxes"] if box[0] < box[2]])
        mean, _ = local_luminance(background, boxes.astype(np.int32))
        areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).astype(float)
        own = luminance(np.array(line["colour"], dtype=np.uint8))
        wanted = contrast_ratio(own, np.average(mean, weights=areas))
        assert line["contrast"] == pytest.approx(float(wanted), abs=0.01)
