from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from renderers import synth_text
from tests.pictures import scene
from tests.tiny_font import write_font

PROSE = "It was a bright cold day in April, and the clocks were striking thirteen.\n\n"


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("fonts", "photos"):
        (tmp_path / name).mkdir()
    write_font(tmp_path / "fonts" / "a.ttf")
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), scene(300, 280))
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (tmp_path / "text.txt").write_text(PROSE * 3, encoding="utf-8")
    return [
        *("--lang", "en", "--canvas", "256", "--count", "2", "--seed", "7"),
        *("--fonts", str(tmp_path / "fonts")),
        *("--backgrounds", str(tmp_path / "photos"), "--texts", str(tmp_path / "text.txt")),
    ]


def test_pages_labels_preview_and_replay(inputs: list[str], tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert synth_text.main([*inputs, "--out", str(tmp_path / folder), "--preview"]) == 0
    names = ["en-000000.json", "en-000000.png", "en-000001.json", "en-000001.png", "preview.png"]
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    label = json.loads((tmp_path / "one" / "en-000001.json").read_text(encoding="utf-8"))
    assert {"lines", "layout", "language", "recipe", "seed"} <= set(label)
    again = ["--replay", str(tmp_path / "one" / "en-000001.json"), "--out", str(tmp_path / "again")]
    assert synth_text.main([*again, "--fonts", str(tmp_path / "fonts")]) == 0
    for name in names[2:4]:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


@pytest.mark.parametrize("ext", ["png", "webp"])
def test_lossless_formats_keep_every_pixel(ext: str) -> None:
    from renderers.output import encode

    rgb = scene(64, 48)
    back = cv2.imdecode(np.frombuffer(encode(rgb, ext), np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert np.array_equal(back[:, :, ::-1], rgb)


def test_faults_are_told_in_words(
    inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    assert synth_text.main([*inputs, *out, "--canvas", "512"]) == 1
    assert "none of 2 pictures is 512x512 px or larger" in capsys.readouterr().err
    assert synth_text.main([*inputs, *out, "--size", "20-5"]) == 2
    assert "LOW-HIGH" in capsys.readouterr().err
    (tmp_path / "text.txt").write_text("", encoding="utf-8")
    assert synth_text.main([*inputs, *out]) == 1
    assert "no en prose" in capsys.readouterr().err
    (tmp_path / "fonts" / "a.ttf").write_bytes(b"no font")
    (tmp_path / "text.txt").write_text(PROSE, encoding="utf-8")
    assert synth_text.main([*inputs, *out]) == 1
    assert "at least one face" in capsys.readouterr().err
