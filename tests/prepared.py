"""Children of the library, for `forked`: what all of them would begin by loading is loaded."""

from __future__ import annotations

import sys

import cv2
import numpy as np

from filters.scores import Scores
from filters.settings import ScoreSettings
from pipelines.workers import careful_child
from renderers.documents import child, ink

_MAINS = {module.__name__: module.main for module in (careful_child, child)}

# OpenCV must have no threads when a child is forked: it would wait for them.
cv2.setNumThreads(1)
Scores(ScoreSettings(text=False)).ready()
ink.shown(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 4), np.float32))


def main(arguments: list[str]) -> int:
    """Be the child whose module is named first, with the other arguments."""
    module, *sys.argv[1:] = arguments
    _MAINS[module]()
    return 0
