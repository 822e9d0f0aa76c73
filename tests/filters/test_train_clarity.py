from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from filters import degrade, train_clarity
from filters.clarity import model
from tests.pictures import encoded, scene


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


def test_the_same_pictures_and_seed_give_the_same_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("gaussian", "jpeg_direct", "noise")
    monkeypatch.setattr(degrade, "KINDS", {name: degrade.KINDS[name] for name in few})
    pictures = train_clarity.find_pictures([folder])[:3]
    assert {p.group % 5 == 0 for p in pictures} == {True, False}
    files = []
    for name in ("a.json", "b.json"):
        samples = [s for p in pictures for s in train_clarity.make_samples(p, 1, seed=7)]
        names, heads, record = train_clarity.fit(samples, 7, trees=4)
        model.dump(names, heads, record, tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    assert set(model.load(tmp_path / "a.json").heads) == set(model.HEADS)


def test_too_few_pictures_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_clarity.main(["--images", str(tmp_path)]) == 1
    assert "clean pictures" in capsys.readouterr().err


def test_trees_in_the_file_say_what_the_booster_says() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((400, 5)).astype(np.float32)
    labels = (values[:, 0] * values[:, 1] + 0.3 * values[:, 2]) > 0
    trees = train_clarity._boost(values, labels, ~labels, 60, 0)
    odds = np.array([trees.log_odds(v) for v in values])
    assert train_clarity.auc(odds, labels) > 0.95


def test_auc() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8])
    assert train_clarity.auc(scores, np.array([False, False, True, True])) == 0.875
    assert train_clarity.auc(scores, np.array([True] * 4)) == 0.5
