"""Does the trainer learn? PSNR after minutes on two cores, and what each part of a model is worth.

    python benchmarks/learns.py --corpus corpus      # a quarter of an hour on two cores
    python benchmarks/learns.py --corpus corpus --models f16c64 --seeds 1 --device cuda \\
        --name learns_gpu -- --crop_px 128 --batch_pixels 262144 --steps 3000 \\
        --lr 5e-4 --lr_fan_in 108

Trains tiny, and f32c128 at width 16, with the recipe of a laptop through `train.py`, at three
seeds; settings of `train.py` behind -- replace those of the recipe. Then held-out samples go
through the averaged model twice: whole, and without the deep path (the heads of the convolutions at
zero), which leaves the linear skips that a new model starts with. Told as dB over the means without
weights. Writes learns.json and the grids of the first seed below benchmarks/results (or
--out).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from vae_training import train
from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data
from vae_training.distributed import join
from vae_training.model import CONFIGS, Autoencoder
from vae_training.validation import validate

RECIPE = Path(train.__file__).parent / "recipes" / "tiny-cpu.yaml"
WIDTH_16, WIDE = "f32c128-width-16", "tiny-3-times-as-wide"
MODELS = ("tiny", WIDTH_16)


def known() -> None:
    CONFIGS[WIDTH_16] = dataclasses.replace(
        CONFIGS["tiny"],
        f=32,
        latent_channels=128,
        d_enc=16,
        d_dec=16,
        widths=(1, 1, 2, 4, 4, 4),
    )
    tiny = CONFIGS["tiny"]
    CONFIGS[WIDE] = dataclasses.replace(tiny, d_enc=3 * tiny.d_enc, d_dec=3 * tiny.d_dec)


def learn(model: str, seed: int, given: argparse.Namespace) -> dict[str, Any]:
    """One run of the trainer, and what it is worth."""
    known()
    arguments = ["--config", str(RECIPE), "--corpus", given.corpus, "--model", model]
    arguments += ["--seed", str(seed), "--latent_samples", "64", "--device", given.device]
    if given.device == "cpu":
        arguments += ["--threads", "1"]
    with tempfile.TemporaryDirectory() as work:
        run, began = Path(work) / "run", time.perf_counter()
        if train.main([*arguments, "--out", str(run), *given.settings]):
            raise RuntimeError(f"training of {model} with seed {seed} failed")
        seconds = round(time.perf_counter() - began)
        found = judge(run / "model", seed, given)
        if not seed:
            grid = Image.open(run / "grid.png").reduce(2)
            grid.save(given.out / f"{given.name}_{model}.jpg", quality=88)
    row = {"model": model, "seed": seed, "s": seconds, "db": found}
    print(json.dumps(row), flush=True)
    return row


@torch.no_grad()
def judge(folder: Path, seed: int, given: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Per kind, dB over means of pixels of the whole model and of its skips alone."""
    settings = TrainSettings(corpus=given.corpus, seed=seed, crop_px=64, batch_pixels=8 * 64 * 64)
    data, alone = open_data(settings, 1), join(given.device, {})
    model = Autoencoder.from_pretrained(folder).eval().to(given.device)
    report = validate(model, data.shards, data.holdout.validation, alone)
    for half in model.halves:
        if half.projection is not None:
            half.projection.weight.zero_()
    means = validate(model, data.shards, data.holdout.validation, alone).skip_psnr()
    alone.close()
    found = {"whole": report.psnr(), "without the deep path": report.skip_psnr()}
    return {
        part: {kind: round(value - means[kind], 2) for kind, value in values.items()}
        for part, values in found.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="corpus")
    parser.add_argument("--models", nargs="+", choices=[*CONFIGS, WIDTH_16, WIDE], default=MODELS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--name", default="learns", help="of the files that are written")
    parser.add_argument("settings", nargs="*", help="of train.py, behind --")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    runs = [(model, seed, given) for model in given.models for seed in range(given.seeds)]
    # A process for each run: a run sets up torch for itself.
    with multiprocessing.get_context("spawn").Pool(given.jobs, maxtasksperchild=1) as pool:
        rows = pool.starmap(learn, runs, chunksize=1)
    show(rows)
    facts: dict[str, Any] = {
        "command": "python " + " ".join(["benchmarks/learns.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if given.device == "cuda" else "cpu",
        "unit": "dB PSNR over the weight-free means, mean over held-out samples of a kind",
        "runs": rows,
    }
    (given.out / f"{given.name}.json").write_text(json.dumps(facts, indent=1) + "\n")
    return 0


def show(rows: list[dict[str, Any]]) -> None:
    for model in dict.fromkeys(row["model"] for row in rows):
        runs = [row for row in rows if row["model"] == model]
        print(f"\n{model}: {', '.join(str(row['s']) for row in runs)} s; dB over the means")
        for part in runs[0]["db"]:
            print(f"  {part:<24}", end="")
            for kind in runs[0]["db"][part]:
                values = [row["db"][part][kind] for row in runs]
                print(f"  {kind} {min(values):+.2f} to {max(values):+.2f}", end="")
            print()


if __name__ == "__main__":
    sys.exit(main())
