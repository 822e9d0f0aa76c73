"""The model card says what a run knows, and that other things are not known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.vae_training.runs import run, stop_after
from vae_training.model import Autoencoder
from vae_training.state.export import export
from vae_training.trainer import Outcome


def card(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_the_card_of_a_run_names_its_figures(whole: tuple[Path, Outcome]) -> None:
    out, outcome = whole
    assert outcome.report is not None
    said = card(out / "model")
    for kind, psnr in outcome.report.psnr().items():
        counted = len(outcome.report.pairs[kind])
        skip = outcome.report.skip_psnr()[kind]
        assert f"| {kind} | {counted} | {psnr:.2f} | {skip:.2f} |" in said
    assert said.startswith("---\nlibrary_name: diffusers\n") and "license:" not in said
    encoder = Autoencoder.from_pretrained(out / "model").encoder
    weights = sum(weight.numel() for weight in encoder.parameters())
    assert f"| encoder | {weights:,} parameters |" in said
    assert json.loads((out / "data.json").read_text())["corpus_digest"] in said
    assert "| general | 2 | 2 | 64 | 256 x 1 | general x 1 | L1 |" in said
    assert "after 6 steps" in said and "not finished" not in said
    assert "| `lr` | 0.0005 |" in said
    assert "those of each channel, over 8 crops of\nthe images of the last phase:" in said
    assert "sources are not known here" in said, "this corpus has no corpus.json"


def test_samples_seen_are_those_of_the_steps(whole: tuple[Path, Outcome]) -> None:
    lines = [line.split(" | ") for line in card(whole[0] / "model").splitlines()]
    cells = [line for line in lines if len(line) == 5 and line[1] in ("256", "512")]
    assert {(line[0], line[2]) for line in cells} >= {("| general", "16"), ("| text_synth", "12")}
    (checkpoint,) = (whole[0] / "checkpoints").glob("step-00000006")
    counters = json.loads((checkpoint / "info.json").read_text())["state"]["counters"]
    assert sum(int(line[4].strip(" |")) for line in cells) == sum(counters) > 0


def test_an_export_has_the_card_of_the_run(whole: tuple[Path, Outcome], tmp_path: Path) -> None:
    assert card(export(whole[0], tmp_path / "out")) == card(whole[0] / "model")
    raw = card(export(whole[0], tmp_path / "raw", raw=True))
    assert "Not measured" in raw and "weights of the last step" in raw


def test_a_run_that_has_not_finished_says_so(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome]
) -> None:
    run(corpus, tmp_path / "run", stop_after(2))
    said = card(export(tmp_path / "run", tmp_path / "out"))
    assert "**Training has not finished**" in said and "after 2 of 6 steps" in said
    assert "Statistics of the latents are not known" in said and "Not measured" in said
    assert "| large | 0 | 2 |" in said


def test_sources_are_named_as_the_corpus_names_them_and_nothing_else_of_their_paths(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "corpus"
    shutil.copytree(corpus, copied)
    sources = [{"name": "photos", "type": "folder", "uri": "/home/someone/holiday", "more": 1}]
    settings = {"sources": sources, "synth": {"texts": {"en": ["/home/someone/poems.txt"]}}}
    (copied / "corpus.json").write_text(json.dumps({"settings": settings}))
    run(copied, tmp_path / "run", stop_after(1), dino=None, steps=3)
    said = card(export(tmp_path / "run", tmp_path / "out"))
    assert "- photos: folder `holiday`\n- texts, en: poems.txt" in said
    assert "someone" not in said and "does not record the licences" in said


def test_losses_are_those_that_were_on(corpus: Path, tmp_path: Path, dino: str) -> None:
    run(corpus, tmp_path / "run", stop_after(1), dino=dino, align_weight="adaptive")
    said = card(export(tmp_path / "run", tmp_path / "out"))
    assert "L1, alignment to DINOv2 x 0.5, adaptive |" in said and "LPIPS" not in said


def test_a_checkpoint_alone_has_a_card_of_the_model(
    whole: tuple[Path, Outcome], tmp_path: Path
) -> None:
    shutil.copytree(whole[0] / "checkpoints", tmp_path / "run" / "checkpoints")
    said = card(export(tmp_path / "run", tmp_path / "out"))
    assert "Not recorded in the folder of the run" in said and "after 6 steps" in said
