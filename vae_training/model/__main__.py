"""Print the configurations with parameters, FLOPs and activation memory per resolution.

Run: `python -m vae_training.model` (counted on the meta device, without memory)
"""

from __future__ import annotations

import torch
from torch import nn

from vae_training.model import CONFIGS, build
from vae_training.model.cost import cost

_RESOLUTIONS_PX = (256, 512, 1024, 2048)
_COUNTED_PX = 256


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def main() -> int:
    """Print two tables; no settings."""
    print(
        f"{'model':<9}{'f':>4}{'C':>5}{'d_enc':>7}{'d_dec':>7}  {'widths':<18}{'skip':<10}", end=""
    )
    print(f"{'encoder':>13}{'decoder':>14}")
    for name, c in CONFIGS.items():
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
    for name in CONFIGS:
        plain, subpixel = cost(name, _COUNTED_PX), cost(name, _COUNTED_PX, subpixel=True)
        tera = [plain.encode_flops, plain.decode_flops, plain.train_flops, subpixel.train_flops]
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
