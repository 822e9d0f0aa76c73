"""The autoencoder as a diffusers model: it drops in where `AutoencoderKL` is used."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vae_training.model.broken_torchvision import hide_broken_torchvision
from vae_training.model.configs import Config, config
from vae_training.model.halves import Decoder, Encoder, Tiling

hide_broken_torchvision()

from diffusers import ConfigMixin, ModelMixin  # noqa: E402
from diffusers.configuration_utils import register_to_config  # noqa: E402
from diffusers.models.modeling_outputs import AutoencoderKLOutput  # noqa: E402
from diffusers.utils.accelerate_utils import apply_forward_hook  # noqa: E402

if TYPE_CHECKING:
    from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution


class Autoencoder(ModelMixin, ConfigMixin):
    """Image float[B, 3, H, W] in [-1, 1] <-> latent float[B, C, H/f, W/f]; H, W multiples of f.

    `scaling_factor`, `latents_mean` and `latents_std` describe the latents of a trained model; a
    diffusion model should see `(z - mean) / std` per channel. The parameters after them are those
    of `AutoencoderKL` that diffusers pipelines read; `block_out_channels` follows from the widths.
    ValueError when the parameters do not fit together.
    """

    config: Any  # for diffusers a dict, but its names are attributes as well
    config_name: Any  # for diffusers a str in one base, None in the other
    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        f: int,
        latent_channels: int,
        d_enc: int,
        d_dec: int,
        widths: tuple[int, ...],
        encoder_blocks: int,
        decoder_blocks: int,
        middle_blocks: int,
        encoder_skip: str,
        decoder_skip: str,
        scaling_factor: float = 1.0,
        latents_mean: list[float] | None = None,
        latents_std: list[float] | None = None,
        shift_factor: float | None = None,
        in_channels: int = 3,
        out_channels: int = 3,
        block_out_channels: tuple[int, ...] | None = None,
        sample_size: int = 1024,
        force_upcast: bool = False,
        use_quant_conv: bool = False,
        use_post_quant_conv: bool = False,
    ) -> None:
        super().__init__()
        shape = Config(
            f=f,
            latent_channels=latent_channels,
            d_enc=d_enc,
            d_dec=d_dec,
            widths=tuple(widths),
            encoder_blocks=encoder_blocks,
            decoder_blocks=decoder_blocks,
            middle_blocks=middle_blocks,
            encoder_skip=encoder_skip,
            decoder_skip=decoder_skip,
        )
        if use_quant_conv or use_post_quant_conv or (in_channels, out_channels) != (3, 3):
            raise ValueError(
                "this autoencoder takes and gives 3 channels and has no quant_conv: leave"
                " in_channels, out_channels, use_quant_conv, use_post_quant_conv at their defaults"
            )
        self.register_to_config(block_out_channels=[d_enc * width for width in widths])
        self.encoder = Encoder(shape)
        self.decoder = Decoder(shape)
        self.use_slicing = False

    @classmethod
    def extract_init_dict(
        cls, config_dict: Mapping[str, Any], **kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Leave out what `AutoModel` alone reads: diffusers warns of it as unexpected."""
        own = {key: value for key, value in config_dict.items() if key != "auto_map"}
        return super().extract_init_dict(own, **kwargs)

    @property
    def halves(self) -> tuple[Encoder, Decoder]:
        return self.encoder, self.decoder

    @property
    def use_tiling(self) -> bool:
        return self.encoder.tiling is not None

    def moments(self, x: Tensor) -> Tensor:
        """Mean and logarithm of the variance of each latent: float[B, 2C, H/f, W/f].

        ValueError when a side is no multiple of f.
        """
        f = self.config.f
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] % f or x.shape[3] % f:
            raise ValueError(
                f"an image batch is [B, 3, H, W] with H and W multiples of {f};"
                f" got {list(x.shape)}: crop or pad it"
            )
        slices = x.split(1) if self.use_slicing else (x,)
        return torch.cat([self.encoder(part) for part in slices])

    @apply_forward_hook
    def encode(
        self, x: Tensor, return_dict: bool = True
    ) -> AutoencoderKLOutput | tuple[DiagonalGaussianDistribution]:
        """The posterior of each image; errors are those of `moments`."""
        # It comes with all networks of diffusers, a second of imports: training does without.
        from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

        posterior = DiagonalGaussianDistribution(self.moments(x))
        return AutoencoderKLOutput(latent_dist=posterior) if return_dict else (posterior,)

    @apply_forward_hook
    def decode(
        self,
        z: Tensor,
        return_dict: bool = True,
        generator: torch.Generator | None = None,
    ) -> DecoderOutput | tuple[Tensor]:
        """`generator` is ignored; pipelines pass one, as to `AutoencoderKL`."""
        channels = self.config.latent_channels
        if z.ndim != 4 or z.shape[1] != channels:
            raise ValueError(
                f"latents of this model are [B, {channels}, H/{self.config.f}, W/{self.config.f}];"
                f" got {list(z.shape)}"
            )
        slices = z.split(1) if self.use_slicing else (z,)
        image = torch.cat([self.decoder(part) for part in slices])
        if not return_dict:
            return (image,)
        from diffusers.models.autoencoders.vae import DecoderOutput

        return DecoderOutput(sample=image)

    def forward(
        self,
        sample: Tensor,
        sample_posterior: bool = False,
        return_dict: bool = True,
        generator: torch.Generator | None = None,
    ) -> DecoderOutput | tuple[Tensor]:
        """Reconstruct `sample` from the mode of its posterior, or from a sample of it."""
        posterior = self.encode(sample).latent_dist
        z = posterior.sample(generator=generator) if sample_posterior else posterior.mode()
        return self.decode(z, return_dict=return_dict)

    def enable_slicing(self) -> None:
        """Encode and decode the images of a batch one after the other."""
        self.use_slicing = True

    def disable_slicing(self) -> None:
        self.use_slicing = False

    def enable_tiling(
        self, tile_px: int = 512, overlap_px: int | None = None, stride: int = 4
    ) -> None:
        """Run the fine levels of images above `tile_px` in tiles, so that 2K and more fit.

        Levels of `stride` px per position and coarser run on the whole image, which needs little
        memory there and keeps the overlap small. By default tiles overlap by the receptive field,
        so the result is exact up to rounding (1e-12 in float64). A smaller `overlap_px` is faster,
        and overlaps are blended.
        """
        f = self.config.f
        if stride < 1 or stride > f or stride & (stride - 1):
            raise ValueError(f"stride is a power of two from 1 to {f}; got {stride}")
        if tile_px < f or (overlap_px is not None and overlap_px < 0):
            raise ValueError(
                f"tiles have at least {f} px and no negative overlap;"
                f" got tile_px {tile_px}, overlap_px {overlap_px}"
            )
        tiling = Tiling(tile_px=tile_px, overlap_px=overlap_px, stride=stride)
        self.encoder.tiling = self.decoder.tiling = tiling

    def disable_tiling(self) -> None:
        self.encoder.tiling = self.decoder.tiling = None

    def recompute_activations(self, on: bool = True, levels: int | None = None) -> None:
        """Gradient checkpointing: keep only the input of each level for the backward pass.

        `levels` limits it to the finest levels, from full resolution down; None: all levels.
        """
        for half in self.halves:
            half.gradient_checkpointing, half.recomputed_levels = on, levels

    def use_subpixel_convolutions(self, on: bool = True) -> None:
        """Up-sample by four 2x2 convolutions instead of one 3x3: same weights, same result."""
        module: Any
        for module in self.modules():
            if hasattr(module, "subpixel"):  # not by class: see reach_px
                module.subpixel = on


def build(
    name: str, *, encoder_skip: str | None = None, decoder_skip: str | None = None
) -> Autoencoder:
    """A new autoencoder by name, e.g. `build("f16c64")`, with random weights.

    Given skips replace those of the configuration. ValueError for an unknown name or skip.
    """
    chosen: dict[str, Any] = {"encoder_skip": encoder_skip, "decoder_skip": decoder_skip}
    shape = dataclasses.replace(config(name), **{k: v for k, v in chosen.items() if v})
    return Autoencoder(**dataclasses.asdict(shape))
