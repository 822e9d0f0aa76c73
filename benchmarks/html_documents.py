"""Real web pages as a browser shows them: how fast, how true the boxes, how near the asked sizes.

    python benchmarks/html_documents.py --pages 3

Documents of Debian packages in English and Chinese, some of both, the first `--pages` pages of each
(a long page is cut). Told are: pages for each second of processor time, that of the browser and all
its processes included; the share of pages whose median em lies in the band that was drawn; of the
characters that the page has at all, the share that left ink and so are told; and the share of the
ink of text that no box holds, which is text that nobody tells. Writes
benchmarks/results/html_documents.json.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from renderers.documents.page import DocumentFault
from renderers.documents.recipe import LookSettings, band_limits, draw_document, draw_page
from renderers.documents.web.browser import Browser
from renderers.documents.web.html import HtmlDocument
from renderers.documents.web.page_walls import Served
from renderers.documents.web.resources import Folder
from renderers.text.html import encoding_of
from vae_corpus import debian
from vae_corpus.pictures.decode import Limits
from vae_corpus.seeds import generator

_RESULTS = Path(__file__).parent / "results" / "html_documents.json"
FONTS = ("fonts-noto-cjk", "fonts-dejavu-core", "fonts-liberation2", "fonts-lxgw-wenkai")
# Windows up to this width would be below 256 px at small scales, so their letters stay larger.
_PHONE_PX = 500
_OFFICE = "usr/share/libreoffice/help"
_EDU = "usr/share/doc/debian-edu-doc-zh-cn"
# (language, package, folder that holds all a page needs, pages in it)
_SETS = (
    ("en", "python3.11-doc", "usr/share/doc/python3.11/html", "library/os tutorial/classes"),
    ("en", "python3.11-doc", "usr/share/doc/python3.11/html", "howto/regex whatsnew/3.11 glossary"),
    ("en", "debian-policy", "usr/share/doc/debian-policy", "policy.html/ap-process"),
    ("en", "debian-policy", "usr/share/doc/debian-policy", "policy.html/ch-maintainerscripts"),
    ("en", "developers-reference", "usr/share/developers-reference", "pkgs best-pkging-practices"),
    ("en", "git-doc", "usr/share/doc/git-doc", "git-blame MyFirstContribution"),
    ("en", "postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html", "datatype-datetime"),
    ("en", "aptitude-doc-en", "usr/share/doc/aptitude/html/en", "ch02s03s05"),
    ("en", "debmake-doc", "usr/share/doc/debmake-doc/html", "ch03.en"),
    ("en", "debian-faq", "usr/share/doc/debian/FAQ", "basic-defs.en pkgtools.en"),
    ("en", "gimp-help-en", "usr/share/gimp/2.0/help/en", "gimp-concepts-brushes gimp-fire-up"),
    ("en", "installation-guide-amd64", "usr/share/doc/installation-guide-amd64/en", "ch03s03"),
    ("en", "debian-handbook", "usr/share/doc/debian-handbook/html/en-US", "network-services"),
    ("zh", "gimp-help-zh-cn", "usr/share/gimp/2.0/help/zh_CN", "gimp-concepts-brushes"),
    ("zh", "gimp-help-zh-cn", "usr/share/gimp/2.0/help/zh_CN", "gimp-concepts-patterns"),
    ("zh", "kicad-doc-zh", "usr/share/doc/kicad/help/zh", "eeschema pl_editor gerbview"),
    ("zh", "libreoffice-help-zh-cn", _OFFICE, "zh-CN/text/shared/01/02100000"),
    ("zh", "libreoffice-help-zh-cn", _OFFICE, "zh-CN/text/sbasic/shared/01170101"),
    ("zh", "debian-handbook", "usr/share/doc/debian-handbook/html/zh-CN", "sect.apt-get"),
    ("zh", "debian-faq-zh-cn", "usr/share/doc/debian/FAQ/zh-cn", "basic-defs.zh-cn"),
    ("zh", "debian-faq-zh-cn", "usr/share/doc/debian/FAQ/zh-cn", "pkgtools.zh-cn"),
    ("zh", "debian-reference-zh-cn", "usr/share/debian-reference", "ch07.zh-cn pr01.zh-cn"),
    ("zh", "maint-guide-zh-cn", "usr/share/doc/maint-guide-zh-cn/html", "modify.zh-cn"),
    ("zh", "installation-guide-amd64", "usr/share/doc/installation-guide-amd64/zh_CN", "ch03s06"),
    ("zh", "debmake-doc", "usr/share/doc/debmake-doc/html", "ch06.zh-cn"),
    ("mixed", "debian-edu-doc-zh-cn", _EDU, "debian-edu-bookworm-manual"),
    ("mixed", "gimp-help-zh-cn", "usr/share/gimp/2.0/help/zh_CN", "become-a-gimp-wizard"),
    ("mixed", "debian-handbook", "usr/share/doc/debian-handbook/html/zh-CN", "network-services"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class HtmlFile:
    """A page on disk: `place` from the folder `root`, which holds all that it needs."""

    language: str
    root: Path
    place: str

    def read(self) -> bytes:
        return (self.root / self.place).read_bytes()


def documents(cache: Path | None = None) -> list[HtmlFile]:
    """All of them; packages that are not there yet are fetched."""
    folders = debian.fetch(sorted({package for _, package, _, _ in _SETS}), cache)
    return [
        HtmlFile(language=language, root=folders[package] / folder, place=f"{place}.html")
        for language, package, folder, places in _SETS
        for place in places.split()
    ]


def font_folders(cache: Path | None = None) -> list[Path]:
    """Of the faces that pages are drawn with."""
    return list(debian.fetch(FONTS, cache).values())


class _Measured(HtmlDocument):
    """Keeps the ink of the page that was drawn last."""

    ink: NDArray[np.bool_]
    said = 0

    def _draw(self, rows: slice) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        shown, self.ink = super()._draw(rows)
        return shown, self.ink

    def _read(self, top: float, bottom: float) -> Any:
        said = super()._read(top, bottom)
        self.said = sum(not c.isspace() for c in said.text)
        return said


def _processor_s() -> float:
    """Of this process and all below it, those that have ended included."""
    ticks, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
                ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(ticks[pid] for pid in ours) / os.sysconf("SC_CLK_TCK")


def _measure(file: HtmlFile, number: int, browser: Browser, pages: int) -> dict[str, Any]:
    rng = generator(0, "html documents", number)
    settings = LookSettings()
    begun, used = time.perf_counter(), _processor_s()
    html = file.read()
    served = Served(
        html=html,
        charset=encoding_of(html),
        place=file.place,
        xhtml=False,
        javascript=False,
        resources=Folder(file.root),
    )
    recipe = draw_document(rng)
    opened = _Measured(served, recipe, browser, 60)
    row: dict[str, Any] = {"place": file.place, "language": file.language, "pages": opened.pages}
    row |= {"viewport_px": recipe.viewport_px}
    row |= {"open_cpu_s": _processor_s() - used, "drawn": 0, "in_band": 0, "with_text": 0}
    row |= {"said": 0, "told": 0, "ink_px": 0, "lost_px": 0, "mpx": 0.0}
    for page in range(min(pages, opened.pages)):
        look = draw_page(rng, settings)
        image = opened.render(page, look, Limits())
        told = image.characters
        covered = np.zeros(opened.ink.shape, bool)
        for left, top, right, bottom in told.boxes.astype(int):
            covered[top:bottom, left:right] = True
        row["drawn"] += 1
        row["mpx"] += image.rgb.shape[0] * image.rgb.shape[1] / 1e6
        if told.text:
            low, high = band_limits(look.band["en" if told.language == "en" else "zh"])
            row["with_text"] += 1
            row["in_band"] += low - 0.1 <= told.median_em_px <= high + 0.1
        row["said"] += opened.said
        row["told"] += int(told.inked.sum())
        row["ink_px"] += int(opened.ink.sum())
        row["lost_px"] += int((opened.ink & ~covered).sum())
    opened.close()
    return row | {"cpu_s": _processor_s() - used, "wall_s": time.perf_counter() - begun}


def _in_band(rows: list[dict[str, Any]]) -> float:
    return float(sum(row["in_band"] for row in rows) / sum(row["with_text"] for row in rows))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=3, help="pages of each document")
    parser.add_argument("--cache", type=Path, help="where packages are kept")
    given = parser.parse_args(argv)
    files, browser = documents(given.cache), Browser(fonts=font_folders(given.cache))
    name = browser.name
    rows = []
    for number, file in enumerate(files):
        try:
            row = _measure(file, number, browser, given.pages)
        except DocumentFault as fault:
            row = {"place": file.place, "language": file.language, "fault": fault.slug}
        rows.append(row)
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    browser.close()
    drawn = [row for row in rows if "fault" not in row]

    def total(key: str) -> float:
        return float(sum(row[key] for row in drawn))

    summary = {
        "renderer": name,
        "documents": len(rows),
        "faults": len(rows) - len(drawn),
        "pages": total("drawn"),
        "pages_per_core_s": total("drawn") / total("cpu_s"),
        "pages_per_core_s_without_opening": total("drawn") / (total("cpu_s") - total("open_cpu_s")),
        "mpx_per_page": total("mpx") / total("drawn"),
        "share_in_band": _in_band(drawn),
        "share_in_band_desks": _in_band([row for row in drawn if row["viewport_px"] > _PHONE_PX]),
        "share_told": total("told") / total("said"),
        "share_of_ink_lost": total("lost_px") / total("ink_px"),
    }
    print(json.dumps(summary, indent=1))
    _RESULTS.write_text(json.dumps({"summary": summary, "documents": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
