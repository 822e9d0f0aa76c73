"""Small training runs: in this process, in forked ones, or under torchrun."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vae_training import train
from vae_training.assemble import assemble
from vae_training.config import TrainSettings
from vae_training.data.corpus import Data, open_data
from vae_training.distributed import join
from vae_training.model import CONFIGS
from vae_training.trainer import Outcome

# Much of a small run is work for each size of layer: a model of few. It is no part of the package:
# whatever process trains it has to call `know` first.
SMALLEST = "smallest"
_SMALLEST = dataclasses.replace(
    CONFIGS["tiny"], f=4, widths=(1, 2, 2), latent_channels=8, d_enc=4, d_dec=4
)
CROP_PX = 32
_SETTINGS: dict[str, Any] = {
    "model": SMALLEST,
    "crop_px": CROP_PX,
    "batch_pixels": CROP_PX**2,
    "validation_samples": 1,
    "threads": 1,
    "latent_samples": 8,
    "skip_samples": 8,
    "lpips_weights": None,
    "dino": None,
}
# The pictures of the corpus as they are, in their buckets.
WHOLE_PICTURES: dict[str, Any] = {"crop_px": None, "batch_pixels": 2 * 256 * 256}
# Processes are forked from one that has imported all and knows the smallest model.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["tests.vae_training.preloaded"])


def know() -> None:
    CONFIGS[SMALLEST] = _SMALLEST


def settings_of(corpus: Path, out: Path, **more: Any) -> TrainSettings:
    given = {**_SETTINGS, "steps": 6, **more}
    return TrainSettings(corpus=str(corpus), out=str(out), **given)


def opened(corpus: Path, **changes: Any) -> Data:
    """A corpus as a run of few small steps opens it."""
    given = {"steps": 6, "batch_pixels": 256 * 256, "validation_samples": 1, **changes}
    return open_data(TrainSettings(corpus=str(corpus), **given), 1)


def run(
    corpus: Path, out: Path, stopped: Callable[[], bool] = lambda: False, **more: Any
) -> Outcome:
    """Train a few small steps on one thread: sums over several round differently."""
    torch.set_num_threads(1)
    settings, ranks = settings_of(corpus, out, **more), join("cpu", {})
    try:
        trainer, _ = assemble(settings, ranks, clock=time.perf_counter, stopped=stopped)
        return trainer.run()
    finally:
        ranks.close()


def stop_after(steps: int) -> Callable[[], bool]:
    asked = iter(range(steps))
    return lambda: next(asked, None) is None


def rows(out: Path) -> list[dict[str, Any]]:
    # Of a run in progress the last line may be half a line.
    lines = (out / "steps.jsonl").read_text().rpartition("\n")[0].splitlines()
    return [json.loads(line) for line in lines]


def losses(out: Path) -> list[tuple[int, float, float]]:
    return [(row["step"], row["loss"], row["grad_norm"]) for row in rows(out)]


def steps_done(out: Path) -> int:
    return len(losses(out)) if (out / "steps.jsonl").exists() else 0


def weights(out: Path) -> dict[str, torch.Tensor]:
    """Those of the model that a finished run leaves."""
    return load_file(out / "model" / "diffusion_pytorch_model.safetensors")


def assert_same_weights(one: Path, two: Path) -> None:
    found = weights(two)
    assert all(torch.equal(weight, found[name]) for name, weight in weights(one).items())


def assert_close(one: Path, two: Path, steps: int) -> None:
    """The same losses but for rounding; AdamW makes that grow from step to step.

    Of a new model on white paper, the error is all rounding, and L1 follows its sign: a gradient
    is then another long before a loss is.
    """
    pairs = list(zip(losses(one), losses(two), strict=True))
    assert len(pairs) == steps and pairs[0][1][:2] == pytest.approx(pairs[0][0][:2], rel=1e-5)
    for (step, loss, norm), other in pairs:
        assert other[0] == step
        assert other[1] == pytest.approx(loss, rel=1e-2)
        assert other[2] == pytest.approx(norm, rel=5e-2)


def command(corpus: Path, out: Path, *more: str, model: str = SMALLEST) -> list[str]:
    words = []
    for name, value in {"corpus": corpus, "out": out, **_SETTINGS, "model": model}.items():
        words += [f"--{name}", "none" if value is None else str(value)]
    return [*words, *more]


def _nothing() -> None:
    """Of a process that is as it is."""


class Forked:
    """A command in a process of its own, or in several as ranks of one run on some nodes.

    `before` is called in each process first.
    """

    def __init__(
        self,
        log: Path,
        arguments: list[str],
        world: int = 1,
        before: Callable[[], None] = _nothing,
        nodes: int = 1,
        main: Callable[[list[str]], int] = train.main,
    ) -> None:
        self._logs = [log.with_suffix(f".{rank}.log") for rank in range(world)]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        self._ranks: list[ForkServerProcess] = []
        for rank, path in enumerate(self._logs):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
            own["LOCAL_WORLD_SIZE"] = str(world // nodes)
            environment = shared | own if world > 1 else {}
            given = (main, arguments, path, environment, before)
            process = FORKED.Process(target=_command, args=given)
            process.start()
            self._ranks.append(process)

    def said(self) -> str:
        return "".join(path.read_text() for path in self._logs if path.exists())

    def signal_once(self, ready: Callable[[], bool], rank: int, number: signal.Signals) -> None:
        """Send a signal to a rank as soon as `ready` is true."""
        while not ready():
            assert self._ranks[rank].is_alive(), self.said()
            time.sleep(0.01)
        pid = self._ranks[rank].pid
        assert pid is not None
        os.kill(pid, number)

    def kill(self) -> None:
        for process in self._ranks:
            process.kill()
            process.join()

    def finish(self, code: int = 0, *, ranks: slice = slice(None)) -> str:
        """What it printed; AssertionError when one of `ranks` does not end with `code`."""
        for process in self._ranks[ranks]:
            process.join(180)
            assert process.exitcode == code, self.said()
        return self.said()


def torchrun(corpus: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """One rank of `tiny`, which imports all for itself."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=1"]
    return subprocess.Popen(
        [*launch, str(train.__file__), *command(corpus, out, *more, model="tiny")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _command(
    main: Callable[[list[str]], int],
    arguments: list[str],
    log: Path,
    environment: Mapping[str, str],
    before: Callable[[], None],
) -> None:
    os.environ.update(environment)
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    before()
    sys.exit(main(arguments))


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
