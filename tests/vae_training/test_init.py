"""`--init`: autoencoders of diffusers go on learning, and stay what they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.vae_training.runs import SMALLEST, command, losses, rows, run, settings_of, stop_after
from vae_corpus.curriculum import LossWeights
from vae_corpus.settings import load
from vae_training import train
from vae_training.assemble import build_model
from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data
from vae_training.losses.objective import Objective
from vae_training.model import Autoencoder, build, folder
from vae_training.model.adapters import OURS, TRAINED, adapter_of
from vae_training.model.freeze import freeze
from vae_training.state.checkpoint import CheckpointError
from vae_training.state.export import export
from vae_training.state.statistics import write_statistics
from vae_training.watch.speed import training_flops_per_px

import diffusers  # isort: skip

_KL = {
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "block_out_channels": [4, 4],
    "norm_num_groups": 2,
    "mid_block_add_attention": False,
}
_FRAMES = {
    "base_dim": 4,
    "z_dim": 4,
    "dim_mult": [1, 1, 1],
    "num_res_blocks": 1,
    "temperal_downsample": [False, True],
    "latents_mean": [0.0] * 4,
    "latents_std": [1.0] * 4,
}
_RESIDUAL = {**_FRAMES, "decoder_base_dim": 4, "is_residual": True, "scale_factor_spatial": 4}
_DC = {
    f"{half}_{name}": value
    for half in ("encoder", "decoder")
    for name, value in {
        "block_types": ["ResBlock", "EfficientViTBlock"],
        "block_out_channels": [4, 8],
        "layers_per_block": [1, 1],
        "qkv_multiscales": [[], [5]],
    }.items()
}
# Class, and a case of it -> a configuration as small as can be.
CASES: dict[str, dict[str, Any]] = {
    "AutoencoderKL": _KL,
    "AutoencoderKL-5": {**_KL, "latent_channels": 5, "shift_factor": 0.5},
    "AutoencoderDC": {**_DC, "latent_channels": 4, "attention_head_dim": 4},
    "AutoencoderKLQwenImage": _FRAMES,
    "AutoencoderKLQwenImage21": _RESIDUAL,
    "AutoencoderKLFlux2": {**_KL, "latent_channels": 4, "mid_block_add_attention": True},
    "AutoencoderKLHunyuanImage": {
        **{"in_channels": 3, "out_channels": 3, "latent_channels": 4, "sample_size": 64},
        **{"block_out_channels": [32, 32, 32], "layers_per_block": 1},
        "spatial_compression_ratio": 4,
    },
    "AutoencoderKLWan": _FRAMES,
    "AutoencoderKLWan-2.2": {**_RESIDUAL, "in_channels": 12, "out_channels": 12, "patch_size": 2},
}
TUNED = ("AutoencoderKL", "AutoencoderDC", "AutoencoderKLQwenImage21")


@pytest.fixture(scope="session")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A folder with random weights for every case, and one of ours."""
    root = tmp_path_factory.mktemp("starts")
    torch.manual_seed(0)
    for case, config in CASES.items():
        getattr(diffusers, case.split("-")[0])(**config).save_pretrained(root / case)
    build("tiny").save_pretrained(root / OURS)
    return {case: str(root / case) for case in (*CASES, OURS)}


def tune(corpus: Path, out: Path, start: str, **more: Any) -> Any:
    given = {"model": None, "init": start, "steps": 3, "crop_px": 32, "batch_pixels": 2048}
    return run(corpus, out, **{**given, **more})


def reconstructed(model: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        adapter = adapter_of(model)
        return adapter.decode(model.eval(), adapter.encode(model, x))


@pytest.mark.parametrize("case", [*CASES, OURS])
@torch.no_grad()
def test_every_class_maps_images_to_latents_and_back(starts: dict[str, str], case: str) -> None:
    model, x = folder.load(starts[case]), torch.rand(2, 3, 32, 48) * 2 - 1
    adapter, f = adapter_of(model), folder.f_of(starts[case])
    assert f == adapter.f(model.config)
    z = adapter.encode(model, x)
    assert z.shape == (2, adapter.latent_channels(model.config), 32 // f, 48 // f)
    image = adapter.decode(model, z)
    assert image[:, :3].shape == x.shape
    # As the class itself does it, but for the clamp of some.
    frames = hasattr(model.config, "z_dim")
    opaque = torch.ones(2, image.shape[1] - 3, 32, 48)
    seen = model.encode(torch.cat([x, opaque], 1)[:, :, None] if frames else x)
    theirs = seen.latent if hasattr(seen, "latent") else seen.latent_dist.mode()
    assert torch.equal(z, theirs[:, :, 0] if frames else theirs)
    shown = model.decode(theirs).sample
    assert torch.equal(image.clamp(-1, 1), shown[:, :, 0] if frames else shown.clamp(-1, 1))
    whole = training_flops_per_px(model)
    assert whole > max(training_flops_per_px(model, part) for part in ("decoder", "encoder"))
    assert training_flops_per_px(model, "decoder") > training_flops_per_px(model, "last-1")


def test_every_class_that_is_trained_has_a_case() -> None:
    assert {case.split("-")[0] for case in CASES} | {OURS} == set(TRAINED)


@pytest.mark.parametrize("case", TUNED)
def test_a_tuned_model_opens_in_its_class(
    corpus: Path, tmp_path: Path, starts: dict[str, str], case: str
) -> None:
    outcome = tune(corpus, tmp_path / "run", starts[case])
    assert outcome.model is not None
    theirs = getattr(diffusers, case).from_pretrained(outcome.model, low_cpu_mem_usage=False)
    again = folder.load(export(tmp_path / "run", tmp_path / "out"))
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert torch.equal(reconstructed(theirs, x), reconstructed(again, x))
    assert not torch.equal(reconstructed(theirs, x), reconstructed(folder.load(starts[case]), x))
    for name, value in theirs.config.items():
        if name in ("latents_mean", "latents_std", "scaling_factor"):
            was = folder.load(starts[case]).config[name]
            assert (value is None) == (was is None) and (value is None or value != was), name
    for place in (outcome.model, tmp_path / "out"):
        said = (place / "README.md").read_text() + (place / "config.json").read_text()
        assert str(Path(starts[case]).parent) not in said
        assert f"from a trained {case}: all its weights learned" in said
        assert f"from diffusers import {case}" in said and "whose licence holds" in said
        assert not list(place.glob("*.py"))


def test_a_model_of_ours_goes_on(corpus: Path, tmp_path: Path, starts: dict[str, str]) -> None:
    first = tune(corpus, tmp_path / "first", starts[OURS]).model
    second = tune(corpus, tmp_path / "second", str(first), train="decoder", recompute=True).model
    before, after = (Autoencoder.from_pretrained(path) for path in (first, second))
    assert after.config.latents_mean == before.config.latents_mean is not None
    assert list(second.glob("*.py")) and "trained Autoencoder" in (second / "README.md").read_text()


@pytest.mark.parametrize(
    ("case", "part", "learning"),
    [
        ("AutoencoderKL", "decoder", ("post_quant_conv.", "decoder.")),
        ("AutoencoderKLQwenImage21", "decoder", ("post_quant_conv.", "decoder.")),
        ("AutoencoderDC", "encoder", ("encoder.",)),
        ("AutoencoderDC", "last-1", ("decoder.up_blocks.0.", "decoder.norm_out", "decoder.conv_o")),
        (OURS, "last-2", ("decoder.levels.4", "decoder.levels.5", "decoder.norm_o", "decoder.co")),
    ],
)
def test_only_the_part_that_is_named_learns(
    corpus: Path,
    tmp_path: Path,
    starts: dict[str, str],
    case: str,
    part: str,
    learning: tuple[str, ...],
) -> None:
    before = folder.load(starts[case])
    after = folder.load(tune(corpus, tmp_path, starts[case], train=part, weight_decay=0.5).model)
    raw = folder.load(export(tmp_path, tmp_path / "raw", raw=True))
    changed = set()
    for made in (after, raw):
        changed |= {
            name for name, w in made.state_dict().items() if not w.equal(before.state_dict()[name])
        }
    assert changed and all(name.startswith(learning) for name in changed), changed
    if part == "decoder":
        scale = [m.config.get("scaling_factor") for m in (before, after)]
        assert scale[0] == scale[1]
        assert "The encoder did not learn" in (tmp_path / "model" / "README.md").read_text()


@pytest.mark.parametrize("case", ["AutoencoderKL", "AutoencoderKLWan", OURS])
def test_a_still_encoder_keeps_nothing_for_the_backward_pass(
    starts: dict[str, str], case: str
) -> None:
    model, x = folder.load(starts[case]), torch.rand(1, 3, 32, 32)
    freeze(model, "decoder")
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        z = adapter_of(model).encode(model, x)
    assert not kept and not z.requires_grad


def test_all_that_learns_has_a_gradient(starts: dict[str, str]) -> None:
    """DDP waits for every weight that has none."""
    for case in CASES:
        model = folder.load(starts[case])
        freeze(model, "all")
        objective = Objective(model, None, None)
        objective(torch.rand(1, 3, 32, 32), LossWeights())["loss"].backward()
        assert [n for n, w in model.named_parameters() if w.requires_grad and w.grad is None] == []


def test_opacity_learns_where_there_is_any(starts: dict[str, str]) -> None:
    model = folder.load(starts["AutoencoderKLQwenImage21"])
    terms = Objective(model, None, None)(torch.rand(1, 3, 32, 32), LossWeights())
    assert float(terms["loss"].detach()) == pytest.approx(
        float((terms["l1"] + terms["opacity"] / 3).detach())
    )
    assert float(terms["opacity"].detach()) > 0


def test_an_interrupted_run_goes_on_exactly_and_with_its_start_alone(
    corpus: Path, tmp_path: Path, starts: dict[str, str]
) -> None:
    case = "AutoencoderKLQwenImage21"
    moved = shutil.copytree(starts[case], tmp_path / "moved")
    tune(corpus, tmp_path / "whole", starts[case], steps=4, train="decoder")
    tune(corpus, tmp_path / "parts", starts[case], steps=4, train="decoder", stopped=stop_after(2))
    with pytest.raises(CheckpointError, match="--init AutoencoderKLQwenImage21 with weights .*DC"):
        tune(corpus, tmp_path / "parts", starts["AutoencoderDC"], train="decoder")
    with pytest.raises(CheckpointError, match="train decoder, now it is all: choose another"):
        tune(corpus, tmp_path / "parts", starts[case])
    with pytest.raises(CheckpointError, match="--init AutoencoderKLQwenImage21 .* now it is None"):
        run(corpus, tmp_path / "parts")
    tune(corpus, tmp_path / "parts", str(moved), steps=4, train="decoder")
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")


def test_there_is_no_skip_where_channels_do_not_divide(
    corpus: Path, tmp_path: Path, starts: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--init", starts["AutoencoderKL-5"], "--steps", "3"]
    given = command(corpus, tmp_path, *more)
    assert train.main([w for w in given if w not in ("--model", SMALLEST)]) == 0
    said = capsys.readouterr().out
    assert "AutoencoderKL on cpu" in said and "PSNR in dB" in said and "skip alone" not in said
    card = (tmp_path / "model" / "README.md").read_text()
    assert "| kind | images | model |\n" in card and "Skip alone" not in card
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["shift_factor"] != 0.5 and config["latents_mean"] is None


def test_latents_of_any_class_align(
    corpus: Path, tmp_path: Path, starts: dict[str, str], dino: str
) -> None:
    tune(corpus, tmp_path, starts["AutoencoderDC"], dino=dino, stopped=stop_after(1))
    (row,) = rows(tmp_path)
    assert row["mcos"] > 0 and row["align_weight"] > 0


def test_the_statistics_of_flux2_lie_in_its_weights(starts: dict[str, str]) -> None:
    model = folder.load(starts["AutoencoderKLFlux2"])
    write_statistics(model, [1.0, 2.0, 3.0, 4.0], [0.5] * 4)
    assert model.bn.running_mean[:5].tolist() == [1.0, 1.0, 1.0, 1.0, 2.0]
    assert model.bn.running_var.tolist() == [0.25] * 16


def written(place: Path, config: dict[str, Any]) -> str:
    place.mkdir()
    (place / "config.json").write_text(json.dumps(config))
    return str(place)


def test_what_cannot_be_a_start_is_told(
    corpus: Path, tmp_path: Path, starts: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    other = written(tmp_path / "other", {"_class_name": "UNet2DModel"})
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "model_index.json").write_text("{}")
    kl, dc = starts["AutoencoderKL"], starts["AutoencoderDC"]
    for arguments, told in (
        (["--init", "someone/vae"], "there is no someone/vae/config.json: give a folder"),
        (["--init", other], "holds a UNet2DModel; known are Autoencoder, AutoencoderDC"),
        (["--init", written(tmp_path / "no", {})], "names no class"),
        (["--init", str(tmp_path / "all")], "holds a whole pipeline: give its folder vae"),
        (["--init", kl, "--model", "tiny"], "leave --model out"),
        (["--init", kl, "--decoder_skip", "nsc"], "leave --decoder_skip out"),
        (["--init", kl, "--subpixel_convolutions"], "is not for AutoencoderKL, but for Auto"),
        (["--init", dc, "--recompute"], "--recompute is not for AutoencoderDC, but for"),
        (["--init", kl, "--train", "decoder", "--dino", "x"], "leave --dino out"),
        (["--train", "head"], "train: one of all, decoder, encoder, last-1"),
    ):
        assert train.main(["--corpus", str(corpus), *arguments]) == 2
        assert told in capsys.readouterr().err


def test_what_a_folder_lacks_is_told(tmp_path: Path, starts: dict[str, str]) -> None:
    grey = diffusers.AutoencoderKL(**_KL, in_channels=1, out_channels=1)
    grey.save_pretrained(tmp_path / "grey")
    with pytest.raises(ValueError, match="does not take an image .* give a model of RGB images"):
        folder.load(tmp_path / "grey")
    torn = Path(shutil.copytree(starts["AutoencoderKL"], tmp_path / "torn"))
    (torn / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(ValueError, match="cannot read the AutoencoderKL in"):
        folder.load(torn)
    config = json.loads((Path(starts["AutoencoderKL"]) / "config.json").read_text())
    deeper = {**config, "layers_per_block": 2}
    (torn / "config.json").write_text(json.dumps(deeper))
    shutil.copy(Path(starts["AutoencoderKL"]) / "diffusion_pytorch_model.safetensors", torn)
    with pytest.raises(ValueError, match="the weights in .* lack"):
        folder.load(torn)
    with pytest.raises(ValueError, match="has 2 levels: give --train last-2 at most"):
        freeze(folder.load(starts["AutoencoderKL"]), "last-3")


def test_sides_are_multiples_of_what_the_model_needs(
    corpus: Path, tmp_path: Path, starts: dict[str, str]
) -> None:
    settings = settings_of(
        corpus, tmp_path, model=None, init=starts["AutoencoderKLWan"], crop_px=30
    )
    with pytest.raises(ValueError, match="AutoencoderKLWan takes sides that are multiples of 4"):
        open_data(settings, 1)


def test_defaults_follow_the_folder(starts: dict[str, str]) -> None:
    given = ["--corpus", "c", "--init", starts["AutoencoderKL"], "--recompute"]
    settings = load(TrainSettings, given, description="")
    assert settings.out == "runs/AutoencoderKL" and settings.model == ""
    assert settings.lr_fan_in == 0 and settings.lr < TrainSettings(corpus="c").lr
    assert load(TrainSettings, [*given, "--lr", "0.5"], description="").lr == 0.5
    assert TrainSettings(corpus="c", init=starts["Autoencoder"]).lr_fan_in == 108
    assert build_model(settings).decoder.gradient_checkpointing
