"""Is a run that was stopped, killed and moved the same run? On a real corpus, bit for bit.

    python benchmarks/resume.py --corpus corpus --steps 200

A quarter of an hour on two cores. Writes benchmarks/results/resume.json. Four questions:

- losses: a run from start to end, and one that is sent SIGTERM at a random step, resumed with
  another number of decoding threads, killed (SIGKILL) at a random step, and resumed again, with
  a checkpoint every 7 steps. Loss and gradient norm of every step must be the same bits, and so
  must the averaged weights that are left. Three times: a new model, one whose batches go through
  in two parts, and one that goes on from an AutoencoderKL that diffusers saved;
- store: the same, of a new model whose corpus lies in an S3 server over HTTP that answers each
  request 30 ms late, against the local disk: with an empty cache up to SIGTERM, with the same
  cache up to SIGKILL, and with an empty one again to the end. On the way the store is busy, hangs,
  resets connections and sends half of what it should, now and then;
- ranks: two processes (gloo) that share the batches, and one that takes all of them, with the
  decoded pixels of each image by checksum. Both must see the same images in the same order;
- epochs: over these steps no image comes twice before all of its group have come once, and none
  is left out.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data
from vae_training.data.loader import Loader
from vae_training.distributed import join
from vae_training.model.broken_torchvision import hide_broken_torchvision

hide_broken_torchvision()

from diffusers import AutoencoderKL  # noqa: E402

_ROOT = Path(__file__).resolve().parents[1]
if str(_ROOT) not in sys.path:
    sys.path.insert(0, str(_ROOT))

from tests.ray_cluster import free_port  # noqa: E402
from tests.s3_server import pointed_to  # noqa: E402
from tests.slow_store import slow_store  # noqa: E402

_CHECKPOINT_EVERY = 7
_FAULTS = ("busy", "hung", "cut", "reset")
_CROP_PX, _BATCH_PIXELS = 64, 8 * 64 * 64  # small, so that 1,200 steps take minutes


def train(
    corpus: str,
    out: Path,
    steps: int,
    workers: int,
    more: list[str],
    *,
    stop: tuple[int, int] | None = None,
) -> None:
    """Run the command; with `stop` (step, signal) send the signal when that step is done."""
    command = [sys.executable, "vae_training/train.py", "--corpus", corpus, "--out", str(out)]
    command += ["--steps", str(steps), "--threads", "1", *more]
    command += ["--lpips_weights", "none", "--dino", "none"]
    command += ["--workers", str(workers), "--checkpoint_every", str(_CHECKPOINT_EVERY)]
    command += ["--crop_px", str(_CROP_PX), "--batch_pixels", str(_BATCH_PIXELS)]
    command += ["--validate_every", "100", "--latent_samples", "64"]
    with open(out.with_suffix(".log"), "a") as log:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log)
        while stop and process.poll() is None:
            if steps_done(out) >= stop[0]:
                process.send_signal(stop[1])
                break
            time.sleep(0.05)
        process.wait()
    expected = -signal.SIGKILL if stop and stop[1] == signal.SIGKILL else 0
    if process.returncode != expected:
        said = out.with_suffix(".log").read_text()
        raise RuntimeError(f"{' '.join(command)} left with {process.returncode}: {said}")


def _for_two_ranks(corpus: str, steps: int) -> TrainSettings:
    """Settings under which two ranks can share the images of any rung, cut to the smallest."""
    return TrainSettings(corpus=corpus, model="tiny", steps=steps, batch_multiple=2, crop_px=256)


def steps_done(out: Path) -> int:
    path = out / "steps.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "steps.jsonl").read_text().splitlines()]


def ways(folder: Path) -> dict[str, list[str]]:
    """What is trained, and how."""
    torch.manual_seed(0)
    start = folder / "start"
    blocks: dict[str, Any] = {
        "down_block_types": ["DownEncoderBlock2D"] * 3,
        "up_block_types": ["UpDecoderBlock2D"] * 3,
        "block_out_channels": [8, 16, 16],
        "norm_num_groups": 4,
        "mid_block_add_attention": False,
    }
    AutoencoderKL(**blocks).save_pretrained(start)
    return {
        "new": ["--model", "tiny"],
        "accumulated": ["--model", "tiny", "--accumulate", "2"],
        "from an AutoencoderKL": ["--init", str(start)],
    }


def two_steps(steps: int, seed: int) -> tuple[int, int]:
    """Where a run is stopped, and where it is killed."""
    draw = random.Random(seed)
    first = draw.randrange(steps // 10, steps // 2)
    return first, draw.randrange(first + steps // 10, steps - steps // 10)


def losses(corpus: str, steps: int, folder: Path, seed: int, more: list[str]) -> dict[str, Any]:
    folder.mkdir()
    first, second = two_steps(steps, seed)
    whole, broken = folder / "whole", folder / "broken"
    train(corpus, whole, steps, 2, more)
    train(corpus, broken, steps, 3, more, stop=(first, signal.SIGTERM))
    stopped_at = steps_done(broken)
    train(corpus, broken, steps, 1, more, stop=(second, signal.SIGKILL))
    killed_at = steps_done(broken)
    train(corpus, broken, steps, 5, more)
    return {
        "sigterm_after_step": stopped_at,
        "sigkill_after_step": killed_at,
        "decoding_threads": [2, [3, 1, 5]],
        **compared(whole, broken),
    }


def from_store(corpus: str, steps: int, folder: Path, seed: int) -> dict[str, Any]:
    """As `losses`, where the broken run reads from a store through a cache."""
    bucket, cache = folder / "root" / "bucket", folder / "cache"
    shutil.copytree(corpus, bucket / "corpus")
    first, second = two_steps(steps, seed)
    whole, broken, more = folder / "whole", folder / "broken", ["--model", "tiny"]
    train(corpus, whole, steps, 2, more)
    with slow_store(folder / "root", free_port()) as store, pointed_to(store.url):
        url, more = "s3://bucket/corpus", [*more, "--cache", str(cache)]
        bad = {"busy_every": 7, "hang_every": 23, "cut_every": 11, "reset_every": 13}
        store.faults(latency_s=0.03)
        train(url, broken, steps, 3, more, stop=(first, signal.SIGTERM))
        stopped_at, cold = steps_done(broken), store.counts()
        train(url, broken, steps, 1, more, stop=(second, signal.SIGKILL))
        killed_at, warm = steps_done(broken), store.counts() - cold
        shutil.rmtree(cache)
        store.faults(latency_s=0.03, **bad)
        train(url, broken, steps, 5, more)
        faults = {name: n for name, n in store.counts().items() if name in _FAULTS}
    return {
        "sigterm_after_step": stopped_at,
        "sigkill_after_step": killed_at,
        "gets_with_an_empty_cache_and_the_same": [cold["GET"], warm["GET"]],
        "faults_of_the_store": faults,
        **compared(whole, broken),
    }


def compared(whole: Path, broken: Path) -> dict[str, Any]:
    a, b = rows(whole), rows(broken)
    weights = [
        load_file(out / "model" / "diffusion_pytorch_model.safetensors") for out in (whole, broken)
    ]
    names = ("step", "bucket", "loss", "grad_norm", "lr")
    return {
        "steps": len(a),
        "first_and_last_loss": [a[0]["loss"], a[-1]["loss"]],
        "steps_that_differ": sum(
            any(x[name] != y[name] for name in names) for x, y in zip(a, b, strict=True)
        ),
        "weights_that_differ": sum(
            not torch.equal(value, weights[1][name]) for name, value in weights[0].items()
        ),
    }


def look(corpus: str, steps: int, out: Path) -> None:
    """Write what this rank sees: per image step, place in the global batch, key, checksum."""
    ranks = join("cpu", os.environ)
    settings = _for_two_ranks(corpus, steps)
    data = open_data(settings, ranks.world)
    loader = Loader(
        shards=data.shards, order=data.order, workers=2, rank=ranks.rank, world=ranks.world
    )
    seen = []
    for batch in loader.batches(data.order.start(), data.order.schedule.total):
        for place, (row, pixels) in enumerate(zip(batch.rows, batch.pixels.numpy(), strict=True)):
            slot = ranks.rank + place * ranks.world
            group, crc = batch.selection.groups[slot], zlib.crc32(pixels.tobytes())
            seen.append([batch.selection.step, slot, data.shards.key(row), group, crc])
    everything = sorted(image for some in ranks.gather(seen) for image in some)
    if ranks.first:
        out.write_text(json.dumps(everything))
    ranks.close()


def ranks(corpus: str, steps: int, folder: Path) -> dict[str, Any]:
    seen = {}
    for world in (1, 2):
        out = folder / f"seen-{world}.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc-per-node={world}", __file__, "--corpus", corpus]
        command += ["--steps", str(steps), "--look", str(out)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)}
        subprocess.run(command, env=environment, check=True)
        seen[world] = json.loads(out.read_text())
    data = open_data(_for_two_ranks(corpus, steps), 1)
    sizes = data.order.sizes()
    walked: dict[int, list[str]] = defaultdict(list)
    for _, _, key, group, _ in seen[1]:
        walked[group].append(key)
    twice = lost = epochs = 0
    for group, keys in walked.items():
        size = sizes[group]
        for start in range(0, len(keys), size):
            epoch = keys[start : start + size]
            twice += len(epoch) - len(set(epoch))
            if len(epoch) == size:
                epochs += 1
                lost += size - len(set(epoch))
    return {
        "steps": steps,
        "images": len(seen[1]),
        "images_that_differ_on_two_ranks": sum(
            a != b for a, b in zip(seen[1], seen[2], strict=True)
        ),
        "whole_epochs_of_groups": epochs,
        "images_twice_in_an_epoch": twice,
        "images_lost_in_an_epoch": lost,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", default="corpus")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=datetime.date.today().toordinal())
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    corpus = str(Path(given.corpus).resolve())
    if given.look:
        look(corpus, given.steps, given.look)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        facts = {
            "command": f"python benchmarks/resume.py --corpus corpus --steps {given.steps}"
            f" --seed {given.seed}",
            "date": datetime.date.today().isoformat(),
            "device": f"CPU, {platform.machine()}, {os.cpu_count()} cores",
            "torch": torch.__version__,
            "ranks": ranks(corpus, given.steps, folder),
            "store": from_store(corpus, given.steps, folder / "store", given.seed),
            "losses": {
                way: losses(corpus, given.steps, folder / str(number), given.seed, more)
                for number, (way, more) in enumerate(ways(folder).items())
            },
        }
    print(json.dumps(facts, indent=1))
    out = Path(__file__).parent / "results" / "resume.json"
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    wrong = (
        sum(
            x["steps_that_differ"] + x["weights_that_differ"]
            for x in [*facts["losses"].values(), facts["store"]]
        )
        + facts["ranks"]["images_that_differ_on_two_ranks"]
        + facts["ranks"]["images_twice_in_an_epoch"]
        + facts["ranks"]["images_lost_in_an_epoch"]
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
