"""Render pages of dense small text onto photographs, with a box for every character.

    python renderers/synth_text.py --count 20 --preview          # demo photographs, texts and fonts
    python renderers/synth_text.py --lang zh --size 5-7 --layout vertical table --out pages
    python renderers/synth_text.py --lang en --backgrounds photos --texts books --fonts my-fonts
    python renderers/synth_text.py --count 10000 --workers 8 --format webp --out pages.tar
    python renderers/synth_text.py --tilt_degrees 5 --perspective 0.2 --shadow 0.2 --outline 0.1
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
from typing import Any

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import cv2  # noqa: E402
import numpy as np  # noqa: E402

from fonts.charsets import character_set  # noqa: E402
from fonts.coverage import Coverage  # noqa: E402
from fonts.faces import discover  # noqa: E402
from renderers.batch import Job, pages  # noqa: E402
from renderers.page.backgrounds import Backgrounds  # noqa: E402
from renderers.page.output import encode, page_writer  # noqa: E402
from renderers.page.preview import preview  # noqa: E402
from renderers.recipe import Recipe  # noqa: E402
from renderers.renderer import Renderer  # noqa: E402
from renderers.settings import SynthTextSettings  # noqa: E402
from vae_corpus import settings  # noqa: E402
from vae_corpus.demo import demo_inputs  # noqa: E402
from vae_corpus.progress import ProgressLine  # noqa: E402

_PREVIEWED = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Render and write; 1 when an input is missing or unusable."""
    given = settings.load(SynthTextSettings, argv, description=__doc__ or "")
    try:
        return _replay(given) if given.replay else _render(given, given.job())
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _render(given: SynthTextSettings, job: Job) -> int:
    refused = dict[Path, str]()
    previewed: list[tuple[Any, dict[str, Any]]] = []
    seen: set[str] = set()
    count = characters = skipped = 0
    began = time.perf_counter()
    progress = ProgressLine(given.count, "pages")
    with page_writer(given.out, given.format) as write:
        for page in pages(job, workers=given.workers, refused=refused):
            write(page.name, page.picture, page.label)
            count += 1
            progress.tell(count)
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
        preview(previewed).save(sheet)
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


if __name__ == "__main__":
    sys.exit(settings.run(main))
