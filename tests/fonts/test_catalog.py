from __future__ import annotations

from pathlib import Path

import pytest

from fonts import catalog
from pipelines.demo import DemoInputs
from tests.tiny_font import write_font


def test_it_lists_packages_faces_and_broken_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_font(tmp_path / "a.ttf", family="Little")
    (tmp_path / "b.ttf").write_bytes(b"no font")
    assert catalog.main(["--fonts", str(tmp_path), "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "fonts-noto-cjk" in out
    assert "Little Regular" in out
    assert "left out" in out and "b.ttf" in out


def test_a_missing_folder_fails_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalog.main(["--fonts", "/nowhere/at/all"]) == 1
    assert "/nowhere/at/all" in capsys.readouterr().err


def test_of_a_pan_cjk_collection_only_the_simplified_faces_write_chinese(demo: DemoInputs) -> None:
    from fonts.faces import discover, writing

    noto = [folder for folder in demo.fonts if "noto-cjk" in str(folder)]
    families = {face.family for face in writing(discover(noto), "zh")}
    assert families
    assert all(" SC" in family for family in families)
