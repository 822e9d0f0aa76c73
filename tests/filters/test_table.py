from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.table import write_rows

SCHEMA = pa.schema([("path", pa.string()), ("size", pa.int64()), ("slug", pa.string())])


def size(data: bytes) -> dict[str, Any]:
    if data == b"strange":
        raise ZeroDivisionError("by design")
    return {"size": len(data)}


def test_a_file_that_cannot_be_scored_costs_only_its_own_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in (("a", b"12"), ("b", b"strange"), ("d", b"3")):
        (tmp_path / name).write_bytes(data)
    files = [tmp_path / name for name in "abcd"]
    rows = list(write_rows(files, tmp_path / "out.parquet", SCHEMA, size, workers=2))
    assert [row["slug"] for row in rows] == [None, "score_failed", "unreadable", None]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == rows
    said = capsys.readouterr().err
    assert "by design" in said and "c: No such file" in said


def test_a_name_that_is_no_text_has_a_row(tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    file.write_bytes(b"12")
    (row,) = write_rows([file], tmp_path / "out.parquet", SCHEMA, size, workers=1)
    assert row["path"].endswith("\\xff.png") and row["size"] == 2


def test_a_table_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(SystemExit, match="cannot write .*nowhere"):
        list(write_rows([tmp_path / "a"], Path("/proc/nowhere/o.parquet"), SCHEMA, size, 1))
    (tmp_path / "folder").mkdir()
    with pytest.raises(SystemExit, match="cannot write"):
        list(write_rows([tmp_path / "a"], tmp_path / "folder", SCHEMA, size, 1))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "folder"]
