from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from filters.clarity.__main__ import main
from tests.pictures import jpeg, scene


def test_every_file_becomes_a_row(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    (folder / "a.jpg").write_bytes(jpeg(scene(200, 160)))
    (folder / "b.jpg").write_bytes(b"no picture")
    single = tmp_path / "c.jpg"
    single.write_bytes(jpeg(scene(100, 90, 1)))
    out, sheet = tmp_path / "scores.parquet", tmp_path / "sheet.png"
    argv = [str(tmp_path / "in"), str(single), "--out", str(out), "--sheet", str(sheet)]
    assert main(argv) == 0
    rows = pq.read_table(out).to_pylist()
    assert [Path(row["path"]).name for row in rows] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [row["slug"] for row in rows] == [None, "not_an_image", None]
    assert (rows[0]["width"], rows[0]["height"]) == (200, 160)
    assert rows[1]["clarity"] is None
    for row in (rows[0], rows[2]):
        assert all(0 <= row[n] <= 1 for n in ("clarity", "blur", "compression", "noise"))
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nowhere"):
        main([str(tmp_path / "nowhere"), "--out", str(tmp_path / "s.parquet")])
    with pytest.raises(SystemExit, match="no file"):
        main([str(tmp_path), "--out", str(tmp_path / "s.parquet")])
    assert not list(tmp_path.iterdir())


def test_scores_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    for seed in range(6):
        (tmp_path / f"{seed}.jpg").write_bytes(jpeg(scene(200, 160, seed)))
    tables = []
    for workers in ("1", "3"):
        out = tmp_path / f"{workers}.parquet"
        argv = [*map(str, sorted(tmp_path.glob("*.jpg"))), "--out", str(out), "--workers", workers]
        assert main(argv) == 0
        tables.append(pq.read_table(out))
    assert tables[0].equals(tables[1])
