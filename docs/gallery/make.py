"""Draw docs/gallery.png, the README's picture: synthetic pages on backgrounds made in code.

    python docs/gallery/make.py

Texts and backgrounds are ours; fonts come from the demo's Debian packages.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fonts.faces import discover  # noqa: E402
from pipelines.demo import demo_inputs  # noqa: E402
from pipelines.sample import generator  # noqa: E402
from renderers.recipe import Renderer  # noqa: E402
from renderers.text_sources import TextSource  # noqa: E402

HERE = Path(__file__).parent
WIDTH, HEIGHT, GAP = 400, 304, 8
PAGES = (
    ("en", "5-7", "article"),
    ("en", "8-10", "slide"),
    ("en", "11-14", "paragraph"),
    ("en", "15-20", "poster"),
    ("zh", "5-7", "article"),
    ("zh", "8-10", "form"),
    ("zh", "11-14", "vertical"),
    ("mixed", "15-20", "paragraph"),
)


def main() -> int:
    fonts = demo_inputs().fonts
    texts = {
        language: TextSource.from_paths(
            [HERE / f"{language}.txt"], language=language, top_up_share=0
        )
        for language in ("en", "zh")
    }
    renderer = Renderer(faces=discover(list(fonts)), texts=texts)
    cells = []
    for number, (language, band, layout) in enumerate(PAGES):
        rng = generator(7, "gallery", number)
        recipe = renderer.draw_recipe(
            rng, language=language, size_band=band, width=WIDTH, height=HEIGHT, layout=layout
        )
        page, _ = renderer.render(recipe, scenery(rng))
        cells.append(page)
    columns = len(PAGES) // 2
    sheet = np.full((2 * HEIGHT + GAP, columns * (WIDTH + GAP) - GAP, 3), 255, np.uint8)
    for number, page in enumerate(cells):
        y, x = number // columns * (HEIGHT + GAP), number % columns * (WIDTH + GAP)
        sheet[y : y + HEIGHT, x : x + WIDTH] = page
    out = HERE.parent / "gallery.png"
    cv2.imwrite(str(out), sheet[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{out}: {sheet.shape[1]} x {sheet.shape[0]} px, {out.stat().st_size / 1e3:.0f} kB")
    return 0


def scenery(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Hills under a sky: uint8[HEIGHT, WIDTH, 3], soft enough to be a background."""
    top, bottom = rng.uniform(70, 235, (2, 3))
    shade = np.linspace(0, 1, HEIGHT)[:, None, None]
    rgb = np.broadcast_to(top + (bottom - top) * shade, (HEIGHT, WIDTH, 3)).copy()
    x = np.arange(WIDTH)
    for depth in range(4):
        waves = rng.uniform(4, 22, 3)[:, None] * np.sin(
            x * rng.uniform(0.005, 0.04, 3)[:, None] + rng.uniform(0, 7, 3)[:, None]
        )
        line = HEIGHT * (0.35 + 0.17 * depth) + waves.sum(axis=0)
        below = np.arange(HEIGHT)[:, None] > line[None, :]
        rgb[below] = 0.35 * rgb[below] + 0.65 * rng.uniform(30, 190, 3)
    clipped: NDArray[np.uint8] = np.clip(rgb, 0, 255).astype(np.uint8)
    return clipped


if __name__ == "__main__":
    sys.exit(main())
