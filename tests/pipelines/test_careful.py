"""Units with images that kill or hang whoever scores them, down to real builds on Ray."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from filters.scores import Scores
from filters.settings import ScoreSettings
from pipelines import build
from pipelines.config import CorpusConfig
from pipelines.report.console import Console
from pipelines.sources import FolderSource, Source, Unit, WebDatasetSource
from pipelines.workers import careful, scorer
from pipelines.workers.careful import CarefulError, make_careful_scorer
from tests.pipelines.poison import HANG_MARK, PoisonSource, write_pictures
from tests.ray_cluster import ROOT, wait_until

pytestmark = pytest.mark.slow

# Where it is of no interest how it starts: a start takes longer than all images of a unit.
forked = pytest.mark.usefixtures("forked_children")

Rows = list[dict[str, Any]]


def job_of(source: Source, out: Path) -> scorer.ScoreJob:
    settings = ScoreSettings(text=False)
    return scorer.ScoreJob(
        settings=settings,
        versions=scorer.versions(Scores(settings)),
        sources={source.name: source},
        folder=str(out),
    )


def scored(source: Source, unit: Unit, out: Path, image_timeout_s: float = 20) -> Rows:
    """The rows of a careful pass."""
    work = make_careful_scorer(
        job_of(source, out), image_timeout_s=image_timeout_s, start_timeout_s=60
    )
    assert work(unit) == {"images": len(rows_of(out))}
    return rows_of(out)


def rows_of(out: Path) -> Rows:
    (path,) = out.glob("*.parquet")
    rows: Rows = pq.read_table(path).to_pylist()
    return rows


def only_unit(source: Source) -> Unit:
    (unit,) = source.units()
    return unit


def named(rows: Rows) -> dict[str, str]:
    return {row["member"]: row["slug"] for row in rows if row["slug"]}


def test_a_unit_without_poison_gets_the_same_bytes(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    source = FolderSource(name="a", uri=str(tmp_path / "in"))
    scored(source, only_unit(source), tmp_path / "careful")
    scorer.make_scorer(job_of(source, tmp_path / "plain"))(only_unit(source))
    (one,), (two,) = ((tmp_path / name).glob("*.parquet") for name in ("careful", "plain"))
    assert one.read_bytes() == two.read_bytes()


@forked
def test_each_poison_is_named_and_the_others_keep_their_rows(tmp_path: Path) -> None:
    slugs = {
        "killer": "kills_worker",
        "hanger": "hangs_worker",
        "unreadable": "kills_worker",
        "pipe": "hangs_worker",
        "glutton": "kills_worker",
    }
    if sys.platform != "linux":
        del slugs["glutton"]  # others do not tell what memory is left
    files = {poison: f"{4 * n + 3:02d}-{poison}.jpg" for n, poison in enumerate(slugs)}
    write_pictures(tmp_path / "in", *slugs)
    harmless = PoisonSource(name="a", uri=str(tmp_path / "in"), armed=False)
    unit = only_unit(harmless)
    scorer.make_scorer(job_of(harmless, tmp_path / "plain"))(unit)
    expected = {row["member"]: row for row in rows_of(tmp_path / "plain")}
    assert len(expected) == 6 + len(slugs)
    (tmp_path / "in" / files["pipe"]).unlink()
    os.mkfifo(tmp_path / "in" / files["pipe"])
    armed = harmless.model_copy(update={"armed": True})
    rows = scored(armed, unit, tmp_path / "careful", image_timeout_s=1)
    assert named(rows) == {files[poison]: slug for poison, slug in slugs.items()}
    assert [row["member"] for row in rows] == list(expected)
    found = {row["member"]: row for row in rows}
    for row in rows:
        if row["slug"] is None:
            assert row == expected[row["member"]]
        else:
            assert row["why"] and row["uri"].endswith(row["member"])
    killer = files["killer"]
    for name in ("key", "bytes", "sha256"):
        assert found[killer][name] == expected[killer][name]
    assert "SIGKILL" in found[killer]["why"]
    if "glutton" in files:
        assert "more memory" in found[files["glutton"]]["why"]


@forked
def test_a_source_that_cannot_be_read_further_fails_the_unit(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    source = WebDatasetSource(name="a", uri=str(tmp_path / "a.tar"))
    unit = Unit(unit_id="u", source="a", uri=source.uri, start=0, stop=0, bytes=1)
    with pytest.raises(CarefulError, match="does not get beyond image 1"):
        scored(source, unit, tmp_path / "out", image_timeout_s=1)
    assert not list(tmp_path.glob("out/*"))


@forked
def test_storage_that_hangs_names_no_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(careful, "_UNREAD_IN_A_ROW", 1)  # each takes two processes
    members = tuple(f"{n}.jpg" for n in range(9))
    for member in members:
        os.mkfifo(tmp_path / member)
    source = FolderSource(name="a", uri=str(tmp_path))
    unit = Unit(unit_id="u", source="a", uri=source.uri, start=0, stop=9, bytes=9, members=members)
    with pytest.raises(CarefulError, match="does not get beyond image 2"):
        scored(source, unit, tmp_path / "out", image_timeout_s=0.5)
    assert not list(tmp_path.glob("out/*"))


@forked
def test_what_another_try_may_mend_fails_the_unit(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in")
    source = FolderSource(name="a", uri=str(tmp_path / "in"))
    unit = only_unit(source)
    (tmp_path / "in" / "00-good.jpg").unlink()
    (tmp_path / "in" / "00-good.jpg").mkdir()  # an OSError of no lasting kind
    with pytest.raises(CarefulError, match="IsADirectoryError"):
        scored(source, unit, tmp_path / "out")


def test_a_process_that_hangs_dies_with_its_worker(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", "hanger")
    source = PoisonSource(name="a", uri=str(tmp_path / "in"))
    script = (
        "import pickle, sys\nfrom pipelines.workers.careful import make_careful_scorer\n"
        "job, unit = pickle.load(sys.stdin.buffer)\n"
        "make_careful_scorer(job, image_timeout_s=500, start_timeout_s=500)(unit)\n"
    )
    hangs = tmp_path / "hangs"
    worker = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), HANG_MARK: str(hangs)},
    )
    with worker:
        assert worker.stdin is not None
        worker.stdin.write(pickle.dumps((job_of(source, tmp_path / "out"), only_unit(source))))
        worker.stdin.close()
        wait_until(hangs.exists, "the process hangs", 60)
        (child,) = psutil.Process(worker.pid).children()
        worker.kill()
        wait_until(lambda: not child.is_running(), "the process ends", 20)


def test_a_build_loses_the_poisonous_pictures_alone(tmp_path: Path) -> None:
    poisons = {"killer": "kills_worker", "hanger": "hangs_worker"}
    write_pictures(tmp_path / "in", *poisons)
    config = CorpusConfig.model_validate(
        {
            "out": str(tmp_path / "out"),
            "sources": [PoisonSource(name="a", uri=str(tmp_path / "in"))],
            "score": {"text": False},
            "plan": {"min_clarity": 0},
            "synth": {"samples": {}},
            # The first try takes its worker down, the second is the last and done with care.
            "engine": {"workers": 1, "attempts": 2, "image_timeout_s": 1},
        }
    )
    done = build.build(config, Console(quiet=True))
    images = done.reported.images
    assert images["rejected"] == dict.fromkeys(poisons.values(), 1) and not done.scored.given_up
    assert sum(images["selected"].values()) == 6 and not images["dropped"]
    assert "2 images killed or hung" in " ".join(done.reported.notices)
    paths = tmp_path.glob("out/plan/*/rejected/*.parquet")
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    assert {row["member"]: row["slug"] for row in rows} == {
        "03-killer.jpg": "kills_worker",
        "07-hanger.jpg": "hangs_worker",
    }
    assert all(row["why"] for row in rows)
