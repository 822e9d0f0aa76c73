"""Print the configurations with their parameters, counted without allocating a weight.

Run: `python -m vae_training.model`
"""

from __future__ import annotations

import torch
from torch import nn

from vae_training.model import CONFIGS, build


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def main() -> int:
    """Print the table; no settings."""
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
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
