"""The default OCR engine: rapidocr with the PP-OCR models that its wheel carries. Works offline.

Its parts are called directly: the front class keeps flags from one call to the next, shrinks large
pictures and enlarges small ones. Here the detector sees every picture at its own size, in windows
whose probability maps are laid side by side before lines are cut out of them, so that no line
counts twice and memory stays bounded; and lines are read one at a time, because padding to the
width of its neighbours changes what a line says.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import Line, OcrUnavailable, Polygons, Rgb
from filters.ocr.lines import blocks, cut_out

# A detector window and what it sees beyond its edges. Larger windows spend less on margins, but
# more per pixel, because their maps leave the processor's cache.
_WINDOW_PX, _MARGIN_PX = 512, 64
# Larger pictures are cut into blocks of this side, to bound the memory of the probability map.
_BLOCK_PX = 4096
# The detector's strides need sides that are multiples of this.
_STRIDE_PX = 32
# Shorter lines are padded to this width over height, as the recogniser was trained.
_MIN_LINE_RATIO = 320 / 48


@dataclass(frozen=True, kw_only=True)
class RapidOptions:
    """Thresholds on the detector's probability and the size at which lines are read.

    `unclip` grows the shrunken cores that the detector finds back to whole lines. Letters below
    10 px are read much better at twice their size (`read_scale`).
    """

    threshold: float = 0.3
    box_threshold: float = 0.5
    unclip: float = 1.6
    read_scale: float = 2.0
    min_confidence: float = 0.5


class RapidOcrEngine:
    """rapidocr's detector and recogniser on one thread. Loads the models when first used.

    `models` are the paths of a detector and a recogniser in ONNX, by default those of the wheel;
    OcrUnavailable when there are none.
    """

    def __init__(
        self, options: RapidOptions | None = None, models: tuple[Path, Path] | None = None
    ) -> None:
        self.options = options or RapidOptions()
        self.models = models or _wheel_models()
        for path in self.models:
            if not path.is_file():
                raise OcrUnavailable(f"no OCR model at {path}: give the path of an ONNX file")

    @functools.cached_property
    def engine_id(self) -> str:
        versions = [f"{p} {importlib.metadata.version(p)}" for p in ("rapidocr", "onnxruntime")]
        models = [f"{path.stem} sha256:{_sha256(path)}" for path in self.models]
        window = f"windows {_WINDOW_PX}+{_MARGIN_PX} px"
        return "; ".join([*versions, *models, window, str(self.options)])

    def detect(self, rgb: Rgb) -> Polygons:
        """Lines at the given size, as float32[N, 4, 2] in px, none twice."""
        found = [
            self._detect_block(block) + np.array([x, y], np.float32)
            for x, y, block in blocks(rgb, _BLOCK_PX)
        ]
        return np.concatenate(found)

    def read(self, rgb: Rgb) -> list[Line]:
        """Lines and what they say, found and read at `read_scale`; corners in px of `rgb`.

        Lines below `min_confidence` are left out. In pictures above 2,048 px a line may be cut
        into two at the border of a block.
        """
        scale, lines = self.options.read_scale, []
        for x, y, block in blocks(rgb, int(_BLOCK_PX / scale)):
            large = cv2.resize(block, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            polygons = self._detect_block(large)
            for polygon in polygons:
                text, confidence = self.read_line(cut_out(large, polygon))
                if text and confidence >= self.options.min_confidence:
                    lines.append(
                        Line(text, polygon / scale + np.array([x, y], np.float32), confidence)
                    )
        return lines

    def _detect_block(self, rgb: Rgb) -> Polygons:
        height, width = rgb.shape[:2]
        probability = np.empty((height, width), np.float32)
        for y in range(0, height, _WINDOW_PX):
            for x in range(0, width, _WINDOW_PX):
                self._detect_window(rgb, probability, x, y)
        boxes, _ = self._detector.postprocess_op(probability[None, None], (height, width))
        if not len(boxes):
            return np.zeros((0, 4, 2), np.float32)
        return np.asarray(self._detector.sorted_boxes(boxes), np.float32)

    def _detect_window(self, rgb: Rgb, out: NDArray[np.float32], x: int, y: int) -> None:
        height, width = rgb.shape[:2]
        right, bottom = min(x + _WINDOW_PX, width), min(y + _WINDOW_PX, height)
        left, top = max(x - _MARGIN_PX, 0), max(y - _MARGIN_PX, 0)
        seen = rgb[top : bottom + _MARGIN_PX, left : right + _MARGIN_PX]
        pad = [-seen.shape[0] % _STRIDE_PX, -seen.shape[1] % _STRIDE_PX]
        padded = cv2.copyMakeBorder(seen, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE)
        # The models were trained on blue, green, red in [-1, 1].
        tensor = padded[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        found = self._detector.session(np.ascontiguousarray(tensor))[0, 0]
        out[y:bottom, x:right] = found[y - top : bottom - top, x - left : right - left]

    def read_line(self, rgb: Rgb) -> tuple[str, float]:
        """What a lying line says, uint8[H, W, 3], and the confidence in [0, 1]."""
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

        return TextDetector(
            _config(
                self.models[0],
                # Nothing is to be resized or dropped: windows come in the right size.
                limit_side_len=10 * _BLOCK_PX,
                limit_type="max",
                mean=[0.5, 0.5, 0.5],
                std=[0.5, 0.5, 0.5],
                thresh=self.options.threshold,
                box_thresh=self.options.box_threshold,
                max_candidates=100_000,
                unclip_ratio=self.options.unclip,
                use_dilation=True,
                score_mode="fast",
            )
        )

    @functools.cached_property
    def _recogniser(self) -> Any:
        from rapidocr.ch_ppocr_rec import TextRecognizer

        return TextRecognizer(
            _config(
                self.models[1],
                lang_type="ch",
                rec_batch_num=1,
                rec_img_shape=[3, 48, 320],
                rec_keys_path=None,
            )
        )


def _config(model: Path, **options: Any) -> Any:
    from omegaconf import OmegaConf
    from rapidocr import EngineType

    # It tells of every model that it loads.
    logging.getLogger("RapidOCR").setLevel(logging.WARNING)
    threads = {"intra_op_num_threads": 1, "inter_op_num_threads": 1}
    devices = dict.fromkeys(("use_cuda", "use_dml", "use_cann", "use_coreml"), False)
    # Memory is kept between calls: that saves time, and is bounded because the windows are.
    engine: dict[str, Any] = {**threads, **devices, "enable_cpu_mem_arena": True}
    engine["cpu_ep_cfg"] = {"arena_extend_strategy": "kSameAsRequested"}
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


@functools.cache
def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
