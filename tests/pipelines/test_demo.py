"""What the demo shows: each kind of damage is made, and a build gives it the name that it bears."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import build
from pipelines.config import CorpusConfig
from pipelines.demo.config import with_demo_inputs
from pipelines.demo.damage import write_damaged
from pipelines.report.console import Console
from vae_corpus.demo import DemoInputs

_PHOTOS = ("after-the-rain.jpg", "this-is-not-windows.jpg")
_FATES = {
    "blurred.jpg": "blurred",
    "compressed.jpg": "compressed",
    "noisy.jpg": "noisy",
    "whole-again.jpg": "duplicate",
    "whole-smaller.jpg": "near_duplicate",
    "small.jpg": "too_small",
    "long.jpg": "too_elongated",
    "cut.jpg": "truncated",
    "garbled.png": "corrupt",
    "bomb.png": "too_many_pixels",
    "page-not-found.jpg": "not_an_image",
}


def test_every_damage_is_called_what_it_is(tmp_path: Path, demo: DemoInputs) -> None:
    photos = [path for path in demo.photos if path.name in _PHOTOS]
    folder = write_damaged(photos, tmp_path / "in")
    config = CorpusConfig.model_validate(
        {
            "out": str(tmp_path / "out"),
            "sources": [{"name": "a", "type": "folder", "uri": str(folder)}],
            "score": {"text": False},
            "synth": {"samples": {}},
            "engine": {"workers": 0},
        }
    )
    build.build(config, Console(quiet=True))
    found = {
        row["member"]: row["slug"]
        for name in ("dropped", "rejected")
        for row in pq.read_table(next(tmp_path.glob(f"out/plan/*/{name}"))).to_pylist()
    }
    for photo in ("a", "b"):
        fates = {name[2:]: slug for name, slug in found.items() if name.startswith(photo)}
        # Of two files with the same bytes either may be the one that is kept.
        kept = {"whole.jpg", "whole-again.jpg"} - set(fates)
        if kept == {"whole-again.jpg"}:
            fates["whole-again.jpg"] = fates.pop("whole.jpg")
        assert fates == _FATES


def test_damage_is_the_same_again_and_touches_no_file(tmp_path: Path, demo: DemoInputs) -> None:
    photos = [path for path in demo.photos if path.name in _PHOTOS]
    folder = write_damaged(photos, tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    write_damaged(photos, tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert len(before) == 2 * (len(_FATES) + 1)


def test_what_is_no_picture_cannot_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="not_an_image"):
        write_damaged([tmp_path / "a.jpg"], tmp_path / "out")


def test_no_picture_of_the_demo_comes_in_many_sizes(demo: DemoInputs) -> None:
    config, missing = with_demo_inputs(CorpusConfig(out="corpus"))
    assert not missing
    names = [source.name for source in config.sources]
    assert len(set(names)) == len(names) and {"plasma", "lxqt", "opencv", "damaged"} <= set(names)
    folders = [path.parent for path in demo.photos if "wallpapers" in path.parts]
    plasma = [folder for folder in folders if "contents" in folder.parts]
    assert len(plasma) == len(set(plasma)) > 20


def test_the_demo_has_the_first_phases_and_no_rung_without_images(demo: DemoInputs) -> None:
    config, _ = with_demo_inputs(CorpusConfig(out="corpus"))
    assert [phase.samples for phase in config.phases] == [5000, 2500, 1250]
    assert {r for phase in config.phases for r in phase.rungs} == set(config.plan.rung_weights)
    given, _ = with_demo_inputs(CorpusConfig(out="corpus", plan={"rung_weights": {2048: 1}}))
    assert given.plan.rung_weights == {2048: 1}
