"""Real inputs for the demo: photographs, documents, fonts and texts out of Debian packages.

Everything is fetched at run time into a cache, under the licence that the package states; nothing
of it is part of this project. Without apt the sample pictures of scikit-image and scikit-learn and
the fonts of the system serve instead, and `missing` says what that leaves out.
"""

from __future__ import annotations

import fnmatch
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vae_corpus.debian import PackagesUnavailable, cache_dir, fetch

PHOTOS, DOCUMENTS, FONTS, TEXTS = "photos", "documents", "fonts", "texts"


@dataclass(frozen=True, kw_only=True)
class Package:
    """A Debian package of the demo: what it holds, where in it, and under which licence."""

    name: str
    holds: str
    licence: str
    about: str
    files: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    language: str | None = None


_DOC = "usr/share/doc"
# Most of the manual's 560 figures are too small for any rung.
_OPENCV_FIGURES = (
    "02_single_image_view",
    "08_overview_all",
    "11_demo",
    "13_raw_view",
    "CMake_Configure_Windows",
    "Capture1",
    "HDRtoneMapping_candleSample",
    "Morphology_2_Tutorial_Result",
    "StitchingPipeline",
    "crf",
    "fusion_mertens",
    "gdal_flood-zone",
    "gdal_output",
    "gvedit",
    "newspaper",
    "outline",
    "pexels_double_decker_bus",
    "plant",
    "realsense",
    "retina_TreeHdr_small",
    "sample_rec_per",
    "screen_charuco",
    "screen_finish",
    "stereo_undistort",
    "studentsSample_input",
    "temple_reconstruction",
    "text_det_test_results",
    "toolwindow",
)
CATALOGUE = (
    Package(
        name="plasma-workspace-wallpapers",
        holds=PHOTOS,
        licence="LGPL-3 / CC-BY-SA-4.0 / GPL-2+",
        about="photographs and paintings, 2,560 to 5,120 px",
        # One size of each picture, of up to twelve.
        files=("usr/share/wallpapers/*/contents/images/[235]???x*",),
    ),
    Package(
        name="lxqt-themes",
        holds=PHOTOS,
        licence="LGPL-2.1+ / LGPL-3 / CC-BY-SA-3.0",
        about="photographs and graphics, 1,600 to 2,560 px",
        files=("usr/share/lxqt/wallpapers/*",),
    ),
    Package(
        name="opencv-doc",
        holds=PHOTOS,
        licence="Apache-2.0 / BSD-3-Clause",
        about="photographs, scene text, screenshots and figures of the OpenCV manual",
        files=(
            f"{_DOC}/opencv-doc/examples/data/*.jpg",
            f"{_DOC}/opencv-doc/examples/data/*.png",
            f"{_DOC}/opencv-doc/examples/text/scenetext0*.jpg",
            *(f"{_DOC}/opencv-doc/opencv4/html/{name}.jpg" for name in _OPENCV_FIGURES),
        ),
        # One chessboard from 26 sides, and one sheet that would be half of all tiles of text.
        exclude=("*/left[01]*", "*/right[01]*", "*/digits.png"),
    ),
    Package(
        name="debmake-doc",
        holds=DOCUMENTS,
        licence="Expat",
        about="a guide for package makers, PDF, in English and Chinese",
        files=(
            f"{_DOC}/debmake-doc/debmake-doc.en.pdf",
            f"{_DOC}/debmake-doc/debmake-doc.zh-cn.pdf",
        ),
    ),
    Package(
        name="debian-reference-zh-cn",
        holds=DOCUMENTS,
        licence="GPL-2+",
        about="a manual in Chinese, PDF",
        files=("usr/share/debian-reference/debian-reference.zh-cn.pdf",),
    ),
    Package(
        name="gnuplot-doc",
        holds=DOCUMENTS,
        licence="gnuplot licence",
        about="a manual with formulas and plots, PDF",
        files=(f"{_DOC}/gnuplot/gnuplot.pdf",),
    ),
    Package(
        name="debmake-doc",
        holds=TEXTS,
        language="en",
        licence="Expat",
        about="technical prose and listings",
        files=(f"{_DOC}/debmake-doc/debmake-doc.en.txt.gz",),
    ),
    Package(
        name="fortunes",
        holds=TEXTS,
        language="en",
        licence="BSD-like / public domain",
        about="verse, quotations, short prose",
        files=(
            "usr/share/games/fortunes/literature",
            "usr/share/games/fortunes/songs-poems",
            "usr/share/games/fortunes/science",
            "usr/share/games/fortunes/computers",
        ),
    ),
    Package(
        name="debmake-doc",
        holds=TEXTS,
        language="zh",
        licence="Expat",
        about="technical prose",
        files=(f"{_DOC}/debmake-doc/debmake-doc.zh-cn.txt.gz",),
    ),
    Package(
        name="debian-reference-zh-cn",
        holds=TEXTS,
        language="zh",
        licence="GPL-2+",
        about="technical prose",
        files=("usr/share/debian-reference/debian-reference.zh-cn.txt.gz",),
    ),
    Package(
        name="fortunes-zh",
        holds=TEXTS,
        language="zh",
        licence="GPL-3+",
        about="classical verse",
        files=("usr/share/games/fortunes/tang300", "usr/share/games/fortunes/song100"),
    ),
    *(
        Package(
            name=name,
            holds=FONTS,
            language=language,
            licence=licence,
            about=about,
            files=("usr/share/fonts",),
        )
        for name, language, licence, about in (
            ("fonts-noto-cjk", "zh", "OFL-1.1", "Noto Sans and Serif CJK"),
            ("fonts-wqy-microhei", "zh", "Apache-2.0 / GPL-3+ with font exception", "MicroHei"),
            ("fonts-wqy-zenhei", "zh", "GPL-2 with font embedding exception", "Zen Hei"),
            ("fonts-dejavu-core", "en", "Bitstream Vera", "DejaVu Sans, Serif, Mono"),
            ("fonts-liberation2", "en", "OFL-1.1", "Liberation Sans, Serif, Mono"),
            ("fonts-lato", "en", "OFL-1.1", "Lato, 18 weights"),
        )
    ),
)

_IMAGES = ("*.jpg", "*.png", "*.gif", "*.tif")


@dataclass(frozen=True, kw_only=True)
class PhotoFolder:
    """Pictures below `root` that match an `include` pattern and no `exclude` pattern."""

    name: str
    root: Path
    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DemoInputs:
    """What the demo works on. `missing` has one sentence for everything that could not be had."""

    photo_folders: tuple[PhotoFolder, ...]
    pdfs: tuple[Path, ...]
    fonts: tuple[Path, ...]
    texts: dict[str, tuple[Path, ...]]
    missing: tuple[str, ...] = field(default=())

    @property
    def photos(self) -> tuple[Path, ...]:
        """Every picture file that is no link, in sorted order folder by folder."""
        return tuple(
            path
            for folder in self.photo_folders
            for pattern in folder.include
            for path in sorted(folder.root.glob(pattern))
            if not path.is_symlink()
            and not any(fnmatch.fnmatchcase(str(path), p) for p in folder.exclude)
        )


def demo_inputs(cache: Path | None = None) -> DemoInputs:
    """Fetch (once) and list the demo's inputs; falls back, and says so, where apt is not to be had.

    Paths of `photos`, `pdfs` and `texts` are files in sorted order; `fonts` are folders.
    """
    names = sorted({package.name for package in CATALOGUE})
    try:
        roots = fetch(names, cache)
    except PackagesUnavailable as error:
        return _fallback(str(error))
    return DemoInputs(
        photo_folders=tuple(
            PhotoFolder(name=_short(p.name), root=roots[p.name], include=p.files, exclude=p.exclude)
            for p in CATALOGUE
            if p.holds == PHOTOS
        ),
        pdfs=_files(roots, DOCUMENTS),
        fonts=_files(roots, FONTS),
        texts={language: _files(roots, TEXTS, language) for language in ("en", "zh")},
    )


def _files(roots: dict[str, Path], holds: str, language: str | None = None) -> tuple[Path, ...]:
    found = [
        path
        for package in CATALOGUE
        if package.holds == holds and language in (None, package.language)
        for pattern in package.files
        for path in sorted(roots[package.name].glob(pattern))
    ]
    return tuple(dict.fromkeys(found))


def _short(package: str) -> str:
    # Sample keys begin with the source's name: keep it to the first word.
    return package.split("-")[0]


def _fallback(reason: str) -> DemoInputs:
    folders = tuple(
        PhotoFolder(name=package, root=Path(spec.origin).parent / folder, include=_IMAGES)
        for package, folder in (("skimage", "data"), ("sklearn", "datasets/images"))
        if (spec := importlib.util.find_spec(package)) and spec.origin
    )
    system = [Path(p) for p in ("/usr/share/fonts", "/usr/local/share/fonts", "/Library/Fonts")]
    return DemoInputs(
        photo_folders=folders,
        pdfs=(),
        fonts=tuple(path for path in system if path.is_dir()),
        texts={"en": _licence_texts(), "zh": ()},
        missing=(
            f"Debian packages: {reason}",
            f"photographs: {'only the samples of' if folders else 'none; install'} "
            "scikit-image and scikit-learn",
            "documents: no PDF pages, so the corpus has no `document` samples from them",
            "Chinese texts: none; synthetic text is English only",
        ),
    )


def _licence_texts() -> tuple[Path, ...]:
    # Every Python carries its own licence as English prose.
    candidates = (Path(sys.base_prefix) / "LICENSE.txt", Path(__file__).parents[1] / "LICENSE")
    return tuple(path for path in candidates if path.is_file())


def table(packages: Sequence[Package] = CATALOGUE) -> str:
    """The catalogue as text: package, what it holds, licence."""
    rows = [("package", "holds", "licence", "what")]
    rows += [(p.name, f"{p.holds} {p.language or ''}", p.licence, p.about) for p in packages]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows)


if __name__ == "__main__":
    print(table())
    inputs = demo_inputs()
    print(
        f"\n{len(inputs.photos)} pictures, {len(inputs.pdfs)} PDFs, {len(inputs.fonts)} font"
        f" folders, {sum(map(len, inputs.texts.values()))} texts in {cache_dir()}"
    )
    for sentence in inputs.missing:
        print(f"missing: {sentence}")
