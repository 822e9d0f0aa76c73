from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from pipelines.stages import digests
from pipelines.stages.digests import Digests


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.txt", "a.txt", "sub/c.txt"):
        (folder / name).write_text(name)
    return folder


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def asked(out: Path, *paths: Path) -> list[str]:
    known = Digests(str(out))
    found = known.of([str(path) for path in paths])
    known.save()
    return found


def test_they_are_those_of_the_files_in_order(texts: Path, tmp_path: Path) -> None:
    expected = [digest(name) for name in ("a.txt", "b.txt", "sub/c.txt", "b.txt")]
    for _ in range(2):
        assert asked(tmp_path / "out", texts, texts / "b.txt") == expected
    assert Digests().of([str(texts), str(texts / "b.txt")]) == expected


def test_files_that_have_not_changed_are_not_read(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = asked(tmp_path / "out", texts)
    monkeypatch.setattr(digests, "file_digest", lambda path: 1 / 0)
    assert asked(tmp_path / "out", texts) == first


def test_a_change_is_seen_even_with_the_old_size_and_time(texts: Path, tmp_path: Path) -> None:
    asked(tmp_path / "out", texts)
    path = texts / "a.txt"
    before = path.stat()
    time.sleep(0.02)  # the clock of a disk may tick slowly
    path.write_text("A.txt")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert asked(tmp_path / "out", texts)[0] == digest("A.txt")


@pytest.mark.parametrize("held", ["", "{", "[]", '{"a": 3}', "null", '{"a": [1, 2]}'])
def test_a_damaged_memory_is_not_used(texts: Path, tmp_path: Path, held: str) -> None:
    first = asked(tmp_path / "out", texts)
    (tmp_path / "out" / digests.NAME).write_text(held)
    assert asked(tmp_path / "out", texts) == first


def test_files_that_are_not_asked_for_are_forgotten(texts: Path, tmp_path: Path) -> None:
    asked(tmp_path / "out", texts)
    asked(tmp_path / "out", texts / "b.txt")
    assert (tmp_path / "out" / digests.NAME).read_text().count(".txt") == 1
