from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fonts import catalog, specimen
from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import discover
from fonts.folders import fetched_folders, user_folders, usual_folders
from tests.tiny_font import CHINESE, write_font
from vae_corpus.demo import DemoInputs


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


def test_a_specimen_has_a_row_for_every_face(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_font(tmp_path / "a.ttf", family="One")
    write_font(tmp_path / "b.ttf", ASCII_PRINTABLE + CHINESE, family="Two")
    write_font(tmp_path / "c.ttf", "αβγδ", family="Greek")
    out = tmp_path / "sheet.png"
    assert catalog.main(["--fonts", str(tmp_path), "--specimen", str(out)]) == 0
    assert "specimen of 3 faces" in capsys.readouterr().out
    ink = 255 - np.array(Image.open(out)).astype(int)
    # Below a row that says the sizes.
    rows = [ink[52 + 40 * n : 92 + 40 * n] for n in range(3)]
    assert all(row.any() for row in rows)
    # The second shows Chinese too; the third only the letters that it has.
    assert rows[1].sum() > 1.4 * rows[0].sum() > 1.4 * rows[2].sum() > 0
    assert catalog.main(["--fonts", str(tmp_path), "--lang", "zh", "--specimen", "/no/x.png"]) == 1
    assert "/no/x.png" in capsys.readouterr().err


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one face"):
        specimen.sheet([])


def test_a_line_of_a_specimen_has_its_size(tmp_path: Path) -> None:
    write_font(tmp_path / "a.ttf", "x")
    (face,) = discover([tmp_path], cache=tmp_path / "cache")
    # The frame of the first letter reaches from -150 to 500 of 1000.
    rows = np.flatnonzero(specimen.line(face, "x", 20).any(axis=1))
    assert rows[0] == round(1.4 * 20) - 10
    assert len(rows) == 13


def test_a_user_and_fetched_packages_have_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert user_folders() == [] and fetched_folders() == []
    for folder in (tmp_path / "data" / "fonts", tmp_path / ".fonts"):
        folder.mkdir(parents=True)
    fetched = tmp_path / "cache" / "vae-corpus" / "debian" / "fonts-lato"
    fetched.mkdir(parents=True)
    assert user_folders() == [tmp_path / "data" / "fonts", tmp_path / ".fonts"]
    assert fetched_folders() == [fetched]
    assert set(user_folders() + fetched_folders()) <= set(usual_folders())


def test_a_missing_folder_fails_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert catalog.main(["--fonts", "/nowhere/at/all"]) == 1
    assert "/nowhere/at/all" in capsys.readouterr().err


def test_of_a_pan_cjk_collection_only_the_simplified_faces_write_chinese(demo: DemoInputs) -> None:
    from fonts.faces import writing

    noto = [folder for folder in demo.fonts if "noto-cjk" in str(folder)]
    families = {face.family for face in writing(discover(noto), "zh")}
    assert families
    assert all(" SC" in family for family in families)
