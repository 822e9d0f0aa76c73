"""How autoencoders of diffusers are called for single images; `adapters` says which class how.

Images are float[B, 3, H, W] in [-1, 1], latents float[B, C, H/f, W/f]. What reads a configuration
takes one with all its values. Neither PyTorch nor diffusers is imported before a model is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Shape = Mapping[str, Any]


def encode_mean(model: Any, x: Tensor) -> Tensor:
    mean: Tensor = model.moments(x).chunk(2, dim=1)[0]
    return mean


def encode(model: Any, x: Tensor) -> Tensor:
    z: Tensor = model.encode(x).latent_dist.mode()
    return z


def posterior(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    found = model.encode(x).latent_dist
    return found.mean, found.std


def encode_plain(model: Any, x: Tensor) -> Tensor:
    z: Tensor = model.encode(x).latent
    return z


def posterior_plain(model: Any, x: Tensor) -> tuple[Tensor, None]:
    return encode_plain(model, x), None


def decode(model: Any, z: Tensor) -> Tensor:
    image: Tensor = model.decode(z, return_dict=False)[0]
    return image


# Wan and those made after it see an image as the first frame of a video. Their own `encode` and
# `decode` keep copies of all activations for a next frame, and clamp the image, which has no
# gradient where it is clamped. So their parts are called here, as they call them for a first frame.


def encode_frame(model: Any, x: Tensor) -> Tensor:
    mean: Tensor = _moments_of_frame(model, x).chunk(2, dim=1)[0]
    return mean


def posterior_frame(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
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


def decode_frame(model: Any, z: Tensor) -> Tensor:
    frame = model.decoder(model.post_quant_conv(z.unsqueeze(2)))
    image: Tensor = frame.squeeze(2)
    return image


def decode_first_frame(model: Any, z: Tensor) -> Tensor:
    from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

    frame = model.decoder(model.post_quant_conv(z.unsqueeze(2)), first_chunk=True)
    image: Tensor = unpatchify(frame, _patch(model.config)).squeeze(2)
    return image


def _patch(shape: Shape) -> int:
    return shape.get("patch_size") or 1


def _planes(shape: Shape) -> int:
    return int(shape.get("in_channels") or shape["input_channels"]) // _patch(shape) ** 2


def frame_f(shape: Shape) -> int:
    return int(2 ** (len(shape["dim_mult"]) - 1) * _patch(shape))


# Other classes for video neither clamp nor keep anything: an image is a video of one frame to them.


def encode_still(model: Any, x: Tensor) -> Tensor:
    return posterior_still(model, x)[0]


def posterior_still(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    found = model.encode(x.unsqueeze(2)).latent_dist
    return found.mean.squeeze(2), found.std.squeeze(2)


def decode_still(model: Any, z: Tensor) -> Tensor:
    image: Tensor = model.decode(z.unsqueeze(2)).sample
    return image.squeeze(2)


# The attention of HunyuanVideo-1.5 in diffusers 0.42 fails for more than one video at once: its
# mask lacks the axis of heads.


def encode_singly(model: Any, x: Tensor) -> Tensor:
    return posterior_singly(model, x)[0]


def posterior_singly(model: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    import torch

    means, deviations = zip(*(posterior_still(model, one) for one in x.split(1)), strict=True)
    return torch.cat(means), torch.cat(deviations)


def decode_singly(model: Any, z: Tensor) -> Tensor:
    import torch

    return torch.cat([decode_still(model, one) for one in z.split(1)])


def decode_timed(model: Any, z: Tensor) -> Tensor:
    """At time 0 where the decoder is told a time of diffusion: nothing is left to denoise.

    ValueError when it draws noise of its own: no two decodings are the same then.
    """
    if any(_each(model.config["decoder_inject_noise"])):
        raise ValueError(
            f"this {type(model).__name__} draws noise as it decodes (decoder_inject_noise), so it"
            " gives another image each time"
        )
    time = z.new_zeros(len(z)) if model.config["timestep_conditioning"] else None
    image: Tensor = model.decode(z.unsqueeze(2), time).sample
    return image.squeeze(2)


def spatial_f(shape: Shape) -> int:
    return int(shape["spatial_compression_ratio"])


def patched_f(shape: Shape) -> int:
    """Of LTX: a patch, and two for every level that makes the sides smaller, not time alone."""
    kinds = shape["downsample_type"]
    scaled = _each(shape["spatio_temporal_scaling"], len(kinds))
    smaller = sum(on and kind != "temporal" for on, kind in zip(scaled, kinds, strict=False))
    return int(shape["patch_size"] * 2**smaller)


def _each(value: Any, count: int = 1) -> list[bool]:
    return [bool(v) for v in value] if isinstance(value, list | tuple) else [bool(value)] * count


# A representation autoencoder sees pixels in [0, 1] and resizes whatever comes to the size that its
# frozen encoder has learned at; what it decodes is of one size.


def encode_01(model: Any, x: Tensor) -> Tensor:
    return encode_plain(model, (x + 1) / 2)


def posterior_01(model: Any, x: Tensor) -> tuple[Tensor, None]:
    return encode_01(model, x), None


def decode_01(model: Any, z: Tensor) -> Tensor:
    return decode(model, z) * 2 - 1


def token_side(shape: Shape) -> int:
    """Positions per side of a representation autoencoder."""
    return int(shape["encoder_input_size"] // shape["encoder_patch_size"])
