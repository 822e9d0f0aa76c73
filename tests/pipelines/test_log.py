"""What a build leaves for those who want to know later how it went, and shows them meanwhile."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from pipelines import build_corpus
from pipelines.report.log import build_log
from pipelines.report.progress import Progress
from pipelines.workers.tasks import Crew, Several, Task
from tests.pictures import jpeg, scene
from vae_corpus import settings, storage

TASK = Task(task_id="u", payload=None, weight=1, images=2)


def test_the_log_has_a_line_for_what_was_done_and_what_failed(tmp_path: Path) -> None:
    for _ in range(2):
        with build_log(str(tmp_path)) as log:
            log.stage = "score"
            log.failed(TASK, "worker_died", "gone", again=True)
            log.done(TASK, {"images": 2, "bytes": 10, "rejected": {"too_small": 1}}, 0.5)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 4
    assert lines[0]["failed"] == "worker_died" and lines[0]["again"]
    assert lines[1] | {"time": ""} == {
        "time": "",
        "stage": "score",
        "task": "u",
        "seconds": 0.5,
        "images": 2,
        "bytes": 10,
        "rejected": {"too_small": 1},
    }


def test_on_a_store_each_build_has_a_log_of_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        with build_log(f"memory:/{tmp_path}") as log:
            log.done(TASK, {"images": 1}, 0.5)
            log.done(TASK, {"images": 1}, 0.5)
    folder = f"memory:/{tmp_path}/log"
    logs = [storage.read_bytes(storage.join(folder, n)) for n in storage.names(folder)]
    assert [log.count(b"\n") for log in logs] == [2, 2]


def test_on_a_store_a_long_log_is_written_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.report.log._PART_LINES", 3)
    with build_log(f"memory:/{tmp_path}") as log:
        for number in range(7):
            log.done(TASK, {"images": number}, 0.5)
            assert len(log._lines) < 3
    folder = f"memory:/{tmp_path}/log"
    parts = [storage.read_bytes(storage.join(folder, n)) for n in storage.names(folder)]
    lines = [json.loads(line)["images"] for part in parts for line in part.splitlines()]
    assert len(parts) == 3 and lines == list(range(7))


def test_a_build_that_does_nothing_leaves_no_log(tmp_path: Path) -> None:
    with build_log(str(tmp_path)):
        pass
    assert not list(tmp_path.iterdir())


def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "p").mkdir()
    for number in range(3):
        (tmp_path / "p" / f"{number}.jpg").write_bytes(jpeg(scene(300, 300, number)))
    source = f"[{{name: p, type: folder, uri: {tmp_path / 'p'}}}]"
    given = ["--sources", source, "--out", str(tmp_path / "out"), "--engine.workers", "0"]
    return [*given, "--score.text", "false", "--synth.samples", "{}", "--plan.min_clarity", "0"]


def test_without_wandb_its_setting_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert settings.run(build_corpus.main, [*arguments(tmp_path), "--wandb", "corpora"]) == 2
    assert "pip install wandb" in capsys.readouterr().err


def test_wandb_hears_of_each_stage_and_changes_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: dict[str, float] = {}
    begun: list[dict[str, Any]] = []
    ended: list[bool] = []

    def init(**given: Any) -> Any:
        begun.append(given)
        return types.SimpleNamespace(
            id="run-1", log=logged.update, finish=lambda: ended.append(True)
        )

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    given = arguments(tmp_path)
    assert build_corpus.main([*given, "--wandb", "corpora"]) == 0
    assert begun[0]["project"] == "corpora" and begun[0]["id"] is None and ended == [True]
    assert logged["score/images"] == 3 and logged["pack/images"] >= 1
    facts = (tmp_path / "out" / "corpus.json").read_bytes()
    assert build_corpus.main([*given, "--wandb", "corpora"]) == 0
    assert begun[1]["id"] == "run-1"
    assert build_corpus.main(given) == 0
    assert (tmp_path / "out" / "corpus.json").read_bytes() == facts
    lines = (tmp_path / "out" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["stage"] for line in lines][0] == "score"


def test_several_listeners_hear_the_same() -> None:
    one, two = Progress([TASK]), Progress([TASK])
    several = Several(one, two)
    several.running([(TASK, {"images": 1})], Crew(at_work=1))
    assert one.snapshot().images == two.snapshot().images == 1
    several.done(TASK, {"images": 2}, 1.0)
    assert one.snapshot().tasks == two.snapshot().tasks == 1
