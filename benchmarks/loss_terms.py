"""Time and memory of each term of the full loss, as first written and as it is, on one CPU thread.

    python benchmarks/loss_terms.py                  # a few minutes, 12 GiB of memory
    python benchmarks/loss_terms.py --px 256 1024

Forward and backward on random weights of the true shapes: VGG-16, and DINOv2 of size B. "Before" a
term sees the whole image, DINOv2 runs all of its layers, and the adaptive weight takes a backward
pass through the decoder for each of two norms, then one for the gradients. "Now" both judges look
at a window of 512 px, DINOv2 ends behind its middle layer, and one backward pass gives norms and
gradients. Each case runs in a process of its own: CPU seconds are the median of the repeats, memory
is the largest resident size less that before. Writes loss_terms.json below benchmarks/results (or
--out).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Dinov2Config, Dinov2Model

from vae_training.losses.adaptive import fork
from vae_training.losses.alignment import Projector, margin_cosine, margin_distance
from vae_training.losses.dino import Features
from vae_training.losses.lpips import Lpips
from vae_training.losses.window import window
from vae_training.model import build

F_PX, CHANNELS = 16, 64  # of f16c64
TERMS = ("l1", "lpips", "align", "adaptive")
_LAYERS, _WIDTH, _HEADS = 12, 768, 12  # DINOv2-B


def image(batch: int, px: int) -> Tensor:
    return torch.rand(batch, 3, px, px) * 2 - 1


def term(name: str, before: bool, px: int, batch: int) -> Callable[[], None]:
    """A function that runs forward and backward once."""
    torch.manual_seed(0)
    rows, _ = window(px, px, F_PX, 0)
    side = px if before or name in ("l1", "adaptive") else rows.stop - rows.start
    x, made = image(batch, side), image(batch, side).requires_grad_()
    if name == "l1":
        return lambda: F.l1_loss(made, x).backward()
    if name == "lpips":
        judge = Lpips()
        return lambda: judge(made, x).backward()
    z = torch.randn(batch, CHANNELS, side // F_PX, side // F_PX, requires_grad=True)
    if name == "align":
        sizes: dict[str, Any] = {"hidden_size": _WIDTH, "num_hidden_layers": _LAYERS}
        shape = Dinov2Config(image_size=518, patch_size=14, num_attention_heads=_HEADS, **sizes)
        features = Features(Dinov2Model(shape), _LAYERS if before else _LAYERS // 2)
        projector = Projector(CHANNELS, _WIDTH)

        def aligned() -> None:
            seen, mapped = features(x, (z.shape[2], z.shape[3])), projector(z)
            (margin_cosine(mapped, seen, 0.0) + margin_distance(mapped, seen, 0.0)).backward()

        return aligned
    decoder, pull = build("tiny").decoder, torch.randn_like(z)

    def adaptive() -> None:
        if before:
            l1, align = F.l1_loss(decoder(z), x), (z * pull).mean()
            norms = [torch.autograd.grad(t, z, retain_graph=True)[0].norm() for t in (l1, align)]
            (l1 + norms[0] / norms[1] * align).backward()
        else:
            one, other, _ = fork(z, 1.0, 1e4)
            (F.l1_loss(decoder(one), x) + (other * pull).mean()).backward()

    return adaptive


def measure(name: str, before: bool, px: int, batch: int, repeats: int) -> dict[str, float]:
    torch.set_num_threads(1)
    run = term(name, before, px, batch)
    held = psutil.Process().memory_info().rss
    times = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        times.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"cpu_s": round(statistics.median(times), 3), "gib": round((peak - held) / 2**30, 3)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--px", nargs="+", type=int, default=[256, 1024, 2048])
    parser.add_argument("--terms", nargs="+", choices=TERMS, default=TERMS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(f"{'term':<10}{'px':>6}{'images':>8}{'before':>22}{'now':>22}")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name in given.terms:
            for px in given.px:
                batch = max(1, 4 * 256**2 // px**2)
                row: dict[str, Any] = {"term": name, "px": px, "images": batch}
                for way, before in (("before", True), ("now", False)):
                    row[way] = pool.apply(measure, (name, before, px, batch, given.repeats))
                rows.append(row)
                cells = [
                    f"{row[w]['cpu_s']:.2f} s {row[w]['gib']:.2f} GiB" for w in ("before", "now")
                ]
                print(f"{name:<10}{px:>6}{batch:>8}{cells[0]:>22}{cells[1]:>22}", flush=True)
    facts = {
        "command": "python " + " ".join(["benchmarks/loss_terms.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": "cpu, one thread",
        "rows": rows,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "loss_terms.json").write_text(json.dumps(facts, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
