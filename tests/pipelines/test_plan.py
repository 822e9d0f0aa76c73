from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.config import CorpusConfig, PackSettings
from pipelines.engine import Failure
from pipelines.planning.job import Neighbourhood
from pipelines.planning.settings import PlanSettings
from pipelines.stages import plan
from pipelines.stages.score import Scored
from pipelines.stages.units import Listed
from tests.pipelines.plans import make
from vae_corpus.words import Bucket, buckets

UNIT = "u0"


def row(n: int, **changes: Any) -> dict[str, Any]:
    """A good general image of 600x450 px; `n` makes its bytes and hashes its own."""
    sha256 = hashlib.sha256(str(n).encode()).hexdigest()
    bits = np.random.default_rng(n)
    base: dict[str, Any] = {
        "key": f"a-{sha256[:16]}",
        "source": "a",
        "unit": UNIT,
        "member": f"{n}.jpg",
        "uri": f"/a/{n}.jpg",
        "offset": 0,
        "bytes": 1000,
        "sha256": sha256,
        "content": "auto",
        "format": "jpeg",
        "width": 600,
        "height": 450,
        "phash": int(bits.integers(0, 1 << 63)),
        "phash_fine": bits.bytes(32),
        "luma_mean": 100.0,
        "clarity": 0.9,
        "blur": 0.1,
        "compression": 0.1,
        "noise": 0.1,
        "chars_est": 0.0,
        "chars_per_mpx": 0.0,
        "max_chars_per_256_tile": 0.0,
        "text_lines": [],
        "slug": None,
    }
    return base | changes


def text_row(n: int, chars: float = 100.0, **changes: Any) -> dict[str, Any]:
    text = {"chars_est": chars * 6, "max_chars_per_256_tile": 200.0, "text_lines": lines(chars * 6)}
    return row(n, **(text | changes))


def lines(chars: float) -> list[dict[str, float]]:
    """Lines all over a picture of 600 x 450 px, 15 px apart."""
    tops = range(2, 450, 15)
    box = {"x0": 0, "x1": 600, "chars": chars / len(tops)}
    return [{"y0": top, "y1": top + 11, **box} for top in tops]


def slugs(made: dict[str, list[Any]]) -> dict[str, str]:
    return {r["member"]: r["slug"] for r in made["dropped"]}


def test_every_row_is_in_exactly_one_table(tmp_path: Path) -> None:
    rows = [row(i, clarity=i / 40) for i in range(40)]
    rows += [row(100 + i, slug="truncated", why="x", width=None, clarity=None) for i in range(5)]
    rows += [row(3, uri="/a/copy.jpg", member="copy.jpg"), text_row(200)]
    made = make(tmp_path, rows)
    members = [r["member"] for name in ("selected", "dropped", "rejected") for r in made[name]]
    assert sorted(members) == sorted(r["member"] for r in rows)
    assert len(made["rejected"]) == 5


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"clarity": 0.3, "blur": 0.8}, "blurred"),
        ({"clarity": 0.3, "compression": 0.8}, "compressed"),
        ({"clarity": 0.3, "noise": 0.8}, "noisy"),
        ({"width": 400, "height": 200}, "too_small"),
        ({"width": 2000, "height": 400}, "too_elongated"),
        ({"content": "document"}, "no_text"),
        ({"content": "document", "ink_cells": [7] * 19 * 15, "clarity": 0.0}, "blank"),
    ],
)
def test_drops_carry_their_reason(tmp_path: Path, changes: dict[str, Any], slug: str) -> None:
    made = make(tmp_path, [row(0), row(1, **changes)])
    assert slugs(made) == {"1.jpg": slug}


def test_blank_tiles_are_left_out_and_counted(tmp_path: Path) -> None:
    half = np.zeros((15, 19), np.uint8)
    half[:, :8] = 200
    made = make(
        tmp_path,
        [
            text_row(0, width=608, height=480, ink_cells=half.ravel().tolist()),
            text_row(1, width=608, height=480, ink_cells=[200] + [0] * (15 * 19 - 1)),
            text_row(2, width=608, height=480, ink_cells=[200] * 15 * 19),
            row(3, ink_cells=[0] * 15 * 19),
        ],
        plan={"rung_weights": {256: 1.0}},
    )
    blank = {r["member"]: r["blank_tiles"] for r in made["selected"]}
    assert slugs(made) == {} and blank["0.jpg"] > 0 and blank["2.jpg"] == 0
    assert blank["3.jpg"] is None  # a general image is not judged by its ink
    for found in made["selected"]:
        if found["member"] == "0.jpg":
            assert all(tile["x"] < 256 for tile in found["tiles"])
        if found["member"] == "1.jpg":
            assert [(tile["x"], tile["y"]) for tile in found["tiles"]] == [(0, 0)]


def test_equal_bytes_are_kept_once(tmp_path: Path) -> None:
    made = make(tmp_path, [row(0), row(0, uri="/b/0.jpg", member="again.jpg")])
    assert slugs(made) == {"again.jpg": "duplicate"}
    assert made["dropped"][0]["duplicate_of"] == made["selected"][0]["key"]


def flipped(value: int, bits: int, first: int = 5) -> int:
    return value ^ sum(1 << (first + 11 * i) % 64 for i in range(bits))


def test_of_near_duplicates_the_largest_stays(tmp_path: Path) -> None:
    big = row(0, width=1200, height=900)
    near = row(1, phash=flipped(big["phash"], 4), phash_fine=big["phash_fine"])
    far = row(2, phash=flipped(big["phash"], 5, first=2), phash_fine=big["phash_fine"])
    made = make(tmp_path, [near, big, far])
    assert slugs(made) == {"1.jpg": "near_duplicate"}
    assert made["dropped"][0]["duplicate_of"] == big["key"]


@pytest.mark.parametrize(
    "changes",
    [{"phash_fine": bytes(range(32))}, {"width": 450, "height": 600}, {"luma_mean": 200.0}],
)
def test_look_alikes_are_not_near_duplicates(tmp_path: Path, changes: dict[str, Any]) -> None:
    one = row(0)
    twin = {"phash": one["phash"], "phash_fine": one["phash_fine"]} | changes
    assert slugs(make(tmp_path, [one, row(1, **twin)])) == {}


def test_every_pair_within_the_bits_is_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    big = row(0, width=1200, height=900)
    copies = []
    for n in range(1, 60):
        mask = sum(1 << int(b) for b in rng.choice(64, size=4, replace=False))
        copies.append(row(n, phash=big["phash"] ^ mask, phash_fine=big["phash_fine"]))
    assert len(make(tmp_path, [big, *copies])["selected"]) == 1


def twins(kind: Any, one: dict[str, Any], two: dict[str, Any]) -> list[dict[str, Any]]:
    """Two rows that differ only in what is given."""
    first = kind(0, clarity=0.95)
    second = kind(1, phash=first["phash"], phash_fine=first["phash_fine"])
    return [first | one, second | two]


def sketch(bits: int) -> dict[str, Any]:
    """A text sketch that differs from `sketch(0)` in so many bits."""
    return {"text_sketch": ((1 << bits) - 1).to_bytes(128, "big")}


def laid_out(levels: int) -> dict[str, Any]:
    """A layout that differs from `laid_out(0)` by so many levels, at one point."""
    return {"layout": bytes([128] * 4000 + [128 + levels] + [128] * 95)}


@pytest.mark.parametrize(
    ("one", "two", "dropped"),
    [
        ({}, {}, 1),
        (sketch(0), sketch(4), 1),
        (sketch(0), sketch(5), 0),
        (laid_out(0), laid_out(6), 1),
        (laid_out(0), laid_out(7), 0),
        # The text says more than the layout, where both are known.
        (sketch(0) | laid_out(0), sketch(0) | laid_out(90), 1),
        (sketch(0) | laid_out(0), sketch(9) | laid_out(0), 0),
        (sketch(0) | laid_out(0), laid_out(90), 0),
        (sketch(0) | laid_out(0), laid_out(0), 1),
        (laid_out(0), {}, 1),
    ],
)
def test_pages_are_twins_when_they_say_the_same(
    tmp_path: Path, one: dict[str, Any], two: dict[str, Any], dropped: int
) -> None:
    assert len(make(tmp_path, twins(text_row, one, two))["dropped"]) == dropped


def test_what_pages_say_does_not_matter_to_pictures(tmp_path: Path) -> None:
    rows = twins(row, sketch(0) | laid_out(0), sketch(9) | laid_out(90))
    assert slugs(make(tmp_path, rows)) == {"1.jpg": "near_duplicate"}


def test_a_picture_and_a_page_of_one_template_both_stay(tmp_path: Path) -> None:
    page, picture = twins(text_row, laid_out(0), laid_out(90))
    assert slugs(make(tmp_path, [page, picture | {"max_chars_per_256_tile": 10.0}])) == {}


def test_each_page_of_a_template_has_its_own_twins(tmp_path: Path) -> None:
    first = text_row(0, clarity=0.95)
    alike = {"phash": first["phash"], "phash_fine": first["phash_fine"]}
    rows = [first | laid_out(0)]
    rows += [text_row(n, **alike, **laid_out(20 * (n % 4))) for n in range(1, 12)]
    made = make(tmp_path, rows)
    assert len(made["selected"]) == 4
    assert "layout" not in made["selected"][0] and "text_sketch" not in made["dropped"][0]


def test_text_goes_into_tiles_of_the_bucket_inside_the_image(tmp_path: Path) -> None:
    rows = [text_row(n, width=700, height=500) for n in range(20)]
    for r in make(tmp_path, rows)["selected"]:
        bucket = Bucket.parse(r["bucket"])
        assert r["tiles"]
        for tile in r["tiles"]:
            assert (tile["width"], tile["height"]) == bucket
            assert tile["x"] + tile["width"] <= 700 and tile["y"] + tile["height"] <= 500


def test_kinds_follow_density_and_content(tmp_path: Path) -> None:
    rows = [row(0), text_row(1), text_row(2, content="document")]
    kinds = {r["member"]: r["kind"] for r in make(tmp_path, rows)["selected"]}
    assert kinds == {"0.jpg": "general", "1.jpg": "text_real", "2.jpg": "document"}


def test_general_buckets_have_the_nearest_ratio(tmp_path: Path) -> None:
    sizes = [(600, 600), (800, 600), (960, 540), (540, 960), (1300, 520)]
    rows = [row(n, width=w, height=h) for n, (w, h) in enumerate(sizes)]
    made = make(tmp_path, rows, plan=PlanSettings(rung_weights={256: 1.0}))
    names = {r["member"]: r["bucket"] for r in made["selected"]}
    assert list(dict(sorted(names.items())).values()) == [
        "256x256",
        "288x224",
        "320x192",
        "192x320",
        "384x160",
    ]


def test_rungs_are_drawn_by_weight_among_those_an_image_can_serve(tmp_path: Path) -> None:
    rows = [row(n, width=1500, height=1100) for n in range(300)]
    rows += [row(300 + n, width=300, height=280) for n in range(50)]
    made = make(tmp_path, rows, plan=PlanSettings(rung_weights={256: 1.0, 1024: 2.0}))
    large = [r["rung"] for r in made["selected"] if r["width"] == 1500]
    assert 160 < large.count(1024) < 240
    assert {r["rung"] for r in made["selected"] if r["width"] == 300} == {256}


def test_quotas_keep_the_best(tmp_path: Path) -> None:
    rows = [row(n, clarity=0.6 + n / 100) for n in range(10)]
    made = make(tmp_path, rows, plan=PlanSettings(quotas={"general": 3}))
    assert {r["member"] for r in made["selected"]} == {"7.jpg", "8.jpg", "9.jpg"}
    assert set(slugs(made).values()) == {"over_quota"}


def test_shards_are_closed_at_their_size(tmp_path: Path) -> None:
    rows = [row(n) for n in range(100)]
    made = make(
        tmp_path,
        rows,
        plan=PlanSettings(rung_weights={256: 1.0}),
        pack=PackSettings(shard_samples=16),
    )
    sizes = [s["samples"] for s in made["shards"]]
    assert len(sizes) == 6 and sum(sizes) == 100 and set(sizes) <= {16, 17}
    assert made["shards"][0]["shard"] == "shards/general/256/corpus-general-256-jpg-000000-000"


def test_the_order_of_scores_changes_nothing(tmp_path: Path) -> None:
    rows = [row(n) for n in range(50)] + [text_row(n) for n in range(50, 70)]
    first = make(tmp_path / "a", rows)
    second = make(tmp_path / "b", rows[::-1])
    assert first == second


def test_another_threshold_is_another_plan_and_units_are_part_of_it() -> None:
    config = CorpusConfig()
    stricter = CorpusConfig(plan=PlanSettings(min_clarity=0.9))
    hashes = [
        plan.plan_hash(config, scored("s", "u")),
        plan.plan_hash(stricter, scored("s", "u")),
        plan.plan_hash(config, scored("s", "u", "v")),
        plan.plan_hash(config, scored("t", "u")),
        plan.plan_hash(config, scored("s", "u", given_up=("0a", "0b"))),
    ]
    assert len(set(hashes)) == len(hashes)
    # Neither where a corpus lies, nor in how many parts it is planned, nor what failed first.
    parts = CorpusConfig(plan=PlanSettings(partitions=7))
    assert plan.plan_hash(parts, scored("s", "u", root="s3://b/c")) == hashes[0]
    assert plan.plan_hash(config, scored("s", "u", given_up=("0b", "0a"))) == hashes[-1]


def scored(scores: str, *units: str, root: str = "/c", given_up: tuple[str, ...] = ()) -> Scored:
    """Scores of neighbourhoods with these tables of units."""
    listed = Listed(
        neighbourhoods=tuple(
            Neighbourhood(number=n, generation=0, units=f"{root}/units/{name}.parquet")
            for n, name in enumerate(units)
        ),
        by_source={},
    )
    failures = tuple(Failure(task_id=unit, slug="x", why="y") for unit in given_up)
    return Scored(folder=f"{root}/scores/{scores}", listed=listed, given_up=failures, versions={})


def test_the_bucket_is_the_nearest_that_fits(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [
        row(n, width=int(rng.integers(256, 700)), height=int(rng.integers(256, 700)))
        for n in range(200)
    ]
    made = make(tmp_path, rows, plan=PlanSettings(rung_weights={256: 1.0}))
    for r in made["selected"]:
        assert r["bucket"] == str(nearest_bucket(r["width"], r["height"]))


def nearest_bucket(width: int, height: int) -> Bucket:
    """Of the buckets of 256 px that fit, the one with the nearest aspect ratio."""
    fitting = [b for b in buckets(256) if b.width <= width and b.height <= height]
    ratio = math.log(width / height)
    return min(fitting, key=lambda b: abs(math.log(b.width / b.height) - ratio))


def test_dense_tiles_are_named(tmp_path: Path) -> None:
    rows = [
        text_row(i, chars, max_chars_per_256_tile=chars) for i, chars in enumerate((60, 240, 120))
    ]
    made = make(tmp_path, [*rows, row(9)], plan=PlanSettings(rung_weights={256: 1}))
    for r in made["selected"]:
        for tile in r["tiles"] or ():
            per_256 = tile["chars"] * 256**2 / (tile["width"] * tile["height"])
            assert tile["density"] == ("top" if per_256 >= 200 else "rest")
    densities = {r["member"]: {t["density"] for t in r["tiles"] or ()} for r in made["selected"]}
    assert densities["1.jpg"] == {"top"} and densities["0.jpg"] == {"rest"}


def test_a_rank_that_changes_packs_nothing_again(tmp_path: Path) -> None:
    lone = make(tmp_path, [text_row(0, 60, max_chars_per_256_tile=60.0)])["shards"]
    both = [text_row(0, 60, max_chars_per_256_tile=60.0), text_row(1, 240, clarity=0.0)]
    assert make(tmp_path, both)["shards"] == lone
    denser = text_row(2, 240, format="webp", content="document")
    assert lone[0] in make(tmp_path, [*both, denser])["shards"]


def test_unmeasured_text_has_no_density(tmp_path: Path) -> None:
    unknown = row(0, content="document", chars_est=None, text_lines=None)
    (kept,) = make(tmp_path, [unknown])["selected"]
    assert kept["tiles"] and all(t["density"] is None and t["chars"] is None for t in kept["tiles"])


def test_a_dense_sign_in_a_large_photograph_gives_a_small_dense_tile(tmp_path: Path) -> None:
    sign = [
        {"x0": 1500, "y0": y, "x1": 1620, "y1": y + 10, "chars": 20.0} for y in range(900, 990, 15)
    ]
    text = {"chars_est": 120.0, "max_chars_per_256_tile": 120.0}
    photographs = [row(n, width=3000, height=2000, text_lines=sign, **text) for n in range(20)]
    weights = {256: 0.001, 1024: 1.0}
    made = make(tmp_path, photographs, plan={"rung_weights": weights})
    assert len(made["selected"]) == 20
    for found in made["selected"]:
        assert found["kind"] == "text_real" and found["rung"] == 256
        (tile,) = found["tiles"]
        assert tile["chars"] == pytest.approx(120) and tile["width"] <= 512
        assert tile["x"] <= 1500 and tile["x"] + tile["width"] >= 1620
