"""At which learning rates convolutions are silenced, by width: one for all weights, and by fan-in.

    python benchmarks/learning_rates.py --corpus corpus      # ten minutes on two cores

Tiny, and tiny three times as wide, 800 steps of one seed with the recipe of a laptop, for several
--lr without and with --lr_fan_in. Told is what the convolutions add to the skips on held-out
samples, in dB, and the RMS of what goes into the decoder's last convolution. Writes
benchmarks/results/learning_rates.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[1])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from benchmarks.learns import RECIPE, WIDE, known  # noqa: E402
from vae_training import train  # noqa: E402
from vae_training.config import TrainSettings  # noqa: E402
from vae_training.data.corpus import open_data  # noqa: E402
from vae_training.distributed import join  # noqa: E402
from vae_training.model import Autoencoder  # noqa: E402
from vae_training.validation import validate  # noqa: E402

# Model, --lr, --lr_fan_in.
RUNS = [
    ("tiny", 1e-3, 0),
    ("tiny", 1e-3, 108),
    (WIDE, 3e-4, 0),
    (WIDE, 6e-4, 0),
    (WIDE, 1e-3, 0),
    (WIDE, 1e-3, 108),
]
_STEPS = 800


def learn(corpus: str, model: str, lr: float, fan_in: int) -> dict[str, Any]:
    """One run of the trainer, and what its convolutions add."""
    known()
    settings = ["--config", str(RECIPE), "--corpus", corpus, "--model", model, "--lr", str(lr)]
    settings += ["--lr_fan_in", str(fan_in), "--steps", str(_STEPS), "--latent_samples", "8"]
    with tempfile.TemporaryDirectory() as work:
        if train.main([*settings, "--threads", "1", "--device", "cpu", "--out", f"{work}/run"]):
            raise RuntimeError(f"training of {model} at {lr} failed")
        trained = Autoencoder.from_pretrained(Path(work) / "run" / "model").eval()
    heard: list[float] = []
    trained.decoder.conv_out.register_forward_pre_hook(
        lambda _, given: heard.append(float(given[0].square().mean().sqrt()))
    )
    data = open_data(TrainSettings(corpus=corpus, crop_px=64, batch_pixels=8 * 64 * 64), 1)
    alone = join("cpu", {})
    report = validate(trained, data.shards, data.holdout.validation, alone)
    alone.close()
    gains = {kind: round(gain, 3) for kind, gain in report.gains().items()}
    row = {"model": model, "lr": lr, "lr_fan_in": fan_in, "db_over_the_skips": gains}
    row["rms_into_the_last_convolution"] = round(sum(heard) / len(heard), 3)
    print(json.dumps(row), flush=True)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="corpus")
    given = parser.parse_args()
    # A process for each run: a run sets up torch for itself.
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        rows = pool.starmap(learn, [(given.corpus, *run) for run in RUNS[::-1]], chunksize=1)
    facts = {
        "command": "python " + " ".join(["benchmarks/learning_rates.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": "cpu",
        "steps": _STEPS,
        "runs": rows,
    }
    out = Path(__file__).parent / "results" / "learning_rates.json"
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
