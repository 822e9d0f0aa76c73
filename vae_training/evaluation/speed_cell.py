"""One cell of `--speed`: a model, a size and a batch, measured in a process of its own.

Run by `speed`: `python -m vae_training.evaluation.speed_cell JSON`. It prints a line of JSON for
every part as soon as it is measured, so that a process that is ended keeps what it has.

Peak memory is, on CUDA, that of tensors (`torch.cuda.max_memory_allocated`); on a CPU, the most
that the process was resident while the part ran (VmHWM of Linux, set back before), Python and
PyTorch included; `loaded_bytes` is the same with the model loaded and nothing done. The `ru_maxrss`
of a process would be that of the one which started it, where that was larger.
"""

from __future__ import annotations

import contextlib
import functools
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_training.baselines.weight_free import BASELINES
from vae_training.compilation import memory_layout
from vae_training.evaluation.contenders import model_folder
from vae_training.model import folder
from vae_training.model.adapters import adapter_of
from vae_training.model.cost import forward_flops

WARM_UP = 2
_SEED = 0
Step = Callable[[Tensor], Tensor]


class Refused(Exception):
    """A cell that this model cannot have."""


def main() -> int:
    """Measure the cell that the first argument describes; 1 with a reason when it cannot be."""
    cell = json.loads(sys.argv[1])
    if cell["threads"]:
        torch.set_num_threads(cell["threads"])
    torch.backends.cudnn.allow_tf32 = False  # as in an evaluation: fp32 is to be that
    try:
        _measure(cell)
    except Refused as error:
        return _failed(str(error))
    except (torch.OutOfMemoryError, MemoryError):
        return _failed("out of memory")
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # the CPU's allocator has no class of its own
            raise
        return _failed("out of memory")
    return 0


@torch.no_grad()
def _measure(cell: dict[str, Any]) -> None:
    px, batch, device = cell["px"], cell["batch"], torch.device(cell["device"])
    drawn = torch.Generator().manual_seed(_SEED)
    if cell["source"] in BASELINES:
        baseline = BASELINES[cell["source"]]
        _check_size(px, baseline.f, None)
        pixels = torch.randint(0, 256, (batch, px, px, 3), generator=drawn, dtype=torch.uint8)
        pictures = list(pixels.numpy())
        _tell("both", cell, _time(cell, lambda: [baseline.reconstruct(rgb) for rgb in pictures]))
        return
    model = folder.load(model_folder(cell["source"])).eval().requires_grad_(False)
    layout = memory_layout(model) if device.type == "cuda" else torch.preserve_format
    model.to(device, memory_format=layout)
    adapter = adapter_of(model)
    _check_size(px, adapter.f(model.config), adapter.only_px(model.config))
    encode: Step = functools.partial(adapter.encode, model)
    decode: Step = functools.partial(adapter.decode, model)
    print(json.dumps({"flops": _flops(model, px)}), flush=True)
    if cell["tiling"]:
        if not adapter.tiles or not hasattr(model, "enable_tiling"):
            raise Refused(f"a {type(model).__name__} is not called in tiles here")
        model.enable_tiling()
    if cell["compile"]:
        encode, decode = torch.compile(encode), torch.compile(decode)
    x = (torch.rand(batch, 3, px, px, generator=drawn) * 2 - 1).to(device)
    _set_back(device)
    print(json.dumps({"loaded_bytes": _peak(device)}), flush=True)
    half = cell["dtype"] == "bf16"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
        z = _part("encode", cell, encode, x)
        _part("decode", cell, decode, z)


def _part(name: str, cell: dict[str, Any], step: Step, given: Tensor) -> Tensor:
    """Measure one half, and give what it made."""
    device, made = given.device, given

    def once() -> None:
        nonlocal made
        made = given  # what was made before goes first
        made = step(given)

    _set_back(device)
    seconds = _time(cell, once)
    _tell(name, cell, seconds, _peak(device))
    return made


def _check_size(px: int, f: int, only: int | None) -> None:
    if px % f:
        raise Refused(f"{px} is no multiple of {f}")
    if only is not None and px != only:
        raise Refused(f"it takes {only} x {only} px alone")


@torch.no_grad()
def _flops(model: Any, px: int) -> dict[str, int]:
    """Of one image, counted on a copy without memory."""
    adapter = adapter_of(model)
    with torch.device("meta"):
        shadow = type(model).from_config(model.config).eval()
        x = torch.empty(1, 3, px, px)
        z = adapter.encode(shadow, x)
    return {
        "encode": forward_flops(functools.partial(adapter.encode, shadow), x),
        "decode": forward_flops(functools.partial(adapter.decode, shadow), z),
    }


def _time(cell: dict[str, Any], once: Callable[[], Any]) -> list[float]:
    """Seconds of each repeat, after the warm-up."""
    wait = torch.cuda.synchronize if cell["device"] == "cuda" else lambda: None
    taken = []
    for _ in range(WARM_UP + cell["repeats"]):
        wait()
        started = time.perf_counter()
        once()
        wait()
        taken.append(time.perf_counter() - started)
    return taken[WARM_UP:]


def _tell(name: str, cell: dict[str, Any], seconds: list[float], peak: int | None = None) -> None:
    median = statistics.median(seconds)
    found = {"images_per_s": cell["batch"] / median, "median_s": median, "seconds": seconds}
    print(json.dumps({name: {**found, **({"peak_bytes": peak} if peak else {})}}), flush=True)


def _failed(reason: str) -> int:
    print(json.dumps({"reason": reason}), flush=True)
    return 1


def _set_back(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    # Where this is not Linux, or not allowed, the peak is that since the start.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        (line,) = [x for x in status.splitlines() if x.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    raise SystemExit(main())
