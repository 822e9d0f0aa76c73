"""Writes the models of the rapidocr wheel as folders that PaddleOCR opens: same weights, offline.

    python -m filters.ocr.export_models --out models/paddle

Two folders, some 30 MB, in a second: PP-OCRv6_small_det finds lines, PP-OCRv6_small_rec reads them.
Each holds `inference.onnx`, a copy of the wheel's file, and `inference.yml`, which tells PaddleX
the model's name, how pixels become numbers, and how numbers become boxes or characters.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from filters.ocr.engine import OcrUnavailable
from filters.ocr.rapid import RapidOcrEngine
from vae_corpus import storage
from vae_corpus.settings import Settings, load, run

# What the wheel calls PP-OCRv6_det_small is PP-OCRv6_small_det to PaddleX, which knows no other.
_WHEEL_NAME = re.compile(r"(PP-OCRv\d+)_(det|rec)_(\w+)")


_EPILOG = """\
Then: PaddleOcrEngine(Path('models/paddle')), with VAE_CORPUS_PADDLE_PYTHON set to
an interpreter that has filters/ocr/paddle-requirements.txt installed.
"""


class ExportModelsSettings(Settings):
    """Where the models go."""

    out: Path = Field(
        description="folder for the two model folders; made if need be, files in it are replaced"
        " whole"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Write the models and print their folders; 1 when rapidocr or its models are missing."""
    given = load(ExportModelsSettings, argv, description=__doc__ or "", epilog=_EPILOG)
    try:
        folders = export(given.out)
    except (OcrUnavailable, OSError, ValueError) as error:
        print(f"export_models: {error}", file=sys.stderr)
        return 1
    for folder in folders:
        print(folder)
    return 0


def export(out: Path) -> tuple[Path, Path]:
    """The folders of the detector and the recogniser, written below `out`.

    OcrUnavailable when rapidocr or its models are missing; ValueError for models that are not of
    the expected make. `inference.yml` comes last: a folder that has it is whole.
    """
    detector, recogniser = RapidOcrEngine().models
    contents = (
        (detector, _detector_settings(_paddle_name(detector))),
        (recogniser, _recogniser_settings(_paddle_name(recogniser), _characters(recogniser))),
    )
    folders = []
    for model, settings in contents:
        folder = out / settings["Global"]["model_name"]
        text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)
        storage.commit_bytes(str(folder / "inference.onnx"), model.read_bytes())
        storage.commit_bytes(str(folder / "inference.yml"), text.encode())
        folders.append(folder)
    return folders[0], folders[1]


def _paddle_name(model: Path) -> str:
    match = _WHEEL_NAME.fullmatch(model.stem)
    if match is None:
        raise ValueError(
            f"{model} is not named like PP-OCRv6_det_small.onnx, so PaddleOCR's name for it is not"
            " known: install a rapidocr of 3.10 or newer"
        )
    version, task, size = match.groups()
    return f"{version}_{size}_{task}"


def _detector_settings(name: str) -> dict[str, Any]:
    return {
        "Global": {"model_name": name},
        "PreProcess": {
            "transform_ops": [
                # Without this PaddleX turns the colours round.
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"DetResizeForTest": None},
                {
                    "NormalizeImage": {
                        "mean": [0.5, 0.5, 0.5],
                        "std": [0.5, 0.5, 0.5],
                        "scale": "1./255.",
                        "order": "hwc",
                    }
                },
                {"ToCHWImage": None},
            ]
        },
        # As filters.ocr.rapid has them; the first three are also set on every call.
        "PostProcess": {
            "name": "DBPostProcess",
            "thresh": 0.3,
            "box_thresh": 0.5,
            "unclip_ratio": 1.6,
            "max_candidates": 100_000,
            "use_dilation": True,
            "score_mode": "fast",
            "box_type": "quad",
        },
    }


def _recogniser_settings(name: str, characters: list[str]) -> dict[str, Any]:
    return {
        "Global": {"model_name": name},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, 48, 320]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }


def _characters(model: Path) -> list[str]:
    """What the recogniser can read, in the order of its outputs, out of the file itself."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    lines = session.get_modelmeta().custom_metadata_map.get("character", "")
    characters: list[str] = lines.splitlines()
    outputs = session.get_outputs()[0].shape[-1]
    # PaddleX puts the blank of CTC before them and a space behind.
    if len(characters) + 2 != outputs:
        raise ValueError(
            f"{model} has {outputs} outputs but names {len(characters)} characters in its metadata"
            f" (key `character`), where {outputs - 2} are needed: it is not a PP-OCR recogniser"
        )
    return characters


if __name__ == "__main__":
    sys.exit(run(main))
