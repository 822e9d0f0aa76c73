from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from filters.ocr.engine import OcrUnavailable, Polygons, Rgb
from filters.ocr.export_models import export
from filters.ocr.paddle import PYTHON_VARIABLE
from filters.ocr.rapid import RapidOcrEngine
from filters.scores import Scores
from filters.settings import OcrSettings, ScoreSettings
from pipelines.sources import FolderSource
from pipelines.stages import score
from pipelines.workers import scorer
from tests.pictures import encoded, page, scene


def scored(folder: Path, settings: ScoreSettings) -> list[dict[str, Any]]:
    source = FolderSource(name="a", uri=str(folder / "in"))
    out = folder / score.settings_hash(settings)
    job = scorer.ScoreJob(
        settings=settings,
        versions=scorer.versions(Scores(settings)),
        sources={"a": source},
        folder=str(out),
    )
    work = scorer.make_scorer(job)
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
    assert score.settings_hash(elsewhere) == score.settings_hash(ScoreSettings())
    keys = [key for key in rows[0] if key != "unit"]
    assert [[r[k] for k in keys] for r in rows] == [[r[k] for k in keys] for r in same]


def test_ink_is_measured_where_text_is_cut_into_tiles(folder: Path) -> None:
    page_row, photo_row = scored(folder, ScoreSettings())
    assert len(page_row["ink_cells"]) == 10 * 7
    # White above the first line and at the right edge, black letters between.
    assert page_row["ink_cells"][9] == 0 and max(page_row["ink_cells"]) > 100
    assert photo_row["ink_cells"] is None


def test_a_missing_model_or_device_is_said_before_anything_is_read(folder: Path) -> None:
    nowhere = ScoreSettings(ocr=OcrSettings(models=str(folder / "nowhere")))
    with pytest.raises(OcrUnavailable, match="nowhere.*export_models --out"):
        score.settings_hash(nowhere)
    with pytest.raises(OcrUnavailable, match="onnxruntime-gpu"):
        score.settings_hash(ScoreSettings(ocr=OcrSettings(device="cuda")))


def test_an_engine_that_breaks_fails_the_unit_not_its_pictures(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: RapidOcrEngine, rgb: Rgb) -> Polygons:
        raise OcrUnavailable("the GPU is gone")

    monkeypatch.setattr(RapidOcrEngine, "detect", broken)
    with pytest.raises(OcrUnavailable, match="the GPU is gone"):
        scored(folder, ScoreSettings())
    assert not list(folder.glob("*/*.parquet"))


def test_a_node_with_other_versions_does_not_score(folder: Path) -> None:
    settings = ScoreSettings()
    versions = scorer.versions(Scores(settings)) | {"clarity": "another"}
    job = scorer.ScoreJob(settings=settings, versions=versions, sources={}, folder=str(folder))
    with pytest.raises(RuntimeError, match="clarity: .* here, another there.*same versions"):
        scorer.make_scorer(job)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "paddleocr"}, "needs models"),
        ({"engine": "paddleocr", "models": "m", "device": "cuda"}, "cuda is for rapidocr"),
        ({"python": "python3"}, "python is for paddleocr"),
    ],
)
def test_settings_that_do_not_fit_are_said_at_once(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OcrSettings(**changes)
    assert OcrSettings(models="~/m").models == os.path.expanduser("~/m")


@pytest.mark.skipif(not os.environ.get(PYTHON_VARIABLE), reason=f"set {PYTHON_VARIABLE}")
def test_paddleocr_scores_as_rapidocr_does(folder: Path) -> None:
    export(folder / "models")
    paddle = ScoreSettings(ocr=OcrSettings(engine="paddleocr", models=str(folder / "models")))
    assert score.settings_hash(paddle) != score.settings_hash(ScoreSettings())
    ours, theirs = scored(folder, ScoreSettings()), scored(folder, paddle)
    assert theirs[0]["chars_est"] == pytest.approx(ours[0]["chars_est"], rel=0.02)
