"""Compile what tests of several processes would all begin by compiling: 45 CPU seconds, once.

python -m tests.compiled scores      # the filters, and what a plan compares
python -m tests.compiled pages       # tiles, and the renderer
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start() -> list[subprocess.Popen[bytes]]:
    """Begin both, each in a process of its own; none where it was compiled before."""
    if any((ROOT / "filters").rglob("*.nbi")):
        return []
    commands = ([sys.executable, "-m", "tests.compiled", what] for what in _PARTS)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return [subprocess.Popen(command, cwd=ROOT, **quiet) for command in commands]


def scores() -> None:
    from tests.pipelines import packs

    with tempfile.TemporaryDirectory() as work:
        packs.write_inputs(Path(work) / "inputs")
        packs.build(packs.config(f"{work}/inputs", f"{work}/corpus"))


def pages() -> None:
    import numpy as np

    from pipelines.planning.tiles import cut_tiles
    from renderers import synth_text
    from renderers.documents import ink
    from tests.pipelines.test_tiles_of_pages import SETTINGS, page, table

    cut_tiles(table([page(n) for n in range(50)]), SETTINGS[1], 0)
    ink.shown(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 4), np.float32))
    with tempfile.TemporaryDirectory() as work:
        synth_text.main(["--lang", "zh", "--count", "8", "--workers", "1", "--out", f"{work}/out"])


_PARTS = {"scores": scores, "pages": pages}

if __name__ == "__main__":
    _PARTS[sys.argv[1]]()
