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
from renderers.effects.extras import Extras  # noqa: E402
from renderers.renderer import Renderer  # noqa: E402
from renderers.text.corpora import TextSource  # noqa: E402
from vae_corpus.demo import demo_inputs  # noqa: E402
from vae_corpus.seeds import generator  # noqa: E402

HERE = Path(__file__).parent
WIDTH, HEIGHT, GAP, COLUMNS = 400, 304, 8, 4
PLAIN = Extras()
# Language, em in px, layout, extras, and a seed with which the page is pleasant to look at.
PAGES = (
    ("en", "5-7", "article", PLAIN, 7),
    ("en", "8-10", "code", PLAIN, 12),
    ("en", "11-14", "paragraph", PLAIN, 7),
    ("en", "15-20", "poster", PLAIN, 7),
    ("zh", "5-7", "article", PLAIN, 7),
    ("zh", "8-10", "form", PLAIN, 7),
    ("zh", "11-14", "vertical", PLAIN, 7),
    ("mixed", "15-20", "paragraph", PLAIN, 7),
    ("en", "8-10", "receipt", PLAIN, 7),
    ("zh", "8-10", "table", Extras(tilt_degrees=5), 17),
    ("mixed", "8-10", "slide", Extras(perspective=0.3), 38),
    ("zh", "15-20", "captions", Extras(outline=1), 7),
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
    for number, (language, band, layout, extras, seed) in enumerate(PAGES):
        rng = generator(seed, "gallery", number)
        recipe = renderer.sample_recipe(
            rng,
            language=language,
            size_band=band,
            width=WIDTH,
            height=HEIGHT,
            layout=layout,
            extras=extras,
        )
        page, _ = renderer.render(recipe, scenery(rng))
        cells.append(page)
    rows = len(PAGES) // COLUMNS
    shape = (rows * (HEIGHT + GAP) - GAP, COLUMNS * (WIDTH + GAP) - GAP, 3)
    sheet = np.full(shape, 255, np.uint8)
    for number, page in enumerate(cells):
        y, x = number // COLUMNS * (HEIGHT + GAP), number % COLUMNS * (WIDTH + GAP)
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
