"""Tiles give what the whole image gives; subpixel convolutions what the 3x3 convolution gives."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from vae_training.model import CONFIGS, Autoencoder
from vae_training.model.blocks import Up
from vae_training.model.halves import reach_px
from vae_training.model.tiling import windows


def image(*shape: int) -> torch.Tensor:
    return (
        torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    )


def model(**changes: object) -> Autoencoder:
    """A small model in float64 whose deep path speaks up."""
    torch.manual_seed(0)
    shape = dataclasses.replace(
        CONFIGS["tiny"], f=8, widths=(1, 1, 2, 2), d_enc=4, d_dec=4, latent_channels=12, **changes
    )
    made = Autoencoder(**dataclasses.asdict(shape))
    for part in made.modules():  # a new one is linear and sees no further than its block
        if isinstance(part, torch.nn.Conv2d):
            part.reset_parameters()
    for half in (made.encoder, made.decoder):
        torch.nn.init.normal_(half.conv_out.weight, std=0.2)
    for parameter in made.parameters():
        parameter.data = parameter.data.double()
    return made.eval()


@torch.no_grad()
def both(made: Autoencoder, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    z = made.encode(x).latent_dist.mode()
    return z, made.decode(z).sample


@pytest.mark.parametrize(
    ("size", "stride", "skip"),
    [
        ((104, 56), 1, "gsc"),
        ((104, 56), 2, "lsc"),
        ((64, 152), 4, "gsc"),
        ((104, 56), 4, "nsc"),
        ((104, 56), 8, "gsc"),
    ],
)
def test_tiles_are_exact_at_every_place(size: tuple[int, int], stride: int, skip: str) -> None:
    made, x = model(encoder_skip=skip, decoder_skip=skip), image(2, 3, *size)
    whole = both(made, x)
    made.enable_tiling(tile_px=40, stride=stride)
    made.enable_slicing()
    for a, b in zip(whole, both(made, x), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)
    made.disable_tiling()
    assert not made.use_tiling


def test_the_reach_is_no_smaller_than_what_values_see() -> None:
    made, x = model(), image(1, 3, 256, 8).requires_grad_()
    made.encoder(x)[:, :, 16].sum().backward()
    seen = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    # Cell 16 covers rows 128 to 135.
    parts = [made.encoder.conv_in, *made.encoder.levels]
    reach = reach_px([*parts, made.encoder.conv_out], 1)
    assert reach - 16 <= max(128 - int(seen.min()), int(seen.max()) - 135) <= reach


def test_a_smaller_overlap_is_blended_and_near() -> None:
    made, x = model(), image(1, 3, 128, 128)
    whole, errors = both(made, x)[1], []
    for overlap in (0, 8, 16):
        made.enable_tiling(tile_px=48, overlap_px=overlap)
        errors.append((both(made, x)[1] - whole).abs().max().item())
    assert errors[0] > errors[1] > errors[2] > 0


def test_windows_cover_each_cell_once() -> None:
    for length, core, overlap in ((10, 4, 2), (9, 9, 3), (1, 5, 0), (17, 1, 4)):
        cut = list(windows(length, core, overlap))
        owned = [cell for w in cut for cell in range(w.core_start, w.core_stop)]
        assert owned == list(range(length))
        assert all(w.core_stop - w.core_start <= core for w in cut)
        assert all(0 <= w.start <= w.core_start and w.core_stop <= w.stop <= length for w in cut)


def test_small_images_are_not_tiled() -> None:
    made, x = model(), image(1, 3, 40, 40)
    whole = both(made, x)
    made.enable_tiling(tile_px=40)
    assert all(torch.equal(a, b) for a, b in zip(whole, both(made, x), strict=True))


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"stride": 3}, "power of two from 1 to 8; got 3"), ({"tile_px": 4}, "at least 8 px")],
)
def test_impossible_tiles_are_told(settings: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model().enable_tiling(**settings)


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (2, 3)])
def test_subpixel_convolutions_equal_the_3x3_and_its_gradients(
    size: tuple[int, int], local: bool
) -> None:
    torch.manual_seed(0)
    up, results = Up(6, local_skip=local).double(), []
    for subpixel in (False, True):
        up.subpixel = subpixel
        up.zero_grad()
        x = image(2, 6, *size).requires_grad_()
        y = up(x)
        (y**2).sum().backward()
        results.append((y.detach(), x.grad, up.conv.weight.grad, up.conv.bias.grad))
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


def test_subpixel_convolutions_keep_the_checkpoint() -> None:
    made, x = model(), image(1, 3, 32, 32)
    names, whole = set(made.state_dict()), both(made, x)[1]
    made.use_subpixel_convolutions()
    assert set(made.state_dict()) == names
    assert torch.allclose(both(made, x)[1], whole, rtol=0, atol=1e-12)
