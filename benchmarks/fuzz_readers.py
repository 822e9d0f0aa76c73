"""Guess bytes at the readers of foreign data, led by the coverage of their code.

    pip install 'vae-corpus[fuzz]'
    python benchmarks/fuzz_readers.py --seconds 600
    python benchmarks/fuzz_readers.py --target tar --seconds 60 --folder /tmp/fuzz
    python benchmarks/fuzz_readers.py --target tar --replay /tmp/fuzz/tar/findings/crash-...

Three targets, one after the other: the door of pictures, tars and Parquet files. The fuzzer is
atheris (libFuzzer): it changes whole files that are made here, keeps what reaches new branches of
Python code (ours, and that of tarfile, gzip and Pillow), and makes checksums right again after half
of the changes. Branches of libraries in C are not seen: there it only guesses. A finding is an
exception, a broken promise (see fuzz_set/targets.py), a crash of the process, more than 10 seconds,
or more than 2 GB. After each the fuzzer goes on until the time is over.
Writes benchmarks/results/fuzz_readers.json; the exit code is 1 when anything was found.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_RESULT = Path(__file__).parent / "results" / "fuzz_readers.json"
_NAMES = ("decode", "tar", "parquet")
_MOST_BYTES = 1 << 14
_INPUT_S, _RSS_MB = 10, 2048
_LINE = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)
# Whose branches lead the fuzzer.
_LED_BY = ("pipelines", "vae_corpus", "tarfile", "gzip", "_compression", "PIL")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", choices=_NAMES, action="append", help="default: all")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--folder", type=Path, help="keep what leads further, and findings")
    parser.add_argument("--replay", type=Path, help="one input; shows what becomes of it")
    parser.add_argument("--out", metavar="FILE", type=Path, default=_RESULT)
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    targets = given.target or list(_NAMES)
    if given.child is not None:
        return _fuzz(targets[0], given.child)
    if given.replay:
        return _fuzz(targets[0], [str(given.replay)])
    result: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "fuzzer": f"atheris {version('atheris')}",
        "command": f"python benchmarks/fuzz_readers.py --seconds {given.seconds}",
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        result["targets"] = {name: campaign(name, folder / name, given.seconds) for name in targets}
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 1 if any(target["findings"] for target in result["targets"].values()) else 0


def campaign(name: str, folder: Path, seconds: int) -> dict[str, Any]:
    """Fuzz one target until the time is over, with a new process after each finding."""
    corpus, found = folder / "corpus", folder / "findings"
    for place in (corpus, found):
        place.mkdir(parents=True, exist_ok=True)
    begun, executions, processes, last = time.monotonic(), 0, 0, ("0",) * 4
    findings: list[dict[str, str]] = []
    while (left := int(begun + seconds - time.monotonic())) > 0:
        command = [sys.executable, __file__, "--target", name, "--child", str(corpus)]
        command += [f"-max_total_time={left}", f"-max_len={_MOST_BYTES}", f"-timeout={_INPUT_S}"]
        command += [f"-rss_limit_mb={_RSS_MB}", f"-artifact_prefix={found}/"]
        done = subprocess.run(
            command,
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        processes += 1
        if lines := _LINE.findall(done.stdout):
            last = lines[-1]
            executions += int(last[0])
        elif done.returncode:
            raise SystemExit(f"the fuzzer does not start:\n{done.stdout[-3000:]}")
        if done.returncode:
            findings.append(_finding(done.stdout, found))
            print(f"{name}: {findings[-1]}", file=sys.stderr, flush=True)
    return {
        "seconds": round(time.monotonic() - begun),
        "executions": executions,
        "processes": processes,
        "coverage_edges": int(last[1]),
        "coverage_features": int(last[2]),
        "corpus_files": int(last[3]),
        "findings": findings,
    }


def _finding(said: str, folder: Path) -> dict[str, str]:
    """What the fuzzer wrote of its end, and its input, in a few words."""
    place = re.search(r"written to (\S+)", said)
    error = re.search(r"^(\w[\w.]*(?:Error|Exception|Interrupt)\b.*)$", said, re.MULTILINE)
    summary = re.search(r"^(?:SUMMARY: |==\d+== ?ERROR: )(.*)$", said, re.MULTILINE)
    why = (error or summary)[1] if error or summary else said.strip()[-300:]
    return {"input": Path(place[1]).name if place else "", "why": why[:300]}


def _fuzz(name: str, arguments: list[str]) -> int:
    import atheris

    sys.path[0] = str(_ROOT)
    sys.path.insert(1, str(Path(__file__).parent))
    with atheris.instrument_imports(include=list(_LED_BY)):
        from fuzz_set import targets
    from fuzz_set.mending import mend
    from fuzz_set.seeds import seeds

    if arguments and Path(arguments[0]).is_dir():
        for seed in seeds(name):
            path = Path(arguments[0]) / f"seed-{hashlib.sha1(seed).hexdigest()[:12]}"
            path.write_bytes(seed)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        changed = atheris.Mutate(data, most)
        return mend(name, changed) if random.Random(seed).random() < 0.5 else changed

    folder = targets.run_folder(name)
    try:
        target = targets.make(name, folder)
        atheris.Setup([sys.argv[0], *arguments], target, custom_mutator=mutate)
        atheris.Fuzz()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
