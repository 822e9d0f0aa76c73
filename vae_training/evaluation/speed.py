"""Speed, memory and FLOPs of models by resolution: a process for every cell, and its time limit.

A cell is a model, a size and a batch. One that has no memory or no time left is a cell with a
reason, and so are all larger ones of the model, which are not tried.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vae_corpus.storage import commit_bytes
from vae_training.evaluation.config import BASELINE_NAMES

VERSION = 1
_ROOT = Path(__file__).resolve().parents[2]
_MEMORY = {
    "cuda": "most bytes of tensors at once (torch.cuda.max_memory_allocated)",
    "cpu": "most bytes that the process of the cell was resident, with Python and PyTorch; the"
    " model alone is loaded_bytes",
}
_PARTS = ("encode", "decode", "both")


def measure(
    sources: Mapping[str, str],
    settings: Mapping[str, Any],
    out: Path,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure all cells of the models, by name, and write speed.json and speed.md below `out`.

    `settings`: sizes, batch, repeats, limit_s, compile, tiling, dtype, device, threads. What is
    measured is written after every cell, so a run that is ended keeps it.
    """
    found: dict[str, Any] = {"version": VERSION, **_circumstances(settings), "cells": []}
    out.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        if source not in BASELINE_NAMES:
            source = str(Path(source).resolve())  # the process of a cell runs elsewhere
        full: dict[int, str] = {}  # by batch, why larger sizes are not tried
        for px, batch in _places(settings):
            cell = {"model": name, "px": px, "batch": batch}
            if batch in full:
                cell["reason"] = f"not tried: {full[batch]}"
            else:
                cell |= _run({**settings, **cell, "source": source})
                if cell.pop("ended", False):
                    full[batch] = f"{px} px: {cell['reason']}"
            found["cells"].append(cell)
            say(f"speed of {name}, {px} px, batch {batch}: {_line(cell)}")
            _write(found, out)
    return found


def _places(settings: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for px in sorted(set(settings["sizes"])):
        for batch in sorted({1, settings["batch"]}):
            yield px, batch


def _circumstances(settings: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    from vae_training.evaluation.speed_cell import WARM_UP

    device = settings["device"]
    return {
        "made_with": {name: importlib.metadata.version(name) for name in ("torch", "diffusers")},
        "device": torch.cuda.get_device_name() if device == "cuda" else _processor(),
        "threads": settings["threads"] or torch.get_num_threads(),
        "dtype": settings["dtype"],
        "weights": "float32",
        "compile": settings["compile"],
        "tiling": settings["tiling"],
        "warm_up": WARM_UP,
        "repeats": settings["repeats"],
        "limit_s": settings["limit_s"],
        "memory": _MEMORY[device],
        "flops": "of one image, counted on the meta device without tiles; a multiplication and an"
        " addition are two",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "cpu"


def _run(cell: Mapping[str, Any]) -> dict[str, Any]:
    """What the process of a cell told; `ended` when a larger one would end as it did."""
    command = [sys.executable, "-m", "vae_training.evaluation.speed_cell", json.dumps(dict(cell))]
    ended = ""
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as errors:
        try:
            code = subprocess.run(
                command, stdout=told, stderr=errors, timeout=cell["limit_s"], cwd=_ROOT
            ).returncode
        except subprocess.TimeoutExpired:
            code, ended = -1, f"over the limit of {cell['limit_s']:g} s"
        told.seek(0)
        errors.seek(0)
        found: dict[str, Any] = {}
        for line in told:
            try:
                part = json.loads(line)
            except ValueError:
                continue  # cut short, or a word of a library
            found |= part if isinstance(part, dict) else {}
        last = (errors.read().strip().splitlines() or ["no word"])[-1]
    if code == -9 and not ended:
        ended = "killed by the system, most likely for want of memory"
    if found.get("reason") == "out of memory":
        ended = "out of memory"
    if ended:
        found |= {"reason": ended, "ended": True}
    elif code and "reason" not in found:
        found["reason"] = f"failed: {last}"
    if "encode" in found and "decode" in found:
        seconds = found["encode"]["median_s"] + found["decode"]["median_s"]
        found["both"] = {"images_per_s": cell["batch"] / seconds, "median_s": seconds}
    return found


def _write(found: Mapping[str, Any], out: Path) -> None:
    text = json.dumps(found, indent=1, ensure_ascii=False)
    commit_bytes(str(out / "speed.json"), text.encode())
    commit_bytes(str(out / "speed.md"), markdown(found).encode())


def _line(cell: Mapping[str, Any]) -> str:
    parts = [f"{p} {_rate(cell[p])} images/s" for p in _PARTS if p in cell]
    return ", ".join([*parts, *([cell["reason"]] if "reason" in cell else [])])


def markdown(found: Mapping[str, Any]) -> str:
    """A row per cell, and what it was measured with."""
    head = ["model", "px", "batch", *(f"{part} images/s" for part in _PARTS)]
    head += ["encode GiB", "decode GiB", "encode GFLOP", "decode GFLOP", "note"]
    lines = [head, ["---"] + ["---:"] * (len(head) - 2) + ["---"]]
    for cell in found["cells"]:
        halves = [cell.get(part) for part in ("encode", "decode")]
        flops = cell.get("flops", {})
        lines.append(
            [
                *(cell["model"], str(cell["px"]), str(cell["batch"])),
                *(_rate(cell.get(part)) for part in _PARTS),
                *("-" if h is None else f"{h['peak_bytes'] / 2**30:.2f}" for h in halves),
                *("-" if not flops else f"{flops[h] / 1e9:.4g}" for h in ("encode", "decode")),
                cell.get("reason", "").replace("|", "/"),
            ]
        )
    words = {
        "device": f"{found['device']}, {found['threads']} threads of torch on the CPU",
        "dtype": f"{found['dtype']} of products, weights {found['weights']}",
        "compile": "torch.compile" if found["compile"] else "none",
        "tiling": "the class's own" if found["tiling"] else "none",
        "time": f"median of {found['repeats']} after {found['warm_up']} to warm up; each cell is a"
        f" process of its own, with {found['limit_s']:g} s",
        "memory": found["memory"],
        "FLOPs": found["flops"],
        "with": ", ".join(f"{name} {version}" for name, version in found["made_with"].items()),
    }
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return table + "\n" + "".join(f"- {name}: {text}\n" for name, text in words.items())


def _rate(part: Mapping[str, Any] | None) -> str:
    return "-" if part is None else f"{part['images_per_s']:.3g}"
