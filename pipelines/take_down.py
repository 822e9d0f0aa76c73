"""Take images out of a finished corpus: only the shards that hold them are made anew.

Run it as `python pipelines/take_down.py CORPUS --keys FILE`, or `vae-corpus take-down CORPUS ...`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
from pydantic import Field

if __package__ in (None, ""):  # run as a file: this folder must not shadow top-level packages
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from pipelines.engine import EngineSettings  # noqa: E402
from pipelines.planning.taken_down import KEY, SCHEMA, SHA256, SOURCE  # noqa: E402
from pipelines.report.console import Console  # noqa: E402
from pipelines.stories.corpus import open_corpus  # noqa: E402
from pipelines.taking_down import TakenOut, take_down  # noqa: E402
from vae_corpus import settings, storage  # noqa: E402
from vae_corpus.settings import Settings, SettingsError  # noqa: E402

_DESCRIPTION = """\
Take images out of a finished corpus. The shards that hold them are written again without them,
from what they hold: sources are not asked. All other shards stay as they are, byte for byte.
Synthetic text that stands on such images is rendered anew, which does read its sources.

Copies of an image with the same bytes go with it, whatever their keys. Near duplicates that were
kept are named, and stay. The list is kept in taken_down.parquet of the corpus with the reason, and
every later build leaves these images out, also where other sources bring them again.
"""
_EPILOG = """\
files have one entry a line; lines that are empty or begin with # are passed over. A key is that of
an image, such as photos-0123456789abcdef; of a tile it is what stands before -x0y0.

examples:
  take_down corpus --keys asked_for.txt --why "request of 2026-11-03"
  take_down s3://bucket/corpus --hashes sha256.txt
  take_down corpus --sources gone.txt

exit code: 0 when a look at all shards found none of them left, 1 with a message else, 2 for a
wrong setting. Stopped, the same command goes on.
"""
_SHOWN = 10


class TakeDownSettings(Settings):
    """What to take down of which corpus."""

    corpus: str = Field(description="folder or URL of a corpus")
    keys: str | None = Field(None, description="file or URL with keys of images")
    hashes: str | None = Field(None, description="file or URL with sha256 of their bytes, in hex")
    sources: str | None = Field(None, description="file or URL with names of sources")
    why: str = Field("not told", description="why, for whoever asks later")
    engine: EngineSettings = Field(EngineSettings(), description="how tasks run on Ray")


def main(argv: Sequence[str] | None = None) -> int:
    asked = settings.load(
        TakeDownSettings,
        argv,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        positional=("corpus",),
    )
    console = Console()
    try:
        wanted = _wanted(asked)
        corpus = open_corpus(asked.corpus)
        config = corpus.config.model_copy(update={"engine": asked.engine})
        corpus = replace(corpus, config=config)
        told = take_down(corpus, wanted, console)
    except (RuntimeError, OSError, ImportError, duckdb.Error, pa.ArrowException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _tell(told, console)
    return 0


def _wanted(asked: TakeDownSettings) -> pa.Table:
    """What the files name, as the list of a corpus has it."""
    rows = []
    for what, path in ((KEY, asked.keys), (SHA256, asked.hashes), (SOURCE, asked.sources)):
        if path is None:
            continue
        for value in _lines(path):
            if what == SHA256 and (
                len(value) != 64 or set(value.lower()) - set("0123456789abcdef")
            ):
                raise SettingsError(f"{path}: {value} is no sha256, which has 64 digits of hex")
            value = value.lower() if what == SHA256 else value
            rows.append({"what": what, "value": value, "why": asked.why})
    if not rows:
        raise SettingsError("nothing to take down: name a file with --keys, --hashes or --sources")
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _lines(path: str) -> list[str]:
    try:
        text = storage.read_bytes(path).decode()
    except FileNotFoundError:
        raise SettingsError(f"no file at {path}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is no text: one key, hash or name a line") from None
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _tell(told: TakenOut, console: Console) -> None:
    console.say(f"{told.images:,} images were taken out of {told.shards:,} shards")
    if told.unknown:
        more = f" and {len(told.unknown) - _SHOWN} more" if len(told.unknown) > _SHOWN else ""
        console.say(
            f"note: no image of the corpus is {', '.join(told.unknown[:_SHOWN])}{more}; they are on"
            " the list even so"
        )
    if told.kept_twins:
        more = f" and {len(told.kept_twins) - _SHOWN} more" if len(told.kept_twins) > _SHOWN else ""
        console.say(
            "note: these stay, and are near duplicates of what was taken down:"
            f" {', '.join(told.kept_twins[:_SHOWN])}{more}; name them too if they must go"
        )
    console.say(
        f"scanned {told.scanned:,} shards with {told.samples:,} samples: none of them is left"
    )
    if told.reported:
        console.say(f"look at    {told.reported.page}")


if __name__ == "__main__":
    sys.exit(settings.run(main))
