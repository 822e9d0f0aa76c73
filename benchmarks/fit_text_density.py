"""Fit the screen and the line counter of text density on real pages, whose text layer is the truth.

    python benchmarks/clarity_pictures.py --out DIR
    python benchmarks/fit_text_density.py --photographs DIR/train

The screen learns pages, and the ink of pages over photographs, against photographs, in two steps
(by texture, and by strokes too); the counter learns the lines that the detector finds.
`text_density.py` measures both on other packages.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from text_pages import FIT, composite, is_han, pages, photographs, tiles

from filters import trees
from filters.clarity.features import NAMES
from filters.ocr.rapid import RapidOcrEngine
from filters.text_density import find_lines, strokes
from filters.text_density import line as text_line
from filters.text_density import screen as text_screen
from filters.training.boost import grow
from filters.training.degrade import reencode
from vae_corpus.pictures.decode import Rgb, to_luma

# Pictures without text.
_PHOTOS = (
    "photo-plasma",
    "photo-gnome",
    "photo-lxqt",
    "photo-endless",
    "photo-stellarium",
    "photo-lugaru",
    "photo-mypaint",
    "photo-opencv",
    "graphics-krita",
    "graphics-lincity",
)
# What of opencv-doc shows writing.
_WRITTEN = ("*ext*", "*scene*", "*board*", "*digits*", "*sudoku*", "*licen*", "*box*", "*card*",
            "*book*", "*messi*", "*smarties*", "*logo*", "*building*", "*graf*")  # fmt: skip
_CELL_PX = 256
_MIN_CHARS = 20
# Wider than what is measured: headings are text too.
_EM_PX = (6, 40)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", metavar="DIR", type=Path, required=True)
    parser.add_argument("--pages", metavar="N", type=int, default=60, help="of each document")
    parser.add_argument("--screen-only", action="store_true", help="leave the counter as it is")
    given = parser.parse_args(argv)
    cv2.setNumThreads(1)
    every = sorted(given.photographs.iterdir())
    folders = [folder for folder in every if folder.name.startswith(_PHOTOS)]
    photos = [(f.name, photo) for f in folders for photo in photographs(f, _WRITTEN)]
    _fit_screen(photos, given.pages)
    if not given.screen_only:
        _fit_lines([photo for _, photo in photos], max(1, given.pages // 2))
    return 0


def _fit_screen(photos: Sequence[tuple[str, Rgb]], per_file: int) -> None:
    rng = np.random.default_rng(0)
    found, labels, origins = [], [], []

    def add(rgb: Rgb, label: str, origin: str) -> None:
        if rng.random() < 0.5:
            rgb = reencode(rgb, "JPEG", int(rng.integers(75, 97)), int(rng.choice([0, 2])))
        luma = to_luma(np.ascontiguousarray(rgb))
        found.append(np.concatenate([text_screen.look(luma), strokes.look(luma)]))
        labels.append(label)
        origins.append(origin)

    for page in pages(FIT, per_file, em_px=_EM_PX):
        for tile in tiles(page, (_CELL_PX,), 3):
            if tile.inside.sum() >= _MIN_CHARS:
                rgb = tile.rgb if rng.random() < 0.8 else 255 - tile.rgb
                add(rgb, "page", page.source.split()[0])
                for _ in range(3):
                    origin, photo = photos[rng.integers(len(photos))]
                    add(composite(rgb, photo, rng), "over", origin)
    for origin, photo in photos:
        for _ in range(40):
            add(_crop(photo, rng), "photograph", origin)
    values, kinds = np.stack(found), np.array(labels)
    is_text = kinds != "photograph"
    record = {
        "made_by": "python benchmarks/fit_text_density.py",
        **{kind: int((kinds == kind).sum()) for kind in ("page", "over", "photograph")},
    }
    texture = values[:, : len(NAMES)]
    whole = (*NAMES, *strokes.NAMES)
    for path, names, x in (
        (text_screen.TEXTURE, NAMES, texture),
        (text_screen.TEXT, whole, values),
    ):
        # Thresholds are chosen by what these say of packages that the trees have not seen.
        chances = _held_out(np.ascontiguousarray(x), is_text, np.array(origins))
        over, photo = chances[kinds == "over"], chances[~is_text]
        shares = (0.001, 0.003, 0.01, 0.02, 0.04)
        held_out = {
            f"{share}": [round(float(t), 3), round(float((photo >= t).mean()), 4)]
            for share, t in ((share, np.quantile(over, share)) for share in shares)
        }
        note = {"held_out_lost_over_photographs": {"is": "[chance, photographs left]"} | held_out}
        forest = grow(x, is_text, _even(is_text), rounds=400, leaves=16)
        trees.dump({"text": forest}, names, record | note, path)
        print(path.name, record | note)


def _held_out(
    values: NDArray[np.float32], is_text: NDArray[np.bool_], origins: NDArray[Any]
) -> NDArray[np.float64]:
    """Chances from trees that have not seen the package of the picture, five folds."""
    names = np.unique(origins)
    np.random.default_rng(0).shuffle(names)
    fold = {name: n % 5 for n, name in enumerate(names.tolist())}
    folds = np.array([fold[origin] for origin in origins.tolist()])
    chances = np.zeros(len(values))
    for n in range(5):
        rest = folds != n
        forest = grow(values[rest], is_text[rest], _even(is_text[rest]), rounds=400, leaves=16)
        grown = trees.Trees.of({"text": forest}, values.shape[1])
        chances[~rest] = grown.chances(values[~rest])[:, 0]
    return chances


def _even(is_text: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights that give both classes the same sum."""
    return np.where(is_text, 0.5 / is_text.mean(), 0.5 / (~is_text).mean())


def _crop(photo: Rgb, rng: np.random.Generator) -> Rgb:
    scale = max(_CELL_PX / min(photo.shape[:2]), float(rng.uniform(0.4, 1.2)))
    if scale < 1:
        photo = np.asarray(
            cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        )
    y, x = (int(rng.integers(side - _CELL_PX + 1)) for side in photo.shape[:2])
    return photo[y : y + _CELL_PX, x : x + _CELL_PX]


def _fit_lines(photos: Sequence[Rgb], per_file: int) -> None:
    rng = np.random.default_rng(1)
    engine = RapidOcrEngine()
    found: list[NDArray[np.float32]] = []
    truth: list[tuple[float, float, float]] = []
    # What the detector takes for lines where nothing is written.
    nothing: list[NDArray[np.float32]] = []
    for photo in photos:
        for _ in range(3):
            rgb = np.ascontiguousarray(_crop(photo, rng))
            nothing += [text_line.looks(to_luma(rgb), line) for line in find_lines(engine, rgb)]
    for page in pages(FIT, per_file, seed=1, em_px=_EM_PX):
        for tile in tiles(page, (256, 512), 1, seed=1):
            rgb = tile.rgb
            if tile.side == 256 and rng.random() < 0.4:
                rgb = composite(rgb, photos[rng.integers(len(photos))], rng)
            boxes, chosen = page.boxes[tile.inside], np.flatnonzero(tile.inside)
            middles = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array([tile.x, tile.y], np.float32)
            for polygon in find_lines(engine, rgb):
                inside = [_inside(polygon, middle) for middle in middles]
                chars = chosen[inside]
                if len(chars):
                    found.append(text_line.looks(to_luma(rgb), polygon))
                    han = float(np.mean([is_han(page.text[i]) for i in chars]))
                    truth.append((len(chars), float(np.median(page.ems[chars])), han))
    values, (chars_, ems, hans) = np.stack(found), np.array(truth).T
    weight = np.sqrt(chars_)
    height, ratio = values[:, 0], values[:, 1]
    both = np.concatenate([values, np.stack(nothing)])
    is_text = np.arange(len(both)) < len(values)
    even = np.where(is_text, 1 / len(values), 1 / len(nothing)) * len(both) / 2
    settings: dict[str, Any] = {"rounds": 200, "leaves": 12}
    forests = {
        "chars": grow(values, np.log(chars_ / ratio), weight, objective="regression", **settings),
        "em": grow(values, np.log(ems / height), weight, objective="regression", **settings),
        "han": grow(values, hans > 0.4, weight, **settings),
        "text": grow(both, is_text, even, **settings),
    }
    record = {
        "made_by": "python benchmarks/fit_text_density.py",
        "lines": len(values),
        "no_lines": len(nothing),
    }
    trees.dump(forests, text_line.NAMES, record, text_line.WEIGHTS)
    print("lines", record)


def _inside(polygon: NDArray[np.float32], point: NDArray[np.float32]) -> bool:
    at = (float(point[0]), float(point[1]))
    return bool(cv2.pointPolygonTest(np.asarray(polygon, np.float32), at, False) >= 0)


if __name__ == "__main__":
    raise SystemExit(main())
