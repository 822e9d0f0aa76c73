"""Draw documents as pages or tiles, with a box for every character that they show.

    python -m renderers.documents papers/ --out pages --preview          # whole pages
    python -m renderers.documents book.epub talk.pptx index.html --out tiles --tile 512
    python -m renderers.documents crawl.warc.gz --out pages --glyph_px 8-14 --max_pages 2
    python -m renderers.documents --typeset 20 --lang zh --out typeset    # documents of our own

Read are PDF, HTML, Markdown, EPUB, WARC and, with LibreOffice, PPTX, ODP, DOCX and ODT; folders
recursively. Each page is drawn once, so large that its median character has an em that is drawn
from --glyph_px, and never resized. A page or tile is a picture and a JSON label: `lines` in the
order of reading, with the members of lines of synthetic text (`text`, `boxes`, `size_px`, ...),
`regions` (figures, tables, formulas), `language`, `doubt` (why the text layer is not to be trusted,
or null) and `page`, how it was drawn. What gives no page is listed in `left_out.json` with a
reason. The same seed gives the same files, with any number of workers.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from renderers.documents.opening import SUFFIXES, FileRef, Tools, TypesetRef, is_warc
from renderers.documents.process import Bounds
from renderers.documents.recipe import draw_document
from renderers.documents.sheets import LeftOut, Look, Named, Sheet, draw
from renderers.documents.typeset.drawing import TypesetSettings
from renderers.page.output import encode, page_writer
from renderers.page.preview import preview
from vae_corpus import settings
from vae_corpus.demo import demo_inputs
from vae_corpus.seeds import generator
from vae_corpus.settings import Settings

_PREVIEWED, _PREVIEWED_OF_ONE = 12, 2
_PREVIEW_PX = 512
_TOLD_EVERY_S = 2.0


class DocumentsSettings(Settings):
    """What to draw, how large, and where to."""

    paths: tuple[Path, ...] = Field((), description="documents, and folders of them")
    out: Path = Field(Path("pages"), description="folder, or FILE.tar for a WebDataset tar")
    glyph_px: str = Field("6-24", description="em in px of the median character, LOW-HIGH")
    tile: int | None = Field(None, ge=64, description="side of tiles in px; none: whole pages")
    seed: int = Field(0, ge=0, description="same seed, same files")
    max_pages: int | None = Field(None, ge=1, description="at most so many pages of a document")
    fonts: tuple[Path, ...] = Field((), description="font folders; none: those of the demo")
    javascript: bool = Field(False, description="let scripts of web pages run")
    typeset: int = Field(0, ge=0, description="also set so many documents of our own")
    lang: Literal["en", "zh", "mixed"] = Field("mixed", description="language of typeset documents")
    kinds: tuple[str, ...] = Field((), description="kinds of typeset documents; none: all")
    texts: tuple[Path, ...] = Field((), description="texts to typeset; none: those of the demo")
    pictures: tuple[Path, ...] = Field((), description="figures; none: photographs of the demo")
    format: Literal["png", "webp"] = Field("png", description="both are lossless")
    workers: int = Field(1, ge=1, description="processes")
    page_timeout_s: float = Field(30.0, gt=0, description="a page that takes longer is given up")
    preview: bool = Field(False, description="also write preview.png, with the boxes drawn")

    @field_validator("glyph_px")
    @classmethod
    def _range(cls, glyph_px: str) -> str:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)", glyph_px)
        if not found or not 1 <= float(found[1]) <= float(found[2]) <= 200:
            raise ValueError(f"glyph_px is LOW-HIGH in px, e.g. 6-24; got {glyph_px!r}")
        return glyph_px

    @field_validator("kinds")
    @classmethod
    def _kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        TypesetSettings(kinds=dict.fromkeys(kinds, 1.0) or {"paper": 1.0})
        return kinds


def main(argv: Sequence[str] | None = None) -> int:
    """Draw and write; 1 when nothing could be drawn, or an input is missing."""
    given = settings.load(DocumentsSettings, argv, description=__doc__ or "", positional=("paths",))
    try:
        documents = list(_documents(given))
        return _draw(given, documents)
    except (OSError, ValueError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _draw(given: DocumentsSettings, documents: list[Named]) -> int:
    tools = _tools(given)
    low, high = map(float, given.glyph_px.split("-"))
    look = Look(low=low, high=high, seed=given.seed, tile_px=given.tile, max_pages=given.max_pages)
    bounds = Bounds(page_timeout_s=given.page_timeout_s, open_timeout_s=4 * given.page_timeout_s)
    left_out: list[LeftOut] = []
    shown: list[tuple[Any, dict[str, Any]]] = []
    seen: Counter[str] = Counter()
    sheets = characters = 0
    began = told = time.monotonic()
    with page_writer(given.out, given.format) as write:
        for found in draw(documents, tools, bounds, look, given.workers):
            if isinstance(found, LeftOut):
                left_out.append(found)
                continue
            label = json.dumps(found.label, ensure_ascii=False).encode()
            write(found.name, encode(found.rgb, given.format), label)
            sheets += 1
            characters += sum(len(line["text"]) for line in found.label["lines"])
            document = found.name.rpartition("-p")[0]
            if len(shown) < _PREVIEWED and seen[document] < _PREVIEWED_OF_ONE:
                seen[document] += 1
                shown.append((_corner(found), found.label))
            if time.monotonic() - told > _TOLD_EVERY_S:
                told = time.monotonic()
                print(f"{sheets} drawn, {sheets / (told - began):.1f} a second: {found.name}")
        if given.out.suffix != ".tar":
            listed = [vars(one) for one in left_out]
            (given.out / "left_out.json").write_text(json.dumps(listed, indent=1))
    what = "tiles" if given.tile else "pages"
    seconds = time.monotonic() - began
    print(
        f"{sheets} {what} of {len(documents)} documents, {characters:,} characters, in {given.out},"
        f" {seconds:.1f} s: {sheets / max(seconds, 1e-9):.1f} a second"
    )
    for slug, count in Counter(one.slug for one in left_out).most_common():
        first = next(one for one in left_out if one.slug == slug)
        print(f"left out, {slug}: {count}, first {first.name}: {first.why}")
    if given.preview and shown:
        is_tar = given.out.suffix == ".tar"
        sheet = given.out.with_suffix(".preview.png") if is_tar else given.out / "preview.png"
        preview(shown).save(sheet)
        print(f"boxes drawn in {sheet}")
    return 0 if sheets else 1


def _corner(sheet: Sheet) -> Any:
    return sheet.rgb[:_PREVIEW_PX, :_PREVIEW_PX]


def _documents(given: DocumentsSettings) -> Iterator[Named]:
    names: set[str] = set()

    def name(text: str) -> str:
        plain = base = re.sub(r"[^\w-]+", "_", text).strip("_") or "document"
        number = 1
        while plain in names:
            number += 1
            plain = f"{base}_{number}"
        names.add(plain)
        return plain

    for path in given.paths:
        for file, inside in _files(path):
            rng = generator(given.seed, "document", inside)
            recipe = draw_document(rng)
            if not is_warc(file.name):
                yield Named(name=name(inside), ref=FileRef(uri=str(file.resolve()), recipe=recipe))
                continue
            for offset in _records(file):
                ref = FileRef(uri=str(file.resolve()), recipe=recipe, record=offset)
                yield Named(name=name(f"{inside}-{offset}"), ref=ref)
    languages = {"en": 1.0, "zh": 1.0, "mixed": 0.6} if given.lang == "mixed" else {given.lang: 1.0}
    chosen = TypesetSettings(languages=languages)
    kinds = dict.fromkeys(given.kinds, 1.0) or chosen.kinds
    for number in range(given.typeset):
        ref_of_ours = TypesetRef(
            seed=given.seed,
            number=number,
            kinds=tuple(sorted(kinds.items())),
            languages=tuple(sorted(languages.items())),
        )
        yield Named(name=name(f"typeset-{number:05d}"), ref=ref_of_ours)
    if not names:
        raise ValueError("nothing to draw: name documents or folders, or --typeset COUNT")


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """The documents below a path, and the name of each from there."""
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and _is_read(p))
        if not found:
            raise ValueError(f"no documents in {path}: read are {', '.join(SUFFIXES)}")
        yield from ((file, str(file.relative_to(path))) for file in found)
    elif path.is_file():
        if not _is_read(path):
            raise ValueError(f"{path} is not read: {', '.join(SUFFIXES)} are")
        yield path, path.name
    else:
        raise FileNotFoundError(f"no such file or folder: {path}")


def _is_read(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def _records(file: Path) -> Iterator[int]:
    from renderers.documents.web.warc import warc_pages

    with file.open("rb") as opened:
        for found in warc_pages(opened):
            yield found.offset


def _tools(given: DocumentsSettings) -> Tools:
    for what, places in (
        ("fonts", given.fonts),
        ("texts", given.texts),
        ("pictures", given.pictures),
    ):
        for place in places:
            if not place.exists():
                raise FileNotFoundError(f"no such file or folder: {place}, named by --{what}")
    fonts, texts, pictures = given.fonts, {}, given.pictures
    languages = ("en", "zh") if given.lang == "mixed" else (given.lang,)
    if not fonts or given.typeset:
        demo = demo_inputs()
        for sentence in demo.missing:
            print(f"missing: {sentence}", file=sys.stderr)
        fonts = fonts or demo.fonts
        pictures = pictures or demo.photos
        texts = {name: given.texts or demo.texts[name] for name in languages}
    return Tools(
        fonts=tuple(str(folder.resolve()) for folder in fonts),
        javascript=given.javascript,
        timeout_s=given.page_timeout_s,
        texts=tuple((name, tuple(map(str, paths))) for name, paths in texts.items()),
        pictures=tuple(map(str, pictures)),
    )


if __name__ == "__main__":
    sys.exit(settings.run(main))
