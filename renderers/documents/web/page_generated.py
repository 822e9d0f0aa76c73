"""Text that stands in no element: numbers and points of lists, and what style sheets write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# What a run is drawn with, in the order in which the page's script wants it.
STYLES = ("font-style", "font-weight", "font-size", "font-family")

# [text, left, top, width, height, *STYLES], from the top of the document.
Run = list[Any]


def generated_runs(snapshot: dict[str, Any]) -> Iterator[Run]:
    """The runs in a snapshot of CDP's DOMSnapshot.captureSnapshot, one for each line."""
    strings = snapshot["strings"]
    # The first document is the page itself; those of frames are pictures to us.
    document = snapshot["documents"][0]
    nodes, layout, boxes = document["nodes"], document["layout"], document["textBoxes"]
    pseudo = set(nodes["pseudoType"]["index"])
    inside: list[bool] = []
    for number, parent in enumerate(nodes["parentIndex"]):
        inside.append(number in pseudo or (parent >= 0 and inside[parent]))
    rows = zip(boxes["layoutIndex"], boxes["bounds"], boxes["start"], boxes["length"], strict=True)
    for place, bounds, start, length in rows:
        if not inside[layout["nodeIndex"][place]] or bounds[2] <= 0:
            continue
        # Places are counted in units of UTF-16.
        units = strings[layout["text"][place]].encode("utf-16-le", "surrogatepass")
        piece = units[2 * start : 2 * (start + length)].decode("utf-16-le", "replace")
        if piece.strip():
            styles = [strings[style] for style in layout["styles"][place]]
            yield [piece, *bounds, *styles]
