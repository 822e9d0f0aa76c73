from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from vae_training.model import CONFIGS, Autoencoder, build
from vae_training.model.blocks import Down, RmsNorm, Up
from vae_training.model.configs import SKIPS
from vae_training.model.skip import Decoding, Encoding, fit, fold, grow, shrink, unfold

TINY = dataclasses.replace(
    CONFIGS["tiny"], f=4, widths=(1, 2, 2), latent_channels=12, d_enc=4, d_dec=8
)

PUBLISHED = {
    "f16c64": (75_536_192, 247_750_851),
    "f16c128": (76_421_056, 248_414_403),
    "f32c128": (76_836_640, 249_722_643),
    "f32c192": (77_721_504, 250_386_195),
}


def image(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def small(**changes: object) -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(**dataclasses.asdict(dataclasses.replace(TINY, **changes)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameter_counts(name: str) -> None:
    with torch.device("meta"):
        model = build(name, encoder_skip="gsc", decoder_skip="gsc")
    counts = tuple(
        sum(p.numel() for p in half.parameters()) for half in (model.encoder, model.decoder)
    )
    assert counts == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_linear_skips_add_less_than_a_hundredth_of_a_model(name: str) -> None:
    with torch.device("meta"):
        model = build(name)
    c = CONFIGS[name]
    refined = model.decoder.conv_skip
    assert refined is not None
    for half, published in zip((model.encoder, model.decoder), PUBLISHED[name], strict=True):
        added = sum(p.numel() for p in half.parameters()) - published
        if half is model.decoder:
            added -= refined.weight.numel() + refined.bias.numel()
        assert added == 3 * c.f**2 * c.latent_channels < published / 100


@pytest.mark.parametrize("name", CONFIGS)
def test_latent_shape(name: str) -> None:
    with torch.device("meta"):
        model, x = build(name), torch.empty(1, 3, 64, 96)
        z = model.encode(x).latent_dist.mode()
        y = model.decode(z).sample
    c = CONFIGS[name]
    assert z.shape == (1, c.latent_channels, 64 // c.f, 96 // c.f)
    assert y.shape == x.shape


def test_tiny_has_a_few_hundred_thousand_parameters() -> None:
    assert 2e5 < sum(p.numel() for p in build("tiny").parameters()) < 8e5


@pytest.mark.parametrize("f", [2, 4, 16, 32])
def test_unfold_inverts_fold(f: int) -> None:
    x = image(2, 3, 64, 96)
    assert torch.equal(unfold(fold(x, f), f), x)


@pytest.mark.parametrize("name", CONFIGS)
def test_grow_is_the_right_inverse_of_shrink(name: str) -> None:
    c = CONFIGS[name]
    z = image(2, c.latent_channels, 2, 3)
    assert torch.allclose(shrink(grow(z, c.f, 3), c.f, c.latent_channels), z, atol=1e-6)


def test_a_local_skip_adds_means_and_repeats_of_two_by_two_pixels() -> None:
    x = image(1, 6, 8, 8)
    for part, expected in (
        (Down(6, local_skip=True), torch.nn.functional.avg_pool2d(x, 2)),
        (Up(6, local_skip=True), x.repeat_interleave(2, 2).repeat_interleave(2, 3)),
    ):
        torch.nn.init.zeros_(part.conv.weight)
        torch.nn.init.zeros_(part.conv.bias)
        assert torch.allclose(part(x), expected, atol=1e-6)


def test_autocast_leaves_the_norm_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(x: torch.Tensor, *rest: object) -> torch.Tensor:
        seen.append((x.dtype, torch.is_autocast_enabled("cpu")))
        return x

    monkeypatch.setattr("vae_training.model.blocks.F.rms_norm", watched)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        RmsNorm(4)(image(1, 4, 2, 2).bfloat16())
    assert seen == [(torch.bfloat16, False)]


def test_a_new_gsc_model_keeps_flat_greys() -> None:
    x, model = torch.full((1, 3, 16, 16), 0.5), small(encoder_skip="gsc", decoder_skip="gsc")
    assert torch.allclose(model(x).sample, x, atol=1e-6)


@pytest.mark.parametrize("skip", ["linear", "gsc"])
def test_a_new_model_with_global_skips_is_their_means(skip: str) -> None:
    model, x = small(encoder_skip=skip, decoder_skip=skip), image(1, 3, 16, 16)
    assert torch.equal(model(x).sample, grow(shrink(x, 4, 12), 4, 3))


def test_a_fit_skip_gives_back_pictures_of_as_few_dimensions_as_the_latent_has() -> None:
    """Blocks are mixes of 12 patterns: no pair of 12 numbers a block loses anything of them."""
    model = small()
    patterns = torch.linalg.qr(image(1, 1, 48, 12)[0, 0].double())[0]
    for half in model.halves:
        fit(half.projection, patterns @ patterns.T)
    x = unfold(torch.einsum("pc,bcyx->bpyx", patterns.float(), image(1, 12, 3, 2)), 4)
    assert torch.allclose(model(x).sample, x, atol=1e-5)
    assert not torch.allclose(grow(shrink(x, 4, 12), 4, 3), x, atol=0.1)


def test_a_fit_skip_is_the_means_where_they_are_best() -> None:
    encoding = Encoding(4, 12)
    blocks = torch.eye(48, dtype=torch.float64)[:, :, None, None]
    means = grow(shrink(unfold(blocks, 4), 4, 12), 4, 3)
    fit(encoding, fold(means, 4)[:, :, 0, 0])
    assert torch.allclose(encoding.weight, torch.zeros(()), atol=1e-5)
    fit(encoding, torch.zeros(48, 48, dtype=torch.float64))  # nothing was seen
    assert torch.isfinite(encoding.weight).all()


def test_a_fit_skip_keeps_the_scale_of_the_means() -> None:
    encoding, x = Encoding(4, 12), image(1, 3, 64, 64)
    blocks = fold(x, 4).double().transpose(0, 1).flatten(1)
    fit(encoding, blocks @ blocks.T)
    z = encoding(x) + shrink(x, 4, 12)
    assert shrink(x, 4, 12).square().mean() < z.square().mean() <= x.square().mean()


@pytest.mark.parametrize("f", [4, 16])
def test_projections_hold_any_linear_map_between_blocks_and_latent(f: int) -> None:
    """With the means beside them taken away, the best pair of a basis gives its part back."""
    encoding, decoding = Encoding(f, 12), Decoding(f, 12)
    basis = torch.linalg.qr(torch.randn(3 * f * f, 12, generator=torch.Generator().manual_seed(0)))[
        0
    ]
    encoding.weight.copy_(basis.T)
    decoding.weight.copy_(basis.T)
    x = unfold(torch.einsum("pc,bcyx->bpyx", basis, image(1, 12, 3, 2)), f)
    assert torch.allclose(decoding(encoding(x)), x, atol=1e-5)
    assert encoding(x).shape == (1, 12, 3, 2)


def test_projections_keep_their_precision_under_autocast() -> None:
    encoding, x = Encoding(4, 12), image(1, 3, 8, 8)
    torch.nn.init.normal_(encoding.weight)
    exact = encoding(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(encoding(x), exact)


@pytest.mark.parametrize("skip", SKIPS)
def test_every_weight_gets_a_gradient(skip: str) -> None:
    model = small(encoder_skip=skip, decoder_skip=skip)
    for parameter in model.parameters():  # some start at zero
        torch.nn.init.normal_(parameter, std=0.1)
    (model(image(1, 3, 16, 16)).sample ** 2).mean().backward()
    learning = [p for name, p in model.named_parameters() if "projection" not in name]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learning)


def test_skips_carry_no_weights() -> None:
    counts = {sum(p.numel() for p in small(encoder_skip=s).parameters()) for s in ("gsc", "nsc")}
    assert len(counts) == 1


def test_recomputing_activations_changes_no_gradient() -> None:
    x, gradients = image(1, 3, 16, 16), []
    for on in (False, True):
        model = small()
        model.recompute_activations(on)
        (model(x).sample ** 2).mean().backward()
        learning = [p for p in model.parameters() if p.requires_grad]
        gradients.append(torch.cat([p.grad.flatten() for p in learning]))
    assert torch.equal(*gradients)


def test_a_saved_model_gives_equal_latents(tmp_path: Path) -> None:
    model = small().eval()
    model.register_to_config(latents_mean=[0.5] * 12, scaling_factor=2.0)
    model.save_pretrained(tmp_path)
    again = Autoencoder.from_pretrained(tmp_path)
    x = image(1, 3, 16, 16)
    assert torch.equal(again.encode(x).latent_dist.mode(), model.encode(x).latent_dist.mode())
    assert again.config.scaling_factor == 2.0 and again.config.latents_mean == [0.5] * 12


def test_a_sample_of_an_untrained_posterior_is_its_mode() -> None:
    posterior = small().encode(image(1, 3, 16, 16)).latent_dist
    sample = posterior.sample(torch.Generator().manual_seed(0))
    assert torch.allclose(sample, posterior.mode(), atol=1e-4)


def test_wrong_sizes_and_names_are_told() -> None:
    with pytest.raises(ValueError, match="multiples of 4; got"):
        small().encode(image(1, 3, 18, 16))
    with pytest.raises(ValueError, match="known are f16c64"):
        build("f8c4")
    with pytest.raises(ValueError, match="divide 3 f"):
        small(latent_channels=10)
    with pytest.raises(ValueError, match="one of linear, gsc, lsc, nsc"):
        build("tiny", decoder_skip="abc")
