from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.planning.asked import ask
from vae_corpus import storage

SQL = "SELECT kind AS name, count(*) AS n FROM stored GROUP BY 1 ORDER BY 1"


@pytest.fixture(params=["local", "memory"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    where = str(tmp_path / "p") if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    write(where, ["a", "b", "a"])
    return where


def write(plan: str, kinds: list[str]) -> None:
    storage.commit_table(storage.join(plan, "selected.parquet"), pa.table({"kind": kinds}))


def asked(plan: str) -> dict[str, int]:
    return {row["name"]: row["n"] for row in ask(plan, ["selected"], SQL)}


def test_a_question_is_answered_once(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(plan) == {"a": 2, "b": 1}

    def refuse(*args: Any) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(storage, "query", refuse)
    assert asked(plan) == {"a": 2, "b": 1}
    with pytest.raises(AssertionError):
        ask(plan, ["selected"], SQL + " DESC")
    assert storage.names(plan) == ["selected.parquet"]


def test_another_table_is_asked_anew(plan: str) -> None:
    asked(plan)
    write(plan, ["a", "c", "a"])
    assert asked(plan) == {"a": 2, "c": 1}


@pytest.mark.parametrize("held", [b"", b"{", b"[]", b'{"about": 3, "rows": []}'])
def test_a_damaged_answer_is_not_used(plan: str, held: bytes) -> None:
    asked(plan)
    fs, inner = storage.filesystem(plan)
    (answer,) = (path for path in fs.ls(inner, detail=False) if ".asked-" in path)
    fs.pipe_file(answer, held)
    assert asked(plan) == {"a": 2, "b": 1}


def test_a_missing_table_is_an_error(plan: str) -> None:
    with pytest.raises(FileNotFoundError):
        ask(plan, ["dropped"], SQL)
