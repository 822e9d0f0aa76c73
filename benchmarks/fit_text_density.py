"""Train the two networks of text density: the screen, and the counter of lines.

    python benchmarks/clarity_pictures.py --out DIR
    python benchmarks/fit_text_density.py --photographs DIR/train --samples DIR/samples

Samples are made once and kept: blocks of text over photographs and patterns, pages, patterns, real
photographs and textures (see `text_samples`), and lines. That takes about an
hour of one core, training another one. `text_blocks.py` and `text_density.py` measure what comes of
it on other packages.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import text_samples
from text_pages import FIT, pages
from text_samples import Materials, Sample

from filters.ocr.rapid import RapidOcrEngine
from filters.ocr.windowed import OcrOptions
from filters.text_density import line, screen
from filters.training import text_line, text_screen
from fonts.faces import discover
from renderers.text.corpora import TextSource
from vae_corpus import debian
from vae_corpus.demo import demo_inputs
from vae_corpus.pictures.decode import Rgb

_FONTS = (
    *("fonts-noto-cjk", "fonts-wqy-microhei", "fonts-wqy-zenhei", "fonts-arphic-gbsn00lp"),
    *("fonts-arphic-ukai", "fonts-lxgw-wenkai", "fonts-dejavu-core", "fonts-liberation2"),
    *("fonts-arphic-uming", "fonts-arphic-gkai00mp", "fonts-arphic-bkai00mp", "fonts-cwtex-fs"),
    *("fonts-cwtex-kai", "fonts-droid-fallback", "fonts-hanazono", "fonts-cns11643-sung"),
    *("fonts-ipaexfont-mincho", "fonts-ipaexfont-gothic", "fonts-morisawa-bizud-mincho"),
    *("fonts-lato", "fonts-cantarell", "fonts-roboto-unhinted", "fonts-linuxlibertine"),
    *("fonts-crosextra-carlito", "fonts-comic-neue", "fonts-firacode", "fonts-vollkorn"),
    *("fonts-bebas-neue", "fonts-junicode", "fonts-b612", "fonts-courier-prime"),
)
# Textures of walls, fences, trees and roads.
_TEXTURES = ("scorched3d-data", "torcs-data", "trigger-rally-data")
# Pictures that have writing of their own: never grounds, whose text is all known.
_WRITTEN = ("libcamera-doc", "octave-doc", "opencv-doc", "python-sklearn-doc")
# Wider than what is measured: headings are text too.
_EM_PX = (6, 40)
_COMPOSITES, _PATTERNS = 20_000, 2_000
_SCREEN_EPOCHS, _LINE_EPOCHS = 6, 16
_LINE_PICTURES, _TEXTLESS_PICTURES = 9_000, 1_000


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", metavar="DIR", type=Path, required=True)
    parser.add_argument("--samples", metavar="DIR", type=Path, required=True, help="kept here")
    parser.add_argument(
        "--parts", nargs="+", choices=("screen", "lines"), default=["screen", "lines"]
    )
    given = parser.parse_args(argv)
    cv2.setNumThreads(1)
    given.samples.mkdir(parents=True, exist_ok=True)
    if "screen" in given.parts:
        fit_screen(given.photographs, given.samples)
    if "lines" in given.parts:
        fit_lines(given.photographs, given.samples)
    return 0


def fit_screen(photographs: Path, kept: Path) -> None:
    samples: list[Sample] = []
    for kind in ("over", "page", "pattern", "photo", "texture"):
        path = kept / f"{kind}.npz"
        if not path.exists():
            text_samples.save(list(_samples(kind, photographs)), path)
        samples += text_samples.load(path)
        print(f"{kind}: {len(samples)} samples so far", flush=True)
    pictures = np.stack([sample.rgb for sample in samples])
    labels = np.stack([sample.label for sample in samples])
    net = text_screen.fit(pictures, labels, epochs=_SCREEN_EPOCHS)
    text_screen.write(net, screen.WEIGHTS)


def _samples(kind: str, photographs: Path) -> Iterator[Sample]:
    photos = text_samples.pictures(photographs, ("photo", "graphics"))
    if kind in ("over", "page"):
        materials = materials_of(photos)
        made = (
            text_samples.composites(materials, _COMPOSITES, seed=0)
            if kind == "over"
            else text_samples.whole_pages(materials, seed=0)
        )
        yield from (sample for sample, _ in made)
    elif kind == "pattern":
        yield from text_samples.patterns(_PATTERNS, seed=0)
    elif kind == "photo":
        yield from text_samples.real(photos, each=12, seed=0, kind=kind)
    else:
        yield from text_samples.real(textures(), each=3, seed=0, kind=kind)


def materials_of(photos: Sequence[tuple[str, Rgb]]) -> Materials:
    folders = debian.fetch(_FONTS)
    inputs = demo_inputs()
    return Materials(
        photos=[(package, photo) for package, photo in photos if package not in _WRITTEN],
        pages=list(pages(FIT, 40, em_px=_EM_PX)),
        faces=discover([folder / "usr/share/fonts" for folder in folders.values()]),
        texts={
            name: TextSource.from_paths(inputs.texts[name], language=name) for name in ("en", "zh")
        },
    )


def textures() -> list[tuple[str, Rgb]]:
    """(package, texture), small ones enlarged until a sample fits."""
    found = []
    for package, folder in debian.fetch(_TEXTURES).items():
        for path in sorted(folder.rglob("*")):
            if path.suffix not in (".png", ".jpg") or path.is_symlink():
                continue
            picture = cv2.imread(str(path))
            if picture is None or min(picture.shape[:2]) < 128 or picture.std() <= 8:
                continue
            scale = max(1.0, text_samples.SIDE_PX / min(picture.shape[:2]))
            if max(picture.shape[:2]) * scale <= 4096:
                large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
                found.append((package, np.ascontiguousarray(large[:, :, ::-1])))
    return found


def fit_lines(photographs: Path, kept: Path) -> None:
    path = kept / "lines.pickle"
    if not path.exists():
        path.write_bytes(pickle.dumps(list(_lines(photographs, kept))))
    lines: list[text_line.Line] = pickle.loads(path.read_bytes())
    print(f"{len(lines)} lines, {sum(line.text for line in lines)} of them text", flush=True)
    text_line.write(text_line.fit(lines, epochs=_LINE_EPOCHS), line.WEIGHTS)


def _lines(photographs: Path, kept: Path) -> Iterator[text_line.Line]:
    rng = np.random.default_rng(0)
    materials = materials_of(text_samples.pictures(photographs, ("photo", "graphics")))
    for made in (
        text_samples.composites(materials, _LINE_PICTURES, seed=3),
        text_samples.whole_pages(materials, seed=3),
    ):
        for sample, written in made:
            yield from text_samples.known_lines(sample.rgb, written, rng)
    # What the detector takes for lines where nothing is written is rare: a careless one finds more.
    careless = RapidOcrEngine(OcrOptions(threshold=0.2, box_threshold=0.35))
    for kind in ("pattern", "texture", "photo"):
        path = kept / f"{kind}.npz"
        samples = text_samples.load(path) if path.exists() else list(_samples(kind, photographs))
        for n in rng.permutation(len(samples))[:_TEXTLESS_PICTURES]:
            yield from text_samples.false_lines(careless, samples[n].rgb, rng)


if __name__ == "__main__":
    raise SystemExit(main())
