"""SynthTIGER 1.2: a text layer for each line, merged with the background. No character boxes.

Its layers know the first face of a collection only, and no vertical line here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rounds import inked, serve
from synthtiger import layers


def draw(pages: list[dict[str, Any]]) -> int:
    count = 0
    for page in pages:
        placed = []
        for line in page["lines"]:
            layer = layers.TextLayer(
                line["text"], line["path"], line["size_px"], color=(*line["colour"], 255)
            )
            layer.topleft = line["x"], line["y"] - line["size_px"]
            placed.append(layer)
            count += inked(line["text"])
        ground = layers.Layer(np.load(page["ground"]))
        # The first layer lies on top.
        layers.Group([*placed, ground]).output(bbox=ground.bbox.astype(int))
    return count


serve(draw)
