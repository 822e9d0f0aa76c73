"""The autoencoder as a diffusers model: it drops in where `AutoencoderKL` is used."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_training.model.configs import Config, config
from vae_training.model.halves import Decoder, Encoder
from vae_training.quirks import hide_broken_torchvision

hide_broken_torchvision()

from diffusers import ConfigMixin, ModelMixin  # noqa: E402
from diffusers.configuration_utils import register_to_config  # noqa: E402
from diffusers.utils import BaseOutput  # noqa: E402


class Posterior:
    """What the encoder says about a latent: `mode()` for all uses, `sample()` for drop-in code."""

    def __init__(self, moments: Tensor) -> None:
        self.mean, log_variance = moments.chunk(2, dim=1)
        self.std = torch.exp(0.5 * log_variance.clamp(-30.0, 20.0))

    def mode(self) -> Tensor:
        return self.mean

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(
            self.mean.shape,
            generator=generator,
            device=self.mean.device if generator is None else generator.device,
            dtype=self.mean.dtype,
        )
        return self.mean + self.std * noise.to(self.mean.device)


@dataclass
class Encoded(BaseOutput):
    latent_dist: Posterior


@dataclass
class Decoded(BaseOutput):
    sample: Tensor


class Autoencoder(ModelMixin, ConfigMixin):
    """Image float[B, 3, H, W] in [-1, 1] <-> latent float[B, C, H/f, W/f]; H, W multiples of f.

    `scaling_factor`, `latents_mean` and `latents_std` describe the latents of a trained model:
    `(z - mean) / std` per channel is what a diffusion model should see.
    """

    _supports_gradient_checkpointing = False

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
        self.encoder = Encoder(shape)
        self.decoder = Decoder(shape)

    def encode(self, x: Tensor, return_dict: bool = True) -> Encoded | tuple[Posterior]:
        """ValueError when a side is no multiple of f."""
        f = self.config.f
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] % f or x.shape[3] % f:
            raise ValueError(
                f"an image batch is [B, 3, H, W] with H and W multiples of {f};"
                f" got {list(x.shape)}: crop or pad it"
            )
        posterior = Posterior(self.encoder(x))
        return Encoded(latent_dist=posterior) if return_dict else (posterior,)

    def decode(self, z: Tensor, return_dict: bool = True) -> Decoded | tuple[Tensor]:
        image = self.decoder(z)
        return Decoded(sample=image) if return_dict else (image,)

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of `x`."""
        return self.decoder(self.encode(x).latent_dist.mode())

    def recompute_activations(self, on: bool = True) -> None:
        """Trade time for memory: keep only the input of each level for the backward pass."""
        self.encoder.recompute = self.decoder.recompute = on


def build(
    name: str, *, encoder_skip: str | None = None, decoder_skip: str | None = None
) -> Autoencoder:
    """A new autoencoder by name, e.g. `build("f16c64")`; torch's generator draws the weights.

    The skips replace those of the configuration. ValueError for an unknown name or skip.
    """
    chosen = {"encoder_skip": encoder_skip, "decoder_skip": decoder_skip}
    shape = dataclasses.replace(config(name), **{k: v for k, v in chosen.items() if v})
    return Autoencoder(**dataclasses.asdict(shape))
