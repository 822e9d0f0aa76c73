"""Train an autoencoder on a corpus, phase by phase.

Run: `python vae_training/train.py --corpus corpus --config vae_training/recipes/tiny-cpu.yaml`
Many GPUs: `torchrun --nproc-per-node 8 vae_training/train.py --corpus corpus --config
vae_training/recipes/f16c128.yaml`
"""

from __future__ import annotations

import math
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from vae_corpus import imports  # noqa: E402
from vae_corpus import settings as reader  # noqa: E402
from vae_corpus.redact import redacted  # noqa: E402
from vae_training.config import TrainSettings  # noqa: E402

if TYPE_CHECKING:
    from vae_training.trainer import Outcome, Trainer
    from vae_training.validation import Report

# Within this of its skips, in every kind, a model has learned nothing that anybody sees.
_SILENT_DB = 0.02

EPILOG = """\
The phases come from curriculum.json in the corpus: edit its weights, no shard is made again.
A run lives in one folder (--out). The same command resumes it exactly, with any --workers, and
with another number of ranks that can share its batches (--batch_multiple). SIGTERM to any rank,
or ctrl-C, finishes the step, saves and exits with code 0, so that torchrun and SLURM do not count
a job that was preempted as failed. OUT/model is there when a run has come to its end: a script
that goes on with it looks for that. Ranks that wait for a dead one give up (--timeout_s), and
torchrun --max-restarts N goes on from the newest checkpoint; with --nnodes MIN:MAX give
--batch_multiple that all numbers of ranks divide. tensorboard --logdir runs shows runs.

examples:
  a laptop, two minutes   python vae_training/train.py --corpus corpus \\
                            --config vae_training/recipes/tiny-cpu.yaml
  one GPU                 python vae_training/train.py --corpus corpus --model f16c64 \\
                            --lpips_weights vgg16-397923af.pth --dino dinov2-large
  go on from a folder     python vae_training/train.py --corpus corpus --init sdxl/vae \\
                            --train decoder --lr 2e-5 --lpips_weights vgg16-397923af.pth
  eight GPUs              torchrun --nproc-per-node 8 vae_training/train.py --corpus corpus \\
                            --config vae_training/recipes/f16c128.yaml \\
                            --lpips_weights vgg16-397923af.pth --dino dinov2-large
  many nodes              torchrun --nnodes 16 --nproc-per-node 8 --rdzv-backend c10d \\
                            --rdzv-endpoint HOST:29500 --max-restarts 3 vae_training/train.py \\
                            --config recipe.yaml --corpus s3://bucket/corpus --out /shared/run
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Train; 0 when done or stopped by SIGTERM, 1 when it failed, 2 for a wrong setting."""
    return reader.run(_main, argv)


def _main(argv: Sequence[str] | None) -> int:
    settings = reader.load(
        TrainSettings, argv, description="Train an autoencoder on a corpus.", epilog=EPILOG
    )
    # PyTorch takes seconds to import: help and wrong settings are told before.
    with imports.quick():
        import torch

        from vae_training.assemble import assemble
        from vae_training.distributed import join, lost
        from vae_training.watch.end_of_data import EndOfData
        from vae_training.watch.nonfinite import NonFiniteLoss

    if settings.threads:
        torch.set_num_threads(settings.threads)
    stopped = _asked_to_stop(alone="WORLD_SIZE" not in os.environ)
    ranks = None
    try:
        ranks = join(settings.device, os.environ, timeout_s=settings.start_timeout_s)
        trainer, notes = assemble(
            settings, ranks, clock=time.perf_counter, stopped=stopped, tell=_tell
        )
        if ranks.first:
            _introduce(trainer, notes)
        outcome = trainer.run()
        if ranks.first:
            _conclude(outcome, trainer, argv)
    except (NonFiniteLoss, EndOfData) as error:  # on all ranks at once
        if ranks and ranks.first:
            print(f"error: {error}", file=sys.stderr)
        code = 1
    except ValueError as error:
        code = 2 if isinstance(error, reader.SettingsError) or ranks is None else 1
        _fail(str(error), code)
    except RuntimeError as error:
        if "WORLD_SIZE" not in os.environ or not lost(error):
            raise
        code = 1
        _fail(_lost_rank(settings, str(error)), code)
    else:
        code = 0
    if ranks:
        ranks.close()
    return code


def _fail(message: str, code: int) -> None:
    """Tell of an error of this rank. One of several is ended at once: others may wait for it."""
    several = "WORLD_SIZE" in os.environ
    place = f"rank {os.environ.get('RANK', '')}: " if several else ""
    print(f"{place}error: {message}", file=sys.stderr, flush=True)
    if several:
        sys.stdout.flush()
        os._exit(code)


def _lost_rank(settings: TrainSettings, said: str) -> str:
    reason = said.splitlines()[0].split("] ", 1)[-1].split(". ", 1)[0]
    return (
        f"another rank has ended, or was silent for --timeout_s {settings.timeout_s:g}"
        f" (--start_timeout_s {settings.start_timeout_s:g} until the first step): look for its own"
        f" error ({reason}); the same command resumes from the newest checkpoint in {settings.out}"
    )


def _tell(line: str) -> None:
    print(line, flush=True)


def _asked_to_stop(alone: bool) -> Callable[[], bool]:
    """A function that is True once SIGTERM or ctrl-C has come.

    A second ctrl-C kills a process that is `alone`; torchrun sends one itself.
    """
    asked = threading.Event()

    def interrupted(*_: object) -> None:
        asked.set()
        if alone:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: asked.set())
        signal.signal(signal.SIGINT, interrupted)
    return asked.is_set


def _introduce(trainer: Trainer, notes: list[str]) -> None:
    settings, data = trainer.settings, trainer.data
    schedule = data.order.schedule
    held = ", ".join(f"{len(rows)} {kind}" for kind, rows in data.holdout.validation.items())
    print(
        f"{trainer.name} on {trainer.ranks.device} x {trainer.ranks.world}:"
        f" {len(data.shards):,} images, held out by key hash for validation: {held}"
    )
    for phase, steps in zip(data.curriculum.phases, schedule.steps, strict=True):
        rungs = ", ".join(str(rung) for rung in phase.rungs)
        print(f"  phase {phase.name}: {steps:,} steps at {rungs} px, {', '.join(phase.kinds)}")
    for note in notes:
        print(f"  {note}")
    if (restarts := os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) != "0":
        print(f"torchrun has started this run again, {restarts} times so far")
    if trainer.state.step:
        print(f"resuming {settings.out} at step {trainer.state.step} of {schedule.total}")


def _conclude(outcome: Outcome, trainer: Trainer, argv: Sequence[str] | None) -> None:
    if outcome.report is None:
        print(f"stopped after step {outcome.step} of {trainer.total}; saved {outcome.checkpoint}")
        print(
            f"{trainer.folder / 'model'} is written at the end, not yet; the same command resumes:"
            f" {_command(argv)}"
        )
        return
    _tell_psnr(outcome.report)
    print(f"{outcome.speed}  damaged images replaced: {len(outcome.damaged)}")
    if outcome.refused:
        print(f"steps not taken, as loss or gradient was NaN or infinite: {outcome.refused}")
    print(f"grid        {outcome.grid}")
    print(f"model       {outcome.model}")
    print(f"checkpoint  {outcome.checkpoint}")


def _command(argv: Sequence[str] | None) -> str:
    """What was typed, as far as this process knows it."""
    if argv is not None:
        words = ["python", "vae_training/train.py", *argv]
    elif "TORCHELASTIC_RUN_ID" in os.environ:
        words = ["torchrun", "...", *sys.argv]
    else:
        words = sys.orig_argv
    return redacted(shlex.join(words))


def _tell_psnr(report: Report) -> None:
    """A table for people: a mean per kind over the pictures that differ, and how many do not."""
    from vae_training.metrics.psnr import told

    columns = {"model": (report.psnr(), report.exact())}
    if report.skip_psnr():
        columns["skip alone"] = (report.skip_psnr(), report.skip_exact())
    lines = [["PSNR in dB", "held out", *columns]]
    for kind, pairs in report.pairs.items():
        found = [
            told(means[kind], exact[kind], len(pairs)) if pairs else "-"
            for means, exact in columns.values()
        ]
        lines.append([kind, str(len(pairs)), *found])
    widths = [max(10, *(len(line[i]) for line in lines)) for i in range(2, 2 + len(columns))]
    print()
    for kind, count, *cells in lines:
        rest = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        print(f"{kind:<12}{count:>9}{rest}")
    gains = report.gains()
    best = max(gains.values(), default=math.inf)
    if best < -_SILENT_DB:
        print(
            f"note: the model is {-best:.2f} dB below the skips that it began as, or more: train"
            " longer, or with a lower --lr"
        )
    elif best < _SILENT_DB:
        print(
            f"note: the convolutions add {best:.3f} dB to the skips at most, which is nothing:"
            " train longer, or with a lower --lr, because a high one silences them"
            " (docs/decisions.md)"
        )


if __name__ == "__main__":
    raise SystemExit(main())
