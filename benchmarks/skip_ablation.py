"""What the skips are worth: PSNR against steps for NSC, LSC, GSC, and GSC's weight-free floor.

    python benchmarks/skip_ablation.py --corpus corpus                      # tiny, minutes on a CPU
    python benchmarks/skip_ablation.py --corpus corpus --model f16c64 --device cuda --batch 16

Each variant sees the same batches at each seed, of rung 256, with L1 alone; curves are those of
averaged weights on held-out samples, the mean over kinds. Writes skip_ablation.json and .png below
benchmarks/results (or --out), and says whether GSC passes its own floor.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from vae_training.config import TrainSettings
from vae_training.data.loader import Loader
from vae_training.model import CONFIGS, Autoencoder, build
from vae_training.model.skip import grow, shrink
from vae_training.run import open_data
from vae_training.validation import to_model, to_pixels, validate

# Name -> encoder skip, decoder skip.
VARIANTS = {
    "NSC": ("nsc", "nsc"),
    "LSC": ("lsc", "lsc"),
    "GSC encoder only": ("gsc", "nsc"),
    "GSC mirrored": ("gsc", "gsc"),
}
_PER_KIND = 6
_EMA = 0.95  # short runs: an average over some twenty steps


def psnr(made: torch.Tensor, x: torch.Tensor) -> float:
    error = ((to_pixels(made).double() - to_pixels(x).double()) ** 2).mean()
    return float(10 * torch.log10(255.0**2 / error.clamp(min=1e-6)))


@torch.no_grad()
def judge(model: Autoencoder, held: dict[str, list[torch.Tensor]]) -> float:
    model.eval()
    means = [np.mean([psnr(model(x).sample, x) for x in xs]) for xs in held.values()]
    model.train()
    return float(np.mean(means))


def curve(
    model: Autoencoder,
    batches: list[torch.Tensor],
    held: dict[str, list[torch.Tensor]],
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


def draw(
    given: argparse.Namespace, seed: int
) -> tuple[list[torch.Tensor], dict[str, list[torch.Tensor]]]:
    """Batches and held-out pictures of the corpus, cut to `--px`, on the CPU and the device."""
    settings = TrainSettings(
        corpus=str(given.corpus),
        seed=seed,
        batch_pixels=given.batch * 256 * 256,
        validation_samples=_PER_KIND,
    )
    data = open_data(settings, 1)
    loader = Loader(shards=data.shards, order=data.order, workers=1)
    batches = []
    for batch in loader.batches(data.order.start(), data.order.schedule.total):
        if batch.draw.rung == 256:
            batches.append(to_model(batch.pixels[:, : given.px, : given.px]))
        if len(batches) == given.steps:
            break
    if len(batches) < given.steps:
        raise SystemExit(f"the corpus gives {len(batches)} batches at 256 px: lower --steps")
    report = validate(build("tiny"), data.shards, data.holdout.validation, torch.device("cpu"))
    held = {
        kind: [
            to_model(torch.from_numpy(p.original[: given.px, : given.px].copy())[None]).to(
                given.device
            )
            for p in pairs
        ]
        for kind, pairs in report.pairs.items()
        if pairs
    }
    return batches, held


def plot(facts: dict[str, object], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for name, runs in facts["psnr"].items():  # type: ignore[attr-defined]
        values = np.array(runs)
        (line,) = axes.plot(facts["marks"], values.mean(axis=0), label=name)
        axes.fill_between(
            facts["marks"],
            values.min(axis=0),
            values.max(axis=0),
            color=line.get_color(),
            alpha=0.2,
        )
    axes.axhline(
        np.mean(facts["floor"]), color="black", linestyle=":", label="skip alone, no weights"
    )
    axes.set(xlabel="steps", ylabel="PSNR in dB, mean over kinds", title=f"{facts['model']}")
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--model", choices=list(CONFIGS), default="tiny")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=4, help="images of 256 x 256 px, in pixels")
    parser.add_argument("--px", type=int, default=128, help="side that is cut out")
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here: use --device cpu --model tiny")
    if given.device == "cpu":
        torch.set_num_threads(1)
    marks = sorted({round(given.steps * k / 4) for k in range(5)})
    curves: dict[str, list[list[float]]] = {name: [] for name in VARIANTS}
    floors, began = [], time.process_time()
    c = CONFIGS[given.model]
    for seed in range(given.seeds):
        batches, held = draw(given, seed)
        alone = [
            np.mean([psnr(grow(shrink(x, c.f, c.latent_channels), c.f, 3), x) for x in xs])
            for xs in held.values()
        ]
        floors.append(float(np.mean(alone)))
        for name, (encoder, decoder) in VARIANTS.items():
            torch.manual_seed(seed)
            model = build(given.model, encoder_skip=encoder, decoder_skip=decoder).to(
                given.device, memory_format=torch.channels_last
            )
            curves[name].append(curve(model, batches, held, given.lr, marks))
            shown = " ".join(f"{value:.2f}" for value in curves[name][-1])
            print(f"seed {seed}  {name:<22} {shown}  floor {floors[-1]:.2f}", flush=True)
    gains = {n: [r[-1] - f for r, f in zip(rs, floors, strict=True)] for n, rs in curves.items()}
    for name, values in gains.items():
        verdict = "passes" if min(values) > 0 else "does not pass"
        print(f"{name:<22} {np.mean(values):+.2f} dB against the floor: {verdict} it at every seed")
    facts: dict[str, object] = {
        "command": "python " + " ".join(["benchmarks/skip_ablation.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": given.device,
        "cpu_s": round(time.process_time() - began),
        "model": given.model,
        "unit": "dB PSNR, mean over kinds, one row per seed",
        "marks": marks,
        "floor": floors,
        "psnr": curves,
        "gain_over_floor": gains,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "skip_ablation.json"
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    plot(facts, given.out / "skip_ablation.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
