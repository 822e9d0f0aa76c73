from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from filters.ocr.engine import OcrEngine, OcrUnavailable
from filters.ocr.lines import reading_order
from filters.ocr.rapid import RapidOcrEngine
from filters.ocr.windowed import OcrOptions
from tests.pictures import page, scene


@pytest.fixture(scope="module")
def engine() -> RapidOcrEngine:
    return RapidOcrEngine()


def test_it_finds_lines_where_they_are(engine: OcrEngine) -> None:
    rgb = np.full((200, 320, 3), 255, np.uint8)
    rgb[80:120, 40:300] = page(260, 60, size_px=16)[10:50]
    polygons = engine.detect(rgb)
    assert polygons.dtype == np.float32 and polygons.shape[1:] == (4, 2) and len(polygons)
    assert polygons[:, :, 1].min() > 60 and polygons[:, :, 1].max() < 140


def test_it_reads_what_is_written(engine: OcrEngine) -> None:
    text = " ".join(line.text for line in engine.read(page(400, 80, size_px=20)))
    words = "the quick brown fox jumps over a lazy dog while seven wizards pack my box of ink"
    read = text.split()
    assert len(read) >= 3 and set(read) <= set(words.split())


def test_a_line_is_found_once_whatever_the_windows(engine: OcrEngine) -> None:
    # Lines cross the borders between the detector's windows at 512 px.
    rgb = page(700, 120, size_px=20)
    whole = engine.detect(rgb)
    lengths = np.linalg.norm(whole[:, 1] - whole[:, 0], axis=1)
    assert len(whole) == 2 and (lengths > 450).all()


def test_results_depend_on_the_picture_alone(engine: OcrEngine) -> None:
    rgb = page(240, 100, size_px=16)
    before = engine.read(rgb)
    engine.read(page(200, 60, seed=5))
    engine.detect(scene(64, 64))
    after = engine.read(rgb)
    assert [line.text for line in before] == [line.text for line in after]
    assert [line.confidence for line in before] == [line.confidence for line in after]


def test_colour_order_is_red_first(engine: OcrEngine) -> None:
    seen: list[np.ndarray] = []
    rapid = RapidOcrEngine()
    session: Callable[[np.ndarray], np.ndarray] = rapid._detector.session
    rapid._detector.session = lambda tensor: (seen.append(tensor), session(tensor))[1]
    red = np.zeros((32, 32, 3), np.uint8)
    red[:, :, 0] = 255
    rapid.detect(red)
    # The models want blue first.
    assert seen[0][0, 2].min() == 1 and seen[0][0, 0].max() == -1


@pytest.mark.parametrize("size", ((1, 1), (5, 300), (33, 31)))
def test_any_size(engine: OcrEngine, size: tuple[int, int]) -> None:
    assert engine.detect(scene(*size)).shape[1:] == (4, 2)
    assert isinstance(engine.read(scene(*size)), list)


def test_engine_id_names_versions_models_and_options(engine: OcrEngine) -> None:
    assert "rapidocr" in engine.engine_id and engine.engine_id.count("sha256:") == 2
    assert RapidOcrEngine(OcrOptions(threshold=0.2)).engine_id != engine.engine_id


def test_a_missing_model_is_named() -> None:
    with pytest.raises(OcrUnavailable, match="nowhere.onnx"):
        RapidOcrEngine(models=(Path("nowhere.onnx"), Path("nowhere.onnx")))


def test_a_page_wider_than_a_block_is_read_line_by_line(
    engine: RapidOcrEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filters.ocr.windowed.BLOCK_PX", 512)
    rgb = np.full((160, 620, 3), 255, np.uint8)
    words = ["seven wizards pack", "my box of ink", "over a lazy dog"]
    for number, text in enumerate(words):
        for left in (10, 330):
            place = (left, 40 + 45 * number)
            cv2.putText(rgb, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)
    read = [line.text for line in engine.read(rgb)]
    # Blocks of 256 px cut the words; their parts still come row by row.
    joined = "".join(read).replace(" ", "")
    places = [joined.find(text.replace(" ", "")[:5]) for text in words]
    assert -1 not in places and places == sorted(places)


def test_a_model_that_does_not_load_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(OcrUnavailable, match="cannot load .*broken.onnx.*export_models"):
        RapidOcrEngine(models=(broken, broken)).ready()


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OcrUnavailable, match="onnxruntime-gpu, or use device cpu"):
        RapidOcrEngine(device="cuda")
    # A package that could use one, on a machine that has none, must not fall back in silence.
    have = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: have)
    rapid = RapidOcrEngine(device="cuda")
    assert "device cuda" in rapid.engine_id
    with pytest.raises(OcrUnavailable, match="runs .* on CPUExecutionProvider, not on a GPU"):
        rapid.detect(scene(64, 64))


@pytest.mark.parametrize("scale", (1, 4))
def test_the_order_is_that_of_reading_at_any_size(scale: int) -> None:
    # Two rows of two lines, 9 px apart and each a little aslant.
    places = ((100, 10), (0, 0), (0, 9), (100, 1))
    boxes = [[[x, y], [x + 80, y], [x + 80, y + 7], [x, y + 7]] for x, y in places]
    order = reading_order(scale * np.array(boxes, np.float32))
    assert order.tolist() == [1, 3, 2, 0]
    assert reading_order(np.zeros((0, 4, 2), np.float32)).shape == (0,)
