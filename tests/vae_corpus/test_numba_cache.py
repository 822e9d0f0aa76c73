from __future__ import annotations

import os
from pathlib import Path

import numba
import pytest

from vae_corpus import numba_cache


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, while numba finds no place of its own."""
    monkeypatch.setattr(numba_cache, "_numba_finds_a_place", lambda file: False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    return tmp_path


@pytest.fixture
def ours(tmp: Path) -> Path:
    return tmp / f"vae-corpus-numba-{os.getuid()}"


PACKAGE = Path(numba_cache.__file__).parent


def test_a_private_folder_is_made_once_and_used_again(ours: Path) -> None:
    for _ in range(2):
        assert numba_cache.ready(PACKAGE)
        assert str(ours) == numba.config.CACHE_DIR
    assert ours.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_is_not_used(ours: Path) -> None:
    ours.mkdir()
    ours.chmod(0o770)
    assert not numba_cache.ready(PACKAGE) and not numba.config.CACHE_DIR


def test_a_link_is_not_followed(ours: Path, tmp: Path) -> None:
    (tmp / "theirs").mkdir(mode=0o700)
    ours.symlink_to(tmp / "theirs")
    assert not numba_cache.ready(PACKAGE) and not numba.config.CACHE_DIR


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_not_used(ours: Path) -> None:
    ours.mkdir(mode=0o700)
    os.chown(ours, 65534, 65534)
    assert not numba_cache.ready(PACKAGE) and not numba.config.CACHE_DIR


def test_a_folder_that_others_could_exchange_is_not_used(ours: Path, tmp: Path) -> None:
    tmp.chmod(0o777)
    assert not numba_cache.ready(PACKAGE)
    tmp.chmod(0o1777)
    assert numba_cache.ready(PACKAGE)


def test_where_numba_finds_a_place_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "unused"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "by the user"))
    assert numba_cache.ready(PACKAGE)
    assert str(tmp_path / "by the user") == numba.config.CACHE_DIR
