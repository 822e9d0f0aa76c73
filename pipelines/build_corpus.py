"""Build a corpus: score images, plan by query, pack shards, render text, write the curriculum.

Run it as `python pipelines/build_corpus.py`, `python -m pipelines.build_corpus`, or on a cluster
with `ray job submit --working-dir . -- python pipelines/build_corpus.py`.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pipelines import first_line, stopping

if __name__ == "__main__":
    first_line.say()
    stopping.stop_early()

import duckdb  # noqa: E402
import pyarrow as pa  # noqa: E402

from pipelines.build import BuildFailed, Built, build  # noqa: E402
from pipelines.config import CorpusConfig  # noqa: E402
from pipelines.demo.config import with_demo_inputs  # noqa: E402
from pipelines.estimates.run import estimate  # noqa: E402
from pipelines.guard import lease  # noqa: E402
from pipelines.planning import rules  # noqa: E402
from pipelines.planning.phases import PhaseSettings  # noqa: E402
from pipelines.report import accounting  # noqa: E402
from pipelines.report.board import Board  # noqa: E402
from pipelines.report.console import Console  # noqa: E402
from pipelines.report.estimate_tables import estimate_tables  # noqa: E402
from pipelines.sources import SOURCES  # noqa: E402
from pipelines.workers.socket_path import check_socket_path  # noqa: E402
from pipelines.workers.tasks import EngineError  # noqa: E402
from vae_corpus import settings, storage  # noqa: E402

_DESCRIPTION = """\
Build a training corpus for image autoencoders out of folders, tars, Parquet files and documents.

With no argument it builds the demo: real photographs, PDFs, fonts and texts from Debian packages.
The same command again does only what is left; a changed threshold re-plans without decoding.
"""
_SOURCES = "\n".join(
    f"  {source.model_fields['type'].default}\n{settings.describe(source)}" for source in SOURCES
)
_REASONS = "\n".join(
    f"  {rule.slug:<14} {', '.join(rules.deciding(rule)) or 'no setting'}" for rule in rules.RULES
)
_EPILOG = f"""\
a settings file, all parts optional:
  sources:
    - {{name: photos, type: folder,     uri: /data/photos}}
    - {{name: laion,  type: webdataset, uri: s3://bucket/laion/}}
    - {{name: hf,     type: parquet,    uri: /data/hf/*.parquet, column: image}}
    - {{name: papers, type: documents,  uri: /data/pdf, scales_per_page: 2}}
  synth: {{texts: {{en: [texts/en.txt], zh: [texts/zh.jsonl]}}, fonts: [/usr/share/fonts]}}

on a cluster, with a place that all nodes see:
  ray job submit --working-dir . -- python pipelines/build_corpus.py \\
    --config corpus.yaml --out s3://bucket/corpus

fields of a source:
{_SOURCES}

reasons to drop a decoded image, the first that holds, and the settings that decide:
{_REASONS}

fields of a phase:
{settings.describe(PhaseSettings)}

exit code: 0 when every unit is committed, 1 with a message when something could not be made or
nothing of a source could be read, 2 for a wrong setting or a place that is not for it, 130 and
143 when stopped
"""


_SWITCHES = {
    "estimate": "build nothing: list the sources, score a sample, and print what a build would keep"
    " and cost, with intervals"
}


def main(argv: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    config = settings.load(
        CorpusConfig, given, description=_DESCRIPTION, epilog=_EPILOG, switches=_SWITCHES
    )
    console = Console()
    if "--estimate" in given:
        return _estimate(config, console)
    if config.engine.workers != 0 and not os.environ.get("RAY_ADDRESS"):
        check_socket_path(os.environ)
    if os.environ.get("RAY_ADDRESS") and storage.is_local(config.out):
        console.say(f"note: on a cluster every node must see {config.out}; --out names the place")
    if not config.sources:
        config, missing = with_demo_inputs(config)
        console.say("no sources given: building the demo corpus")
        for sentence in missing:
            console.say(f"missing: {sentence}")
    board = _board(config)
    stop = stopping.Stoppable(console.where)
    try:
        with stop:
            done = build(config, console, _command(argv), board)
    except (BuildFailed, lease.LeaseError, storage.DiskFull, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except pa.ArrowInvalid as error:
        print(
            f"error: {error}\nA table is damaged. Below scores/ or plan/ of {config.out} delete the"
            " file that is named; the same command makes it again",
            file=sys.stderr,
        )
        return 1
    except (RuntimeError, OSError, ImportError, duckdb.Error, pa.ArrowException) as error:
        # Ours are RuntimeErrors that say what to do; the others name a file, package or table.
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except stopping.Stopped:
        print(stop.sentence, file=sys.stderr)
        return stop.code
    finally:
        if board:
            board.close()
    _summary(done, console)
    for problem in done.reported.problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if done.scored.given_up or done.reported.problems else 0


def _command(argv: Sequence[str] | None) -> str:
    given = sys.argv[1:] if argv is None else argv
    return shlex.join(["python", "pipelines/build_corpus.py", *given])


def _estimate(config: CorpusConfig, console: Console) -> int:
    """Print and write the estimate of a build; no corpus is made and no lease is held."""
    if not config.sources:
        config, _ = with_demo_inputs(config)
    try:
        report = estimate(config, console.say)
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        storage.commit_bytes(config.estimate.report, text.encode())
    except (RuntimeError, OSError, ImportError, duckdb.Error, pa.ArrowException) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    for table in estimate_tables(report):
        console.out.print(table)
    for notice in report["notices"]:
        console.say(f"note: {notice}")
    console.say(f"written to {config.estimate.report}")
    return 0


def _board(config: CorpusConfig) -> Board | None:
    if config.wandb is None:
        return None
    return Board(config.wandb, config.out, config.model_dump(mode="json"))


def _summary(done: Built, console: Console) -> None:
    console.out.print(accounting.images_table(done.reported.images))
    names = [shard.name for shard in done.shards]
    console.out.print(accounting.shards_table(done.reported.groups, names))
    console.out.print(accounting.times_table(done.runner.seconds, done.runner.worked))
    for failure in done.scored.given_up:
        console.say(f"left out: unit {failure.task_id}: {failure.slug}: {failure.why}")
    for notice in done.reported.notices:
        console.say(f"note: {notice}")
    console.say(f"look at    {done.reported.page}")
    if done.reported.groups:
        train = ["python", "vae_training/train.py", "--corpus", done.config.out]
        train += ["--config", "vae_training/recipes/tiny-cpu.yaml"]
        console.say(f"train with {shlex.join(train)}")


if __name__ == "__main__":
    sys.exit(settings.run(main))
