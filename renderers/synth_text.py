"""Render pages of dense small text onto photographs, with a box for every character.

    python renderers/synth_text.py --count 20 --preview          # demo photographs, texts and fonts
    python renderers/synth_text.py --lang zh --size 5-7 --layout vertical table --out pages
    python renderers/synth_text.py --lang en --backgrounds photos --texts books --fonts my-fonts
    python renderers/synth_text.py --count 10000 --workers 8 --format webp --out pages.tar
    python renderers/synth_text.py --tilt 5 --perspective 0.2 --shadow 0.2 --outline 0.1
    python renderers/synth_text.py --replay pages/zh-000003.json --out again

Each page is a picture and a JSON label: `lines` in reading order, each with `text`, `boxes`
(for each character [x0, y0, x1, y1] in px, the ink that was drawn), `font`, `size_px`, `colour`,
`contrast` (WCAG, against the mean of what lies under the line, shadows and outlines included),
`box`, its corners on the page as `quad`, `em_px` (the size as it came out) and `x_height_px`; and
the `recipe`, JSON in a string, that renders the same bytes again. `Labels.to_dict` has the details.
The same seed gives the same files, with any number of workers.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from pydantic import Field, field_validator, model_validator  # noqa: E402

from fonts.charsets import character_set  # noqa: E402
from fonts.coverage import Coverage  # noqa: E402
from fonts.faces import discover  # noqa: E402
from renderers.batch import Job, pages  # noqa: E402
from renderers.effects.extras import Extras  # noqa: E402
from renderers.layout import LAYOUTS  # noqa: E402
from renderers.page.backgrounds import Backgrounds  # noqa: E402
from renderers.page.output import encode, page_writer  # noqa: E402
from renderers.page.preview import contact_sheet  # noqa: E402
from renderers.recipe import Recipe, band_limits  # noqa: E402
from renderers.renderer import Renderer  # noqa: E402
from vae_corpus import settings  # noqa: E402
from vae_corpus.demo import demo_inputs  # noqa: E402
from vae_corpus.settings import Settings  # noqa: E402
from vae_corpus.words import SIZE_BANDS  # noqa: E402

_PREVIEWED = 8


class SynthTextSettings(Settings):
    """What to render, out of what, and where to."""

    lang: Literal["en", "zh", "mixed"] = Field("mixed", description="language")
    size: str = Field("5-20", description="em in px of all text, LOW-HIGH")
    count: int = Field(16, ge=1, description="pages")
    canvas: int = Field(512, ge=1, description="side of a page in px")
    backgrounds: tuple[Path, ...] = Field(
        (), description="pictures, folders, tars; none: those of the demo"
    )
    texts: tuple[Path, ...] = Field(
        (), description="txt, jsonl, Parquet, man pages; also .gz; none: those of the demo"
    )
    fonts: tuple[Path, ...] = Field(
        (), description="font folders or files; none: those of the demo"
    )
    layout: tuple[str, ...] = Field(
        (), description=f"kinds of page; none: all that suit. {', '.join(LAYOUTS)}"
    )
    tilt: float = Field(0.0, description="turn pages by up to so many degrees to either side")
    perspective: float = Field(0.0, description="up to 0.5: seen from aside")
    shadow: float = Field(0.0, description="share of pages with a shadow under the letters, 0-1")
    outline: float = Field(0.0, description="share of pages with an outline around the letters")
    camera: float = Field(0.0, description="share of pages degraded after rendering: blur, noise")
    large_headings: float = Field(
        0.0,
        description="share of pages whose titles may exceed --size, up to twice the body's em",
    )
    seed: int = Field(0, description="same seed, same files")
    out: Path = Field(Path("synth_text"), description="folder, or FILE.tar for a WebDataset tar")
    format: Literal["png", "webp", "jpg"] = Field("png", description="png and webp are lossless")
    workers: int = Field(1, ge=1, description="processes")
    preview: bool = Field(False, description="also write preview.png, with the boxes drawn")
    replay: Path | None = Field(None, description="JSON label: draw its page again")

    @field_validator("size")
    @classmethod
    def _range(cls, size: str) -> str:
        band_limits(size)
        return size

    @field_validator("layout")
    @classmethod
    def _known(cls, layout: tuple[str, ...]) -> tuple[str, ...]:
        for name in layout:
            if name not in LAYOUTS:
                raise ValueError(f"there is no layout {name}; layouts are {', '.join(LAYOUTS)}")
        return layout

    @model_validator(mode="after")
    def _extras(self) -> SynthTextSettings:
        self.extras()
        return self

    def extras(self) -> Extras:
        """The same as the renderer has it; ValueError for a number out of range."""
        return Extras(
            tilt_degrees=self.tilt,
            perspective=self.perspective,
            shadow=self.shadow,
            outline=self.outline,
            camera=self.camera,
            large_headings=self.large_headings,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Render and write; 1 when an input is missing or unusable."""
    given = settings.load(SynthTextSettings, argv, description=__doc__ or "")
    try:
        return _replay(given) if given.replay else _render(given, _job(given))
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _render(given: SynthTextSettings, job: Job) -> int:
    refused = dict[Path, str]()
    previewed: list[tuple[Any, dict[str, Any]]] = []
    seen: set[str] = set()
    count = characters = skipped = 0
    began = time.perf_counter()
    with page_writer(given.out, given.format) as write:
        for page in pages(job, workers=given.workers, refused=refused):
            write(page.name, page.picture, page.label)
            count += 1
            characters += page.characters
            skipped += page.skipped_texts
            seen.update(page.shown)
            if given.preview and len(previewed) < _PREVIEWED:
                previewed.append((_decoded(page.picture), json.loads(page.label)))
    seconds = time.perf_counter() - began
    print(
        f"{count} pages, {characters:,} characters ({len(seen):,} distinct) in {given.out},"
        f" {seconds:.1f} s: {count / max(seconds, 1e-9):,.0f} pages/s"
    )
    _report_gaps(given.lang, seen, skipped, refused)
    if previewed:
        is_tar = given.out.suffix == ".tar"
        sheet = given.out.with_suffix(".preview.png") if is_tar else given.out / "preview.png"
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


def _replay(given: SynthTextSettings) -> int:
    assert given.replay is not None
    recipe, origin = _label(given.replay)
    faces = discover(given.fonts or demo_inputs().fonts)
    background = Backgrounds([Path(origin)])
    _, picture = background.sample(np.random.default_rng(0), recipe.width, recipe.height)
    rgb, labels = Renderer(faces=faces, texts={}).paint(recipe, picture)
    label = labels.to_json(background=origin)
    with page_writer(given.out, given.format) as write:
        write(given.replay.stem, encode(rgb, given.format), label)
    print(
        given.out
        if given.out.suffix == ".tar"
        else given.out / f"{given.replay.stem}.{given.format}"
    )
    return 0


def _label(path: Path) -> tuple[Recipe, str]:
    """The recipe in a label, and the path of its background."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Recipe.from_json(stored["recipe"]), str(stored["background"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} is not the label of a page that can be replayed: {why}") from None


def _job(given: SynthTextSettings) -> Job:
    languages = ("en", "zh") if given.lang == "mixed" else (given.lang,)
    backgrounds, texts, fonts = (
        given.backgrounds,
        dict.fromkeys(languages, given.texts),
        given.fonts,
    )
    if not (backgrounds and given.texts and fonts):
        demo = demo_inputs()
        for sentence in demo.missing:
            print(f"missing: {sentence}", file=sys.stderr)
        backgrounds = backgrounds or demo.photos
        texts = {name: given.texts or demo.texts[name] for name in languages}
        fonts = fonts or demo.fonts
    return Job(
        language=given.lang,
        bands=tuple(_bands(given.size)),
        layouts=given.layout,
        canvas=given.canvas,
        count=given.count,
        seed=given.seed,
        ext=given.format,
        backgrounds=tuple(backgrounds),
        fonts=tuple(fonts),
        texts=tuple((name, tuple(paths)) for name, paths in texts.items()),
        extras=given.extras(),
    )


def _bands(size: str) -> list[str]:
    # A range that spans standard bands is split at their edges, so that each has its share.
    low, high = band_limits(size)
    parts = ((max(low, a), min(high, b)) for a, b in map(band_limits, SIZE_BANDS))
    split = [f"{a}-{b}" for a, b in parts if a <= b]
    return split if low >= 5 and high <= 20 else [size]


if __name__ == "__main__":
    sys.exit(settings.run(main))
