"""How much the weight-free skip keeps, for three orders of the folded channels.

    python benchmarks/skip_order.py --corpus corpus

Prints, and writes to benchmarks/results/skip_order.json, the PSNR in dB of fold, group means,
repeat, unfold on up to 60 stored samples of each kind at rung 256. Ours is `row, column, colour`;
the others lay out colour by colour, the pixels of a colour row by row or in nested 2x2 blocks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from vae_corpus.pictures.decode import Decoded, decode
from vae_corpus.words import KINDS
from vae_training.model.configs import CONFIGS
from vae_training.model.skip import fold, unfold

Fold = Callable[[Tensor, int], Tensor]
_SAMPLES = 60


def colour_rows(x: Tensor, f: int) -> Tensor:
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // f, f, w // f, f).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(b, c * f * f, h // f, w // f)


def colour_nested(x: Tensor, f: int) -> Tensor:
    b, c, h, w = x.shape
    n = f.bit_length() - 1
    x = x.reshape(b, c, h // f, *[2] * n, w // f, *[2] * n)
    nested = [axis for i in range(n) for axis in (3 + i, 4 + n + i)]
    return x.permute(0, 1, *nested, 2, 3 + n).reshape(b, c * f * f, h // f, w // f)


ORDERS: dict[str, Fold] = {
    "row, column, colour": fold,
    "colour, row, column": colour_rows,
    "colour, nested 2x2": colour_nested,
}


def kept(x: Tensor, f: int, channels: int, order: Fold) -> Tensor:
    """What is left of float[1, 3, H, W] behind group means over channels in this order."""
    # Which channel each pixel goes to, found by folding the numbers of the pixels themselves:
    # then one scatter and gather serves any order.
    block = torch.arange(3 * f * f, dtype=torch.float64).reshape(1, 3, f, f)
    places = order(block, f).flatten().long()
    columns = colour_rows(x, f)
    grouped = columns[:, places].unflatten(1, (channels, -1))
    means = grouped.mean(dim=2, keepdim=True).expand_as(grouped).flatten(1, 2)
    back = torch.empty_like(columns)
    back[:, places] = means
    b, _, h, w = back.shape
    return back.reshape(b, 3, f, f, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, 3, h * f, w * f)


def pictures(corpus: Path, kind: str) -> list[Tensor]:
    rows = [
        row
        for path in sorted(corpus.glob(f"shards/{kind}/256/*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    found = []
    for i in np.random.default_rng(0).permutation(len(rows))[:_SAMPLES]:
        row = rows[i]
        with open(corpus / row["shard"], "rb") as file:
            file.seek(row["offset"])
            picture = decode(file.read(row["bytes"]))
        if isinstance(picture, Decoded):
            h, w = (side // 32 * 32 for side in picture.rgb.shape[:2])
            pixels = torch.from_numpy(picture.rgb[:h, :w].copy()).permute(2, 0, 1)[None]
            found.append(pixels.float() / 127.5 - 1)
    return found


def psnr(a: Tensor, b: Tensor) -> float:
    return float(10 * torch.log10(4 / ((a - b) ** 2).mean().clamp(min=1e-6)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    given = parser.parse_args()
    check = torch.randn(1, 3, 64, 64)
    assert torch.equal(unfold(fold(check, 16), 16), check)
    table: dict[str, dict[str, dict[str, float]]] = {}
    for kind in KINDS:
        images = pictures(given.corpus, kind)
        for model, c in CONFIGS.items():
            scores = {
                name: float(
                    np.mean([psnr(kept(x, c.f, c.latent_channels, order), x) for x in images])
                )
                for name, order in ORDERS.items()
            }
            table.setdefault(kind, {})[model] = scores
            shown = "   ".join(f"{name} {value:.2f}" for name, value in scores.items())
            print(f"{kind:<11} {model:<8} {shown}", flush=True)
    out = Path(__file__).parent / "results" / "skip_order.json"
    out.parent.mkdir(exist_ok=True)
    facts = {"command": "python benchmarks/skip_order.py", "unit": "dB PSNR", "psnr": table}
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
