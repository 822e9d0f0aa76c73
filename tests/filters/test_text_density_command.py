from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from filters.ocr.engines import make_engine
from filters.ocr.export_models import export
from filters.text_density.__main__ import main
from tests.pictures import encoded, jpeg, page, scene
from vae_corpus import settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    deep = tmp_path / "in" / "deep"
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes(encoded(page(300, 200), "png"))
    (deep / "b.jpg").write_bytes(jpeg(scene(200, 160)))
    (deep / "c.jpg").write_bytes(b"no picture")
    (deep / "d.png").write_bytes(b"")
    (deep / "e.png").write_bytes(encoded(scene(1, 1), "png"))
    return tmp_path / "in"


def test_every_file_becomes_a_row(folder: Path, tmp_path: Path) -> None:
    out, sheet = tmp_path / "scores.parquet", tmp_path / "sheet.png"
    assert main([str(folder), "--out", str(out), "--sheet", str(sheet), "--read"]) == 0
    rows = pq.read_table(out).to_pylist()
    assert [row["slug"] for row in rows] == [None, None, "not_an_image", "empty", None]
    text, photo = rows[0], rows[1]
    assert text["chars_est"] > 30 and text["script"] == "latin" and text["text_stage"] == "detect"
    assert len(text["text"]) > 20
    assert photo["chars_est"] < 5 and (photo["width"], photo["height"]) == (200, 160)
    assert rows[4]["chars_est"] == 0
    # What shows no characters is not read.
    assert rows[4]["text"] == ""
    metadata = pq.read_schema(out).metadata
    assert b"rapidocr" in metadata[b"text_density"]
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_scores_do_not_depend_on_the_number_of_workers(folder: Path, tmp_path: Path) -> None:
    tables = []
    for workers in ("1", "3"):
        out = tmp_path / f"{workers}.parquet"
        assert main([str(folder), "--out", str(out), "--workers", workers]) == 0
        tables.append(pq.read_table(out))
    assert tables[0].equals(tables[1])
    assert "text" not in tables[0].column_names


def test_paddleocr_needs_its_models(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(folder), "--out", str(tmp_path / "s.parquet"), "--engine", "paddleocr"]
    assert main(argv) == 1
    assert "python -m filters.ocr.export_models --out DIR" in capsys.readouterr().err
    for engine in ("paddleocr", "rapidocr"):
        assert main([*argv, "--models", str(tmp_path / "nowhere"), "--engine", engine]) == 1
        said = capsys.readouterr().err
        assert f"export_models --out {tmp_path / 'nowhere'}" in said
    assert main([*argv, "--models", str(tmp_path), "--device", "cuda"]) == 1
    assert "device cuda is for rapidocr" in capsys.readouterr().err
    assert not (tmp_path / "s.parquet").exists()


def test_a_broken_engine_ends_the_work_and_leaves_no_table(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(tmp_path / "m")
    (tmp_path / "m" / "PP-OCRv6_small_det" / "inference.onnx").write_bytes(b"no model")
    out = tmp_path / "s.parquet"
    assert main([str(folder), "--out", str(out), "--models", str(tmp_path / "m")]) == 1
    assert "cannot load" in capsys.readouterr().err and not out.exists()


def test_a_sheet_that_cannot_be_saved_is_said_first(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for sheet, message in (("no/sheet.png", "there is no folder"), ("sheet.txt", "picture format")):
        argv = [str(folder), "--out", str(tmp_path / "s.parquet"), "--sheet", str(tmp_path / sheet)]
        assert settings.run(main, argv) == 2
        assert message in capsys.readouterr().err


def test_exported_models_read_as_those_of_the_wheel(tmp_path: Path) -> None:
    export(tmp_path)
    rgb = page(200, 60)
    given = make_engine("rapidocr", models=tmp_path).read(rgb)
    assert given and [line.text for line in given] == [
        line.text for line in make_engine("rapidocr").read(rgb)
    ]
