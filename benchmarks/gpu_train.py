"""Images/s and MFU of a training step: forward, backward, optimizer, bf16 on a GPU.

    python benchmarks/gpu_train.py                  # f16c128 and f32c192 at 256 and 1024 px
    python benchmarks/gpu_train.py --device cpu --model tiny --px 64 --batch 2 --repeats 2

From plain to all, one change at a time: channels_last, phase convolutions, compiled norm and SiLU,
the whole model compiled, compiled for fixed shapes. MFU counts the FLOPs of the plain model against
790 TFLOP/s (a dense bf16 rate that was measured); phase convolutions
do less work and are not credited for it. Writes gpu_train.json below benchmarks/results (or --out).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

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
STEPS = ("plain", "channels_last", "phases", "compiled norms", "compiled", "static shapes")


def prepare(name: str, step: str, device: str) -> tuple[Autoencoder, nn.Module]:
    """The model, and what to call for a training step."""
    level = STEPS.index(step)
    torch.manual_seed(0)
    model = build(name).to(device).train()
    if level >= STEPS.index("channels_last"):
        model = model.to(memory_format=torch.channels_last)
    model.use_phases(level >= STEPS.index("phases"))
    if step == "compiled norms":
        compile_norms(model)
    if level < STEPS.index("compiled"):
        return model, model
    return model, torch.compile(model, dynamic=step == "compiled")


def measure(
    given: argparse.Namespace, name: str, px: int, batch: int, step: str, sync: Callable[[], None]
) -> dict[str, float]:
    """Median seconds of a training step, and peak memory on a GPU."""
    model, called = prepare(name, step, given.device)
    model.recompute_activations(given.recompute)
    gpu = given.device == "cuda"
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=gpu)
    x = torch.rand(batch, 3, px, px, device=given.device) * 2 - 1
    if step != "plain":
        x = x.to(memory_format=torch.channels_last)
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    times = []
    for repeat in range(given.warmup + given.repeats):
        sync()
        began = time.perf_counter()
        with torch.autocast(given.device, dtype=torch.bfloat16, enabled=gpu):
            made = called(x).sample
        F.l1_loss(made.float(), x).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        sync()
        if repeat >= given.warmup:
            times.append(time.perf_counter() - began)
    seconds = statistics.median(times)
    flops = cost(name, _COUNTED_PX).train_flops * (px / _COUNTED_PX) ** 2 * batch
    found = {"batch": batch, "step_s": seconds, "images_per_s": batch / seconds}
    found["mfu"] = flops / seconds / _PEAK_FLOPS
    if gpu:
        found["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="+", choices=list(CONFIGS), default=["f16c128", "f32c192"])
    parser.add_argument("--px", nargs="+", type=int, default=[256, 1024])
    parser.add_argument("--batch", type=int, help="images (default: 16 x 256^2 pixels)")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--recompute", action="store_true", help="recompute activations")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--warmup", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print(
            "torch sees no GPU here; to see that the script works, run it with"
            " --device cpu --model tiny --px 64 --batch 2 --repeats 2",
            file=sys.stderr,
        )
        return 1
    gpu = given.device == "cuda"
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
    facts = {
        "command": "python " + " ".join(["benchmarks/gpu_train.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "torch": torch.__version__,
        "peak_flops": _PEAK_FLOPS,
        "results": table,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "gpu_train.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
