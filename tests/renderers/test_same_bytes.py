"""The same seed gives the same bytes: again, with more processes, and from the label alone."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import cv2
import pytest

from renderers import synth_text
from renderers.layout import LAYOUTS
from tests.pictures import scene
from vae_corpus.demo import DemoInputs

ENGLISH = "The rain had stopped by noon, and the roofs of the old mill were steaming.\n\n"
CHINESE = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。春眠不觉晓，处处闻啼鸟。\n\n"


@pytest.fixture
def given(demo: DemoInputs, tmp_path: Path) -> list[str]:
    """One face for both languages and both directions, a background and two texts."""
    (font,) = (p for f in demo.fonts for p in f.rglob("NotoSansCJK-Regular.ttc"))
    cv2.imwrite(str(tmp_path / "a.png"), scene(300, 280))
    (tmp_path / "text.txt").write_text(3 * ENGLISH + 3 * CHINESE, encoding="utf-8")
    return [
        *("--canvas", "256", "--seed", "11", "--format", "jpg", "--size", "5-20"),
        *("--fonts", str(font), "--backgrounds", str(tmp_path / "a.png")),
        *("--texts", str(tmp_path / "text.txt")),
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_replays_from_its_label(given: list[str], layout: str, tmp_path: Path) -> None:
    language = LAYOUTS[layout].languages[-1]
    made, again = tmp_path / "made", tmp_path / "again"
    wanted = ["--lang", language, "--layout", layout, "--count", "2", "--out", str(made)]
    assert synth_text.main([*given, *wanted]) == 0
    for label in sorted(made.glob("*.json")):
        assert json.loads(label.read_text(encoding="utf-8"))["layout"] == layout
        assert synth_text.main([*given, "--replay", str(label), "--out", str(again)]) == 0
        for path in (label, label.with_suffix(".jpg")):
            assert (again / path.name).read_bytes() == path.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "mixed"])
def test_two_processes_write_what_one_writes(
    given: list[str], language: str, tmp_path: Path
) -> None:
    fitting = [name for name, layout in LAYOUTS.items() if language in layout.languages]
    wanted = ["--lang", language, "--layout", *fitting, "--count", "36"]
    for workers in ("1", "2"):
        out = str(tmp_path / f"{workers}.tar")
        assert synth_text.main([*given, *wanted, "--workers", workers, "--out", out]) == 0
    one = (tmp_path / "1.tar").read_bytes()
    assert one == (tmp_path / "2.tar").read_bytes()
    with tarfile.open(tmp_path / "1.tar") as tar:
        labels = [tar.extractfile(m) for m in tar.getmembers() if m.name.endswith(".json")]
        shown = {json.load(label)["layout"] for label in labels if label}
    assert len(shown) >= len(fitting) - 2
