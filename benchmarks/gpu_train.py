"""What a training step costs on a GPU and where its time goes, within ten minutes.

    python benchmarks/gpu_train.py --budget-s 540                  # f16c128 and f32c192
    python benchmarks/gpu_train.py --budget-s 540 --only ceilings 'trainer itself'
    python benchmarks/gpu_train.py --device cpu                    # does it work: a minute

Needs torch with Triton; where diffusers is missing, a stand-in of a hundred lines carries the
model. One change after the other: what makes the step faster is kept, and the full loss, DDP,
inference and higher resolutions start from what was kept. Cells run in a process of their own; one
that hangs is ended, one that fails is told, and the next goes on. The file is written after every
cell, the most telling ones come first.

MFU counts the FLOPs of the plain model against 790 TFLOP/s, a dense bf16 rate that was measured;
phase convolutions do less work and are not credited for it, nor are the judges of the full loss
counted. Times are medians between CUDA events. Writes gpu_train.json below benchmarks/results, with
--device cpu into a new temporary folder: such times say nothing about a GPU.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[1])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from benchmarks.gpu.plan import Cell, Setup, plan  # noqa: E402
from benchmarks.gpu.worker import Worker  # noqa: E402

_PEAK_TFLOPS = 790
_LIMIT_S = 150.0  # of one cell, compilation included
_GAIN = 1.005  # below this a change is noise and not kept


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", nargs="+", help="the first one is looked into")
    parser.add_argument("--px", nargs="+", type=int, help="sides of images (GPU: 256 1024 2048)")
    parser.add_argument("--batch", type=int, help="images (GPU: of 16 x 256^2 pixels)")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--budget-s", type=float, default=540.0, help="no cell starts too late")
    parser.add_argument("--only", nargs="+", help="cells with one of these words in their name")
    parser.add_argument("--start", type=json.loads, default={}, help="JSON: switches kept before")
    parser.add_argument("--warmup", type=int, help="steps before (GPU 3, CPU 0)")
    parser.add_argument("--repeats", type=int, help="steps timed (GPU 7, CPU 1)")
    parser.add_argument("--stand-in", action="store_true", help="even if diffusers is there")
    parser.add_argument("--name", default="gpu_train.json", help="of the file that is written")
    parser.add_argument("--out", type=Path, help="folder (GPU: results, CPU: a temporary one)")
    return parser


class Book:
    """The results: printed, compared, and written to the file after every cell."""

    def __init__(self, path: Path, facts: dict[str, Any], start: Setup) -> None:
        self.path, self.facts, self.start = path, facts, start
        self.results: dict[str, dict[str, Any]] = {}
        # The fastest of a group, and the fastest that is not compiled.
        self._kept: dict[tuple[str, str], tuple[float, Setup]] = {}
        self._main = ""

    def setup(self, cell: Cell) -> Setup:
        """The set-up of a cell: its change to what its group, or else the first one, kept."""
        main = self._kept.get((self._main, cell.base), (0.0, self.start))
        _, base = self._kept.get((cell.group, cell.base), main)
        return dataclasses.replace(Setup() if cell.base == "plain" else base, **cell.change)

    def note(self, cell: Cell, setup: Setup, found: dict[str, Any]) -> None:
        rows = self.results.setdefault(cell.group, {})
        rows[cell.step] = found
        speed = found.get("images_per_s")
        if speed and cell.keep:
            self._main = self._main or cell.group
            for which in ("kept", "eager") if setup.eager else ("kept",):
                before, _ = self._kept.get((cell.group, which), (0.0, setup))
                if speed > _GAIN * before:
                    self._kept[cell.group, which] = (speed, setup)
        print(f"{cell.group:<28} {line(cell.step, found, rows)}", flush=True)
        self.write()

    def write(self) -> None:
        kept = {
            f"{group}, {which}": {k: v for k, v in dataclasses.asdict(setup).items() if v}
            for (group, which), (_, setup) in self._kept.items()
        }
        told = {**self.facts, "kept": kept, "results": self.results}
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        os.replace(part, self.path)


def line(step: str, found: dict[str, Any], rows: dict[str, Any]) -> str:
    """One row: images/s beside the first of the group; or whatever a cell tells."""
    if "failed" in found:
        return f"{step:<30} failed: {found['failed'][:200]}"
    if "kernels" in found:
        told = [
            f"{row['ms']:9.2f} ms {row['share']:6.1%}  {row['name']}" for row in found["kernels"]
        ]
        facts = [f"{k} {v:.4g}" for k, v in found.items() if isinstance(v, float)]
        return "\n".join([f"{step:<30} " + "  ".join(facts), *told])
    if "step_s" not in found:
        numbers = {k: v for k, v in found.items() if k not in ("setup", "batch")}
        said = [f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in numbers.items()]
        return f"{step:<30} " + "  ".join(said)
    plain = next((row for row in rows.values() if "images_per_s" in row), found)
    text = f"{step:<30}{found['images_per_s']:>9.2f} images/s"
    text += f"{found['images_per_s'] / plain['images_per_s']:>7.2f}x"
    if "mfu" in found:
        text += f"  MFU {found['mfu']:.1%}  {found['peak_gib']:.1f} GiB"
    return text + f"  first step {found['first_step_s']:.1f} s"


def main(argv: Sequence[str] | None = None) -> int:
    given = parser().parse_args(argv)
    began = time.monotonic()
    gpu = given.device == "cuda"
    models = given.model or (["f16c128", "f32c192"] if gpu else ["tiny"])
    sides = given.px or ([256, 1024, 2048] if gpu else [32, 64])
    batch = given.batch or (None if gpu else 1)
    options = {
        "warmup": given.warmup if given.warmup is not None else (3 if gpu else 0),
        "repeats": given.repeats or (7 if gpu else 1),
        # A CPU compiles for minutes: there the compiler's front end shows that models trace.
        "backend": "inductor" if gpu else "eager",
        "stand_in": given.stand_in,
    }
    worker = Worker(given.device, options)
    try:
        device = worker.start()
    except RuntimeError as error:
        print(
            f"no {given.device} to measure on ({error}); to see that the script works, run it with"
            " --device cpu",
            file=sys.stderr,
        )
        worker.stop()
        return 1
    command = ["benchmarks/gpu_train.py", *(sys.argv[1:] if argv is None else argv)]
    facts = {
        "command": "python " + shlex.join(command),
        "date": time.strftime("%Y-%m-%d"),
        **device,
    }
    facts |= {"peak_tflops": _PEAK_TFLOPS, "skipped": []}
    results = Path(__file__).parent / "results"
    out = given.out or (results if gpu else Path(tempfile.mkdtemp(prefix="gpu_train-")))
    out.mkdir(parents=True, exist_ok=True)
    book = Book(out / given.name, facts, Setup(**given.start))
    print(", ".join(f"{name} {value}" for name, value in device.items()), flush=True)
    try:
        for cell in plan(models, sides, batch):
            name = f"{cell.group}: {cell.step}"
            if given.only and not any(word in name for word in given.only):
                continue
            setup = book.setup(cell)
            left = given.budget_s - (time.monotonic() - began)
            # No GPU, no compiler worth waiting for: cells are short there.
            if left < (cell.needs_s(setup) if gpu else 5):
                facts["skipped"].append(name)
                continue
            started = time.monotonic()
            found = worker.measure(cell, setup, min(_LIMIT_S, left))
            found["cell_s"] = round(time.monotonic() - started, 1)
            book.note(cell, setup, found)
    finally:
        worker.stop()
        facts["took_s"] = round(time.monotonic() - began, 1)
        book.write()
    if facts["skipped"]:
        print("no time left for: " + "; ".join(facts["skipped"]))
    print(f"\nwritten to {book.path} in {facts['took_s']:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
