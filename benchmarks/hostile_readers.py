"""Does a hostile source get the fate it deserves, in bounded time and memory?

    python benchmarks/hostile_readers.py
    python benchmarks/hostile_readers.py --only parquet --check page_bomb

Several hundred inputs are made in code: tars, Parquet files, folders, pictures, texts and settings
that lie about their sizes, unpack to gigabytes, point outside, or are made of garbage. Each is
listed, scored and fetched again as a build does it, in a process with limits of its own. Wrong is:
an exception that is no sentence for people, the end of the process, a slug that is not allowed,
a good picture that is lost, a row too few or too many, more than 1500 MB beyond the idle process
(for one picture of the largest size that is allowed: 4300), more than 30 seconds of a CPU, a
change of any file outside the output folder, and any attempt of Python code to read or write
elsewhere, to reach the network, to start a program or to unpickle a class.
Writes benchmarks/results/hostile_readers.json; the exit code is 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hostile_readers_set import folders, pictures, tables, tar_headers, tar_members, texts
from hostile_readers_set.case import Hostile
from hostile_readers_set.reading import warm_up
from hostile_readers_set.verdict import MOST_S, Verdict, judge

_RESULT = Path(__file__).parent / "results" / "hostile_readers.json"
_PARTS = (tar_members, tar_headers, tables, pictures, folders, texts)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="READER", action="append", help="webdataset, parquet...")
    parser.add_argument("--check", metavar="NAME", action="append", help="names that begin so")
    parser.add_argument("--out", metavar="FILE", type=Path, default=_RESULT)
    given = parser.parse_args(argv)
    chosen = [
        hostile
        for hostile in make()
        if (not given.only or hostile.reader in given.only)
        and (not given.check or hostile.name.startswith(tuple(given.check)))
    ]
    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        warm_up(Path(folder))
        for hostile in chosen:
            verdict = judge(hostile, Path(folder) / "case")
            # Where it lay this time says nothing to anybody else.
            verdicts.append(verdict._replace(error=verdict.error.replace(folder, "FOLDER")))
            _print(verdicts[-1])
    result = summary(verdicts)
    result["command"] = "python " + " ".join(["benchmarks/hostile_readers.py", *sys.argv[1:]])
    inputs = [verdict._asdict() for verdict in verdicts]
    text = json.dumps(result | {"inputs": inputs}, indent=1, ensure_ascii=True)
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(text + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] else 0


def make() -> list[Hostile]:
    """All inputs of the set, in a fixed order."""
    hostiles = [hostile for part in _PARTS for hostile in part.cases()]
    names = Counter(hostile.name for hostile in hostiles)
    assert max(names.values()) == 1, [name for name, count in names.items() if count > 1]
    return hostiles


def _print(verdict: Verdict) -> None:
    told = " ".join(f"{slug}:{count}" for slug, count in verdict.outcome.items())
    told = f"error: {verdict.error}" if verdict.error else told
    line = f"{verdict.name[:40]:40} {verdict.reader:10} {ascii(told)[1:-1][:44]:44}"
    line += f" {verdict.cpu_seconds:7.2f} s {verdict.peak_mb:6} MB"
    print(f"{line}  {f'WRONG {ascii(verdict.wrong)}' if verdict.wrong else 'ok'}", flush=True)


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "most_mb_allowed": Hostile.most_mb,
        "most_cpu_seconds_allowed": MOST_S,
        "inputs_by_reader": dict(Counter(verdict.reader for verdict in verdicts)),
        "count": len(verdicts),
        "wrong": sum(bool(verdict.wrong) for verdict in verdicts),
        "errors_for_people": sum(bool(verdict.error) for verdict in verdicts),
        "cpu_seconds_most": max((verdict.cpu_seconds for verdict in verdicts), default=0.0),
        "peak_mb_most": max((verdict.peak_mb for verdict in verdicts), default=0),
    }


if __name__ == "__main__":
    sys.exit(main())
