from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vae_training import tokenbench_inputs as inputs
from vae_training.tokenbench import build
from vae_training.tokenbench.__main__ import main
from vae_training.tokenbench.omnidocbench import KINDS
from vae_training.tokenbench.standard import EN


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> inputs.FakeEngine:
    fake = inputs.FakeEngine()
    monkeypatch.setattr(build, "make_engine", lambda *_, **__: fake)
    return fake


def omni(tmp_path: Path, code: int = 0) -> Path:
    out = tmp_path / "out"
    assert main(["--omnidocbench", str(tmp_path / "omni"), "--out", str(out)]) == code
    return out


def test_omnidocbench_is_cut_from_the_corner_of_a_block(
    tmp_path: Path, engine: inputs.FakeEngine
) -> None:
    entries = inputs.omnidocbench(tmp_path / "omni", pages=2)
    rows = inputs.index(omni(tmp_path))
    assert [row["source"] for row in rows] == ["p0.png", "p1.png"]
    for row, entry in zip(rows, entries, strict=True):
        assert [row["left"], row["top"]] == entry["layout_dets"][0]["poly"][:2]
        assert row["kind"] == "slides" and row["language"] == "en"
        # Helvetica of 10 pt at 3 px a point: capitals are 21.5 px high.
        assert EN.off(21.5 * row["scale"]) <= 0.15
        side = row["right"] - row["left"]
        assert side * row["scale"] == pytest.approx(256, rel=1e-4)
    assert all(rgb.shape == (256, 256, 3) for rgb in engine.seen)
    assert inputs.reasons(tmp_path / "out")["crop no_text_block"] == 4


def test_omnidocbench_keeps_what_is_read_with_enough_characters(
    tmp_path: Path, engine: inputs.FakeEngine
) -> None:
    inputs.omnidocbench(tmp_path / "omni")
    engine.characters = 299
    assert inputs.reasons(omni(tmp_path, code=1))["crop too_few_characters"] == 1


def test_images_that_are_missing_or_broken_are_reasons(
    tmp_path: Path, engine: inputs.FakeEngine
) -> None:
    inputs.omnidocbench(tmp_path / "omni", pages=3)
    images = tmp_path / "omni" / "images"
    (images / "p0.png").unlink()
    (images / "p1.png").write_bytes((images / "p1.png").read_bytes()[:500])
    out = omni(tmp_path)
    assert [row["source"] for row in inputs.index(out)] == ["p2.png"]
    assert inputs.reasons(out)["page missing_image"] == inputs.reasons(out)["page truncated"] == 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda entries: {"pages": entries}, "must hold a list of pages"),
        (lambda entries: entries[0].pop("page_info"), "has no field page_info"),
        (lambda entries: entries[0]["page_info"].pop("image_path"), "has no field image_path"),
        (lambda entries: entries[0]["page_info"].update(image_path="../x.png"), "leads out"),
        (lambda entries: entries[0]["layout_dets"][0].update(poly=[1, 2]), "poly must hold 8"),
        (lambda entries: entries[0]["layout_dets"][0].update(poly=[1] * 8), "has no area"),
        (lambda entries: entries[0].update(layout_dets="none"), "layout_dets must be a list"),
    ],
)
def test_another_format_is_told_by_page_and_field(
    tmp_path: Path,
    engine: inputs.FakeEngine,
    spoil: Callable[[Any], Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = inputs.omnidocbench(tmp_path / "omni")
    other = spoil(entries)
    inputs.annotate(tmp_path / "omni", other if "pages" in (other or {}) else entries)
    omni(tmp_path, code=2)
    assert said in capsys.readouterr().err


def test_garbage_for_annotations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs.omnidocbench(tmp_path / "omni")
    (tmp_path / "omni" / "OmniDocBench.json").write_bytes(b"\xff\xfe{]")
    omni(tmp_path, code=2)
    assert "is not JSON" in capsys.readouterr().err


def test_text_may_stand_in_the_parts_of_a_block(tmp_path: Path, engine: inputs.FakeEngine) -> None:
    entries = inputs.omnidocbench(tmp_path / "omni", pages=2)
    in_spans, merged = (entry["layout_dets"][0] for entry in entries)
    del in_spans["text"]
    words = merged.pop("text")
    halves = words[: len(words) // 2], words[len(words) // 2 :]
    merged["merge_list"] = [{"category_type": "text_block", "text": half} for half in halves]
    inputs.annotate(tmp_path / "omni", entries)
    assert len(inputs.index(omni(tmp_path))) == 2
    assert "crop no_text" not in inputs.reasons(tmp_path / "out")


def test_all_nine_kinds_have_the_names_of_the_report() -> None:
    assert sorted(KINDS.values()) == [
        *("academic paper", "book", "colour textbook", "exam paper", "financial report"),
        *("magazine", "newspaper", "note", "slides"),
    ]


def test_turned_and_ignored_blocks_are_left_out(tmp_path: Path, engine: inputs.FakeEngine) -> None:
    entries = inputs.omnidocbench(tmp_path / "omni", pages=2)
    entries[0]["layout_dets"][0]["attribute"]["text_rotate"] = "rotate90"
    entries[1]["layout_dets"][0]["ignore"] = True
    inputs.annotate(tmp_path / "omni", entries)
    found = inputs.reasons(omni(tmp_path, code=1))
    assert found["crop rotated_text"] == found["crop ignored"] == 1
    assert not engine.seen
