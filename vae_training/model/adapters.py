"""How the trainer uses the autoencoders of diffusers, ours among them: an entry per class.

To the trainer an autoencoder maps images float[B, 3, H, W] in [-1, 1] to latents
float[B, C, H/f, W/f] and back, with sides that are multiples of f; it has an encoder and a decoder,
and the decoder has levels. A new class is an entry in `ADAPTERS`, how it is called stands in
`ways`. Some classes are for evaluation only, and say why. Neither PyTorch nor diffusers is imported
before a model is there: settings ask for the names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vae_training.model import ways
from vae_training.model.ways import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

OURS = "Autoencoder"


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """What the trainer asks of a class; functions take a model of it.

    `encode` gives the mode of the posterior, `posterior` its mean and standard deviation (None
    where the class has none), each float[B, C, H/f, W/f]. `decode` gives float[B, 3 or 4, H, W],
    not clamped; a fourth plane is opacity, 1 for all our images. `f` and `latent_channels` read a
    configuration. `levels` are those of the decoder in the order in which they run. Weights with a
    name that holds `fixed` never learn: they are fit otherwise, or have no part in a single image.
    `recompute` tells whether activations can be recomputed. `only_px` is the side of the one square
    that a class takes, None where any size goes. `only_evaluated` says why a class is not trained,
    and is empty for the others. `tiles` tells whether the class's own tiling has a part in it.
    """

    encode: Callable[[Any, Tensor], Tensor]
    posterior: Callable[[Any, Tensor], tuple[Tensor, Tensor | None]]
    decode: Callable[[Any, Tensor], Tensor]
    f: Callable[[Shape], int]
    latent_channels: Callable[[Shape], int] = lambda shape: int(shape["latent_channels"])
    levels: Callable[[Any], list[nn.Module]] = lambda model: list(model.decoder.up_blocks)
    recompute: bool = False
    fixed: str | None = None
    only_px: Callable[[Shape], int | None] = lambda shape: None
    only_evaluated: str = ""
    tiles: bool = True

    def trial_px(self, shape: Shape) -> int:
        """Side of a small square that a model of this configuration takes."""
        return self.only_px(shape) or 8 * self.f(shape)

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


_KL = Adapter(
    encode=ways.encode,
    posterior=ways.posterior,
    decode=ways.decode,
    f=lambda shape: 2 ** (len(shape["block_out_channels"]) - 1),
    recompute=True,
)
_WAN = Adapter(
    encode=ways.encode_frame,
    posterior=ways.posterior_frame,
    decode=ways.decode_first_frame,
    f=ways.frame_f,
    latent_channels=lambda shape: int(shape["z_dim"]),
    fixed="time_conv",
    tiles=False,
)
# Wan pads the time before the first frame with zeros, so only the last slice of its kernels sees an
# image and learns. These repeat the image, and all slices see the same.
_STILL = Adapter(
    encode=ways.encode_still,
    posterior=ways.posterior_still,
    decode=ways.decode_still,
    f=ways.spatial_f,
    only_evaluated="to its kernels an image is a video that stands still, so they would unlearn"
    " what moves",
)
_LTX = dataclasses.replace(_STILL, decode=ways.decode_timed, f=ways.patched_f)
ADAPTERS: dict[str, Adapter] = {
    OURS: Adapter(
        encode=ways.encode_mean,
        posterior=ways.posterior,
        decode=ways.decode,
        f=lambda shape: int(shape["f"]),
        levels=lambda model: list(model.decoder.levels),
        recompute=True,
        fixed="projection",
    ),
    "AutoencoderDC": Adapter(
        encode=ways.encode_plain,
        posterior=ways.posterior_plain,
        decode=ways.decode,
        f=lambda shape: 2 ** (len(shape["encoder_block_out_channels"]) - 1),
        levels=lambda model: [b for b in reversed(model.decoder.up_blocks) if len(b)],
    ),
    "AutoencoderKL": _KL,
    "AutoencoderKLFlux2": _KL,
    # Its levels are single blocks: they lie in one list.
    "AutoencoderKLHunyuanImage": dataclasses.replace(_KL, f=ways.spatial_f, recompute=False),
    "AutoencoderKLHunyuanVideo": _STILL,
    "AutoencoderKLHunyuanVideo15": dataclasses.replace(
        _STILL,
        encode=ways.encode_singly,
        posterior=ways.posterior_singly,
        decode=ways.decode_singly,
    ),
    "AutoencoderKLLTX2Video": _LTX,
    "AutoencoderKLLTXVideo": _LTX,
    "AutoencoderKLQwenImage": dataclasses.replace(_WAN, decode=ways.decode_frame),
    "AutoencoderKLQwenImage21": _WAN,
    "AutoencoderKLWan": _WAN,
    "AutoencoderRAE": Adapter(
        encode=ways.encode_01,
        posterior=ways.posterior_01,
        decode=ways.decode_01,
        f=lambda shape: int(shape["patch_size"]),
        latent_channels=lambda shape: int(shape["encoder_hidden_size"]),
        only_px=lambda shape: int(shape["patch_size"] * ways.token_side(shape)),
        only_evaluated="its encoder is a frozen network of another task, for images of one size",
        tiles=False,
    ),
}
TRAINED = tuple(name for name, adapter in ADAPTERS.items() if not adapter.only_evaluated)
