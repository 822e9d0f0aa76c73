"""How the trainer uses the autoencoders of diffusers, ours among them: an entry per class.

To the trainer an autoencoder maps images float[B, 3, H, W] in [-1, 1] to latents
float[B, C, H/f, W/f] and back, with sides that are multiples of f; it has an encoder and a decoder,
and the decoder has levels. A new class is an entry in `ADAPTERS`. Neither PyTorch nor diffusers is
imported before a model is there: settings ask for the names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

OURS = "Autoencoder"
Shape = Mapping[str, Any]  # a configuration with all its values


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """What the trainer asks of a class; functions take a model of it.

    `encode` gives the mode of the posterior, `posterior` its mean and standard deviation (None
    where the class has none), each float[B, C, H/f, W/f]. `decode` gives float[B, 3 or 4, H, W],
    not clamped; a fourth plane is opacity, 1 for all our images. `f` and `latent_channels` read a
    configuration. `levels` are those of the decoder in the order in which they run. Weights with a
    name that holds `fixed` never learn: they are fit otherwise, or have no part in a single image.
    `recompute` tells whether activations can be recomputed.
    """

    encode: Callable[[Any, Tensor], Tensor]
    posterior: Callable[[Any, Tensor], tuple[Tensor, Tensor | None]]
    decode: Callable[[Any, Tensor], Tensor]
    f: Callable[[Shape], int]
    latent_channels: Callable[[Shape], int] = lambda shape: int(shape["latent_channels"])
    levels: Callable[[Any], list[nn.Module]] = lambda model: list(model.decoder.up_blocks)
    recompute: bool = False
    fixed: str | None = None

    def encoder(self, model: Any) -> list[nn.Module]:
        return _parts(model, "encoder", "quant_conv")

    def decoder(self, model: Any) -> list[nn.Module]:
        return _parts(model, "post_quant_conv", "decoder")

    def head(self, model: Any) -> list[nn.Module]:
        """What runs behind the levels of the decoder, or feeds the last one alone."""
        return _parts(model.decoder, "conv_skip", "norm_out", "conv_norm_out", "conv_out")

    def all_levels(self, model: Any) -> list[nn.Module]:
        """The levels of both halves, those that have weights."""
        encoder = model.encoder
        levels = encoder.levels if hasattr(encoder, "levels") else encoder.down_blocks
        return [x for x in [*levels, *self.levels(model)] if any(True for _ in x.parameters())]


def adapter_of(model: object) -> Adapter:
    """The entry of a model's class."""
    return ADAPTERS[type(model).__name__]


def _parts(model: Any, *names: str) -> list[nn.Module]:
    """Those that the model has."""
    found = (getattr(model, name, None) for name in names)
    return [part for part in found if part is not None]


def _encode(model: Any, x: Tensor) -> Tensor:
    z: Tensor = model.encode(x).latent_dist.mode()
    return z


def _posterior(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    found = model.encode(x).latent_dist
    return found.mean, found.std


def _encode_plain(model: Any, x: Tensor) -> Tensor:
    z: Tensor = model.encode(x).latent
    return z


def _posterior_plain(model: Any, x: Tensor) -> tuple[Tensor, None]:
    return _encode_plain(model, x), None


def _decode(model: Any, z: Tensor) -> Tensor:
    image: Tensor = model.decode(z).sample
    return image


# The classes for video see an image as one frame. Their `encode` and `decode` keep copies of all
# activations for a next frame, and clamp the image, which has no gradient where it is clamped. So
# their parts are called here, as they call them for a first frame.


def _encode_frame(model: Any, x: Tensor) -> Tensor:
    mean: Tensor = _moments_of_frame(model, x).chunk(2, dim=1)[0]
    return mean


def _posterior_frame(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    found = DiagonalGaussianDistribution(_moments_of_frame(model, x))
    return found.mean, found.std


def _moments_of_frame(model: Any, x: Tensor) -> Tensor:
    from diffusers.models.autoencoders.autoencoder_kl_wan import patchify
    from torch.nn.functional import pad

    if _planes(model.config) == 4:
        x = pad(x, (0, 0, 0, 0, 0, 1), value=1.0)  # opaque
    frame = patchify(x.unsqueeze(2), _patch(model.config))
    moments: Tensor = model.quant_conv(model.encoder(frame)).squeeze(2)
    return moments


def _decode_frame(model: Any, z: Tensor) -> Tensor:
    frame = model.decoder(model.post_quant_conv(z.unsqueeze(2)))
    image: Tensor = frame.squeeze(2)
    return image


def _decode_first_frame(model: Any, z: Tensor) -> Tensor:
    from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

    frame = model.decoder(model.post_quant_conv(z.unsqueeze(2)), first_chunk=True)
    image: Tensor = unpatchify(frame, _patch(model.config)).squeeze(2)
    return image


def _patch(shape: Shape) -> int:
    return shape.get("patch_size") or 1


def _planes(shape: Shape) -> int:
    return int(shape.get("in_channels") or shape["input_channels"]) // _patch(shape) ** 2


def _frame_f(shape: Shape) -> int:
    return int(2 ** (len(shape["dim_mult"]) - 1) * _patch(shape))


def _z_dim(shape: Shape) -> int:
    return int(shape["z_dim"])


_KL = Adapter(
    encode=_encode,
    posterior=_posterior,
    decode=_decode,
    f=lambda shape: 2 ** (len(shape["block_out_channels"]) - 1),
    recompute=True,
)
_WAN = Adapter(
    encode=_encode_frame,
    posterior=_posterior_frame,
    decode=_decode_first_frame,
    f=_frame_f,
    latent_channels=_z_dim,
    fixed="time_conv",
)
ADAPTERS: dict[str, Adapter] = {
    OURS: Adapter(
        encode=_encode,
        posterior=_posterior,
        decode=_decode,
        f=lambda shape: int(shape["f"]),
        levels=lambda model: list(model.decoder.levels),
        recompute=True,
        fixed="projection",
    ),
    "AutoencoderDC": Adapter(
        encode=_encode_plain,
        posterior=_posterior_plain,
        decode=_decode,
        f=lambda shape: 2 ** (len(shape["encoder_block_out_channels"]) - 1),
        levels=lambda model: [b for b in reversed(model.decoder.up_blocks) if len(b)],
    ),
    "AutoencoderKL": _KL,
    "AutoencoderKLFlux2": _KL,
    "AutoencoderKLQwenImage": Adapter(
        encode=_encode_frame,
        posterior=_posterior_frame,
        decode=_decode_frame,
        f=_frame_f,
        latent_channels=_z_dim,
        fixed="time_conv",
    ),
    "AutoencoderKLQwenImage21": _WAN,
    "AutoencoderKLWan": _WAN,
}
