"""`--table`: published rows beside measured ones, and when one counts as reproduced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.vae_training.evaluation import PLAIN, photos, run
from vae_training.baselines.published import TABLE_2, TABLE_3
from vae_training.evaluation.comparison import markdown, measured, verdict


def results(name: str, model: str, count: int, px: int | None = 256, **figures: float) -> Any:
    metrics = {
        metric: {"mean": value, "pictures": count, "low": None, "high": None}
        for metric, value in figures.items()
    }
    return {"sets": {name: {"size_px": px, "models": {model: {"metrics": metrics}}}}}


def judged(said: str, found: Any) -> str:
    (name,) = found["sets"]
    (one,) = measured(found, {name: said} if said else {})
    return verdict(one)


def test_published_tables_stand_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--table", "--out", tmp_path / "none") == 0
    said = capsys.readouterr().out
    assert "Nothing is measured yet" in said and "arXiv 2605.13565" in said
    lines = [line for line in said.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 * 2 + len(TABLE_2) + len(TABLE_3)
    assert "| FLUX.2-dev (flux2) | f16c128 | 91.53 | 10.61 | 34.34 | 0.9358 | 40.36 |" in said
    assert "| FLUX.2-dev (flux2) | f16c128 | 0.9544 | 27.72 | 0.0216 | 0.73 | 0.9535 | -" in said


def test_measured_rows_stand_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--baselines", "jpeg-q10", "--photos", photos(tmp_path / "p"), "--size", "32")
    words += ("--out", tmp_path / "out", *PLAIN)
    assert run(*words, "--table", "--published_set", "photos=imagenet") == 0
    first = capsys.readouterr().out
    assert "photos, said to be ImageNet val: 3 pictures at 32 px" in first
    assert "not the set: ImageNet val has 50,000 pictures" in first
    assert run("--table", "--out", tmp_path / "out") == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("| jpeg-q10")]
    assert "photos: 3 pictures at 32 px | another set" in line and "reproduced" not in line


def test_a_row_is_reproduced_on_its_own_set_alone() -> None:
    close = {"psnr": 34.30, "ssim": 0.9362}
    assert judged("", results("photos", "flux2", 50_000, **close)) == "another set"
    assert (
        judged("imagenet", results("photos", "flux2", 50_000, **close)) == "reproduced: PSNR, SSIM"
    )
    assert "not the set" in judged("imagenet", results("photos", "flux2", 49_999, **close))
    assert "published at 256 px" in judged(
        "imagenet", results("photos", "flux2", 50_000, 512, **close)
    )
    assert judged("imagenet", results("photos", "mine", 50_000, **close)) == "not in Table 2"
    assert "not told" in judged("ffhq", results("photos", "flux2", 70_000, 1024, psnr=40.36))
    far = results("text", "wan2.1", 3042, None, psnr=21.0, ssim=0.8282, ned=0.1)
    assert judged("omnidoc-tokenbench", far) == "differs: PSNR +0.46"
    near = results("text", "wan2.1", 3042, None, psnr=20.56, ned=0.1)
    said = "reproduced: PSNR, if they are of 256 px"  # they kept their own sizes
    assert judged("omnidoc-tokenbench", near) == said
    only_ned = results("text", "wan2.1", 3042, None, ned=0.8021)
    assert judged("omnidoc-tokenbench", only_ned) == "nothing to compare"


def test_psnr_is_the_bounded_mean_of_all_pictures() -> None:
    found = results("photos", "identity", 1, psnr=99.0)
    found["sets"]["photos"]["models"]["identity"]["metrics"]["psnr"] |= {
        **{"mean": None, "mean_bounded": 80.0, "pictures": 0, "exact": 2},
    }
    (one,) = measured(found, {})
    assert one.figures == {"psnr": 80.0} and one.pictures == 2
    assert "80.00" in markdown(found, {})


def test_wrong_words_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--table", "--published_set", "photos=coco") == 2
    assert "write SET=NAME" in capsys.readouterr().err
    (tmp_path / "results.json").write_text("{")
    assert run("--table", "--out", tmp_path) == 2
    assert "cannot be read" in capsys.readouterr().err
