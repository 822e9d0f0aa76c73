"""docs/reproduce.md: its figures are the published ones, and its commands are taken."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.test_imports import ROOT
from tests.vae_training.conftest import picture
from vae_corpus.settings import load
from vae_training.baselines.catalogue import CATALOGUE
from vae_training.baselines.find import command
from vae_training.baselines.published import TABLE_2, TABLE_3
from vae_training.baselines.weight_free import BASELINES
from vae_training.evaluation.comparison import TOLERANCE
from vae_training.evaluation.config import EvaluateSettings
from vae_training.metrics.similarity import psnr, unit

TEXT = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| .* \| `([\w.-]+)` \| ([\d./ ]+) \| ([\d./ ]+) \|$", TEXT, re.M)
COMMANDS = re.findall(r"^(?:hf|python) (?:.*\\\n)*.*$", TEXT, re.M)


@pytest.mark.parametrize(("name", "general", "text"), ROWS)
def test_a_row_is_as_published(name: str, general: str, text: str) -> None:
    two, three = TABLE_2[name], TABLE_3[name]
    assert [float(x) for x in general.split("/")] == [two.imagenet_psnr, two.imagenet_ssim]
    found = [float(x) for x in text.split("/")]
    assert found == [three.psnr, three.ssim, three.lpips, three.fid]


def test_downloads_are_those_of_the_catalogue() -> None:
    downloads = {x for x in COMMANDS if x.startswith("hf ") and "dataset" not in x}
    assert downloads == {command(CATALOGUE[name], Path("weights")) for name, *_ in ROWS}
    assert len(ROWS) == 6


def test_commands_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("tokenbench/data", "imagenet/val"):
        Path(folder).mkdir(parents=True)
    runs = [shlex.split(x.replace("\\\n", " ")) for x in COMMANDS if x.startswith("python ")]
    assert len(runs) == 2
    for words in runs:
        settings = load(EvaluateSettings, words[2:], description="")
        assert settings.table and list(settings.baselines) == [name for name, *_ in ROWS]


def test_tolerances_are_those_of_the_table() -> None:
    told = dict(re.findall(r"^\| (PSNR|SSIM|LPIPS|FID) \| ([\d.]+)", TEXT, re.M))
    assert {name.lower(): float(value) for name, value in told.items()} == TOLERANCE


def test_the_filter_of_a_resize_is_more_than_the_tolerance() -> None:
    large = Image.fromarray(picture(640, 640, "filter"))

    def reconstructed(way: Image.Resampling) -> float:
        rgb = np.array(large.resize((256, 256), way))
        return psnr(unit(BASELINES["jpeg-q10"].reconstruct(rgb)), unit(rgb))

    found = [reconstructed(way) for way in (Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)]
    assert abs(found[0] - found[1]) > TOLERANCE["psnr"]
