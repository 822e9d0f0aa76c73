"""Pictures and text that no demo corpus has seen, to measure autoencoders on.

    python benchmarks/held_out.py --out held_out                     # minutes, once
    python vae_training/evaluate.py --model runs/tiny identity jpeg-q10 --metrics psnr,ssim,ned \\
        --photos held_out/photos --text held_out/text

`photos` are photographs of web themes; `text/document` pages of PDFs at 72 to 144 dpi, cut to 256
px; and `text/rendered` pages of the project's renderer at five sizes from 8 to 28 px, Chinese and
English, each with its label. They come from other packages than the demo: other photographs, other
manuals, other texts, other faces, and the largest sizes are above those that the demo renders. What
they have in common with it is the renderer itself. Packages are fetched under their own licences
(listed in SOURCES) and are never part of this project.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from PIL import Image
from text_blocks_packages import folder_of

from renderers import synth_text
from vae_corpus.debian import fetch
from vae_corpus.pictures.decode import Fault, decode
from vae_corpus.seeds import generator
from vae_training.evaluation.labels import script

# Package of Debian, licence, what is taken.
SOURCES = (
    ("why3-doc-pdf", "LGPL-2.1", "English document"),
    ("c++-annotations-pdf", "GPL-2+", "English document"),
    ("ubuntu-packaging-guide-pdf", "CC-BY-SA-3.0", "English document"),
    ("gitmagic", "GPL-3+", "English document"),
    ("debian-edu-doc-zh-cn", "GPL-2+", "Chinese document"),
    ("installation-guide-amd64", "GPL-2+", "Chinese document"),
    ("texlive-publishers-doc", "LPPL", "Chinese document"),
    ("jargon-text", "public domain", "English text"),
    ("maint-guide-zh-cn", "GPL-2+", "Chinese text"),
    ("fonts-lxgw-wenkai", "OFL-1.1", "face"),
    ("fonts-arphic-ukai", "Arphic Public License", "face"),
    ("fonts-inter", "OFL-1.1", "face"),
    ("fonts-crosextra-carlito", "OFL-1.1", "face"),
)
# Packages of npm, whose photographs are under the MIT licence; see text_blocks_packages.
PHOTOS = (
    *("startbootstrap-creative", "startbootstrap-grayscale", "startbootstrap-business-casual"),
    *("startbootstrap-landing-page", "startbootstrap-stylish-portfolio", "material-kit"),
    *("paper-kit-2", "argon-design-system-free"),
)
SIZES_PX = ("8-8", "10-10", "13-13", "18-18", "28-28")
SIDE_PX = 256
_DPI = (72, 90, 110, 144)
_LONGEST_PX = 1600
_MIN_PX = 600
_MIN_CHARS = 60


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("held_out"))
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--documents", type=int, default=24, help="crops, half of them Chinese")
    parser.add_argument("--pages", type=int, default=2, help="rendered, per size and language")
    given = parser.parse_args(argv)
    if given.out.exists():
        parser.error(f"{given.out} exists: name another --out, or remove it")
    print(make(given.out, given.photos, given.documents, given.pages))
    return 0


def make(out: Path, photos: int, documents: int, pages: int) -> str:
    """Write the sets below `out`; what there is, in words."""
    roots = fetch([name for name, _, _ in SOURCES])
    taken = _photographs(out / "photos", photos)
    crops = _documents(roots, out / "text" / "document", documents)
    rendered = _rendered(roots, out, pages)
    return f"{taken} photographs, {crops} crops of documents, {rendered} rendered pages in {out}"


def _photographs(out: Path, count: int) -> int:
    """As PNG of at most 1,600 px, an equal share of each package, none twice."""
    out.mkdir(parents=True)
    files = {name: _drawn(name, _pictures(folder_of(name))) for name in PHOTOS}
    seen: set[str] = set()
    while len(seen) < count and any(files.values()):
        for name in (name for name in PHOTOS if files[name]):
            data = files[name].pop().read_bytes()
            digest, found = hashlib.sha256(data).hexdigest(), decode(data)
            if digest in seen or isinstance(found, Fault) or len(seen) == count:
                continue
            if min(found.rgb.shape[:2]) < _MIN_PX:
                continue
            image = Image.fromarray(found.rgb)
            image.thumbnail((_LONGEST_PX, _LONGEST_PX), Image.Resampling.LANCZOS)
            image.save(out / f"{name}-{len(seen):02d}.png")
            seen.add(digest)
    return len(seen)


def _pictures(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.suffix in (".jpg", ".jpeg") and p.is_file())


def _drawn(name: str, paths: list[Path]) -> list[Path]:
    order = generator(0, "held out", name).permutation(len(paths))
    return [paths[i] for i in order]


def _documents(roots: dict[str, Path], out: Path, count: int) -> int:
    """Crops of 256 px around text, in turn from each PDF, Chinese and English by turns."""
    out.mkdir(parents=True)
    done = 0
    with tempfile.TemporaryDirectory() as work:
        pdfs = list(_pdfs(roots, Path(work)))
        by_language = {
            language: [_crops(path) for path in pdfs if _language(path) == language]
            for language in ("zh", "en")
        }
        for language, crops in by_language.items():
            wanted = done + count // 2
            while done < wanted and crops:
                stream = crops.pop(0)
                found = next(stream, None)
                if found is None:
                    continue
                crops.append(stream)
                image, dpi = found
                image.save(out / f"{language}-{done:02d}.png")
                label = {"kind": "document", "language": language, "dpi": dpi}
                (out / f"{language}-{done:02d}.json").write_text(json.dumps(label))
                done += 1
    return done


def _pdfs(roots: dict[str, Path], work: Path) -> Iterator[Path]:
    """PDFs of the packages, unpacked where they are compressed; links to others are passed over."""
    for name, _, what in SOURCES:
        if "document" not in what:
            continue
        for path in sorted(roots[name].rglob("*.pdf*")):
            if path.is_symlink() or path.suffix not in (".pdf", ".gz"):
                continue
            target = work / f"{name}-{path.name.removesuffix('.gz')}"
            data = path.read_bytes()
            target.write_bytes(gzip.decompress(data) if path.suffix == ".gz" else data)
            if what.startswith("Chinese") == (_language(target) == "zh"):
                yield target


def _language(path: Path) -> str:
    """By the script of its first pages: names tell only some of them."""
    document = pdfium.PdfDocument(path)
    pages = [document[n].get_textpage().get_text_range() for n in range(min(8, len(document)))]
    document.close()
    return script("".join(pages))


def _crops(path: Path) -> Iterator[tuple[Image.Image, int]]:
    """Crops of pages in an order drawn by the seed, where they hold enough text."""
    document = pdfium.PdfDocument(path)
    rng = generator(0, "held out", path.name)
    for number in rng.permutation(len(document)).tolist():
        page, dpi = document[number], int(rng.choice(_DPI))
        image = page.render(scale=dpi / 72).to_pil().convert("RGB")
        if min(image.size) < SIDE_PX:
            continue
        left = int(rng.integers(image.width - SIDE_PX + 1))
        top = int(rng.integers(image.height - SIDE_PX + 1))
        box = (left, top, left + SIDE_PX, top + SIDE_PX)
        points = [v * 72 / dpi for v in box]
        text = page.get_textpage().get_text_bounded(
            left=points[0],
            right=points[2],
            top=page.get_height() - points[1],
            bottom=page.get_height() - points[3],
        )
        if sum(not c.isspace() for c in text) >= _MIN_CHARS:
            yield image.crop(box), dpi
    document.close()


def _rendered(roots: dict[str, Path], out: Path, pages: int) -> int:
    """Pages of each size and language on the held-out photographs, with their labels."""
    target = out / "text" / "rendered"
    target.mkdir(parents=True)
    faces = [str(roots[name]) for name, _, what in SOURCES if what == "face"]
    with tempfile.TemporaryDirectory() as work:
        texts = {"en": Path(work) / "en.txt", "zh": Path(work) / "zh.txt"}
        _unpack(roots["jargon-text"], "jargon.txt.gz", texts["en"])
        _unpack(roots["maint-guide-zh-cn"], "maint-guide.zh-cn.txt.gz", texts["zh"])
        for language, text in texts.items():
            for size in SIZES_PX:
                flags = ["--lang", language, "--size", size, "--count", str(pages)]
                flags += ["--canvas", str(SIDE_PX), "--texts", str(text), "--fonts", *faces]
                flags += ["--backgrounds", str(out / "photos"), "--layout", "paragraph", "article"]
                pixels = size.split("-")[0]
                place = Path(work) / f"{language}-{pixels}px"
                if synth_text.main([*flags, "--seed", pixels, "--out", str(place)]):
                    raise RuntimeError(f"rendering {language} at {size} px failed")
                for path in sorted(place.iterdir()):
                    if path.suffix in (".png", ".json"):
                        shutil.copy(path, target / f"{place.name}-{path.name}")
    return len(list(target.glob("*.png")))


def _unpack(root: Path, name: str, target: Path) -> None:
    (path,) = root.rglob(name)
    target.write_bytes(gzip.decompress(path.read_bytes()))


def sheet(folder: Path, path: Path, columns: int = 8) -> None:
    """All pictures of a folder on one sheet, to look at."""
    pictures = sorted(folder.rglob("*.png"))
    rows = -(-len(pictures) // columns)
    canvas = Image.new("RGB", (columns * SIDE_PX, rows * SIDE_PX))
    for n, picture in enumerate(pictures):
        with Image.open(picture) as image:
            shown = np.asarray(image.convert("RGB"))[:SIDE_PX, :SIDE_PX]
        canvas.paste(Image.fromarray(shown), (n % columns * SIDE_PX, n // columns * SIDE_PX))
    canvas.save(path)


if __name__ == "__main__":
    sys.exit(main())
