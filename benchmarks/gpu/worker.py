"""A process that measures cells one after the other, so that one that hangs can be ended."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.gpu.plan import Cell, Setup
from vae_corpus import imports

_CONTEXT: Any = multiprocessing.get_context("spawn")
_START_S = 300.0
_END_S = 3.0


class Worker:
    """The parent's side. A worker that is gone is started again for the next cell."""

    def __init__(self, device: str, options: dict[str, Any]) -> None:
        self._given = (device, options)
        self._process: Any = None
        self._pipe: Any = None

    def start(self, limit_s: float = _START_S) -> dict[str, Any]:
        """Facts about device and libraries; RuntimeError when no process comes up in time."""
        self._pipe, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(other, *self._given))
        self._process.start()
        other.close()
        return self._answer(limit_s)

    def measure(self, cell: Cell, setup: Setup, limit_s: float) -> dict[str, Any]:
        """What the cell gave, or {"failed": why}."""
        began = time.monotonic()
        try:
            if self._process is None:
                self.start(min(limit_s, _START_S))
            self._pipe.send((cell, setup))
            found = self._answer(limit_s - (time.monotonic() - began))
        except (RuntimeError, OSError) as error:
            return {"failed": str(error)}
        if found.pop("broken", False):
            self.stop()
        return found

    def _answer(self, limit_s: float) -> dict[str, Any]:
        try:
            if self._pipe.poll(max(0.1, limit_s)):
                found: dict[str, Any] = self._pipe.recv()
                return found
        except (EOFError, OSError):
            self._process.join(5)
            code = self._process.exitcode
            self.stop()
            raise RuntimeError(f"the process died, exit code {code}") from None
        self.stop()
        raise RuntimeError(f"nothing came within {limit_s:.0f} s: ended")

    def stop(self) -> None:
        """End the process and what it started, for example compilers."""
        if self._process is None:
            return
        self._pipe.close()  # one that waits for a cell ends by itself
        self._process.join(_END_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join(5)
        self._process = None


def _serve(pipe: Connection, device: str, options: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        os.setsid()
    from benchmarks.gpu.standin import ensure_diffusers

    diffusers = ensure_diffusers(options.pop("stand_in"))
    with imports.quick():
        import torch

        from benchmarks.gpu.cells import Bench

    bench = Bench(device, **options)
    gpu = device == "cuda"
    pipe.send(
        {
            "device": torch.cuda.get_device_name() if gpu else "cpu",
            "torch": torch.__version__,
            "cudnn": torch.backends.cudnn.version() if gpu else None,
            "diffusers": diffusers,
        }
    )
    gc.freeze()  # libraries stay, and to look through them takes longer than many a cell
    while True:
        try:
            cell, setup = pipe.recv()
        except EOFError:
            return
        pipe.send(_try(bench, cell, setup))
        if gpu:  # which has no memory to spare for garbage
            gc.collect()
            with contextlib.suppress(RuntimeError):
                torch.cuda.empty_cache()


def _try(bench: Any, cell: Cell, setup: Setup) -> dict[str, Any]:
    import torch

    try:
        found: dict[str, Any] = bench.run(cell, setup)
    except torch.cuda.OutOfMemoryError:
        return {"failed": "out of memory"}
    except Exception as error:  # compilers raise all kinds; the other cells still tell
        lines = f"{type(error).__name__}: {error}".strip().splitlines()
        # After such an error nothing works any more in this process.
        return {"failed": " ".join(lines)[:400], "broken": "CUDA error" in str(error)}
    used = {k: v for k, v in dataclasses.asdict(setup).items() if v}
    return {**found, "setup": used}
