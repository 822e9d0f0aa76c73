"""Photographs that come with scikit-image and scikit-learn."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_FOLDERS = {".png": ("skimage", "data"), ".jpg": ("sklearn", "datasets/images")}


def photograph(name: str) -> NDArray[np.uint8]:
    """uint8[H, W, 3], e.g. of china.jpg; the packages are only located: they take a second."""
    package, folder = _FOLDERS[Path(name).suffix]
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin, f"{package} is missing"
    with Image.open(Path(spec.origin).parent / folder / name) as image:
        return np.asarray(image.convert("RGB"))
