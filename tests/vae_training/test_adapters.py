"""Classes that are evaluated, not trained: called as they call themselves, once opened again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vae_training.evaluation import PLAIN, photos, results, run
from vae_corpus.settings import SettingsError, load
from vae_training.config import TrainSettings
from vae_training.model import folder
from vae_training.model.adapters import ADAPTERS, TRAINED, adapter_of

import diffusers  # isort: skip

_LTX = {
    **{"latent_channels": 4, "patch_size": 2, "layers_per_block": (1, 1, 1)},
    **{"block_out_channels": (8, 8), "decoder_block_out_channels": (8, 8)},
    **{"decoder_layers_per_block": (1, 1, 1), "decoder_inject_noise": (False, False, False)},
}
_LTX_1 = {
    **_LTX,
    **{"down_block_types": ("LTXVideoDownBlock3D",) * 2, "downsample_type": ("conv", "conv")},
    **{"spatio_temporal_scaling": (True, False), "decoder_spatio_temporal_scaling": (True, False)},
    **{"upsample_residual": (False, False), "upsample_factor": (1, 1)},
}
_RAE = {
    **{"encoder_hidden_size": 64, "encoder_num_hidden_layers": 1, "patch_size": 16},
    **{"decoder_hidden_size": 16, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2},
    **{"decoder_intermediate_size": 16},
}
# Class, and a case of it -> f, and a configuration as small as can be.
CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "AutoencoderKLHunyuanVideo": (
        8,
        {
            **{"block_out_channels": (4, 4, 4, 4), "layers_per_block": 1, "norm_num_groups": 2},
            "latent_channels": 4,
        },
    ),
    "AutoencoderKLHunyuanVideo15": (
        16,
        {
            **{"block_out_channels": (8, 8, 8, 8, 8), "layers_per_block": 1, "latent_channels": 4},
        },
    ),
    "AutoencoderKLLTXVideo": (4, _LTX_1),
    "AutoencoderKLLTXVideo-timed": (4, {**_LTX_1, "timestep_conditioning": True}),
    "AutoencoderKLLTX2Video": (
        8,
        {
            **_LTX,
            **{"block_out_channels": (8, 16, 16), "layers_per_block": (1, 1, 1, 1)},
            "down_block_types": ("LTX2VideoDownBlock3D",) * 3,
            "downsample_type": ("spatial", "temporal", "spatiotemporal"),
            **{"spatio_temporal_scaling": (True, True, True), "decoder_causal": False},
            "decoder_spatio_temporal_scaling": (True, True),
            **{"upsample_residual": (True, True), "upsample_factor": (2, 2)},
            "upsample_type": ("spatiotemporal", "spatiotemporal"),
            "decoder_block_out_channels": (8, 16),
        },
    ),
    "AutoencoderRAE": (16, {**_RAE, "encoder_input_size": 56}),
    "AutoencoderRAE-scaled": (
        16,
        {
            **{**_RAE, "encoder_input_size": 28, "scaling_factor": 0.5},
            **{"latents_mean": [[[0.1]]] * 64, "latents_std": [[[2.0]]] * 64},
        },
    ),
}


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A folder with random weights for every case."""
    root = tmp_path_factory.mktemp("starts")
    torch.manual_seed(0)
    for case, (_, config) in CASES.items():
        getattr(diffusers, case.split("-")[0])(**config).save_pretrained(root / case)
    return {case: str(root / case) for case in CASES}


def test_every_class_that_is_only_evaluated_has_a_case() -> None:
    assert {case.split("-")[0] for case in CASES} == set(ADAPTERS) - set(TRAINED)


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_a_class_is_called_as_it_calls_itself(starts: dict[str, str], case: str) -> None:
    model = folder.load(starts[case]).eval()
    adapter, f = adapter_of(model), CASES[case][0]
    assert folder.f_of(starts[case]) == adapter.f(model.config) == f
    side = adapter.only_px(model.config)
    height, width = (side, side) if side else (64, 96)
    x = torch.rand(2, 3, height, width) * 2 - 1
    z = adapter.encode(model, x)
    channels = adapter.latent_channels(model.config)
    assert z.shape == (2, channels, height // f, width // f)
    mean, spread = adapter.posterior(model, x)
    assert torch.equal(mean, z) and (spread is None) == (case.split("-")[0] == "AutoencoderRAE")
    image = adapter.decode(model, z)
    assert image.shape == x.shape
    if spread is None:
        theirs = model.encode((x + 1) / 2).latent
        assert torch.equal(z, theirs)
        assert torch.allclose((image + 1) / 2, model.decode(theirs).sample, atol=1e-6)
        return
    time = (torch.zeros(2),) if case.endswith("timed") else ()
    seen = x[:, :, None].split(1 if case.endswith("15") else 2)  # one at a time in that class
    theirs = [model.encode(some).latent_dist.mode() for some in seen]
    assert torch.equal(z, torch.cat(theirs)[:, :, 0])
    shown = [model.decode(some, *time).sample for some in theirs]
    assert torch.equal(image, torch.cat(shown)[:, :, 0])


def test_noise_of_a_decoder_is_refused(tmp_path: Path) -> None:
    config = {**_LTX_1, "decoder_inject_noise": (True, False, False)}
    diffusers.AutoencoderKLLTXVideo(**config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="draws noise as it decodes"):
        folder.load(tmp_path)


def test_training_says_why_a_class_is_only_evaluated(starts: dict[str, str]) -> None:
    words = ["--corpus", "none", "--init", starts["AutoencoderKLHunyuanVideo"]]
    with pytest.raises(SettingsError, match="for evaluation only: to its kernels .* give one of"):
        load(TrainSettings, words, description="")


def test_one_size_alone_is_told(
    starts: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--model", starts["AutoencoderRAE"], "--photos", photos(tmp_path / "p", 2))
    words += ("--out", tmp_path / "out", *PLAIN)
    assert run(*words, "--size", "128") == 2
    assert "takes pictures of 64 x 64 px alone" in capsys.readouterr().err
    assert run(*words, "--size", "64") == 0
    entry = results(tmp_path / "out")["sets"]["photos"]["models"]["AutoencoderRAE"]
    assert entry["measured"] == 2 and entry["settings"]["f"] == 16
