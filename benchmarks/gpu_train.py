"""Images/s and MFU of a training step: forward, backward, optimizer, bf16 on a GPU.

    python benchmarks/gpu_train.py    # f16c128 and f32c192 at 256 and 1024 px
    python benchmarks/gpu_train.py --device cpu --model tiny --px 64 --batch 2    # without a GPU

From plain to all, one change at a time: channels_last, phase convolutions, compiled norm and SiLU,
both halves compiled as the trainer does it, once per shape: shapes that may change make the
compiler of torch 2.13 fail on the phases, and buckets are few. A CPU compiles `tiny` for some
minutes; --steps leaves out what is not wanted. MFU counts the FLOPs of the plain model against
790 TFLOP/s (a dense bf16 rate that was measured); phase convolutions do less work and are not
credited for it. Writes gpu_train.json below benchmarks/results, and with --device cpu into a new
temporary folder: such times say nothing about a GPU.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from vae_corpus.curriculum import LossWeights
from vae_training.distributed import compile_halves
from vae_training.losses.objective import Objective
from vae_training.model import CONFIGS, Autoencoder, build
from vae_training.model.blocks import ResidualBlock
from vae_training.model.cost import cost

_PEAK_FLOPS = 790e12
_COUNTED_PX = 256


def compile_norms(model: Autoencoder) -> None:
    """Fuse each block's norm and SiLU into one kernel, the convolutions left as they are."""
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            for name in ("norm1", "norm2"):
                getattr(module, name).compile()


# Each step keeps what the ones before it switched on, but for compiled norms in a compiled model.
STEPS = ("plain", "channels_last", "phases", "compiled norms", "compiled")


def prepare(name: str, step: str, device: str) -> Objective:
    """The model in its loss, as the trainer has it at a step of the way."""
    level = STEPS.index(step)
    torch.manual_seed(0)
    model = build(name).to(device).train()
    if level >= STEPS.index("channels_last"):
        model = model.to(memory_format=torch.channels_last)
    model.use_subpixel_convolutions(level >= STEPS.index("phases"))
    objective = Objective(model, None, None)
    if step == "compiled norms":
        compile_norms(model)
    elif step == "compiled":
        compile_halves(objective)
    return objective


def measure(
    given: argparse.Namespace, name: str, px: int, batch: int, step: str, sync: Callable[[], None]
) -> dict[str, float]:
    """Seconds of a training step (median) and of the first, which compiles; a GPU's memory."""
    torch.compiler.reset()
    objective = prepare(name, step, given.device)
    model = objective.autoencoder
    model.recompute_activations(given.recompute)
    gpu = given.device == "cuda"
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=gpu)
    x = torch.rand(batch, 3, px, px, device=given.device) * 2 - 1
    if step != "plain":
        x = x.to(memory_format=torch.channels_last)
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    times: list[float] = []
    started = time.perf_counter()
    for repeat in range(given.warmup + given.repeats):
        sync()
        began = time.perf_counter()
        with torch.autocast(given.device, dtype=torch.bfloat16, enabled=gpu):
            loss = objective(x, LossWeights())["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        sync()
        if repeat == 0:
            first = time.perf_counter() - started
        if repeat >= given.warmup:
            times.append(time.perf_counter() - began)
    seconds = statistics.median(times)
    flops = cost(name, _COUNTED_PX).train_flops * (px / _COUNTED_PX) ** 2 * batch
    found = {"batch": batch, "first_step_s": first, "step_s": seconds}
    found["images_per_s"] = batch / seconds
    if gpu:
        found["mfu"] = flops / seconds / _PEAK_FLOPS
        found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def print_table(table: dict[str, dict[str, object]]) -> None:
    """Show each step beside the plain model; the first training step pays for compilation."""
    for name, rows in table.items():
        print(f"\n{name:<20}{'images/s':>10}{'against plain':>15}{'first step':>12}", end="")
        print(f"{'MFU':>8}{'GiB':>8}")
        plain = rows.get("plain")
        for step, found in rows.items():
            if not isinstance(found, dict):
                print(f"  {step:<18}  {found}")
                continue
            ratio = found["images_per_s"] / plain["images_per_s"] if isinstance(plain, dict) else 0
            print(
                f"  {step:<18}{found['images_per_s']:>10.2f}"
                + (f"{ratio:>14.2f}x" if ratio else f"{'-':>15}")
                + f"{found['first_step_s']:>10.1f} s"
                + (f"{found['mfu']:>8.1%}{found['peak_gib']:>8.1f}" if "mfu" in found else "")
            )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="+", choices=list(CONFIGS), default=["f16c128", "f32c192"])
    parser.add_argument("--px", nargs="+", type=int, default=[256, 1024])
    parser.add_argument("--batch", type=int, help="images (default: 16 x 256^2 pixels)")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--recompute", action="store_true", help="recompute activations")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--warmup", type=int, help="steps before (GPU 3, CPU 1)")
    parser.add_argument("--repeats", type=int, help="steps timed (GPU 10, CPU 2)")
    parser.add_argument("--out", type=Path, help="folder (GPU: results, CPU: a temporary one)")
    given = parser.parse_args(argv)
    if given.device == "cuda" and not torch.cuda.is_available():
        print(
            "torch sees no GPU here; to see that the script works, run it with"
            " --device cpu --model tiny --px 64 --batch 2",
            file=sys.stderr,
        )
        return 1
    gpu = given.device == "cuda"
    if given.warmup is None:
        given.warmup = 3 if gpu else 1
    given.repeats = given.repeats or (10 if gpu else 2)
    sync = torch.cuda.synchronize if gpu else lambda: None
    table: dict[str, dict[str, object]] = {}
    for name in given.model:
        for px in given.px:
            batch = given.batch or max(1, 16 * 256**2 // px**2)
            rows = table.setdefault(f"{name} {px} px", {})
            for step in given.steps:
                try:
                    found = measure(given, name, px, batch, step, sync)
                except torch.cuda.OutOfMemoryError:
                    rows[step] = "out of memory"
                    print(f"{name} {px} px  {step:<16} out of memory: lower --batch", flush=True)
                    continue
                except Exception as error:  # compilers raise all kinds; the other steps still tell
                    said = f"{type(error).__name__}: {error}".strip().splitlines()[0]
                    rows[step] = f"failed: {said}"
                    print(f"{name} {px} px  {step:<16} failed: {said}", flush=True)
                    continue
                rows[step] = found
                print(
                    f"{name} {px} px  {step:<16} {found['images_per_s']:8.2f} images/s"
                    + (f"  MFU {found['mfu']:.1%}  {found['peak_gib']:.1f} GiB" if gpu else ""),
                    flush=True,
                )
    print_table(table)
    command = ["benchmarks/gpu_train.py", *(sys.argv[1:] if argv is None else argv)]
    facts = {
        "command": "python " + " ".join(command),
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "torch": torch.__version__,
        "peak_flops": _PEAK_FLOPS,
        "results": table,
    }
    results = Path(__file__).parent / "results"
    out = given.out or (results if gpu else Path(tempfile.mkdtemp(prefix="gpu_train-")))
    out.mkdir(parents=True, exist_ok=True)
    path = out / "gpu_train.json"
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
