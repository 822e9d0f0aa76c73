"""Print the configurations with parameters, FLOPs and activation memory per resolution.

Run: `python -m vae_training.model` for all, `python -m vae_training.model f16c64 tiny` for some.
They are counted on the meta device, without memory.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import torch
from torch import nn

from vae_training.model import CONFIGS, build, config
from vae_training.model.cost import cost, train_flops

_RESOLUTIONS_PX = (256, 512, 1024, 2048)
_COUNTED_PX = 256


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def main(argv: Sequence[str] | None = None) -> int:
    """Print two tables of the models of these names, or of all; 2 where one is unknown."""
    names = list(sys.argv[1:] if argv is None else argv) or list(CONFIGS)
    try:
        configs = {name: config(name) for name in names}
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{'model':<9}{'f':>4}{'C':>5}{'d_enc':>7}{'d_dec':>7}  {'widths':<18}{'skip':<10}", end=""
    )
    print(f"{'encoder':>13}{'decoder':>14}")
    for name, c in configs.items():
        with torch.device("meta"):
            model = build(name)
        widths = " ".join(str(w) for w in c.widths)
        print(
            f"{name:<9}{c.f:>4}{c.latent_channels:>5}{c.d_enc:>7}{c.d_dec:>7}  {widths:<18}"
            f"{c.encoder_skip + '/' + c.decoder_skip:<10}"
            f"{parameters(model.encoder):>13,}{parameters(model.decoder):>14,}"
        )
    print("\nof one image: TFLOP to encode, to decode, to train (both passes; with subpixel")
    print("convolutions); GB of bf16 activations kept for the backward pass (levels recomputed)")
    print(f"{'model':<9}{'px':>6}{'encode':>9}{'decode':>9}{'train':>9}{'subpixel':>9}", end="")
    print(f"{'kept':>9}{'recomputed':>12}")
    for name in configs:
        plain = cost(name, _COUNTED_PX)
        subpixel = train_flops(name, _COUNTED_PX, subpixel=True)
        tera = [plain.encode_flops, plain.decode_flops, plain.train_flops, subpixel]
        for px in _RESOLUTIONS_PX:
            # Everything is proportional to the pixels: the models are convolutions only.
            scale = (px / _COUNTED_PX) ** 2
            print(f"{name:<9}{px:>6}", end="")
            print("".join(f"{scale * flops / 1e12:>9.3f}" for flops in tera), end="")
            kept, recomputed = (
                b * scale / 1e9 for b in (plain.saved_bytes, plain.recomputed_bytes)
            )
            print(f"{kept:>9.2f}{recomputed:>12.2f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
