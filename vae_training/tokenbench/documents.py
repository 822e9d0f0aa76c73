"""Crops out of PDFs, whose text layer says what stands where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from vae_corpus.seeds import generator
from vae_training.tokenbench.crop import Crop, LeftOut, contrast_levels, encoded
from vae_training.tokenbench.cutting import Cut, cuts
from vae_training.tokenbench.drawing import cleared, draw
from vae_training.tokenbench.lines import regions
from vae_training.tokenbench.text_layer import characters, distrusted, same_glyphs

# A kind for what lies in no folder of its own.
KIND = "document"


class DocumentsUnavailable(ValueError):
    """PDFs cannot be read here, or there are none; the message says what to do."""


def find_pdfs(folder: Path) -> list[Path]:
    """All PDFs below the folder, by name; DocumentsUnavailable when there is none."""
    if not folder.is_dir():
        raise DocumentsUnavailable(f"there is no folder {folder}")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() == ".pdf" and p.is_file())
    if not found:
        raise DocumentsUnavailable(f"there is no file that ends in .pdf below {folder}")
    return found


def document_crops(
    folder: Path, path: Path, left_out: LeftOut, *, pages: int, per_page: int, seed: int
) -> Iterator[Crop]:
    """The crops of one PDF, at most `per_page` from each of at most `pages` pages.

    Which pages and which crops is drawn by `seed` and the file's name. What is left out is counted;
    a file that is locked or broken is a reason, never an exception.
    """
    try:
        import pypdfium2
    except ImportError:
        raise DocumentsUnavailable(
            "PDFs need pypdfium2: pip install 'vae-corpus[documents]'"
        ) from None
    name = path.relative_to(folder).as_posix()
    try:
        data = path.read_bytes()
    except OSError as error:
        left_out.add("file", "unreadable", f"{name}: {error.strerror}")
        return
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = "password" in str(error).lower()
        left_out.add("file", "encrypted" if locked else "broken_document", f"{name}: {error}")
        return
    with closing(document):
        count = len(document)
        if not count:
            left_out.add("file", "no_pages", name)
            return
        # A file of a line may announce 2^31 pages: nothing here may be as long as that.
        rng = generator(seed, "pages", name)
        drawn = rng.choice(count, min(count, pages), replace=False, shuffle=False)
        left_out.add("page", "not_drawn", name, count - len(drawn))
        before = left_out.counts["page", "no_text_layer"]
        for number in sorted(int(i) for i in drawn):
            place = f"{name} page {number + 1}"
            found = _page_crops(document, folder, path, number, left_out)
            kept = found
            if len(found) > per_page:
                order = generator(seed, "crops", name, number).permutation(len(found))
                kept = [found[i] for i in sorted(order[:per_page])]
            left_out.add("crop", "not_drawn", place, len(found) - len(kept))
            yield from kept
        if left_out.counts["page", "no_text_layer"] - before == len(drawn):
            left_out.add("file", "no_text_layer", name)


def _page_crops(
    document: Any, folder: Path, path: Path, number: int, left_out: LeftOut
) -> list[Crop]:
    import pypdfium2

    name = path.relative_to(folder).as_posix()
    place = f"{name} page {number + 1}"
    try:
        page = document[number]
    except pypdfium2.PdfiumError as error:
        left_out.add("page", "broken_page", f"{place}: {error}")
        return []
    with closing(page):
        if page.get_rotation():
            left_out.add("page", "rotated_page", place)
            return []
        try:
            text_page = page.get_textpage()
        except pypdfium2.PdfiumError as error:
            left_out.add("page", "broken_page", f"{place}: {error}")
            return []
        with closing(text_page):
            found = characters(page, text_page)
            if not found:
                left_out.add("page", "no_text_layer", place)
                return []
            crops = []
            for region in regions(found):
                for cut in cuts(region):
                    crop = cut if isinstance(cut, str) else _crop(page, text_page, cut)
                    if isinstance(crop, str):
                        left_out.add("crop", crop, place)
                    else:
                        kind = name.split("/")[0] if "/" in name else KIND
                        crops.append(Crop(**crop, kind=kind, source=name, page=number + 1))
            return crops


def _crop(page: Any, text_page: Any, cut: Cut) -> dict[str, Any] | str:
    if not all(c.sound for c in cut.characters):
        return "unmapped_characters"
    if same_glyphs(cut.characters):
        return "missing_glyphs"
    slug = distrusted(text_page, cut.characters)
    if slug:
        return slug
    rgb = cleared(draw(page, cut), cut)
    if isinstance(rgb, str):
        return rgb
    png, look = encoded(rgb)
    return {
        "png": png,
        "look": look,
        "contrast_levels": contrast_levels(rgb),
        "text": cut.text,
        "language": cut.standard.language,
        "box": (cut.left, cut.top, cut.left + cut.side, cut.top + cut.side),
        "scale": cut.scale,
        "glyph_px": cut.glyph_px,
    }
