from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipelines.planning import tables
from pipelines.planning.asked import ask
from vae_corpus import storage

SQL = "SELECT kind AS name, count(*) AS n FROM stored GROUP BY 1 ORDER BY 1"


@pytest.fixture(params=["local", "memory"])
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    where = str(tmp_path / "p") if request.param == "local" else f"memory://{uuid.uuid4().hex}"
    write(where, "000000", ["a", "b"])
    write(where, "000001", ["a"])
    return where


def write(plan: str, neighbourhood: str, kinds: list[str], fate: str = "selected") -> None:
    table = pa.table({"kind": pa.array(kinds, pa.string())})
    storage.commit_table(tables.path(plan, fate, neighbourhood), table)


def asked(plan: str, *fates: str) -> dict[str, int]:
    return {row["name"]: row["n"] for row in ask(plan, fates or ["selected"], SQL)}


def refuse(*args: Any) -> None:
    raise AssertionError("asked again")


def test_a_question_is_answered_once(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(plan) == {"a": 2, "b": 1}
    monkeypatch.setattr(storage, "query", refuse)
    assert asked(plan) == {"a": 2, "b": 1}
    with pytest.raises(AssertionError):
        ask(plan, ["selected"], SQL + " DESC")
    assert not storage.names(plan, ".json")


def test_another_table_is_asked_anew(plan: str) -> None:
    asked(plan)
    write(plan, "000001", ["c"])
    assert asked(plan) == {"a": 1, "b": 1, "c": 1}


def test_one_table_more_or_less_is_asked_anew(plan: str) -> None:
    asked(plan)
    write(plan, "000002", ["b"])
    assert asked(plan) == {"a": 2, "b": 2}
    storage.remove(tables.path(plan, "selected", "000000"))
    assert asked(plan) == {"a": 1, "b": 1}


def test_a_table_under_another_name_or_of_another_fate_is_asked_anew(plan: str) -> None:
    write(plan, "000000", ["d"], "dropped")
    both = asked(plan, "selected", "dropped")
    assert both == {"a": 2, "b": 1, "d": 1}
    write(plan, "000002", ["a"])
    storage.remove(tables.path(plan, "selected", "000001"))
    assert asked(plan, "selected", "dropped") == both
    write(plan, "000000", [], "dropped")
    assert asked(plan, "selected", "dropped") == {"a": 2, "b": 1}
    assert asked(plan) == {"a": 2, "b": 1}


def test_other_tables_do_not_matter(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(plan)
    write(plan, "000000", ["d"], "dropped")
    monkeypatch.setattr(storage, "query", refuse)
    assert asked(plan) == {"a": 2, "b": 1}


@pytest.mark.parametrize("held", [b"", b"{", b"[]", b'{"about": 3, "rows": []}'])
def test_a_damaged_answer_is_not_used(plan: str, held: bytes) -> None:
    asked(plan)
    fs, inner = storage.filesystem(plan)
    (answer,) = (path for path in fs.ls(inner, detail=False) if ".asked-" in path)
    fs.pipe_file(answer, held)
    assert asked(plan) == {"a": 2, "b": 1}


def test_where_stamps_are_not_known_every_answer_is_fresh(
    plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = storage.listing

    def unstamped(folder: str) -> dict[str, Any]:
        return {n: storage.Entry(bytes=e.bytes, stamp="") for n, e in listing(folder).items()}

    monkeypatch.setattr(storage, "listing", unstamped)
    assert asked(plan) == {"a": 2, "b": 1}
    write(plan, "000001", ["b"])
    assert asked(plan) == {"a": 1, "b": 2}


def test_a_missing_table_is_an_error(plan: str) -> None:
    with pytest.raises(FileNotFoundError, match="dropped"):
        asked(plan, "dropped")
    with pytest.raises(FileNotFoundError, match="dropped"):
        asked(plan, "selected", "dropped")
