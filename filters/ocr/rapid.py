"""The default OCR engine: rapidocr with the PP-OCR models that its wheel carries. Works offline.

Its parts are called directly: the front class keeps flags from one call to the next, shrinks large
pictures and enlarges small ones. Here the detector sees every picture at its own size, through
`windows`; and lines are read one at a time, because padding to the width of its neighbours changes
what a line says.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np

from filters.ocr.engine import OcrUnavailable, Polygons, Rgb
from filters.ocr.models import sha256
from filters.ocr.windowed import BLOCK_PX, OcrOptions, WindowedEngine
from filters.ocr.windows import Map

Device = Literal["cpu", "cuda"]
_CUDA = "CUDAExecutionProvider"
# Shorter lines are padded to this width over height, as the recogniser was trained.
_MIN_LINE_RATIO = 320 / 48


class RapidOcrEngine(WindowedEngine):
    """rapidocr's detector and recogniser on one thread. Loads the models when first used.

    `models` are the paths of a detector and a recogniser in ONNX, by default those of the wheel.
    `device` is where onnxruntime runs them, `cpu` or `cuda` (the first GPU that the process sees).
    OcrUnavailable when a model is missing, or where there is no such device: never a silent
    fall-back, because a GPU gives other last digits.
    """

    def __init__(
        self,
        options: OcrOptions | None = None,
        models: tuple[Path, Path] | None = None,
        device: Device = "cpu",
    ) -> None:
        super().__init__(options)
        self.models = models or _wheel_models()
        self.device = device
        for path in self.models:
            if not path.is_file():
                raise OcrUnavailable(
                    f"no OCR model at {path}: give the path of an ONNX file, or make a folder of"
                    " models with: python -m filters.ocr.export_models --out DIR"
                )
        if device == "cuda":
            _check_for_cuda()

    def ready(self, *, to_read: bool = False) -> None:
        assert self._detector
        if to_read:
            assert self._recogniser

    @functools.cached_property
    def engine_id(self) -> str:
        versions = [f"{p} {importlib.metadata.version(p)}" for p in ("rapidocr", "onnxruntime")]
        # By what they are for: where a model lies and what its file is called says nothing.
        models = [
            f"{task} sha256:{sha256(path)}"
            for task, path in zip(("det", "rec"), self.models, strict=True)
        ]
        return self._id(*versions, *models, f"device {self.device}")

    def _map(self, window: Rgb) -> Map:
        # The models were trained on blue, green, red in [-1, 1].
        tensor = window[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        found: Map = self._detector.session(np.ascontiguousarray(tensor))[0, 0]
        return found

    def _boxes(self, probability: Map) -> Polygons:
        boxes, _ = self._detector.postprocess_op(probability[None, None], probability.shape)
        return np.asarray(boxes, np.float32).reshape(-1, 4, 2)

    def read_line(self, rgb: Rgb) -> tuple[str, float]:
        # The front of the recogniser looks for a font to draw with; its parts do not.
        ratio = max(rgb.shape[1] / rgb.shape[0], _MIN_LINE_RATIO)
        tensor = self._recogniser.resize_norm_img(np.ascontiguousarray(rgb[:, :, ::-1]), ratio)
        found = self._recogniser.session(tensor[None])
        lines, _ = self._recogniser.postprocess_op(
            found, False, wh_ratio_list=[ratio], max_wh_ratio=ratio
        )
        text, confidence = lines[0]
        return str(text), float(confidence)

    @functools.cached_property
    def _detector(self) -> Any:
        from rapidocr.ch_ppocr_det import TextDetector

        return self._on_device(
            TextDetector,
            _config(
                self.models[0],
                self.device,
                # Nothing is to be resized or dropped: windows come in the right size.
                limit_side_len=10 * BLOCK_PX,
                limit_type="max",
                mean=[0.5, 0.5, 0.5],
                std=[0.5, 0.5, 0.5],
                thresh=self.options.threshold,
                box_thresh=self.options.box_threshold,
                max_candidates=100_000,
                unclip_ratio=self.options.unclip,
                use_dilation=True,
                score_mode="fast",
            ),
        )

    @functools.cached_property
    def _recogniser(self) -> Any:
        from rapidocr.ch_ppocr_rec import TextRecognizer

        return self._on_device(
            TextRecognizer,
            _config(
                self.models[1],
                self.device,
                lang_type="ch",
                rec_batch_num=1,
                rec_img_shape=[3, 48, 320],
                rec_keys_path=None,
            ),
        )

    def _on_device(self, part: Any, config: Any) -> Any:
        try:
            made = part(config)
        except Exception as error:  # onnxruntime has no common class for what a bad file meets
            raise OcrUnavailable(
                f"onnxruntime cannot load {config.model_path}: {error}; make the models anew with:"
                " python -m filters.ocr.export_models --out DIR"
            ) from error
        running = made.session.session.get_providers()
        if self.device == "cuda" and running[0] != _CUDA:
            raise OcrUnavailable(
                f"onnxruntime runs {Path(config.model_path).name} on {running[0]}, not on a GPU:"
                " look at its messages above (driver, CUDA and cuDNN must fit the onnxruntime-gpu"
                " installed), or use device cpu"
            )
        return made


def _check_for_cuda() -> None:
    import onnxruntime

    have = onnxruntime.get_available_providers()
    if _CUDA not in have:
        raise OcrUnavailable(
            f"device cuda needs onnxruntime with {_CUDA}; this one has {', '.join(have)}:"
            " pip uninstall onnxruntime, then pip install onnxruntime-gpu, or use device cpu"
        )


def _config(model: Path, device: Device, **options: Any) -> Any:
    from omegaconf import OmegaConf
    from rapidocr import EngineType

    # It tells of every model that it loads.
    logging.getLogger("RapidOCR").setLevel(logging.WARNING)
    threads = {"intra_op_num_threads": 1, "inter_op_num_threads": 1}
    devices = dict.fromkeys(("use_cuda", "use_dml", "use_cann", "use_coreml"), False)
    # Memory is kept between calls: that saves time, and is bounded because the windows are.
    engine: dict[str, Any] = {**threads, **devices, "enable_cpu_mem_arena": True}
    arena = {"arena_extend_strategy": "kSameAsRequested"}
    engine["cpu_ep_cfg"] = arena
    if device == "cuda":
        engine["use_cuda"] = True
        # Searching for the fastest convolution anew for each size of window would cost more than
        # it gives, and may choose another one on another day.
        engine["cuda_ep_cfg"] = arena | {"device_id": 0, "cudnn_conv_algo_search": "HEURISTIC"}
    names = {"engine_type": EngineType.ONNXRUNTIME, "model_path": str(model), "engine_cfg": engine}
    return OmegaConf.create({**names, **options})


def _wheel_models() -> tuple[Path, Path]:
    for package in ("rapidocr", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise OcrUnavailable(f"{package} is not installed: pip install 'vae-corpus[ocr]'")
    spec = importlib.util.find_spec("rapidocr")
    assert spec and spec.origin
    folder = Path(spec.origin).parent / "models"
    detectors = sorted(folder.glob("*_det_*.onnx"))
    recognisers = sorted(folder.glob("*_rec_*.onnx"))
    if not detectors or not recognisers:
        raise OcrUnavailable(
            f"no detector and recogniser (*_det_*.onnx, *_rec_*.onnx) in {folder}:"
            " install a rapidocr whose wheel carries its models, or give the paths of two"
        )
    return detectors[-1], recognisers[-1]
