"""Make an OCR engine by its name, the same way for commands and for workers of a build."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from filters.ocr.engine import OcrEngine, OcrUnavailable
from filters.ocr.models import model_folder

Name = Literal["rapidocr", "paddleocr"]


def make_engine(
    name: Name,
    *,
    models: Path | None = None,
    python: str | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
) -> OcrEngine:
    """The engine; OcrUnavailable, with what to do, when a package, a model or a device is missing.

    `models` is a folder that `python -m filters.ocr.export_models` wrote; rapidocr by default takes
    the models of its wheel. `python` is the interpreter that has PaddleOCR.
    """
    if name == "rapidocr":
        from filters.ocr.rapid import RapidOcrEngine

        paths = None if models is None else (_onnx(models, "det"), _onnx(models, "rec"))
        return RapidOcrEngine(models=paths, device=device)
    if models is None:
        raise OcrUnavailable(
            "paddleocr needs the folder of its models; make one with:"
            " python -m filters.ocr.export_models --out DIR"
        )
    if device != "cpu":
        raise OcrUnavailable(f"paddleocr runs on the CPU here; device {device} is for rapidocr")
    from filters.ocr.paddle import PaddleOcrEngine

    return PaddleOcrEngine(models, python=python)


def _onnx(models: Path, task: str) -> Path:
    return model_folder(models, task, ("inference.onnx",)) / "inference.onnx"
