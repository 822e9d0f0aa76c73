"""Real documents in English and Chinese for a set of text crops: PDFs in a folder per kind.

    python benchmarks/tokenbench_documents.py --out PDFS
    python -m vae_training.tokenbench --documents PDFS --out SET --workers 2

Manuals, papers and slides are PDFs of Debian packages as they are. Debian has few in Chinese, and
hardly one that is a book, a magazine or a newspaper: so help pages, manual pages and poems of other
packages are set in pages of such kinds and printed by the system's Chromium, in several free faces.
Text and text layer are real, the design is ours. A few minutes and about 400 MB of packages, which
stay in the cache (`vae_corpus.debian`); nothing of this is committed.
"""

from __future__ import annotations

import argparse
import gzip
import html
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vae_corpus import debian
from vae_corpus.seeds import generator

# Package, kind, and which of its PDFs.
_PDFS = (
    ("debian-reference-zh-cn", "manual", "*.pdf"),
    ("debian-reference-zh-tw", "manual", "*.pdf"),
    ("maint-guide-zh-cn", "manual", "*.pdf"),
    ("debian-edu-doc-zh-cn", "manual", "*bookworm-manual.pdf"),
    ("debmake-doc", "manual", "*.zh-cn.pdf"),
    ("debmake-doc", "manual", "*.en.pdf"),
    ("installation-guide-amd64", "manual", "install.zh_CN.pdf.gz"),
    ("installation-guide-amd64", "manual", "install.en.pdf.gz"),
    ("developers-reference", "manual", "*.pdf"),
    ("c++-annotations-pdf", "book", "*.pdf"),
    ("mit-scheme-doc", "manual", "*.pdf.gz"),
    ("gnuplot-doc", "manual", "gnuplot.pdf*"),
    ("siscone-doc-pdf", "manual", "*.pdf*"),
    ("asymptote-doc", "manual", "asymptote.pdf*"),
    ("evolver-doc", "manual", "*.pdf*"),
    ("texlive-latex-recommended-doc", "slides", "beamerexample*.pdf"),
)
# Of large packages so many documents, the first by name.
_MOST_OF_PACKAGE = 6
_HELP = {
    "zh": ("gimp-help-zh-cn", "libreoffice-help-zh-cn", "kicad-doc-zh", "lilypond-doc-html-zh"),
    "en": ("gimp-help-en", "debian-handbook", "debian-policy"),
}
_MAN, _POEMS = "manpages-zh", "fortunes-zh"
_FONTS = (
    *("fonts-noto-cjk", "fonts-wqy-zenhei", "fonts-lxgw-wenkai", "fonts-arphic-uming"),
    *("fonts-liberation2", "fonts-dejavu-core", "fonts-lato"),
)
_LEAST_CHARS = {"zh": 60, "en": 160}
# Some 25 to 100 pages of a kind.
_DOCUMENT_CHARS = {"zh": 45_000, "en": 60_000}
_PARAGRAPH = re.compile(r"<p\b[^>]*>(.*?)</p>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")
_ROFF = re.compile(r"\\f(?:\(..|\[[^]]*\]|.)|\\[&|^/,:%]|\\\(..")


@dataclass(frozen=True, kw_only=True)
class Design:
    """How a kind of document looks: `faces` by language, the rest is CSS."""

    kind: str
    faces: dict[str, str]
    page: str
    body: str


# A square of 256 px holds 200 Han characters of 16 px only where lines stand close.
_LINE_HEIGHT = {"zh": (1.2, 1.15, 1.25), "en": (1.3, 1.2, 1.4)}
_SANS = {"zh": "Noto Sans CJK SC", "en": "Lato"}
_SERIF = {"zh": "Noto Serif CJK SC", "en": "Liberation Serif"}
_DESIGNS = (
    Design(
        kind="book",
        faces=_SERIF,
        page="148mm 210mm; margin: 16mm",
        body="font-size: 10.5pt; text-align: justify; text-indent: 2em",
    ),
    Design(
        kind="paper",
        faces=_SERIF,
        page="210mm 297mm; margin: 18mm",
        body="font-size: 9.5pt; text-align: justify; columns: 2",
    ),
    Design(
        kind="magazine",
        faces=_SANS,
        page="200mm 265mm; margin: 0",
        body="font-size: 9pt; columns: 3; background: #f6ecd8; color: #4a2b12",
    ),
    Design(
        kind="newspaper",
        faces={"zh": "AR PL UMing CN", "en": "Liberation Serif"},
        page="280mm 400mm; margin: 0",
        body="font-size: 8.5pt; columns: 5; background: #e4e2dc; color: #222",
    ),
    Design(
        kind="slides",
        faces=_SANS,
        page="254mm 143mm; margin: 0",
        body="font-size: 15pt; background: #12305c; color: #f4f7fb",
    ),
    Design(
        kind="colour textbook",
        faces={"zh": "LXGW WenKai", "en": "DejaVu Serif"},
        page="190mm 260mm; margin: 0",
        body="font-size: 11pt; background: #dff1e4; color: #0b4f3a",
    ),
    Design(
        kind="note",
        faces={"zh": "LXGW WenKai", "en": "Liberation Sans"},
        page="210mm 297mm; margin: 20mm",
        body="font-size: 13pt; color: #1f3fa8",
    ),
    Design(
        kind="web page",
        faces={"zh": "WenQuanYi Zen Hei", "en": "DejaVu Sans"},
        page="240mm 320mm; margin: 0",
        body="font-size: 11pt; background: #1e1e1e; color: #c8c8c8",
    ),
)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the PDFs")
    parser.add_argument("--cache", type=Path, help="folder of the packages")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    given = parser.parse_args(argv)
    names = [*(name for name, _, _ in _PDFS), *_HELP["zh"], *_HELP["en"], _MAN, _POEMS, *_FONTS]
    folders = debian.fetch(sorted(set(names)), given.cache)
    count = _copy(folders, given.out)
    for language in ("zh", "en"):
        dealt = _dealt(list(_paragraphs(folders, language)), language)
        for design, text in zip(_DESIGNS, dealt, strict=True):
            target = given.out / design.kind / f"{language}-{design.kind.replace(' ', '-')}.pdf"
            _print(given.chromium, design, language, text, folders, target)
            count += 1
            print(f"{target}: {sum(map(len, text)):,} characters", flush=True)
    print(f"{count} PDFs in {given.out}")
    return 0


def _copy(folders: dict[str, Path], out: Path) -> int:
    count = 0
    for package, kind, pattern in _PDFS:
        for path in sorted(folders[package].rglob(pattern))[:_MOST_OF_PACKAGE]:
            if path.is_symlink():
                continue
            data = path.read_bytes()
            if path.suffix == ".gz":
                data, path = gzip.decompress(data), path.with_suffix("")
            target = out / kind / f"{package}-{path.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            count += 1
    return count


def _paragraphs(folders: dict[str, Path], language: str) -> Iterator[str]:
    """Prose of the packages, once each, in the order of their files."""
    seen: set[str] = set()
    for text in _all(folders, language):
        plain = " ".join(html.unescape(_TAG.sub("", text)).split())
        han = sum("\u4e00" <= c <= "\u9fff" for c in plain)
        fits = han >= 0.6 * len(plain) if language == "zh" else plain.isascii()
        if len(plain) >= _LEAST_CHARS[language] and fits and plain not in seen:
            seen.add(plain)
            yield plain


def _all(folders: dict[str, Path], language: str) -> Iterator[str]:
    for package in _HELP[language]:
        for path in sorted(folders[package].rglob("*.html")):
            if path.is_file():
                yield from _PARAGRAPH.findall(path.read_text(encoding="utf-8", errors="replace"))
    if language == "zh":
        for path in sorted((folders[_MAN] / "usr/share/man").rglob("*.gz")):
            if path.is_file() and "zh_CN" in str(path):
                yield from _of_roff(gzip.decompress(path.read_bytes()).decode("utf-8", "replace"))
        for path in sorted((folders[_POEMS] / "usr/share/games/fortunes").glob("*00")):
            poems = path.read_text(encoding="utf-8", errors="replace")
            yield from re.sub(r"\x1b\[[0-9;]*m", "", poems).split("\n%\n")


def _of_roff(text: str) -> Iterator[str]:
    """Runs of lines that are no requests, with fonts and signs taken out."""
    for run in re.split(r"^[.'].*\n", text, flags=re.MULTILINE):
        yield _ROFF.sub("", run).replace("\\-", "-").replace("<", "&lt;")


def _dealt(paragraphs: list[str], language: str) -> list[list[str]]:
    """Paragraphs for each design, of all packages: drawn once, none for two designs."""
    order = generator(0, "documents", language).permutation(len(paragraphs))
    found: list[list[str]] = [[] for _ in _DESIGNS]
    for place, number in enumerate(order):
        text = found[place % len(found)]
        if sum(map(len, text)) < _DOCUMENT_CHARS[language]:
            text.append(paragraphs[number])
    return found


def _print(
    chromium: str,
    design: Design,
    language: str,
    text: list[str],
    folders: dict[str, Path],
    target: Path,
) -> None:
    heights = _LINE_HEIGHT[language]
    height = heights[_DESIGNS.index(design) % len(heights)]
    css = (
        f"@page {{ size: {design.page}; }}"
        "html { print-color-adjust: exact; -webkit-print-color-adjust: exact; }"
        f"body {{ font-family: '{design.faces[language]}'; line-height: {height}; }}"
        f"body {{ margin: 0; {design.body}; }}"
        "p { margin: 0 0 .4em; padding: 0 10mm; }"
    )
    body = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in text)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # By family: Chromium takes few collections (.ttc) as web fonts, and shows boxes instead.
        fonts = Path(folder) / "fonts.conf"
        dirs = "".join(f"<dir>{folders[name].resolve()}</dir>" for name in _FONTS)
        fonts.write_text(f"<fontconfig>{dirs}<cachedir>{folder}/fonts</cachedir></fontconfig>")
        page = Path(folder) / "page.html"
        page.write_text(
            f"<!doctype html><html lang='{language}'><meta charset='utf-8'>"
            f"<style>{css}</style><body>{body}</body></html>",
            encoding="utf-8",
        )
        command = [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
            *(f"--user-data-dir={folder}/profile", f"--print-to-pdf={target.resolve()}"),
            page.as_uri(),
        ]
        environment = {**os.environ, "FONTCONFIG_FILE": str(fonts)}
        subprocess.run(command, check=True, capture_output=True, timeout=300, env=environment)


if __name__ == "__main__":
    raise SystemExit(main())
