"""Do autoencoders of others learn here? Fifty steps from random weights, and back into diffusers.

    python benchmarks/tune_others.py --corpus corpus      # two minutes on two cores

A small AutoencoderKL, AutoencoderDC and AutoencoderKLQwenImage21 are saved to disk by diffusers,
trained from there through `train.py`, and opened again by their classes. Told is L1 over the first
and the last ten steps. Writes tune_others.json below benchmarks/results (or --out).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.vae_training.test_init import CASES, TRAINED  # noqa: E402
from vae_training import train  # noqa: E402

import diffusers  # noqa: E402  # isort: skip

_WIDER: dict[str, dict[str, Any]] = {
    "AutoencoderKL": {"block_out_channels": [16, 32], "norm_num_groups": 8},
    "AutoencoderDC": {
        "encoder_block_out_channels": [16, 32],
        "decoder_block_out_channels": [16, 32],
    },
    "AutoencoderKLQwenImage21": {"base_dim": 16, "decoder_base_dim": 16},
}
_ENDS = 10


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="corpus")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    rows = []
    for name in TRAINED:
        with tempfile.TemporaryDirectory() as work:
            start, run = Path(work) / "start", Path(work) / "run"
            torch.manual_seed(0)
            made = getattr(diffusers, name)(**{**CASES[name], **_WIDER[name]})
            made.save_pretrained(start)
            command = ["--corpus", given.corpus, "--init", str(start), "--out", str(run)]
            command += ["--steps", str(given.steps), "--crop_px", "64", "--batch_pixels", "32768"]
            command += ["--lr", "1e-3", "--lpips_weights", "none", "--dino", "none"]
            command += ["--latent_samples", "64", "--threads", "1"]
            if train.main(command):
                return 1
            steps = [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]
            opened = getattr(diffusers, name).from_pretrained(run / "model")
        l1 = [step["l1"] for step in steps]
        rows.append(
            {
                "class": name,
                "opened_as": type(opened).__name__,
                "parameters": sum(p.numel() for p in opened.parameters()),
                "l1_first": round(statistics.mean(l1[:_ENDS]), 4),
                "l1_last": round(statistics.mean(l1[-_ENDS:]), 4),
            }
        )
    for row in rows:
        print(json.dumps(row))
    facts = {
        "command": "python " + " ".join(["benchmarks/tune_others.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": "cpu",
        "runs": rows,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "tune_others.json").write_text(json.dumps(facts, indent=1) + "\n")
    return int(any(row["l1_last"] >= row["l1_first"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
