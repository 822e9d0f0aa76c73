"""What the skips are worth: PSNR against steps for NSC, LSC, GSC, and GSC's weight-free floor.

    python benchmarks/skip_ablation.py --corpus corpus --steps 100   # tiny, 8 minutes of a core
    python benchmarks/skip_ablation.py --corpus corpus --model f16c64 --device cuda \\
        --px 256 --batch 16 --steps 20000

Each variant sees the same batches at each seed, of all kinds, with L1 alone, at each of the rates;
the rate that ends best is shown. Curves are those of averaged weights on held-out samples, the mean
over kinds. Blank samples are left out: whatever keeps white white has 100 dB there, and nothing
else. Writes skip_ablation.json and .png below benchmarks/results (or --out), and says which variant
passes the floor.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from curves import draw_curves
from torch.nn import functional as F

from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data
from vae_training.data.loader import Loader
from vae_training.distributed import Ranks, join
from vae_training.model import CONFIGS, Autoencoder, build
from vae_training.model.pixels import to_model, to_pixels
from vae_training.model.skip import grow, shrink
from vae_training.validation import validate

# Name -> encoder skip, decoder skip.
VARIANTS = {
    "NSC": ("nsc", "nsc"),
    "LSC": ("lsc", "lsc"),
    "GSC encoder only": ("gsc", "nsc"),
    "GSC mirrored": ("gsc", "gsc"),
    "GSC mirrored, heads from zero": ("gsc", "gsc"),
}
_FROM_ZERO = "heads from zero"  # what the start with colour is worth: the deep path adds nothing
_CLEAR_DB = 0.05  # less is a tie
_PER_KIND = 6
_SQUARE = 256  # px; one cut is taken of each square of this size
_EMA = 0.95  # short runs: an average over some twenty steps


def psnr(made: torch.Tensor, x: torch.Tensor) -> float:
    """Mean over images float[B, 3, H, W] of their PSNR in dB."""
    error = (to_pixels(made).double() - to_pixels(x).double()).square().mean(dim=(1, 2, 3))
    return float((10 * torch.log10(255.0**2 / error.clamp(min=1e-6))).mean())


def start(name: str, model: str, seed: int) -> Autoencoder:
    torch.manual_seed(seed)
    encoder, decoder = VARIANTS[name]
    made = build(model, encoder_skip=encoder, decoder_skip=decoder)
    if name.endswith(_FROM_ZERO):
        torch.nn.init.zeros_(made.encoder.conv_out.weight)
        torch.nn.init.zeros_(made.decoder.conv_out.weight)
    return made


@torch.no_grad()
def judge(model: Autoencoder, held: dict[str, torch.Tensor]) -> float:
    model.eval()
    value = float(np.mean([psnr(model(x).sample, x) for x in held.values()]))
    model.train()
    return value


def curve(
    model: Autoencoder,
    batches: list[torch.Tensor],
    held: dict[str, torch.Tensor],
    lr: float,
    marks: list[int],
) -> list[float]:
    """PSNR of the averaged weights after each number of steps in `marks`."""
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(_EMA)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.95))
    device, points = next(model.parameters()).device, []
    for step in range(len(batches) + 1):
        if step in marks:
            points.append(judge(average.module if step else model, held))
        if step == len(batches):
            return points
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 6)
        x = batches[step].to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            made = model(x).sample
        F.l1_loss(made.float(), x).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        average.update_parameters(model)
    raise AssertionError("unreachable")


def load_batches(
    given: argparse.Namespace, seed: int, alone: Ranks
) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
    """Batches of `--px` px from all phases, shuffled, and held-out pictures per kind."""
    settings = TrainSettings(
        corpus=str(given.corpus),
        seed=seed,
        steps=given.steps,
        batch_pixels=given.batch * _SQUARE * _SQUARE,
        validation_samples=_PER_KIND,
    )
    data = open_data(settings, 1)
    loader = Loader(shards=data.shards, order=data.order, workers=1)
    cuts = [
        image[top : top + given.px, left : left + given.px].clone()
        for batch in loader.batches(data.order.start(), data.order.schedule.total)
        for image in batch.pixels
        for top in range(0, max(1, image.shape[0] - _SQUARE + 1), _SQUARE)
        for left in range(0, max(1, image.shape[1] - _SQUARE + 1), _SQUARE)
    ]
    shuffled = np.random.default_rng(seed).permutation(len(cuts))
    batches = [
        to_model(torch.stack([cuts[place] for place in places]))
        for places in np.array_split(shuffled, given.steps)
    ]
    report = validate(build("tiny"), data.shards, data.holdout.validation, alone)
    held = {}
    for kind, pairs in report.pairs.items():
        cuts = [pair.original[: given.px, : given.px] for pair in pairs]
        cuts = [cut for cut in cuts if cut.std() > 1.0]
        if cuts:
            held[kind] = to_model(torch.from_numpy(np.stack(cuts))).to(given.device)
    return batches, held


def plot(facts: dict[str, Any], path: Path) -> None:
    """Each variant at its best rate."""
    best = facts["best_rate"]
    draw_curves(
        path,
        facts["marks"],
        {f"{n}, rate {best[n]}": np.array(runs[best[n]]) for n, runs in facts["psnr"].items()},
        floor=("the skip alone, no weights", float(np.mean(facts["floor"]))),
        title=f"{facts['model']}: mean and range of {len(facts['floor'])} seeds",
        labels=("steps", "PSNR in dB, mean over kinds"),
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--model", choices=list(CONFIGS), default="tiny")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch", type=int, default=8, help="images of 256 x 256 px, in pixels")
    parser.add_argument("--px", type=int, default=64, help="side that is cut out")
    parser.add_argument("--lr", type=float, nargs="+", default=[1e-4, 1e-3], help="tried in turn")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here: use --device cpu --model tiny")
    if given.device == "cpu":
        torch.set_num_threads(1)
    marks = sorted({round(given.steps * k / 8) for k in range(9)})
    curves: dict[str, dict[str, list[list[float]]]] = {
        name: {f"{lr:g}": [] for lr in given.lr} for name in VARIANTS
    }
    ranks, floors, began = join("cpu", {}), [], time.process_time()
    c = CONFIGS[given.model]
    for seed in range(given.seeds):
        batches, held = load_batches(given, seed, ranks)
        alone = [psnr(grow(shrink(x, c.f, c.latent_channels), c.f, 3), x) for x in held.values()]
        floors.append(float(np.mean(alone)))
        for name in VARIANTS:
            for lr in given.lr:
                model = start(name, given.model, seed)
                model = model.to(given.device, memory_format=torch.channels_last)
                points = curve(model, batches, held, lr, marks)
                curves[name][f"{lr:g}"].append(points)
                shown = " ".join(f"{value:.2f}" for value in points)
                print(
                    f"seed {seed}  {name:<30} {lr:g}  {shown}  floor {floors[-1]:.2f}", flush=True
                )
    best = {
        n: max(rates, key=lambda lr: np.mean(rates[lr], axis=0)[-1]) for n, rates in curves.items()
    }
    gains = {
        name: [run[-1] - floor for run, floor in zip(curves[name][lr], floors, strict=True)]
        for name, lr in best.items()
    }
    for name, values in gains.items():
        verdict = "passes" if min(values) > _CLEAR_DB else "does not pass"
        print(
            f"{name:<30} {np.mean(values):+.2f} dB against the floor"
            f" ({min(values):+.2f} to {max(values):+.2f}): {verdict} it at every seed"
        )
    facts: dict[str, Any] = {
        "command": "python " + " ".join(["benchmarks/skip_ablation.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": given.device,
        "cpu_s": round(time.process_time() - began),
        "model": given.model,
        "px": given.px,
        "images_per_step": given.batch,
        "unit": "dB PSNR, mean over kinds, one row per seed",
        "marks": marks,
        "floor": floors,
        "psnr": curves,
        "best_rate": best,
        "gain_over_floor": gains,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "skip_ablation.json"
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    plot(facts, given.out / "skip_ablation.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
