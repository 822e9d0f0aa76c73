"""The packages of the sealed set of text blocks, with their licences, and how they come here.

They are of Debian, PyPI and npm, and are fetched when they are asked for.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from vae_corpus import debian

# (package, licence, what is taken); `==` is a wheel of PyPI, `@` before a version a package of npm.
SOURCES = (
    ("soft-ui-design-system@1.0.4", "MIT", "photographs, patterns"),
    ("material-kit@2.0.4", "MIT", "photographs"),
    ("material-kit-react@1.10.0", "MIT", "photographs"),
    ("paper-kit-2@2.1.0", "MIT", "photographs"),
    ("argon-design-system-free@1.2.0", "MIT", "photographs"),
    ("notus-js@1.1.0", "MIT", "photographs, patterns"),
    ("startbootstrap-agency@7.0.12", "MIT", "photographs"),
    ("startbootstrap-business-casual@7.0.9", "MIT", "photographs"),
    ("startbootstrap-creative@7.0.7", "MIT", "photographs"),
    ("startbootstrap-grayscale@7.0.6", "MIT", "photographs"),
    ("startbootstrap-landing-page@6.0.6", "MIT", "photographs"),
    ("startbootstrap-one-page-wonder@6.0.6", "MIT", "photographs"),
    ("startbootstrap-stylish-portfolio@6.0.6", "MIT", "photographs"),
    ("libjs-jquery-backstretch", "Expat", "photographs"),
    ("lebiniou-data", "GPL-2+, CC-BY-SA-4.0, CC0", "photographs, patterns"),
    ("robosuite==1.5.2", "MIT", "surfaces"),
    ("metaworld==3.1.1", "MIT", "surfaces"),
    ("sweethome3d", "GPL-2+, CC-BY-4.0", "surfaces"),
    ("openarena-081-textures", "GPL-2+", "surfaces"),
    ("mrpt-common", "BSD-3-clause", "targets of calibration"),
    ("texlive-music", "GPL-2+, LPPL", "sheet music"),
    ("kicad-doc-zh", "GPL-3+, CC-BY-3.0+", "screens of programs, text"),
    ("fotoxx-common", "GPL-3+", "screens of programs"),
    ("three-globe@2.45.2", "MIT", "ground of maps"),
    ("c++-annotations-pdf", "GPL-2+", "document"),
    ("ubuntu-packaging-guide-pdf", "CC-BY-SA-3.0", "document"),
    ("why3-doc-pdf", "LGPL-2.1", "document"),
    ("auto-multiple-choice-doc-pdf", "GPL-2+, GPL-3+", "document"),
    ("pari-doc", "GPL-2+", "document"),
    ("gromacs-data", "LGPL-2.1+", "document"),
    ("sdcc-doc", "GPL-2+", "document"),
    ("evolver-doc", "public domain", "document"),
    ("mit-scheme-doc", "GFDL-1.2+", "document"),
    ("debian-refcard", "GPL-3+", "documents"),
    ("texlive-luatex", "LPPL, MIT", "document"),
    ("texlive-science-doc", "LPPL, GPL", "documents"),
    ("texlive-xetex", "LPPL, GPL", "documents"),
    ("gnucash-common", "GPL-2+", "text"),
    ("gramps", "GPL-2+", "text"),
    ("evolution-common", "LGPL-2.1+, CC-BY-SA-3.0", "text"),
    ("fonts-freefont-ttf", "GPL-3+ with font exception", "faces"),
    ("fonts-adf-gillius", "GPL-2+ with font exception", "faces"),
    ("fonts-adf-baskervald", "GPL-2+ with font exception", "faces"),
    ("fonts-cabin", "OFL-1.1", "faces"),
    ("fonts-karla", "OFL-1.1", "faces"),
    ("fonts-oldstandard", "OFL-1.1", "faces"),
    ("fonts-fantasque-sans", "OFL-1.1", "faces"),
    ("fonts-clear-sans", "Apache-2.0", "faces"),
    ("fonts-inter", "OFL-1.1", "faces"),
    ("fonts-paratype", "ParaType", "faces"),
    ("fonts-go", "BSD-3-clause", "faces"),
    ("fonts-anonymous-pro", "OFL-1.1", "faces"),
    ("fonts-league-spartan", "OFL-1.1", "faces"),
    ("fonts-roboto-slab", "Apache-2.0", "faces"),
    ("fonts-quattrocento", "OFL-1.1", "faces"),
    ("fonts-play", "OFL-1.1", "faces"),
    ("fonts-tomsontalks", "OFL-1.1", "faces"),
    ("fonts-cmu", "OFL-1.1", "faces"),
    ("fonts-dosis", "OFL-1.1", "faces"),
    ("fonts-crosextra-caladea", "OFL-1.1", "faces"),
    ("@fontsource/zcool-xiaowei@5.3.0", "OFL-1.1", "faces"),
    ("@fontsource/zcool-kuaile@5.3.0", "OFL-1.1", "faces"),
    ("fonts-babelstone-han", "Arphic", "faces"),
    ("fonts-cns11643-kai", "OGDL-TW-1.0", "faces"),
    ("fonts-cwtex-heib", "GPL-2+", "faces"),
    ("fonts-cwtex-yen", "GPL-2+", "faces"),
    ("fonts-cwtex-ming", "GPL-2+", "faces"),
    ("fonts-arphic-bsmi00lp", "Arphic", "faces"),
    ("fonts-vlgothic", "BSD-3-clause, mplus", "faces"),
)
# What of wheels and npm's packages is unpacked.
_WANTED = (".jpg", ".jpeg", ".png", "-simplified-400-normal.woff")


def fetch_all() -> None:
    """Bring everything that stands in SOURCES, so that later calls need no network."""
    debian.fetch([name for name, _, _ in SOURCES if not _elsewhere(name)])
    for name, _, _ in SOURCES:
        folder_of(name)


def _elsewhere(spec: str) -> bool:
    """Whether a package with its version is not of Debian."""
    return "==" in spec or "@" in spec


@cache
def folder_of(package: str) -> Path:
    """Where the files of a package lie, given with or without its version."""
    named = re.compile(re.escape(package) + r"((==|@)\d.*)?")
    spec = next(name for name, _, _ in SOURCES if named.fullmatch(name))
    if not _elsewhere(spec):
        return debian.fetch([spec])[spec]
    folder = debian.cache_dir() / "others" / spec.replace("/", "+")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            unpacked = Path(work) / "unpacked"
            _unpack(_downloaded(spec, Path(work) / "archive"), unpacked)
            unpacked.rename(folder)
    return folder


def _downloaded(spec: str, to: Path) -> Path:
    """The wheel, or the archive of npm."""
    to.mkdir()
    if "==" in spec:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
        command += [str(to), "--only-binary", ":all:", spec]
    else:
        command = ["npm", "pack", "--silent", "--pack-destination", str(to), spec]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (archive,) = to.iterdir()
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    """Only what is wanted: wheels hold much else."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder, [n for n in wheel.namelist() if n.endswith(_WANTED)])
    else:
        with tarfile.open(archive) as package:
            members = [m for m in package if m.isfile() and m.name.endswith(_WANTED)]
            package.extractall(folder, members, filter="data")
