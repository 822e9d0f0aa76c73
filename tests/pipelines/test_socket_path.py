from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import build_corpus
from pipelines.workers.socket_path import check_socket_path
from vae_corpus import settings
from vae_corpus.settings import SettingsError

LONG = "/tmp/" + "x" * 60


def test_a_long_folder_is_refused_with_advice() -> None:
    with pytest.raises(SettingsError, match="65 bytes.*RAY_TMPDIR=/tmp.*--engine.workers 0"):
        check_socket_path({"TMPDIR": LONG})
    check_socket_path({"TMPDIR": LONG, "RAY_TMPDIR": "/tmp"})
    check_socket_path({"TMPDIR": "/tmp/short"})
    check_socket_path({})


def test_only_an_embedded_ray_minds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = f"[{{name: a, type: folder, uri: {tmp_path}/nowhere}}]"
    argv = ["--sources", sources, "--out", str(tmp_path / "c"), "--engine.workers"]
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", LONG)
    assert settings.run(build_corpus.main, [*argv, "1"]) == 2
    assert "bytes" in capsys.readouterr().err and not (tmp_path / "c").exists()
    assert settings.run(build_corpus.main, [*argv, "0"]) == 1
    assert "nowhere" in capsys.readouterr().err
