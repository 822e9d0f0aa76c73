from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from filters.ocr.engine import OcrUnavailable
from filters.ocr.export_models import export
from filters.ocr.paddle import PYTHON_VARIABLE
from pipelines import score
from pipelines.config import OcrSettings, ScoreSettings
from pipelines.sources import FolderSource
from tests.pictures import encoded, page, scene


def scored(folder: Path, settings: ScoreSettings) -> list[dict[str, Any]]:
    source = FolderSource(name="a", uri=str(folder / "in"))
    out = folder / score.settings_hash(settings)
    work = score.make_scorer(
        score.ScoreJob(settings=settings, sources={"a": source}, folder=str(out))
    )
    (unit,) = source.units()
    work(unit)
    rows: list[dict[str, Any]] = pq.read_table(out / f"{unit.unit_id}.parquet").to_pylist()
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encoded(page(300, 200), "png"))
    (tmp_path / "in" / "b.png").write_bytes(encoded(scene(100, 80), "png"))
    return tmp_path


def test_where_the_models_lie_changes_no_score(folder: Path) -> None:
    export(folder / "models")
    elsewhere = ScoreSettings(ocr=OcrSettings(models=str(folder / "models")))
    rows, same = scored(folder, ScoreSettings()), scored(folder, elsewhere)
    assert rows[0]["chars_est"] > 30
    keys = [key for key in rows[0] if key != "unit"]
    assert [[r[k] for k in keys] for r in rows] == [[r[k] for k in keys] for r in same]


def test_a_missing_model_or_device_is_said_before_anything_is_read(folder: Path) -> None:
    nowhere = ScoreSettings(ocr=OcrSettings(models=str(folder / "nowhere")))
    with pytest.raises(OcrUnavailable, match="nowhere.*export_models --out"):
        score.settings_hash(nowhere)
    with pytest.raises(OcrUnavailable, match="onnxruntime-gpu"):
        score.settings_hash(ScoreSettings(ocr=OcrSettings(device="cuda")))


@pytest.mark.skipif(not os.environ.get(PYTHON_VARIABLE), reason=f"set {PYTHON_VARIABLE}")
def test_paddleocr_scores_as_rapidocr_does(folder: Path) -> None:
    export(folder / "models")
    paddle = ScoreSettings(ocr=OcrSettings(engine="paddleocr", models=str(folder / "models")))
    assert score.settings_hash(paddle) != score.settings_hash(ScoreSettings())
    ours, theirs = scored(folder, ScoreSettings()), scored(folder, paddle)
    assert theirs[0]["chars_est"] == pytest.approx(ours[0]["chars_est"], rel=0.02)
