"""Units that cannot be scored: how many may be missing, and that each is named."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import build_corpus
from pipelines.engine import EngineSettings
from pipelines.sources import FolderSource, Item, Unit
from tests.pictures import jpeg, scene

_READ = FolderSource.read


def _read_or_fail(self: FolderSource, unit: Unit) -> Iterator[Item]:
    if self.name == "away":
        raise OSError(errno.EIO, "the disk is away")
    return _READ(self, unit)


def build(folder: Path, monkeypatch: pytest.MonkeyPatch, *flags: str) -> int:
    """One of two units cannot be read."""
    monkeypatch.setattr(FolderSource, "read", _read_or_fail)
    # A disk that is away is waited for; how long, is no matter here.
    monkeypatch.setattr("pipelines.workers.outage.PATIENCE_S", 0.5)
    monkeypatch.setattr("pipelines.workers.outage.AGAIN_S", 0.1)
    sources = []
    for n, name in enumerate(("away", "here")):
        (folder / name).mkdir()
        (folder / name / "a.jpg").write_bytes(jpeg(scene(300, 280, n), 95))
        sources.append(f"{{name: {name}, type: folder, uri: {folder / name}}}")
    small = ["--engine.workers", "0", "--score.text", "false", "--synth.samples", "{}"]
    argv = ["--sources", f"[{', '.join(sources)}]", "--out", str(folder / "out"), *small, *flags]
    return build_corpus.main([*argv, "--plan.min_clarity", "0"])


def test_a_small_build_stops_at_a_failed_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(tmp_path, monkeypatch) == 1
    said = capsys.readouterr().err
    assert "the disk is away" in said and str(tmp_path / "away") in said
    assert "0 of the 2 units may be left out (engine.max_quarantined)" in said
    assert not (tmp_path / "out" / "curriculum.json").exists()


@pytest.mark.parametrize("limit", ["1", "0.5"])
def test_the_build_goes_on_without_as_many_units_as_may_fail(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    limit: str,
) -> None:
    assert build(tmp_path, monkeypatch, "--engine.max_quarantined", limit) == 1
    assert "left out: unit" in capsys.readouterr().out
    assert (tmp_path / "out" / "curriculum.json").exists()


def test_by_default_one_unit_of_a_thousand_may_fail() -> None:
    default = EngineSettings()
    counts = {units: default.quarantine(units) for units in (1, 999, 1000, 1_000_000)}
    assert counts == {1: 0, 999: 0, 1000: 1, 1_000_000: 1000}
    assert EngineSettings(max_quarantined=0.29).quarantine(100) == 29
    assert EngineSettings(max_quarantined=0).quarantine(1_000_000) == 0
    assert EngineSettings(max_quarantined=7).quarantine(1_000_000) == 7
    with pytest.raises(ValueError, match="a number of units is whole"):
        EngineSettings(max_quarantined=1.5)
