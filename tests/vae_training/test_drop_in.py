"""The autoencoder stands where AutoencoderKL stands."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from vae_training.model import Autoencoder, build
from vae_training.model.cost import cost

from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline, DiTTransformer2DModel  # isort: skip
from diffusers.image_processor import VaeImageProcessor  # isort: skip


@pytest.mark.parametrize("name", ["encode", "decode", "forward"])
def test_signatures_are_those_of_autoencoder_kl(name: str) -> None:
    theirs = inspect.signature(getattr(AutoencoderKL, name)).parameters
    ours = inspect.signature(getattr(Autoencoder, name)).parameters
    assert list(ours) == list(theirs)
    assert [p.default for p in ours.values()] == [p.default for p in theirs.values()]


def test_methods_and_settings_that_pipelines_use_are_there() -> None:
    vae = build("tiny")
    for switch in ("tiling", "slicing"):
        getattr(vae, f"enable_{switch}")()
        assert getattr(vae, f"use_{switch}")
        getattr(vae, f"disable_{switch}")()
        assert not getattr(vae, f"use_{switch}")
    vae.enable_gradient_checkpointing()
    assert vae.is_gradient_checkpointing and vae.encoder.gradient_checkpointing
    assert 2 ** (len(vae.config.block_out_channels) - 1) == 16
    asked = ("scaling_factor", "shift_factor", "latents_mean", "latents_std", "force_upcast")
    assert all(name in vae.config for name in (*asked, "latent_channels", "sample_size"))
    assert build("tiny").encode(torch.zeros(1, 3, 16, 16), return_dict=False)[0].mode().ndim == 4


def test_a_pipeline_of_diffusers_decodes_with_it() -> None:
    torch.manual_seed(0)
    vae = build("tiny").eval()
    transformer = DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=64,
        out_channels=64,
        num_layers=1,
        sample_size=2,
        patch_size=1,
        num_embeds_ada_norm=10,
    )
    pipeline = DiTPipeline(transformer=transformer, vae=vae, scheduler=DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    made = pipeline([1], num_inference_steps=2, guidance_scale=1.0, output_type="np").images
    assert made.shape == (1, 32, 32, 3)


@torch.no_grad()
def test_the_image_processor_goes_there_and_back() -> None:
    vae = build("tiny").eval()
    processor = VaeImageProcessor(vae_scale_factor=2 ** (len(vae.config.block_out_channels) - 1))
    x = processor.preprocess(torch.rand(1, 3, 40, 64))
    z = vae.encode(x).latent_dist.sample(torch.Generator().manual_seed(0))
    assert z.shape == (1, 64, 2, 4)
    back = processor.postprocess(vae.decode(z, return_dict=False)[0], output_type="pil")
    assert back[0].size == (64, 32)


def test_costs_are_counted_and_subpixel_convolutions_and_recomputing_save() -> None:
    plain, subpixel = cost("tiny", 64), cost("tiny", 64, subpixel=True)
    vae = build("tiny")
    first = vae.encoder.conv_in
    assert isinstance(first, nn.Conv2d)
    assert plain.encode_flops > 2 * first.weight.numel() * 64 * 64
    assert 2 * plain.encode_flops < plain.train_flops
    assert subpixel.decode_flops < plain.decode_flops
    assert plain.recomputed_bytes < plain.saved_bytes / 2


def test_wrong_latents_are_told() -> None:
    with pytest.raises(ValueError, match=r"\[B, 64, H/16, W/16\]; got \[1, 4, 2, 2\]"):
        build("tiny").decode(torch.zeros(1, 4, 2, 2))
