"""The catalogue of others' models, and `--baselines`, which finds them in a folder of downloads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vae_training.evaluation import PLAIN, photos, results, run
from tests.vae_training.test_init import CASES
from vae_training.baselines.catalogue import CATALOGUE, Known
from vae_training.baselines.find import command
from vae_training.baselines.published import TABLE_2, TABLE_3
from vae_training.model.adapters import ADAPTERS

import diffusers  # isort: skip

# Those whose class has the published configuration as its defaults.
_DEFAULTS = ("hunyuan-video", "hunyuan-video-1.5", "wan2.1", "qwen-image", "qwen-image-2.1")
_DEFAULTS += ("ltx-video", "ltx-2")


def test_the_tables_are_those_of_the_catalogue() -> None:
    assert set(TABLE_2) == set(TABLE_3) and len(TABLE_2) == 23
    for rows in (TABLE_2, TABLE_3):
        for name, row in rows.items():
            assert row.name == name and row.setting == CATALOGUE[name].setting
            for column, value in vars(row).items():
                low, high = (0, 1) if column.endswith(("ssim", "ned", "lpips")) else (0, 150)
                assert isinstance(value, str | None) or low < value < high, (name, column)
    assert TABLE_2["flux2"].imagenet_psnr == 34.34 and TABLE_3["flux2"].ned == 0.9535
    assert TABLE_2["rae-siglip2-b"].ffhq_ssim is None


@pytest.mark.parametrize("known", CATALOGUE.values(), ids=lambda known: known.name)
def test_an_entry_says_how_it_is_had(known: Known) -> None:
    assert re.fullmatch(r"f\d+c\d+", known.setting)
    assert bool(known.loader) != bool(known.why_not)
    if known.loader:
        assert known.loader in ADAPTERS and hasattr(diffusers, known.loader)
        assert re.fullmatch(r"[\w-]+/[\w.-]+", known.repo)


@pytest.mark.parametrize("name", _DEFAULTS)
@torch.no_grad()
def test_the_published_size_has_the_setting_of_the_catalogue(name: str) -> None:
    known = CATALOGUE[name]
    adapter = ADAPTERS[known.loader]
    with torch.device("meta"):
        model, x = getattr(diffusers, known.loader)(), torch.empty(1, 3, 256, 256)
    f, channels = adapter.f(model.config), adapter.latent_channels(model.config)
    assert f"f{f}c{channels}" == known.setting
    z = adapter.encode(model, x)
    assert z.shape == (1, channels, 256 // f, 256 // f)
    assert adapter.decode(model, z)[:, :3].shape == x.shape


def test_a_note_goes_with_what_fails(
    tmp_path: Path, words: tuple[str | Path, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "w" / "rae-dinov2-b"
    config = {"_class_name": "AutoencoderRAE", "encoder_hidden_size": 768, "patch_size": 16}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    said = refused(capsys, "--baselines", "rae-dinov2-b", *words)
    assert "cannot read the AutoencoderRAE" in said and "256 px alone" in said


def refused(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    assert run(*argv) == 2
    return capsys.readouterr().err


@pytest.fixture
def words(tmp_path: Path) -> tuple[str | Path, ...]:
    """A command without its baselines."""
    out = ("--out", tmp_path / "out", "--size", "32", *PLAIN)
    return ("--baseline_folder", tmp_path / "w", "--photos", photos(tmp_path / "p", 1), *out)


def save(folder: Path, loader: str, **config: Any) -> None:
    torch.manual_seed(0)
    getattr(diffusers, loader)(**{**CASES[loader], **config}).save_pretrained(folder)


def test_models_are_found_as_they_were_downloaded(
    tmp_path: Path, words: tuple[str | Path, ...]
) -> None:
    wide = {"block_out_channels": [4] * 4, "latent_channels": 16}
    blocks = {f"{way}_block_types": [f"{way.title()}{half}Block2D"] * 4 for way, half in _HALVES}
    save(tmp_path / "w" / "flux1" / "vae", "AutoencoderKL", **wide, **blocks)
    (tmp_path / "w" / "flux1" / "model_index.json").write_text("{}")
    save(tmp_path / "w" / "qwen-image", "AutoencoderKLQwenImage", **_EIGHT)
    assert run("--baselines", "flux1,jpeg-q10", "qwen-image", *words) == 0
    models = results(tmp_path / "out")["sets"]["photos"]["models"]
    assert list(models) == ["flux1", "jpeg-q10", "qwen-image"]
    assert models["qwen-image"]["settings"]["class"] == "AutoencoderKLQwenImage"


_HALVES = (("down", "Encoder"), ("up", "Decoder"))
_EIGHT = {
    **{"dim_mult": [1, 1, 1, 1], "temperal_downsample": [False, True, True], "z_dim": 16},
    **{"latents_mean": [0.0] * 16, "latents_std": [1.0] * 16},
}


def test_what_is_missing_or_another_is_told(
    tmp_path: Path, words: tuple[str | Path, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, "--baselines", "wan2.2", *words)
    root = tmp_path / "w"
    assert f"wan2.2 is not in {root / 'wan2.2'}, and nothing is downloaded here" in said
    expected = 'hf download Wan-AI/Wan2.2-TI2V-5B-Diffusers --include "vae/*" --local-dir '
    assert expected + str(root / "wan2.2") in said
    assert "--include" not in command(CATALOGUE["dc-ae"], root)
    save(root / "wan2.2" / "vae", "AutoencoderKLWan")
    said = refused(capsys, "--baselines", "wan2.2", *words)
    assert "holds an autoencoder of f4c4, and wan2.2 has f16c48" in said
    save(root / "flux2", "AutoencoderKL")
    said = refused(capsys, "--baselines", "flux2", *words)
    assert "an AutoencoderKL, and flux2 is an AutoencoderKLFlux2" in said
    said = refused(capsys, "--baselines", "vavae", *words)
    assert "latent-diffusion code" in said and "--reference DIR --reconstruction DIR" in said
    assert "did you mean flux2?" in refused(capsys, "--baselines", "fluks2", *words)
    said = refused(capsys, "--baselines", "flux2", *words[2:])
    assert "give --baseline_folder DIR, where DIR/flux2 holds it" in said
    (root / "flux2" / "config.json").write_text(json.dumps({"a": 1}))
    assert "names no class" in refused(capsys, "--baselines", "flux2", *words)
    assert not (tmp_path / "out").exists()
