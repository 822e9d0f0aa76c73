"""Documents typeset for the corpus, as a source: the same everywhere, with what they say."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.config import CorpusConfig
from pipelines.sources import SourceError
from pipelines.sources.drawn import MOST_SCALES
from pipelines.sources.typeset import TypesetSource
from tests.pictures import encoded, scene
from tests.pipelines.reading import assert_fetch_gives_the_same, read_all, slugs
from vae_corpus.demo import DemoInputs
from vae_corpus.pictures.decode import Decoded, Limits, decode

pytestmark = pytest.mark.usefixtures("forked_children")


@pytest.fixture(scope="module")
def folder(demo: DemoInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fonts, texts and pictures, few enough to be quick."""
    root = tmp_path_factory.mktemp("typeset")
    for part in ("fonts", "texts", "pictures"):
        (root / part).mkdir()
    for path in (path for fonts in demo.fonts for path in fonts.rglob("*")):
        if path.name.startswith(("LiberationS", "LiberationMono", "DejaVuSans", "wqy-microhei")):
            shutil.copy(path, root / "fonts" / path.name)
    words = " ".join(f"A sentence about harbours and hills, number {n}." for n in range(40))
    (root / "texts" / "en.txt").write_text("\n\n".join([words] * 3))
    (root / "texts" / "zh.txt").write_text("港口与山丘的故事在这里继续，大家都来听一听。\n" * 60)
    for n in range(2):
        (root / "pictures" / f"{n}.png").write_bytes(encoded(scene(300, 260, n), "png"))
    return root


def source(folder: Path, **changes: Any) -> TypesetSource:
    given: dict[str, Any] = {
        "name": "t",
        "documents": 3,
        "documents_per_unit": 2,
        "fonts": (str(folder / "fonts"),),
        "texts": {name: (str(folder / "texts" / f"{name}.txt"),) for name in ("en", "zh")},
        "pictures": (str(folder / "pictures"),),
        "kinds": {"letter": 1.0, "listing": 1.0},
        "languages": {"en": 1.0},
    }
    return TypesetSource(**given | changes)


def test_units_are_runs_of_documents(folder: Path) -> None:
    units = list(source(folder, documents=5).units())
    assert [(unit.start, unit.stop) for unit in units] == [(0, 2), (2, 4), (4, 5)]
    assert len({unit.unit_id for unit in units}) == 3
    assert all(unit.uri == "typeset://documents" and len(unit.members) == 1 for unit in units)
    weights = [source(folder).weight(unit) for unit in units]
    assert weights[0] == weights[1] == 2 * weights[2] > 0


def test_items_are_pages_with_what_they_say(folder: Path) -> None:
    typeset = source(folder)
    items = read_all(typeset)
    assert {item.member.partition("#")[0] for item in items} == {"0", "1", "2"}
    assert len({item.member for item in items}) == len(items)
    for item in items:
        assert item.fault is None and item.page is not None
        known = item.page.known
        assert known.characters.language == "en" and known.doubt is None
        assert "harbours" in "".join(known.characters.text.split()) or len(items) > 3
        assert json.loads(item.page.facts["typeset"])["kind"] in ("letter", "listing")
        picture = decode(item.data)
        assert isinstance(picture, Decoded) and (picture.rgb == item.page.rgb).all()
    assert read_all(typeset) == items
    assert_fetch_gives_the_same(typeset)


def test_documents_are_those_of_their_language(folder: Path) -> None:
    for language in ("en", "zh"):
        items = read_all(source(folder, documents=2, languages={language: 1.0}))
        told = [item.page.known.characters.language for item in items if item.page]
        assert told and set(told) == {language}


def test_a_page_is_drawn_at_several_sizes(folder: Path) -> None:
    items = read_all(source(folder, documents=1, scales_per_page=2))
    assert [item.member for item in items[:2]] == ["0#page=1@1", "0#page=1@2"]
    assert [item.offset % MOST_SCALES for item in items[:2]] == [0, 1]
    one, other = (item.page for item in items[:2])
    assert one is not None and other is not None
    assert one.characters.text == other.characters.text and one.rgb.shape != other.rgb.shape


def test_how_documents_are_parted_does_not_change_them(folder: Path) -> None:
    assert read_all(source(folder)) == read_all(source(folder, documents_per_unit=1))


def test_another_seed_sets_other_documents(folder: Path) -> None:
    first, other = (source(folder).for_build(Limits(), seed) for seed in (0, 1))
    ids = [[unit.unit_id for unit in one.units()] for one in (first, other)]
    assert not set(ids[0]) & set(ids[1])
    texts = [
        ["".join(item.page.characters.text) for item in read_all(one) if item.page]
        for one in (first, other)
    ]
    assert not set(texts[0]) & set(texts[1])


def test_a_source_that_travels_gives_the_same(folder: Path) -> None:
    given = source(folder, documents=1).for_build(Limits(), 5)
    assert read_all(pickle.loads(pickle.dumps(given))) == read_all(given)


def test_where_its_inputs_lie_does_not_matter(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "zzz" / "inputs"
    shutil.copytree(folder, moved)
    here, there = source(folder, documents=2), source(moved, documents=2)
    assert [u.unit_id for u in here.units()] == [u.unit_id for u in there.units()]
    (unit, *_) = here.units()
    assert list(there.read(unit)) == list(here.read(unit))


def test_names_of_folders_of_pictures_do_not_matter(folder: Path, tmp_path: Path) -> None:
    pictures = sorted((folder / "pictures").iterdir())
    ids = []
    for names in ("ab", "zy"):
        places = [tmp_path / name for name in names]
        for place, path in zip(places, pictures, strict=True):
            place.mkdir()
            shutil.copy(path, place / path.name)
        given = source(folder, pictures=tuple(map(str, places)))
        ids.append([unit.unit_id for unit in given.units()])
    assert ids[0] == ids[1]


def test_documents_that_no_font_writes_are_faults(folder: Path, tmp_path: Path) -> None:
    shutil.copy(next((folder / "fonts").glob("DejaVuSans.ttf")), tmp_path)
    given = source(folder, fonts=(str(tmp_path),), languages={"zh": 1.0})
    assert slugs(given) == ["renderer_missing"] * 3


def test_what_is_set_and_how_is_part_of_the_unit(folder: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.txt"
    more.write_text("Other words of another text, and a few more of them to have enough. " * 30)
    (tmp_path / "none").mkdir()
    changes: list[dict[str, Any]] = [
        {},
        {"kinds": {"letter": 1.0}},
        {"languages": {"zh": 1.0}},
        {"scales_per_page": 2},
        {"glyph_px": {"8-10": 1.0}},
        {"texts": {"en": (str(more),), "zh": (str(folder / "texts" / "zh.txt"),)}},
        {"pictures": (str(tmp_path / "none"),)},
    ]
    ids = {next(iter(source(folder, **change).units())).unit_id for change in changes}
    assert len(ids) == len(changes)


def test_a_node_with_other_inputs_refuses(folder: Path, tmp_path: Path) -> None:
    (unit, *_) = source(folder).units()
    more = tmp_path / "more.txt"
    more.write_text("Other words of another text, and a few more of them to have enough. " * 30)
    with pytest.raises(SourceError, match="other fonts, texts"):
        list(source(folder, texts={"en": (str(more),)}).read(unit))


@pytest.mark.parametrize(
    ("languages", "texts", "lost"),
    [
        ({"en": 1.0}, {}, "en"),
        ({"mixed": 1.0}, {"en": ("a",)}, "zh"),
        ({"en": 0.0, "zh": 1.0}, {"en": ("a",)}, "zh"),
    ],
)
def test_missing_texts_are_a_wrong_setting(
    languages: dict[str, float], texts: dict[str, Any], lost: str
) -> None:
    with pytest.raises(ValidationError, match=f"need texts in {lost}: add them"):
        TypesetSource(name="t", languages=languages, texts=texts)
    assert TypesetSource(name="t", languages={"en": 1.0, "zh": 0.0}, texts={"en": ("a",)})


def test_the_settings_of_a_build_take_it(folder: Path) -> None:
    given = {"name": "t", "type": "typeset", "languages": {"en": 1.0}, "texts": {"en": ["a.txt"]}}
    (made,) = CorpusConfig(sources=[given]).sources
    assert isinstance(made, TypesetSource)
    assert Path(made.texts["en"][0]).is_absolute()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fonts": ("/nowhere",)}, "/nowhere"),
        ({"texts": {"en": ("/no/words.txt",)}}, "/no/words.txt"),
        ({"pictures": ("/no/photos",)}, "/no/photos"),
        ({"fonts": ()}, "font"),
    ],
)
def test_what_is_missing_stops_the_source_and_is_named(
    folder: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(SourceError, match=f"source t: .*{said}"):
        list(source(folder, **change).units())
