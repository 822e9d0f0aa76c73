from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from filters import trees
from filters.clarity import model
from filters.clarity.features import NAMES
from filters.training import boost, degrade
from filters.training import clarity as train_clarity
from tests.pictures import encoded, jpeg, scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in range(12):
        (tmp_path / f"{seed}.png").write_bytes(encoded(scene(200, 200, seed), "png"))
    (tmp_path / "copy.png").write_bytes((tmp_path / "0.png").read_bytes())
    (tmp_path / "small.png").write_bytes(encoded(scene(64, 64), "png"))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_it_finds_distinct_pictures_that_are_large_enough(folder: Path) -> None:
    pictures = train_clarity.find_pictures([folder], ["*/5.png"])
    assert len(pictures) == 11
    assert {p.path.name for p in pictures}.isdisjoint({"small.png", "notes.txt", "5.png"})


def test_pictures_saved_badly_are_clean_only_when_they_are_made_smaller(tmp_path: Path) -> None:
    for name, quality in (("good.jpg", 90), ("bad.jpg", 60)):
        (tmp_path / name).write_bytes(jpeg(scene(500, 400, quality), quality))
    (tmp_path / "small.jpg").write_bytes(jpeg(scene(300, 300), 60))
    shrink = {p.path.name: p.shrink for p in train_clarity.find_pictures([tmp_path])}
    assert shrink == {"good.jpg": 1, "bad.jpg": 2}
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert min(train_clarity.view_of(scene(500, 400), rng, 2).shape[:2]) <= 200


def test_all_samples_of_a_view_have_one_size() -> None:
    view, rng = scene(264, 200), np.random.default_rng(0)
    shapes = {
        train_clarity.cut(damage(view, rng), view, rng).shape
        for kind in degrade.KINDS.values()
        for damage in (kind.apply, degrade.harmless)
    }
    assert shapes == {(192, 256, 3)}


def test_the_same_pictures_and_seed_give_the_same_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("gaussian", "jpeg_direct", "noise")
    monkeypatch.setattr(degrade, "KINDS", {name: degrade.KINDS[name] for name in few})
    pictures = train_clarity.find_pictures([folder])[:8]
    assert {p.group % 5 == 0 for p in pictures} == {True, False}
    files = []
    for name, threads in (("a.json", 1), ("b.json", 2)):
        samples = [s for p in pictures for s in train_clarity.make_samples(p, 2, seed=7)]
        forests, record = train_clarity.fit(samples, 7, rounds=4, threads=threads)
        trees.dump(forests, NAMES, record, tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    assert model.load(tmp_path / "a.json").record["held_out_samples"] > 0


def test_too_few_pictures_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_clarity.main(["--images", str(tmp_path)]) == 1
    assert "clean pictures" in capsys.readouterr().err


def test_trees_in_the_file_say_what_the_booster_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((800, len(NAMES))).astype(np.float32)
    labels = (values[:, 0] * values[:, 1] + 0.3 * values[:, 2]) > 0
    forest = train_clarity._boost(values, labels, ~labels, 60, 0, 1)
    trees.dump(dict.fromkeys(model.DETECTORS, forest), NAMES, {}, tmp_path / "w.json")
    loaded = model.load(tmp_path / "w.json")
    found = [model.detect(loaded.trees, v) for v in values]
    assert boost.auc(np.array([f["grain"] for f in found]), labels) > 0.95
    assert all(len(set(f.values())) == 1 for f in found)


def test_auc() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8])
    assert boost.auc(scores, np.array([False, False, True, True])) == 0.875
    assert boost.auc(scores, np.array([True] * 4)) == 0.5
