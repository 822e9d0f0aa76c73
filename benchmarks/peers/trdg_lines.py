"""trdg 1.8: a picture of each line on plain white, as its generators make it. No character boxes.

It knows the first face of a collection only, draws no vertical line here, and puts nothing onto a
page. It is slow: every eighth line has to do, which does not change its speed.
"""

from __future__ import annotations

from typing import Any

from rounds import inked, serve
from trdg.data_generator import FakeTextDataGenerator

_EVERY = 8


def draw(pages: list[dict[str, Any]]) -> int:
    count = 0
    for page in pages:
        for line in page["lines"][::_EVERY]:
            FakeTextDataGenerator.generate(
                index=0,
                text=line["text"],
                font=line["path"],
                out_dir=None,
                size=line["size_px"],
                extension="png",
                skewing_angle=0,
                random_skew=False,
                blur=0,
                random_blur=False,
                background_type=1,
                distorsion_type=0,
                distorsion_orientation=0,
                is_handwritten=False,
                name_format=0,
                width=-1,
                alignment=0,
                text_color="#282828",
                orientation=0,
                space_width=1.0,
                character_spacing=0,
                margins=(0, 0, 0, 0),
                fit=False,
                output_mask=False,
                word_split=False,
                image_dir="",
            )
            count += inked(line["text"])
    return count


serve(draw)
