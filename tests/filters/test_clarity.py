from __future__ import annotations

import ast
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from filters.clarity import Clarity
from filters.clarity import model as clarity_model
from filters.clarity.features import NAMES as NAMES_OF_FEATURES
from filters.clarity.features import features
from filters.clarity.patches import tiles
from filters.training import degrade
from tests.pictures import Rgb, encoded, jpeg, page, scene
from vae_corpus.pictures.decode import Decoded, DecodedLuma, decode, decode_luma, to_luma

NAMES = {"clarity", "blur", "compression", "noise"}


def textured(width: int = 320, height: int = 256, seed: int = 0) -> Rgb:
    """A scene with fine texture, as photographs have: shapes, and noise shaped like 1 / f."""
    rng = np.random.default_rng(seed)
    texture = np.zeros((height, width), np.float32)
    for octave in range(6):
        size = (max(2, width >> octave), max(2, height >> octave))
        layer = rng.standard_normal(size[::-1]).astype(np.float32) * 2**octave
        texture += cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC)
    shaded = scene(width, height, seed).astype(np.float32) * 0.8 + texture[:, :, None] * 0.7 + 16
    return np.clip(shaded, 0, 255).astype(np.uint8)


PICTURES = (scene(320, 256), textured(), page(320, 256))


@pytest.mark.parametrize("picture", PICTURES)
def test_scores_lie_in_the_unit_interval(picture: Rgb) -> None:
    scores = Clarity().score(picture)
    assert set(scores) == NAMES
    assert all(0 <= value <= 1 for value in scores.values())


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("kind", ("gaussian", "jpeg_direct", "noise", "thumbnail_chain"))
def test_damage_lowers_clarity_and_names_the_defect(picture: Rgb, kind: str) -> None:
    before = Clarity().score(picture)
    rng = np.random.default_rng(1)
    after = Clarity().score(degrade.KINDS[kind].apply(picture, rng))
    assert after["clarity"] < before["clarity"] - 0.25
    for score, detectors in clarity_model.SCORES.items():
        if degrade.KINDS[kind].found_by & set(detectors):
            assert after[score] > before[score]


def test_more_blur_is_less_clear() -> None:
    blurred = [
        cv2.GaussianBlur(scene(320, 256), (0, 0), s) if s else scene(320, 256) for s in (0, 3)
    ]
    sharp, soft = (Clarity().score(rgb) for rgb in blurred)
    assert soft["clarity"] < sharp["clarity"] and soft["blur"] > sharp["blur"]


def test_a_lossless_copy_scores_the_same() -> None:
    opened = decode(jpeg(textured(), 60))
    assert isinstance(opened, Decoded)
    for ext in ("png", "bmp", "tiff"):
        data = encoded(opened.rgb, ext)
        copy, luma = decode(data), decode_luma(data)
        assert isinstance(copy, Decoded) and isinstance(luma, DecodedLuma)
        assert Clarity().score(copy.rgb) == Clarity().score(opened.rgb)
        assert Clarity().score(luma.luma) == Clarity().score(opened.rgb)


# Between good and bad, where a score is steep, the rounding of colours shows more.
@pytest.mark.parametrize("quality", (20, 95))
def test_stored_luma_scores_as_the_colours_do(quality: int) -> None:
    for picture in (scene(320, 256), textured(), page(320, 256)):
        data = jpeg(picture, quality)
        colours, luma = decode(data), decode_luma(data)
        assert isinstance(colours, Decoded) and isinstance(luma, DecodedLuma)
        one, other = Clarity().score(colours.rgb), Clarity().score(luma.luma)
        assert one["clarity"] == pytest.approx(other["clarity"], abs=0.1)


def test_scores_do_not_depend_on_earlier_pictures_or_threads() -> None:
    pictures = [textured(200, 150, seed) for seed in range(6)] + [page(100, 300), scene(90, 64)]
    alone = [Clarity().score(rgb) for rgb in pictures]
    assert [Clarity().score(rgb) for rgb in reversed(pictures)] == alone[::-1]
    for threads in (1, 4):
        with ThreadPoolExecutor(threads) as pool:
            assert list(pool.map(Clarity().score, pictures * 4)) == alone * 4


def test_pixels_may_be_a_view_of_a_larger_picture() -> None:
    large = textured(400, 300)
    part = large[20:220, 40:300]
    assert Clarity().score(part) == Clarity().score(np.ascontiguousarray(part))


def test_a_header_that_admits_a_low_quality_counts() -> None:
    rgb = scene(320, 256)
    plain, good, bad = (Clarity().score(rgb, quality) for quality in (None, 90.0, 20.0))
    assert plain == good
    assert bad["clarity"] == 0 and bad["compression"] == 1


@pytest.mark.parametrize("size", ((64, 64), (1, 1), (65, 64), (40, 500), (3000, 70)))
def test_any_size_and_flat_pictures_have_scores(size: tuple[int, int]) -> None:
    for rgb in (scene(*size), np.full((size[1], size[0], 3), 128, np.uint8)):
        assert all(np.isfinite(value) for value in Clarity().score(rgb).values())


def test_tiles_are_few_full_size_and_busiest_first() -> None:
    found = tiles(to_luma(scene(1024, 768)))
    assert found.shape == (24, 64, 64)
    assert len(tiles(to_luma(scene(64, 64)))) == 1
    half = np.full((512, 512, 3), 90, np.uint8)
    half[:, 256:] = textured(256, 512)
    deviations = tiles(to_luma(half)).std(axis=(1, 2))
    assert deviations[0] > 5 and deviations[-1] < 1


def test_the_whole_feature_vector_is_finite_and_named() -> None:
    for picture in PICTURES:
        found = features(tiles(to_luma(picture)))
        assert found.shape == (len(NAMES_OF_FEATURES),) and np.isfinite(found).all()
    assert len(set(NAMES_OF_FEATURES)) == len(NAMES_OF_FEATURES)


def test_version_changes_with_the_weights(tmp_path: Path) -> None:
    content = json.loads(clarity_model.WEIGHTS.read_text())
    content["outputs"]["soft"]["base"] += 1
    other = tmp_path / "weights.json"
    other.write_text(json.dumps(content))
    assert Clarity(other).version != Clarity().version
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(ValueError, match="training.clarity"):
        clarity_model.load(tmp_path / "no.json")


def test_compiled_functions_use_nothing_of_other_files() -> None:
    # numba's cache would not notice a change there.
    for path in Path(clarity_model.__file__).parents[1].rglob("*.py"):
        tree = ast.parse(path.read_text())
        foreign = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("filters.")
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and "njit" in ast.dump(
                ast.List(node.decorator_list)
            ):
                used = {
                    n.id for part in node.body for n in ast.walk(part) if isinstance(n, ast.Name)
                }
                assert not used & foreign, (path.name, node.name)
