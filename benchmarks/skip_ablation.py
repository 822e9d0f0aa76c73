"""What skips are worth: PSNR against steps for each kind, in the encoder alone and in both halves.

    python benchmarks/skip_ablation.py --corpus corpus      # an hour or more on two cores
    python benchmarks/skip_ablation.py --corpus corpus --models 'half f16c64' --device cuda \\
        --px 128 --batch 16 --steps 3000 --lr 3e-4 --seeds 1 --jobs 5

All variants start as the trainer starts them: PyTorch's initialization in every convolution, heads
at zero where a global skip runs beside them, linear skips fit to crops. "Encoder only" means the
same decoder, without a skip. Each variant is trained with AdamW, L1 and the cosine schedule, on the
same crops at each seed, at each rate; the rate with the best end is shown. Curves are of averaged
weights on held-out pictures, as dB over the weight-free means, the mean over kinds; blank pictures
are left out. "Without the deep path" is what remains of the end when the heads of the convolutions
are put to zero.

Writes skip_ablation.json, and a chart per model, below benchmarks/results (or --out).
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import itertools
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from curves import draw_curves
from torch import nn
from torch.nn import functional as F

from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data
from vae_training.data.loader import Loader
from vae_training.distributed import join
from vae_training.fit import second_moment
from vae_training.model import CONFIGS, Autoencoder, Config
from vae_training.model.configs import GSC, LINEAR, LSC, NSC
from vae_training.model.pixels import to_model, to_pixels
from vae_training.model.skip import fit, grow, shrink
from vae_training.optimizer import make_optimizer, rate
from vae_training.state.ema import Ema
from vae_training.validation import validate

# Name -> encoder skip, decoder skip.
VARIANTS = {
    "NSC": (NSC, NSC),
    "LSC, encoder only": (LSC, NSC),
    "GSC, encoder only": (GSC, NSC),
    "linear, encoder only": (LINEAR, NSC),
    "LSC": (LSC, LSC),
    "GSC": (GSC, GSC),
    "linear": (LINEAR, LINEAR),
}
SMALL_F32 = dataclasses.replace(
    CONFIGS["tiny"], f=32, latent_channels=128, widths=(1, 1, 2, 4, 8, 8)
)
HALF_F16 = dataclasses.replace(CONFIGS["f16c64"], d_enc=48, d_dec=72)
MODELS: dict[str, Config] = {**CONFIGS, "half f16c64": HALF_F16, "tiny f32c128": SMALL_F32}
SMALL = ["tiny", "tiny f32c128"]
SIDES = sorted({config.f for config in MODELS.values()})
_HELD_PX = 128
_MARKS = 5

Held = dict[str, torch.Tensor]


def psnr(made: torch.Tensor, x: torch.Tensor) -> float:
    """Mean over images float[B, 3, H, W] of their PSNR in dB."""
    error = (to_pixels(made).double() - to_pixels(x).double()).square().mean(dim=(1, 2, 3))
    return float((10 * torch.log10(255.0**2 / error.clamp(min=1e-6))).mean())


def start(config: Config, seed: int, moment: torch.Tensor) -> Autoencoder:
    """A new model; `moment` is what its linear skips are fit to."""
    torch.manual_seed(seed)
    model = Autoencoder(**dataclasses.asdict(config))
    for half in model.halves:
        if half.projection is not None:
            fit(half.projection, moment)
    return model


@torch.no_grad()
def _silence(head: nn.Conv2d, channels: int) -> None:
    head.weight[:channels] = 0.0
    head.bias[:channels] = 0.0


@torch.no_grad()
def gain(model: Autoencoder, held: Held) -> float:
    """dB over the means, the mean over kinds."""
    f, channels = model.config.f, model.config.latent_channels
    found = [
        psnr(model(x).sample, x) - psnr(grow(shrink(x, f, channels), f, 3), x)
        for x in held.values()
    ]
    return float(np.mean(found))


def train(
    model: Autoencoder, lr: float, crops: torch.Tensor, held: Held, given: argparse.Namespace
) -> dict[str, Any]:
    """dB over the means at each mark, and at the end without the deep path."""
    settings = TrainSettings(corpus="", lr=lr, warmup_steps=given.steps)
    model, config = model.to(given.device, memory_format=torch.channels_last), model.config
    optimizer, ema = make_optimizer(model, settings), Ema(model, 0.99)
    average = copy.deepcopy(model)
    curve = [gain(model, held)]
    for step, pixels in enumerate(crops.split(given.batch)):
        for group in optimizer.param_groups:
            group["lr"] = rate(settings, step, given.steps)
        x = to_model(pixels.to(given.device))
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=given.device == "cuda"):
            made = model(x).sample
        F.l1_loss(made.float(), x).backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings.grad_clip)
        optimizer.step()
        optimizer.zero_grad()
        ema.update(model, step)
        if (step + 1) % (given.steps // _MARKS) == 0:
            ema.write_to(average)
            curve.append(gain(average, held))
    _silence(average.encoder.conv_out, config.latent_channels)
    _silence(average.decoder.conv_out, 3)
    return {"db": curve, "without_deep_path": gain(average, held)}


def load(seed: int, given: argparse.Namespace, folder: str) -> None:
    """Save crops of all phases in a shuffled order, uint8[N, px, px, 3], and held-out pictures."""
    settings = TrainSettings(
        corpus=str(given.corpus),
        seed=seed,
        steps=given.steps,
        crop_px=given.px,
        batch_pixels=given.batch * given.px**2,
        validation_samples=given.held,
    )
    data, alone = open_data(settings, 1), join("cpu", {})
    loader = Loader(shards=data.shards, order=data.order, workers=given.workers)
    total = data.order.schedule.total
    crops = torch.cat([b.pixels for b in loader.batches(data.order.start(), total)]).numpy()
    shuffled = np.random.default_rng(seed).permutation(len(crops))
    moments = {f: second_moment(data, alone, f=f, crops=2048, workers=given.workers) for f in SIDES}
    torch.save(moments, f"{folder}/{seed}-moments.pt")
    np.save(f"{folder}/{seed}.npy", crops[np.resize(shuffled, given.steps * given.batch)])
    plain = Autoencoder(**dataclasses.asdict(CONFIGS["tiny"]))
    report = validate(plain, data.shards, data.holdout.validation, alone)
    alone.close()
    held = {}
    for kind, pairs in report.pairs.items():
        cuts = [pair.original[:_HELD_PX, :_HELD_PX] for pair in pairs]
        cuts = [c for c in cuts if c.std() > 1.0 and c.shape == (_HELD_PX, _HELD_PX, 3)]
        if cuts:
            held[kind] = to_model(torch.from_numpy(np.stack(cuts)))
    torch.save(held, f"{folder}/{seed}.pt")


def job(
    name: str, seed: int, variant: str, given: argparse.Namespace, folder: str
) -> list[dict[str, Any]]:
    """The runs of a variant, one per rate."""
    torch.set_num_threads(1)
    crops = torch.from_numpy(np.load(f"{folder}/{seed}.npy", mmap_mode="c"))
    held = {k: x.to(given.device) for k, x in torch.load(f"{folder}/{seed}.pt").items()}
    encoder, decoder = VARIANTS[variant]
    config = dataclasses.replace(MODELS[name], encoder_skip=encoder, decoder_skip=decoder)
    moments = torch.load(f"{folder}/{seed}-moments.pt")
    rows = []
    for lr in given.lr:
        found = train(start(config, seed, moments[config.f]), lr, crops, held, given)
        rows.append({"model": name, "variant": variant, "lr": lr, "seed": seed, **found})
        shown = " ".join(f"{value:+.1f}" for value in found["db"])
        print(f"seed {seed}  {name:<13} {variant:<21} {lr:g}  {shown}", flush=True)
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Per model and variant, at its best rate: the end, the mean of the curve, the deep path."""
    table: dict[str, Any] = {}
    for model in dict.fromkeys(row["model"] for row in rows):
        for variant in dict.fromkeys(row["variant"] for row in rows):
            of = [r for r in rows if (r["model"], r["variant"]) == (model, variant)]
            ends = {
                lr: float(np.mean([r["db"][-1] for r in of if r["lr"] == lr]))
                for lr in sorted({r["lr"] for r in of})
            }
            best = max(ends, key=ends.__getitem__)
            runs = [r for r in of if r["lr"] == best]
            end = [r["db"][-1] for r in runs]
            table.setdefault(model, {})[variant] = {
                "lr": best,
                "end_db": round(float(np.mean(end)), 2),
                "end_db_range": [round(min(end), 2), round(max(end), 2)],
                "mean_of_curve_db": round(float(np.mean([r["db"] for r in runs])), 2),
                "lost_without_deep_path_db": round(
                    float(np.mean([r["db"][-1] - r["without_deep_path"] for r in runs])), 2
                ),
                "end_db_by_rate": {f"{lr:g}": round(value, 2) for lr, value in ends.items()},
            }
    return table


def show(table: dict[str, Any]) -> None:
    for model, variants in table.items():
        print(f"\n{model:<22} {'rate':>7} {'end':>7} {'of seeds':>16} {'curve':>7} {'deep':>7}")
        for variant, row in variants.items():
            low, high = row["end_db_range"]
            print(
                f"{variant:<22} {row['lr']:>7g} {row['end_db']:>+7.2f} {low:>+8.2f}{high:>+8.2f}"
                f" {row['mean_of_curve_db']:>+7.2f} {row['lost_without_deep_path_db']:>7.2f}"
            )
    print("\ndB over the weight-free means; curve: its mean; deep: lost without the deep path")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=SMALL)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--steps", type=int, default=120, help="a multiple of 5")
    parser.add_argument("--batch", type=int, default=8, help="crops of a step")
    parser.add_argument("--px", type=int, default=64, help="side of a crop")
    parser.add_argument("--lr", type=float, nargs="+", default=[1e-4, 3e-4, 1e-3])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--held", type=int, default=4, help="pictures held out, per kind")
    parser.add_argument("--jobs", type=int, default=2, help="variants at a time")
    parser.add_argument("--workers", type=int, default=1, help="threads that read crops")
    parser.add_argument("--name", default="skip_ablation", help="of the files that are written")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here: use --device cpu")
    if given.steps % _MARKS:
        raise SystemExit(f"--steps is a multiple of {_MARKS}; got {given.steps}")
    began = time.perf_counter()
    seeds = range(given.seeds)
    with (
        tempfile.TemporaryDirectory() as folder,
        multiprocessing.get_context("spawn").Pool(given.jobs) as pool,
    ):
        pool.starmap(load, [(seed, given, folder) for seed in seeds])
        cells = itertools.product(given.models, seeds, given.variants)
        parts = pool.starmap(job, [(*cell, given, folder) for cell in cells], chunksize=1)
    rows = [row for part in parts for row in part]
    table = summary(rows)
    show(table)
    facts: dict[str, Any] = {
        "command": "python " + " ".join(["benchmarks/skip_ablation.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": given.device,
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "steps": given.steps,
        "crops_per_step": given.batch,
        "px": given.px,
        "unit": "dB PSNR over the weight-free means, mean over kinds",
        "summary": table,
        "runs": rows,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"{given.name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    marks = [given.steps * k / _MARKS for k in range(_MARKS + 1)]
    for model, variants in table.items():
        curves = {
            f"{name}, {row['lr']:g}": np.array(
                [
                    r["db"]
                    for r in rows
                    if (r["model"], r["variant"], r["lr"]) == (model, name, row["lr"])
                ]
            )
            for name, row in variants.items()
        }
        draw_curves(
            given.out / f"{given.name}_{model.replace(' ', '_')}.png",
            marks,
            curves,
            floor=("the weight-free means", 0.0),
            title=f"{model}: mean and range of {given.seeds} seeds, each kind at its best rate",
            labels=("steps", "dB over the means"),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
