"""Render pages of dense small text onto photographs, with a box for every character.

    python renderers/synth_text.py --count 20 --preview          # demo photographs, texts and fonts
    python renderers/synth_text.py --lang zh --size 5-7 --layout vertical table --out pages
    python renderers/synth_text.py --lang en --backgrounds photos --texts books --fonts my-fonts
    python renderers/synth_text.py --count 10000 --workers 8 --format webp --out pages.tar
    python renderers/synth_text.py --tilt 5 --perspective 0.2 --shadow 0.2 --outline 0.1
    python renderers/synth_text.py --replay pages/zh-000003.json --out again

Each page is a picture and a JSON label: `lines` in reading order, each with `text`, `chars`
([character, x0, y0, x1, y1] in px, the ink that was drawn), `font`, `size_px`, `colour` and
`contrast` (WCAG, against the mean of what lies under the line, shadows and outlines included),
`box`, `x_height_px`, and the `recipe` that draws the same bytes again. Lines of a tilted page also
have their `quad` and `em_px`, the size that they come out with. The same seed gives the same files,
with any number of workers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from fonts.charsets import character_set  # noqa: E402
from fonts.coverage import Coverage  # noqa: E402
from fonts.faces import discover  # noqa: E402
from pipelines.demo import demo_inputs  # noqa: E402
from renderers.backgrounds import Backgrounds  # noqa: E402
from renderers.batch import Job, pages  # noqa: E402
from renderers.extras import Extras  # noqa: E402
from renderers.layout import LAYOUTS  # noqa: E402
from renderers.output import FORMATS, encode, page_writer  # noqa: E402
from renderers.parameters import LANGUAGES, SIZE_BANDS, Recipe, band_limits  # noqa: E402
from renderers.preview import contact_sheet  # noqa: E402
from renderers.recipe import Renderer  # noqa: E402

_PREVIEWED = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Render and write; 1 when an input is missing or unusable, 2 for a wrong setting."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        bands = _bands(args.size)
        extras = Extras(
            tilt_degrees=args.tilt,
            perspective=args.perspective,
            shadow=args.shadow,
            outline=args.outline,
            camera=args.camera,
            large_headings=args.large_headings,
        )
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        return _replay(args) if args.replay else _render(args, _job(args, bands, extras))
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _render(args: argparse.Namespace, job: Job) -> int:
    refused = dict[Path, str]()
    previewed: list[tuple[Any, dict[str, Any]]] = []
    seen: set[str] = set()
    count = characters = skipped = 0
    began = time.perf_counter()
    with page_writer(args.out, args.format) as write:
        for page in pages(job, workers=args.workers, refused=refused):
            write(page.name, page.picture, page.label)
            count += 1
            characters += page.characters
            skipped += page.skipped_texts
            seen.update(page.shown)
            if args.preview and len(previewed) < _PREVIEWED:
                previewed.append((_decoded(page.picture), json.loads(page.label)))
    seconds = time.perf_counter() - began
    print(
        f"{count} pages, {characters:,} characters ({len(seen):,} distinct) in {args.out},"
        f" {seconds:.1f} s: {count / max(seconds, 1e-9):,.0f} pages/s"
    )
    _report_gaps(args.lang, seen, skipped, refused)
    if previewed:
        is_tar = args.out.suffix == ".tar"
        sheet = args.out.with_suffix(".preview.png") if is_tar else args.out / "preview.png"
        sheet.write_bytes(encode(contact_sheet(previewed), "png"))
        print(f"boxes drawn in {sheet}")
    return 0


def _decoded(picture: bytes) -> Any:
    bgr = cv2.imdecode(np.frombuffer(picture, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return bgr[:, :, ::-1]


def _report_gaps(language: str, seen: set[str], skipped: int, refused: dict[Path, str]) -> None:
    wanted = character_set(language)
    shown = Coverage.of(map(ord, seen)).of_text(wanted).sum()
    print(f"{shown:,} of the {len(wanted):,} characters that {language} should show occurred")
    if skipped:
        print(f"{skipped} paragraphs skipped: no face has all their characters")
    for path, why in refused.items():
        print(f"background left out: {path}: {why}")


def _replay(args: argparse.Namespace) -> int:
    recipe, origin = _label(args.replay)
    faces = discover(args.fonts or demo_inputs().fonts)
    background = Backgrounds([Path(origin)])
    _, picture = background.draw(np.random.default_rng(0), recipe.width, recipe.height)
    rgb, labels = Renderer(faces=faces, texts={}).draw(recipe, picture)
    label = labels.to_json(background=origin).encode()
    with page_writer(args.out, args.format) as write:
        write(args.replay.stem, encode(rgb, args.format), label)
    print(args.out if args.out.suffix == ".tar" else args.out / f"{args.replay.stem}.{args.format}")
    return 0


def _label(path: Path) -> tuple[Recipe, str]:
    """The recipe in a label, and the path of its background."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Recipe.from_json(stored["recipe"]), str(stored["background"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is not the label of a page that can be replayed: {why}") from None


def _job(args: argparse.Namespace, bands: list[str], extras: Extras) -> Job:
    languages = ("en", "zh") if args.lang == "mixed" else (args.lang,)
    backgrounds, texts, fonts = args.backgrounds, dict.fromkeys(languages, args.texts), args.fonts
    if not (backgrounds and args.texts and fonts):
        demo = demo_inputs()
        for sentence in demo.missing:
            print(f"missing: {sentence}", file=sys.stderr)
        backgrounds = backgrounds or demo.photos
        texts = {name: args.texts or demo.texts[name] for name in languages}
        fonts = fonts or demo.fonts
    return Job(
        language=args.lang,
        bands=tuple(bands),
        layouts=tuple(args.layout or ()),
        canvas=args.canvas,
        count=args.count,
        seed=args.seed,
        ext=args.format,
        backgrounds=tuple(backgrounds),
        fonts=tuple(fonts),
        texts=tuple((name, tuple(paths)) for name, paths in texts.items()),
        extras=extras,
    )


def _bands(size: str) -> list[str]:
    # A range that spans standard bands is split at their edges, so that each has its share.
    low, high = band_limits(size)
    parts = ((max(low, a), min(high, b)) for a, b in map(band_limits, SIZE_BANDS))
    split = [f"{a}-{b}" for a, b in parts if a <= b]
    return split if low >= 5 and high <= 20 else [size]


def _parser() -> argparse.ArgumentParser:
    about, _, more = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--lang", choices=LANGUAGES, default="mixed", help="language (default: %(default)s)")
    add("--size", default="5-20", metavar="LOW-HIGH", help="em in px of all text (default: 5-20)")
    add("--count", type=int, default=16, metavar="N", help="pages (default: %(default)s)")
    add("--canvas", type=int, default=512, metavar="PX", help="side of a page (default: 512)")
    paths: dict[str, Any] = {"type": Path, "nargs": "+", "default": []}
    add("--backgrounds", metavar="DIR", **paths, help="pictures, folders, tars (default: demo)")
    add("--texts", metavar="PATH", **paths, help="txt, jsonl, Parquet, man pages; also .gz")
    add("--fonts", metavar="DIR", **paths, help="font folders or files (default: demo fonts)")
    add(
        "--layout",
        nargs="+",
        choices=tuple(LAYOUTS),
        metavar="NAME",
        help=f"kinds of page (default: all that suit): {', '.join(LAYOUTS)}",
    )
    real: dict[str, Any] = {"type": float, "default": 0.0}
    add("--tilt", metavar="DEGREES", **real, help="turn pages by up to this much (default: 0)")
    add("--perspective", metavar="AMOUNT", **real, help="up to 0.5: seen from aside (default: 0)")
    add("--shadow", metavar="SHARE", **real, help="of pages with a shadow under the letters, 0-1")
    add("--outline", metavar="SHARE", **real, help="of pages with an outline around the letters")
    add("--camera", metavar="SHARE", **real, help="of pages degraded after rendering: blur, noise")
    add(
        "--large-headings",
        metavar="SHARE",
        **real,
        help="of pages whose titles may exceed --size, up to twice the body's em (default: 0)",
    )
    add("--seed", type=int, default=0, metavar="S", help="same seed, same files (default: 0)")
    add(
        "--out",
        type=Path,
        default=Path("synth_text"),
        metavar="DIR",
        help="folder, or FILE.tar for a WebDataset tar (default: ./synth_text)",
    )
    add("--format", choices=FORMATS, default="png", help="png and webp are lossless (default: png)")
    add("--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    add("--preview", action="store_true", help="also write preview.png, with the boxes drawn")
    add("--replay", type=Path, metavar="FILE.json", help="draw the page of this label again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
