"""Real slides, letters and manuals out of Debian packages, and what it takes to make PDFs of them.

    python benchmarks/office_documents.py
    python benchmarks/office_documents.py --fonts /usr/share/fonts --keep /tmp/pdfs

Half a minute once the packages are there. Each file is converted three ways: by `Office` on its
first file and on a later one, and by `soffice --convert-to pdf`, with a profile that was used
before. Seconds are those of the wall and of the processors, of all processes together. Both are
given the same fonts. Writes benchmarks/results/office_documents.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from renderers.documents.office.converter import Office
from renderers.documents.office.profile import write_fonts_conf, write_profile
from vae_corpus import debian

_RESULT = Path(__file__).parent / "results" / "office_documents.json"
_TIMEOUT_S = 120.0
_DOC = "usr/share/doc"
# (package, licence, what it is, where in it)
SOURCES = (
    ("dpf-source", "ISC", "slides", "usr/share/dpf/lac/2014-small-talk.odp"),
    ("libmapsforge-java-doc", "LGPL-3+", "slides", f"{_DOC}/libmapsforge-java/docs/**/*.odp"),
    ("python-py7zr-doc", "LGPL-2.1+", "slides", f"{_DOC}/python-py7zr-doc/html/**/*.odp"),
    ("tiatracker", "GPL-2+", "slides", f"{_DOC}/tiatracker/Talk_Revision/*.odp"),
    ("libsystemc-doc", "Apache-2.0", "slides", f"{_DOC}/libsystemc/**/at_*_example.ppt"),
    ("r-cran-officer", "GPL-3", "slides", "usr/lib/R/site-library/officer/doc_examples/*.pptx"),
    ("aprx", "BSD-3-clause", "drawings", f"{_DOC}/aprx/aprx-manual-pics.odp"),
    ("coco-doc", "GPL-2+", "manual", f"{_DOC}/coco-doc/*.odt"),
    ("live-manual-odf", "GPL-3+", "manual", f"{_DOC}/live-manual/odt/live-manual.[ej][na].odt"),
    ("fonts-arphic-uming", "Arphic", "Chinese licence", f"{_DOC}/fonts-arphic-uming/*.odt"),
    ("previsat", "GPL-3+", "manual", "usr/share/Astropedia/PreviSat/doc/*.docx"),
    ("r-cran-officer", "GPL-3", "table", "usr/lib/R/site-library/officer/doc_examples/*.docx"),
    ("python3-pattern", "BSD-3-clause", "book", f"{_DOC}/python3-pattern/**/*.docx"),
)
# Faces of the same widths as those that most files ask for (Arial, Times, Calibri, Cambria).
FONTS = (
    *("fonts-liberation2", "fonts-crosextra-carlito", "fonts-crosextra-caladea"),
    *("fonts-dejavu-core", "fonts-noto-cjk"),
)


def documents() -> list[Path]:
    """Every file of SOURCES, fetched when it is asked for."""
    folders = debian.fetch([package for package, _, _, _ in SOURCES])
    return [path for package, _, _, at in SOURCES for path in sorted(folders[package].glob(at))]


def font_folders() -> tuple[str, ...]:
    return tuple(str(folder / "usr/share/fonts") for folder in debian.fetch(FONTS).values())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fonts", metavar="DIR", action="append", help="draw with these instead")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the PDFs here")
    parser.add_argument("--out", metavar="FILE", type=Path, default=_RESULT)
    given = parser.parse_args(argv)
    fonts = tuple(given.fonts or font_folders())
    result = {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "command": "python " + " ".join(["benchmarks/office_documents.py", *sys.argv[1:]]),
    } | measure(documents(), fonts, given.keep)
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "files"}, indent=1))
    return 0


def measure(paths: list[Path], fonts: tuple[str, ...], keep: Path | None) -> dict[str, Any]:
    import pypdfium2

    rows = []
    with Office(fonts) as office, tempfile.TemporaryDirectory() as name:
        version, others = office.version(), _Others(Path(name), fonts)
        others.convert(paths[0])
        for path in paths:
            data = path.read_bytes()
            first_s, pdf = _timed(lambda: office.pdf(data, path.suffix, timeout_s=_TIMEOUT_S))  # noqa: B023
            again_s, _ = _timed(lambda: office.pdf(data, path.suffix, timeout_s=_TIMEOUT_S))  # noqa: B023
            theirs_s, _ = _timed(lambda: others.convert(path))  # noqa: B023
            pages = len(pypdfium2.PdfDocument(pdf))
            rows.append(
                {
                    "file": path.name,
                    "bytes": len(data),
                    "pages": pages,
                    "office_first_s": first_s,
                    "office_again_s": again_s,
                    "soffice_s": theirs_s,
                }
            )
            print(
                f"{path.name[:40]:40} {pages:4} pages  Office {first_s:6.2f} {again_s:6.2f} s"
                f"  soffice {theirs_s:6.2f} s",
                flush=True,
            )
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{path.name}.pdf").write_bytes(pdf)
        # Children count once they have ended.
        office.close()
    sums = ("pages", "office_first_s", "office_again_s", "soffice_s")
    totals = {key: round(sum(row[key] for row in rows), 2) for key in sums}
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    totals["cpu_s_both"] = round(cpu.ru_utime + cpu.ru_stime, 1)
    totals["cpu_s_soffice"] = round(others.cpu_s, 1)
    return {"version": version, **totals, "files": rows}


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.monotonic()
    result = work()
    return round(time.monotonic() - begun, 3), result


class _Others:
    """What most do: a process for each file."""

    def __init__(self, folder: Path, fonts: tuple[str, ...]) -> None:
        self.cpu_s = 0.0
        self._folder = folder
        write_profile(folder / "profile")
        conf = folder / "fonts.conf"
        write_fonts_conf(conf, [Path(font) for font in fonts], folder / "font-cache")
        self._environment = os.environ | {"FONTCONFIG_FILE": str(conf)}

    def convert(self, path: Path) -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        profile = f"-env:UserInstallation={(self._folder / 'profile').as_uri()}"
        command = ["soffice", profile, "--headless", "--convert-to", "pdf"]
        subprocess.run(
            [*command, "--outdir", str(self._folder), str(path)],
            env=self._environment,
            check=True,
            capture_output=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_s += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
