"""Documents set with typst: all that is handed in is shown, none of it runs, bytes repeat."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.documents.page import RendererMissing
from renderers.documents.typeset import (
    KINDS,
    LANGUAGES,
    Families,
    NoFamily,
    TypesetRecipe,
    TypesetSettings,
    Typesetter,
    TypesettingFault,
    Unwritable,
    draw_typeset,
    typeset_documents,
)
from renderers.documents.typeset import typst as typst_module
from renderers.documents.typeset.blocks import strings
from renderers.documents.typeset.kinds import PAPERS
from renderers.documents.typeset.typesetter import MAX_PAGES, template
from renderers.text.corpora import TextSource
from tests.pictures import scene
from tests.tiny_font import CHINESE, write_font
from vae_corpus.demo import DemoInputs

FONTS = ("Liberation", "wqy-microhei", "DejaVuSans.ttf", "NotoSerifCJK-Regular")
HOSTILE = (
    'The #panic("boom") and $x^2$ of *bold* _text_ <label> @ref `code` // are shown as they stand',
    '#let x = 1; #x #sys.inputs #read("common.typ") = heading - item + item / term: it is said',
    '\\u{41} ~ -- --- \\ #{ while true {} } /* and so on */ "twice" ... #eval("1") [a] {b}',
)


@pytest.fixture(scope="module")
def faces(demo: DemoInputs) -> list[Face]:
    files = [p for folder in demo.fonts for p in folder.rglob("*") if p.name.startswith(FONTS)]
    return discover(sorted(files))


@pytest.fixture(scope="module")
def texts(demo: DemoInputs) -> dict[str, TextSource]:
    found = {}
    for language, paths in demo.texts.items():
        source = TextSource.from_paths(paths[:2], language=language)
        found[language] = TextSource(language, source.paragraphs[:2000])
    return found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two pictures, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    cv2.imwrite(str(folder / "a.png"), scene(1200, 900))
    cv2.imwrite(str(folder / "b.jpg"), scene(300, 400))
    (folder / "c.jpg").write_bytes(b"no picture")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def typesetter(faces: list[Face], texts: dict[str, TextSource], pictures: list[Path]) -> Typesetter:
    return Typesetter(faces, texts, pictures)


def _drawn(setter: Typesetter, kind: str, language: str, seed: int = 0) -> TypesetRecipe:
    wanted = TypesetSettings(kinds={kind: 1.0}, languages={language: 1.0})
    numbers = [seed, list(KINDS).index(kind), LANGUAGES.index(language)]
    return draw_typeset(np.random.default_rng(numbers), setter.families, wanted)


def _said(pdf: bytes) -> Counter[str]:
    """How often each character stands in the text layer, white space left out."""
    document = pypdfium2.PdfDocument(pdf)
    text = "".join(page.get_textpage().get_text_range() for page in document)
    document.close()
    return _counted(text)


def _counted(text: str) -> Counter[str]:
    # pdfium hands out a hyphen at the end of a line as a mark of its own.
    return Counter(c for c in text.replace("\x02", "-").replace("\ufffe", "-") if not c.isspace())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_document_shows_all_that_was_handed_in(
    typesetter: Typesetter, kind: str, language: str
) -> None:
    recipe = _drawn(typesetter, kind, language, 7)
    made = typesetter.typeset(recipe)
    assert 1 <= made.pages <= MAX_PAGES
    with pypdfium2.PdfDocument(made.pdf) as document:
        assert len(document) == made.pages
        width, height = PAPERS[recipe.paper]
        size = document[0].get_size()
        assert size == pytest.approx((width * 72 / 25.4, height * 72 / 25.4), abs=0.5)
    wanted = _counted("".join(strings(made.contents)))
    assert wanted.total() > 100
    missing = wanted - _said(made.pdf)
    assert not missing


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_never_run(faces: list[Face], kind: str) -> None:
    setter = Typesetter(faces, {"en": TextSource("en", HOSTILE, 0.0)})
    made = setter.typeset(_drawn(setter, kind, "en"))
    wanted = _counted("".join(strings(made.contents)))
    missing = wanted - _said(made.pdf)
    assert not missing


def test_templates_build_no_code_from_text() -> None:
    for kind in (*KINDS, "common", "formulas", "charts"):
        source = template(f"{kind}.typ").decode()
        assert "eval" not in source and "mode:" not in source


def test_the_same_bytes_again_and_in_another_process(
    typesetter: Typesetter, faces: list[Face], texts: dict[str, TextSource], pictures: list[Path]
) -> None:
    recipes = [_drawn(typesetter, "paper", "en"), _drawn(typesetter, "report", "mixed", 1)]
    first = [made.pdf for made in typeset_documents(recipes, typesetter)]
    assert first == [made.pdf for made in typeset_documents(recipes, typesetter)]
    given = {
        "faces": [str(path) for path in dict.fromkeys(face.path for face in faces)],
        "texts": {language: source.paragraphs for language, source in texts.items()},
        "pictures": list(map(str, pictures)),
        "recipes": [recipe.to_json() for recipe in recipes],
    }
    found = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=True,
    ).stdout.split()
    assert found == [hashlib.sha256(pdf).hexdigest() for pdf in first]


_ELSEWHERE = """
import hashlib, json, sys
from pathlib import Path
from fonts.faces import discover
from renderers.documents.typeset import Typesetter, TypesetRecipe
from renderers.text.corpora import TextSource
given = json.load(sys.stdin)
texts = {name: TextSource(name, tuple(said)) for name, said in given["texts"].items()}
faces = discover([Path(path) for path in given["faces"]])
setter = Typesetter(faces, texts, [Path(path) for path in given["pictures"]])
for recipe in map(TypesetRecipe.from_json, given["recipes"]):
    print(hashlib.sha256(setter.pdf(recipe)).hexdigest())
"""


def test_a_recipe_is_json(typesetter: Typesetter) -> None:
    recipe = _drawn(typesetter, "menu", "mixed")
    assert TypesetRecipe.from_json(recipe.to_json()) == recipe
    assert recipe.typesetter.startswith("typst ")
    plain = json.loads(recipe.to_json())
    with pytest.raises(ValueError, match="version 1"):
        TypesetRecipe.from_json(json.dumps({**plain, "version": 0}))
    with pytest.raises(ValueError, match="colour"):
        TypesetRecipe.from_json(json.dumps({**plain, "colour": "red"}))
    with pytest.raises(ValueError, match="JSON object"):
        TypesetRecipe.from_json("[]")
    for name, value in (("size_pt", 0.01), ("pages", 1000), ("columns", "2"), ("body", [])):
        with pytest.raises(ValueError, match="not a recipe"):
            TypesetRecipe.from_json(json.dumps({**plain, name: value}))
    with pytest.raises(ValueError, match="leaflet"):
        typesetter.pdf(replace(recipe, kind="leaflet"))


def test_draws_are_of_many_kinds(typesetter: Typesetter) -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_typeset(rng, typesetter.families) for _ in range(400)]
    assert {r.kind for r in drawn} == set(KINDS)
    assert {r.language for r in drawn} == set(LANGUAGES)
    assert {r.dark for r in drawn} == {True, False}
    assert len({r.ground for r in drawn}) > 100 and len({r.body for r in drawn}) > 8
    again = np.random.default_rng(0)
    assert drawn[:5] == [draw_typeset(again, typesetter.families) for _ in range(5)]


def test_what_the_fonts_lack_is_drawn_again_or_refused(
    typesetter: Typesetter, faces: list[Face], texts: dict[str, TextSource]
) -> None:
    lacking = tuple(f"{text} 𠀀𪚥" for text in texts["zh"].paragraphs[:50])
    some = TextSource("zh", (*lacking, *texts["zh"].paragraphs[50:100]), 0.0)
    setter = Typesetter(faces, {"zh": some, "en": texts["en"]})
    made = setter.typeset(_drawn(setter, "newspaper", "zh"))
    assert "𠀀" not in "".join(strings(made.contents))
    setter = Typesetter(faces, {"zh": TextSource("zh", lacking, 0.0), "en": texts["en"]})
    with pytest.raises(Unwritable, match="200 texts in zh"):
        setter.typeset(_drawn(setter, "newspaper", "zh"))


def test_a_language_without_texts_is_named(faces: list[Face], texts: dict[str, TextSource]) -> None:
    setter = Typesetter(faces, {"en": texts["en"]})
    with pytest.raises(Unwritable, match="zh"):
        setter.pdf(_drawn(setter, "menu", "mixed"))


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ('#set text(font: "Liberation Serif", fallback: false)\n你', "could not be displayed"),
        ('#set text(font: "No Such Font")\nabc', "unknown font family"),
        ("#panic()", "panicked"),
        ('#image("../../etc/hosts")', "escape|outside|access denied"),
    ],
)
def test_typst_itself_refuses(
    typesetter: Typesetter, source: str, why: str, tmp_path: Path
) -> None:
    dated = "#set document(date: datetime(year: 2000, month: 1, day: 1))\n"
    job = typst_module.Job(
        files={typst_module.MAIN: (dated + source).encode()},
        fonts=typesetter.families.fonts,
        folder=tmp_path,
    )
    with pytest.raises(TypesettingFault, match=why):
        typst_module.compiled(job)


def test_figures_show(typesetter: Typesetter) -> None:
    recipe = replace(_drawn(typesetter, "newspaper", "en"), figures=True)
    made = typesetter.typeset(recipe)
    with pypdfium2.PdfDocument(made.pdf) as document:
        images = list(document[0].get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]))
    wanted = json.dumps(made.contents).count('"picture"')
    assert len(images) == wanted >= 1


def test_no_figure_where_no_picture_can_be_had(
    faces: list[Face], texts: dict[str, TextSource], tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff broken")
    setter = Typesetter(faces, texts, [tmp_path / "a.jpg", tmp_path / "gone.png"])
    made = setter.typeset(replace(_drawn(setter, "newspaper", "en"), figures=True))
    assert '"picture"' not in json.dumps(made.contents)


def test_the_sums_of_an_invoice_are_those_of_its_rows(typesetter: Typesetter) -> None:
    for seed in range(4):
        contents = typesetter.typeset(_drawn(typesetter, "invoice", "en", seed)).contents
        total = sum(float(row[-1].replace(",", "")) for row in contents["blocks"])
        assert contents["sums"][0][1].endswith(f"{total:,.2f}")


def test_a_family_writes_what_all_its_faces_write(tmp_path: Path) -> None:
    write_font(tmp_path / "a.ttf", ASCII_PRINTABLE + "é", family="Tiny")
    write_font(tmp_path / "b.ttf", ASCII_PRINTABLE, family="Tiny", weight=700)
    write_font(tmp_path / "c.ttf", ASCII_PRINTABLE + CHINESE + "é", family="Wide")
    families = Families(discover([tmp_path], cache=tmp_path / "cache"))
    assert families["Tiny"].weights == (400, 700)
    assert families.covers(("Tiny",), "plain") and not families.covers(("Tiny",), "é")
    assert families.covers(("Wide",), "é 永")
    # Of two, the first writes the Latin letters, and must have them.
    assert families.covers(("Tiny", "Wide"), "e 永") and not families.covers(("Tiny", "Wide"), "é")


def test_only_the_faces_given_are_used(faces: list[Face]) -> None:
    serif = [face for face in faces if face.path.name == "LiberationSerif-Regular.ttf"]
    families = Families(serif)
    assert list(families.by_name) == ["Liberation Serif"]
    with pytest.raises(NoFamily, match="writes zh"):
        families.writing("zh")
    with pytest.raises(NoFamily, match="DejaVu"):
        families["DejaVu Sans"]
    with pytest.raises(NoFamily, match="writes en"):
        Families([]).writing("en")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such font folder"):
        discover([tmp_path / "none"])


def test_without_typst_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    typst_module.module.cache_clear()
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(RendererMissing, match=r"vae-corpus\[documents\]"):
        typst_module.module()
    typst_module.module.cache_clear()


def test_settings_name_what_there_is() -> None:
    with pytest.raises(ValueError, match="leaflet"):
        TypesetSettings(kinds={"leaflet": 1.0})
    with pytest.raises(ValueError, match="weights"):
        TypesetSettings(languages={"en": 0.0})
