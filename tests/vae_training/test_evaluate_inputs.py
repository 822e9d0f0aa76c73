"""Inputs that cannot be measured: an error or a row that names them, and the others go on."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.test_imports import ROOT
from tests.vae_training.conftest import picture
from tests.vae_training.evaluation import PLAIN, photos, results, rows, run, save, vgg_weights
from tests.vae_training.test_init import CASES
from vae_training.model import build

import diffusers  # isort: skip


def refused(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    """What the command says of settings that it does not take."""
    assert run(*argv) == 2
    return capsys.readouterr().err


def test_settings_that_do_not_fit_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photos(tmp_path / "photos", 1)
    out = ("--out", tmp_path / "out")
    cases: list[tuple[tuple[str | Path, ...], str]] = [
        ((), "nothing to measure: give --model with --photos or --text"),
        (("--model", "identity"), "give --photos DIR or --text DIR"),
        (("--photos", folder), "give --model, a folder or one of identity"),
        (("--reference", folder), "--reference and --reconstruction go together"),
        (("--model", "identity", "--photos", tmp_path / "no"), "there is no folder"),
        (("--model", "identty", "--photos", folder), "there is no folder identty, and it is none"),
        (("--model", folder, "--photos", folder), "there is no .*config.json: give a folder"),
        (("--model", "identity", f"identity={folder}", "--photos", folder), "both called identity"),
        (("--model", f"reference={folder}", "--photos", folder), "cannot name a folder of results"),
        (("--model", "identity", "--photos", folder, "--metrics", "psnr,sim"), "metrics"),
        (("--model", "identity", "--photos", folder, "--metrics", ","), "name one or more of psnr"),
    ]
    for words, said in cases:
        assert re.search(said, refused(capsys, *words, *out)), (words, said)
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_model_says_how_to_export_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    said = refused(
        capsys, "--model", tmp_path / "run", "--photos", photos(tmp_path / "p", 1), *PLAIN
    )
    assert "has no model yet" in said and "vae_training.state.export" in said


def test_a_class_without_a_posterior_has_no_samples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    diffusers.AutoencoderDC(**CASES["AutoencoderDC"]).save_pretrained(tmp_path / "dc")
    words = ("--model", tmp_path / "dc", "--photos", photos(tmp_path / "p", 1), "--size", "32")
    words += ("--out", tmp_path / "out", *PLAIN)
    assert "has no posterior to sample: --mode mode" in refused(capsys, *words, "--mode", "sample")
    assert run(*words) == 0


def test_folders_without_pictures_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("no picture")
    words = ("--model", "identity", "--out", tmp_path / "out", *PLAIN)
    said = refused(capsys, *words, "--photos", tmp_path / "none")
    assert "no pictures in" in said and "1 other files" in said
    (tmp_path / "none" / "bad.png").write_bytes(b"no picture")
    said = refused(capsys, *words, "--photos", tmp_path / "none")
    assert "none of the 1 pictures" in said and "bad.png" in said


def test_missing_weights_leave_one_metric_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ("--model", "blur-2x", "--photos", photos(tmp_path / "p"), "--out", out)
    words += ("--size", "32", "--metrics", "psnr,lpips,fid,ned")
    assert run(*words, "--lpips_weights", tmp_path / "no.pth") == 0
    found = results(out)
    assert set(found["left_out"]) == {"lpips", "fid", "ned"}
    assert "no.pth" in found["left_out"]["lpips"] and "vgg16" in found["left_out"]["lpips"]
    assert (
        "pt_inception" in found["left_out"]["fid"] and "--fid_weights" in found["left_out"]["fid"]
    )
    assert set(found["sets"]["photos"]["models"]["blur-2x"]["metrics"]) == {"psnr"}
    assert set(found["conventions"]) == {"psnr"}
    told = capsys.readouterr().out
    assert "lpips was left out" in told
    assert "- fid was left out" in (out / "table.md").read_text(encoding="utf-8")
    # Weights of something else, and damaged ones.
    wrong = vgg_weights(tmp_path / "vgg.pth")
    (tmp_path / "cut.pth").write_bytes(wrong.read_bytes()[:1000])
    assert run(*words, "--lpips_weights", tmp_path / "cut.pth", "--fid_weights", wrong) == 0
    found = results(out)
    assert "cut.pth" in found["left_out"]["lpips"]
    assert "does not hold the weights of FID" in found["left_out"]["fid"]


def test_pairs_that_do_not_match_are_rows(tmp_path: Path) -> None:
    rgb = picture(40, 30, "row")
    a = save(tmp_path / "a", good=rgb, alone=rgb, larger=rgb, cut=rgb, twice=rgb, dark=rgb)
    b = save(tmp_path / "b", good=rgb // 2, single=rgb, larger=picture(41, 30, "x"), twice=rgb)
    Image.fromarray(rgb).save(b / "twice.jpg")
    data = (a / "cut.png").read_bytes()
    (b / "cut.png").write_bytes(data[: len(data) // 2])
    (b / "dark.png").write_bytes(b"")
    (a / "notes.txt").write_text("passed over")
    out = tmp_path / "out"
    assert run("--reference", a, "--reconstruction", b, "--out", out, *PLAIN) == 0
    found = {name: row for (_, _, name), row in rows(out).items()}
    assert {name: row["slug"] for name, row in found.items()} == {
        "alone": "no_reconstruction",
        "cut": "truncated",
        "dark": "empty",
        "good": "",
        "larger": "unequal_sizes",
        "single": "no_reference",
        "twice": "ambiguous_name",
    }
    assert "40 x 30 px and 41 x 30 px" in found["larger"]["why"]
    assert str(b / "cut.png") in found["cut"]["why"] and found["cut"]["psnr"] is None
    entry = results(out)["sets"]["pairs"]["models"]["b"]
    assert (entry["pictures"], entry["measured"]) == (7, 1)
    assert entry["slugs"] == {
        name: 1 for name in sorted(row["slug"] for row in found.values() if row["slug"])
    }
    assert entry["metrics"]["psnr"]["mean"] == pytest.approx(found["good"]["psnr"])


def test_nothing_matched_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = save(tmp_path / "a", one=picture(40, 30))
    b = save(tmp_path / "b", other=picture(40, 30))
    said = refused(
        capsys, "--reference", a, "--reconstruction", b, "--out", tmp_path / "out", *PLAIN
    )
    assert (
        "no picture of" in said
        and "one" in said
        and "other" in said
        and "same relative path" in said
    )


def test_grey_and_alpha_are_measured_and_noted(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    rgb = picture(48, 40, "alpha")
    image = Image.fromarray(rgb)
    image.convert("L").save(folder / "grey.png")
    image.putalpha(Image.new("L", image.size, 0))
    image.save(folder / "clear.png")
    out = tmp_path / "out"
    words = ("--model", "identity", "--photos", folder, "--size", "none", "--out", out, *PLAIN)
    assert run(*words) == 0
    found = rows(out)
    assert found["photos", "identity", "grey"]["note"] == "grey"
    assert found["photos", "identity", "clear"]["note"] == "alpha on white"
    with Image.open(out / "identity" / "photos" / "clear.png") as made:
        assert (np.asarray(made) == 255).all()
    with Image.open(out / "identity" / "photos" / "grey.png") as made:
        assert made.mode == "RGB"


def test_pictures_that_cannot_be_read_are_rows(tmp_path: Path) -> None:
    folder, out = photos(tmp_path / "photos", 2), tmp_path / "out"
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    data = (folder / "p0.png").read_bytes()
    (folder / "half.png").write_bytes(data[: len(data) // 2])
    Image.fromarray(picture(40, 30)).save(folder / "p1.jpg")  # beside p1.png
    assert run("--model", "identity", "--photos", folder, "--out", out, *PLAIN) == 0
    found = {name: row["slug"] for (_, _, name), row in rows(out).items()}
    assert found == {"gone": "unreadable", "half": "truncated", "p0": "", "p1": "ambiguous_name"}
    assert all(row["why"] for row in rows(out).values() if row["slug"])


def test_values_that_are_no_numbers_are_rows(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build("tiny")
    with torch.no_grad():
        model.decoder.conv_out.bias.fill_(torch.nan)
    model.save_pretrained(tmp_path / "broken")
    out = tmp_path / "out"
    words: tuple[Any, ...] = ("--model", tmp_path / "broken", "--photos", photos(tmp_path / "p", 2))
    words += ("--size", "32", "--out", out, *PLAIN)
    for _ in range(2):  # a rerun knows it too
        assert run(*words) == 0
        assert results(out)["sets"]["photos"]["models"]["broken"]["slugs"] == {"non_finite": 2}


def test_files_of_others_are_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    mine = save(out / "identity" / "photos", mine=picture(40, 30))
    words = ("--model", "identity", "--photos", photos(tmp_path / "p", 1), "--out", out, *PLAIN)
    assert "choose another --out" in refused(capsys, *words)
    assert [path.name for path in mine.iterdir()] == ["mine.png"]


@pytest.mark.parametrize("way", [["vae_training/evaluate.py"], ["-m", "vae_training.evaluate"]])
def test_it_runs_as_a_file_and_as_a_module(way: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *way, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--reconstruction" in done.stdout and "jpeg-q10" in done.stdout
