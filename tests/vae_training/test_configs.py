"""A new autoencoder is an entry in `model/configs`: nothing else has to know its name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.vae_training.runs import SMALLEST, run
from vae_corpus.settings import SettingsError, load
from vae_training.config import TrainSettings
from vae_training.model import Autoencoder, __main__, configs
from vae_training.state.export import export


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> str:
    small = dataclasses.replace(
        configs.CONFIGS["tiny"], f=8, widths=(1, 1, 2, 2), latent_channels=12, d_dec=4
    )
    monkeypatch.setitem(configs.CONFIGS, "f8c12", small)
    return "f8c12"


def test_a_configuration_added_to_the_table_trains_and_exports(
    corpus: Path, tmp_path: Path, added: str
) -> None:
    outcome = run(corpus, tmp_path / "run", steps=3, model=added)
    assert outcome.model is not None
    for folder in (outcome.model, export(tmp_path / "run", tmp_path / "out")):
        assert Autoencoder.from_pretrained(folder).config.latent_channels == 12


def test_settings_and_the_table_of_costs_know_it(
    added: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load(TrainSettings, ["--corpus", "c", "--model", added], description="")
    assert (settings.out, settings.batch_pixels) == ("runs/f8c12", configs.BATCH_PIXELS)
    assert __main__.main([added]) == 0
    assert "f8c12       8   12" in capsys.readouterr().out
    assert __main__.main(["f8"]) == 2
    assert "unknown model 'f8'; known are f16c64" in capsys.readouterr().err


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="model: unknown model 'f8'; known are f16c64, .*tiny"):
        load(TrainSettings, ["--corpus", "c", "--model", "f8"], description="")


def test_help_lists_every_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load(TrainSettings, ["--help"], description="")
    said = " ".join(capsys.readouterr().out.split())
    names = [name for name in configs.CONFIGS if name != SMALLEST]
    assert f"one of {', '.join(names)}" in said
