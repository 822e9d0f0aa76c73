"""Pages and tiles that say what others say, however they are set, go; all others stay."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from filters.text_marks import text_marks
from pipelines.config import CorpusConfig
from tests.characters import set_in_lines, words_of, wrapped
from tests.pipelines import pdfs
from tests.pipelines.builds import run
from tests.pipelines.plans import make, make_all
from tests.pipelines.test_plan import slugs, text_row

PLAN: dict[str, Any] = {"plan": {"rung_weights": {256: 1.0}}}
# The same share for pages and tiles.
SHARE = {"duplicate_text_share": 0.9, "duplicate_tile_share": 0.9, "min_clarity_text": 0.0}
# Of which texts, in how many neighbourhoods and how many partitions: that this does not matter is a
# test of its own.
Level = Literal["page", "tile"]
CUTS = [("page", 5, 3), ("tile", 1, 1)]
# Of pages one mark in 8 counts: these are such for pages, and such as do not for tiles.
STEP: dict[Level, tuple[int, int]] = {"page": (8, 0), "tile": (8, 1)}
LEAST: dict[Level, int] = {"page": 6, "tile": 24}

# Number, page, rank (the smaller is better) and marks.
Text = tuple[str, str, int, list[int]]


def text(count: int = 100, seed: int = 0, others: int = 0) -> list[int]:
    """Numbers of hashes; `others` of them are not those of the same seed with none."""
    rng = np.random.default_rng(seed)
    marks = rng.choice(2**28, count, replace=False)
    marks[:others] = np.random.default_rng(seed + 1000).choice(2**28, others) + 2**28
    return sorted(map(int, marks))


@dataclass(frozen=True)
class Twins:
    """Makes plans of made-up texts: each is a page that says it, or a page's only tile."""

    folder: Path
    level: Level = "page"
    neighbourhoods: int = 1
    partitions: int = 1

    def of(self, texts: list[Text], *, turn: int = 0) -> dict[str, str | None]:
        """Who goes, and because of whom, as far as that is told: not of tiles."""
        rng = np.random.default_rng(turn)
        order = rng.permutation(len(texts)).tolist() if turn else range(len(texts))
        rows = [self.row(n, *texts[n]) for n in order]
        dealt: list[list[Any]] = [[] for _ in range(self.neighbourhoods)]
        for n, one in enumerate(rows):
            dealt[n % self.neighbourhoods].append(one | {"unit": f"u{n % self.neighbourhoods}"})
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        made = make_all(folder, dealt, self.config())
        assert len(made["selected"]) + len(made["dropped"]) == len(texts) and not made["rejected"]
        assert {row["slug"] for row in made["dropped"]} <= {"near_duplicate"}
        named = {row["key"]: texts[n][0] for row, n in zip(rows, order, strict=True)}
        assert len(named) == len(texts)
        return {named[row["key"]]: named.get(row["duplicate_of"]) for row in made["dropped"]}

    def config(self) -> CorpusConfig:
        return CorpusConfig(plan={**PLAN["plan"], **SHARE, "partitions": self.partitions})

    def row(self, n: int, name: str, page: str, rank: int, marks: list[int]) -> dict[str, Any]:
        by, plus = STEP[self.level]
        # Another place on each page: those that stand where they stood are for the eye to tell.
        at = np.random.default_rng(n).integers(0, 256, (len(marks), 2)).tolist()
        sha256 = f"{rank:016x}{n:048x}"
        return text_row(
            n,
            chars=400.0,
            sha256=sha256,
            key=f"a-{sha256[:16]}",
            uri=f"/{page}.pdf",
            member=f"{page}.pdf#page=1@{n}",
            content="document",
            width=256,
            height=256,
            clarity=1 - rank / 10_000,
            text_marks=[
                {"x": x, "y": y, "hash": by * mark + plus}
                for (x, y), mark in zip(at, marks, strict=True)
            ],
        )


@pytest.fixture(params=CUTS, ids=lambda cut: "{}-{}-{}".format(*cut))
def twins(request: pytest.FixtureRequest, tmp_path: Path) -> Twins:
    return Twins(tmp_path, *request.param)


def test_the_better_of_two_texts_stays(twins: Twins) -> None:
    rows = [("a", "a", 2, text()), ("b", "b", 1, text()), ("c", "c", 3, text(others=3))]
    found = twins.of(rows)
    assert found.keys() == {"a", "c"}
    assert set(found.values()) == {"b" if twins.level == "page" else None}


def test_texts_are_twins_from_a_share_on(twins: Twins) -> None:
    # 95 of 105 are .905, 94 of 106 are .887. The keys are the smallest hashes: those stay.
    rows = []
    for others in (2, 5, 6, 20):
        for n in range(20):
            name, seed = f"{n} with {others}", 100 * others + n
            rows.append((f"a{name}", f"a{name}", seed, text(seed=seed)))
            rows.append((f"b{name}", f"b{name}", 5000 + seed, text(seed=seed, others=others)))
    found = twins.of(rows)
    counts = Counter(int(name.rpartition(" ")[2]) for name in found)
    assert counts[2] >= 19 and counts[5] >= 19 and counts.keys() == {2, 5}
    assert all(name.startswith("b") for name in found)
    if twins.level == "page":
        assert all(other == f"a{name[1:]}" for name, other in found.items())


def test_few_marks_say_nothing(twins: Twins) -> None:
    least = LEAST[twins.level]
    few, enough = text(least - 1), text(least)
    rows = [("a", "a", 1, few), ("b", "b", 2, few), ("c", "c", 3, enough)]
    assert twins.of(rows) == {}
    assert twins.of([*rows, ("d", "d", 4, enough)]).keys() == {"d"}


def test_a_running_header_makes_no_twins(twins: Twins) -> None:
    header = text(30, seed=999)
    rows = [(f"{n}", f"{n}", n, sorted({*header, *text(70, seed=n)})) for n in range(400)]
    assert twins.of(rows) == {}
    again = [(f"{n}b", f"{n}b", 1000 + n, marks) for n, (_, _, _, marks) in enumerate(rows)]
    found = twins.of(rows + again)
    assert found.keys() == {f"{n}b" for n in range(400)}
    if twins.level == "page":
        assert all(name == f"{other}b" for name, other in found.items())


def test_of_many_copies_one_stays(twins: Twins) -> None:
    rows = [(f"{n}", f"{n}", n, text()) for n in range(300)]
    found = twins.of(rows)
    assert found.keys() == {f"{n}" for n in range(1, 300)}
    assert set(found.values()) == {"0" if twins.level == "page" else None}


def test_of_many_texts_that_are_nearly_alike_the_best_stays(twins: Twins) -> None:
    rows = [(f"{n}", f"{n}", n, text()[: 99 - n % 3] + [2**28 + n]) for n in range(150)]
    found = twins.of(rows)
    assert found.keys() == {f"{n}" for n in range(1, 150)}
    assert set(found.values()) == {"0" if twins.level == "page" else None}


def test_one_page_at_several_sizes_is_no_twin_of_itself(twins: Twins) -> None:
    rows = [(f"a{n}", "a", n, text()) for n in range(3)]
    assert twins.of(rows) == {}
    nearly = [("a3", "a", 3, text(others=1)), ("a4", "a", 4, text(others=2))]
    assert twins.of(rows + nearly) == {}


def test_all_sizes_of_a_page_go_when_a_better_one_says_the_same(twins: Twins) -> None:
    rows = []
    for others in (0, 1, 3):
        for n in range(3):
            rank = 100 * others + n
            rows.append((f"a{others}{n}", f"a{others}", rank, text(seed=others)))
            worse = text(seed=others, others=others)
            rows.append((f"b{others}{n}", f"b{others}", 10 + rank, worse))
    assert twins.of(rows).keys() == {name for name, *_ in rows if name.startswith("b")}


@pytest.mark.parametrize("level", ["page", "tile"])
def test_nothing_depends_on_the_order_of_rows_or_who_looks_at_them(
    level: Level, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    rows = []
    for n in range(240):
        marks = text(60, seed=int(rng.integers(20)), others=int(rng.integers(0, 9)))
        rows.append((f"{n}", f"{n % 200}", int(n), marks))
    first = Twins(tmp_path, level).of(rows)
    assert 50 < len(first) < 230
    for turn, (neighbourhoods, partitions) in enumerate([(1, 1), (4, 1), (4, 3)], 1):
        assert Twins(tmp_path, level, neighbourhoods, partitions).of(rows, turn=turn) == first


def test_what_came_first_stays_although_it_is_worse(tmp_path: Path) -> None:
    of = Twins(tmp_path)
    old = [of.row(n, "old", f"old{n}", 500 + n, text(seed=n)) | {"unit": "u0"} for n in range(3)]
    new = [of.row(9 + n, "new", f"new{n}", n, text(seed=n)) | {"unit": "u1"} for n in range(3)]
    made = make_all(tmp_path, [old, new], of.config(), generations=[0, 1])
    assert {row["key"] for row in made["selected"]} == {row["key"] for row in old}
    assert {row["duplicate_of"] for row in made["dropped"]} == {row["key"] for row in old}


# Pages as rows of scores.


def said_by(
    words: list[str], width: int, *, em_px: float = 12.0, pitch: float = 2.0
) -> dict[str, Any]:
    """The columns of a page with these words in lines of so many letters, a name of its own."""
    said = set_in_lines(wrapped(words, width), em_px=em_px, pitch=pitch)
    lines = [
        dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)) | {"chars": float(count)}
        for box, count in said.words()
    ]
    width, height = np.ceil(said.boxes[:, 2:].max(axis=0) + 20).astype(int).tolist()
    marks = text_marks(said)
    return {
        "text_lines": lines,
        "text_marks": marks,
        "width": max(width, 300, round(0.6 * height)),
        "height": max(height, 300),
        "content": "document",
        "chars_est": float(said.inked.sum()),
        "text_stage": "known",
        "text_sketch": bytes(np.random.default_rng(len(words)).bytes(128)),
        "clarity": 0.9,
    }


WORDS = words_of(700)


def test_the_same_text_on_another_sheet_is_a_near_duplicate(tmp_path: Path) -> None:
    large = text_row(0, **said_by(WORDS, 90, em_px=20))
    small = text_row(1, **said_by(WORDS, 55, em_px=10))
    other = text_row(2, **said_by(words_of(700, seed=9), 90, em_px=14))
    made = make(tmp_path, [small, large, other], **PLAN)
    assert slugs(made) == {"1.jpg": "near_duplicate"}
    assert made["dropped"][0]["duplicate_of"] == large["key"]


def test_headers_alone_make_no_near_duplicates(tmp_path: Path) -> None:
    header = ["The", "Harbour", "Supply", "Company's", "Annual", "Report", "for", "everyone"]
    rows = [
        text_row(n, **said_by([*header, *words_of(150, seed=n), *header], 60)) for n in range(8)
    ]
    made = make(tmp_path, rows, **PLAN)
    assert slugs(made) == {} and all(row["twin_tiles"] == 0 for row in made["selected"])


def test_one_page_at_several_sizes_stays(tmp_path: Path) -> None:
    rows = [
        text_row(
            n, **said_by(WORDS, 60, em_px=9.0 + 3 * n), uri="/a.pdf", member=f"a.pdf#page=1@{n + 1}"
        )
        for n in range(3)
    ]
    made = make(tmp_path, rows, **PLAN)
    assert slugs(made) == {} and all(row["twin_tiles"] == 0 for row in made["selected"])


def below(first: list[str], second: list[str]) -> dict[str, Any]:
    """Words, a page's height of nothing, and other words: two tiles that share nothing."""
    top, bottom = (said_by(part, 32, pitch=1.4) for part in (first, second))
    step = 900
    for name in ("text_lines", "text_marks"):
        for one in bottom[name]:
            for side in one.keys() & {"y", "y0", "y1"}:
                one[side] += step
    whole = {name: top[name] + bottom[name] for name in ("text_lines", "text_marks", "chars_est")}
    return top | whole | {"width": 700, "height": step + bottom["height"]}


def test_a_tile_that_says_what_a_tile_of_another_page_says_is_left_out(tmp_path: Path) -> None:
    shared = words_of(30, seed=50)
    rows = [text_row(n, **below(words_of(30, seed=n), shared)) for n in range(3)]
    made = make(tmp_path, rows, **PLAN)
    assert slugs(made) == {}
    assert sorted(row["twin_tiles"] for row in made["selected"]) == [0, 1, 1]
    for row in made["selected"]:
        assert len(row["tiles"]) == 2 - row["twin_tiles"]
        assert any(tile["y"] < 300 for tile in row["tiles"]), "its own words stay"


def test_a_page_all_of_whose_tiles_are_twins_is_a_near_duplicate(tmp_path: Path) -> None:
    parts = [words_of(30, seed=50 + n) for n in range(2)]
    rows = [text_row(n, **below(*parts)) for n in range(1)]
    # Each tile of it stands on another page, beside other words.
    rows += [text_row(1 + n, **below(words_of(30, seed=n), part)) for n, part in enumerate(parts)]
    # Of equal tiles those of the least hash stay.
    hashes = sorted(row["sha256"] for row in rows)
    for row, sha256 in zip(rows, hashes[::-1], strict=True):
        row["sha256"] = sha256
    made = make(tmp_path, rows, **PLAN)
    assert slugs(made) == {"0.jpg": "near_duplicate"}
    assert [row["twin_tiles"] for row in made["selected"]] == [0, 0]
    assert [len(row["tiles"]) for row in made["selected"]] == [2, 2]


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    rows = [text_row(n, **said_by(words_of(300, seed=n % 4), 50 + 7 * n)) for n in range(9)]
    rows += [text_row(20 + n, **below(WORDS[:30], words_of(30, seed=30 + n))) for n in range(4)]
    first = make(tmp_path / "a", rows, **PLAN)
    again = make(tmp_path / "b", rows[::-1], **PLAN)
    assert slugs(first) == slugs(again) and len(slugs(first)) == 5

    def tiles(made: dict[str, list[Any]]) -> dict[str, Any]:
        return {row["member"]: (row["tiles"], row["twin_tiles"]) for row in made["selected"]}

    assert tiles(first) == tiles(again)


# Documents through the whole build.


def paper(words: list[str], width: int, size: tuple[int, int], header: str = "") -> bytes:
    lines = [line.strip() for line in wrapped(words, width)]
    return pdfs.page(pdfs.text([header, *lines], size=10, top=size[1] - 30), size=size)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The rows of a plan by what became of them and by their member."""
    folder = tmp_path_factory.mktemp("twins")
    inputs = folder / "in"
    inputs.mkdir()
    story, other, third = (words_of(140, seed=n) for n in range(3))
    (inputs / "wide.pdf").write_bytes(paper(story, 80, (560, 300), "Annual report"))
    (inputs / "narrow.pdf").write_bytes(paper(story, 50, (400, 420), "Annual report"))
    (inputs / "other.pdf").write_bytes(paper(other, 80, (560, 300), "Annual report"))
    (inputs / "more.pdf").write_bytes(paper(third, 80, (560, 300), "Annual report"))
    for n in range(5):
        (inputs / f"copy{n:02d}.pdf").write_bytes(
            paper(words_of(140, seed=7), 60, (460 + n, 400), "Annual report")
        )
    source = {"name": "a", "type": "documents", "uri": str(inputs), "scales_per_page": 2}
    config = {
        "sources": [source],
        "score": {"text": False},
        "plan": {"min_clarity_text": 0, "rung_weights": {256: 1.0}},
        "synth": {"samples": {}},
        "engine": {"workers": 0},
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config))
    assert run(folder / "c.yaml", folder / "corpus") == 0
    (plan,) = (folder / "corpus" / "plan").iterdir()
    return {
        name: {row["member"]: row for row in pq.read_table(plan / name).to_pylist()}
        for name in ("selected", "dropped")
    }


def documents(rows: dict[str, Any]) -> Counter[str]:
    return Counter(member.partition(".pdf")[0].rstrip("0123456789") for member in rows)


def test_of_a_text_on_two_sheets_one_stays_at_both_sizes(built: dict[str, dict[str, Any]]) -> None:
    kept = documents(built["selected"])
    assert kept["wide"] + kept["narrow"] == 2 and 0 in (kept["wide"], kept["narrow"])
    assert kept["other"] == kept["more"] == 2


def test_of_many_copies_of_a_document_one_stays(built: dict[str, dict[str, Any]]) -> None:
    (kept,) = {m.partition("#")[0] for m in built["selected"] if m.startswith("copy")}
    assert kept
    assert {row["slug"] for row in built["dropped"].values()} == {"near_duplicate"}
