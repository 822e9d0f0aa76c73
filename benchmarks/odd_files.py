"""Does every odd file get the fate it deserves, and every kept one the right colours?

    python benchmarks/odd_files.py
    python benchmarks/odd_files.py --check xyb.jpg --keep /tmp/odd

One to two minutes. Some 500 files are made in code: what phones, cameras, scanners, web sites and
broken disks leave behind, in over 30 formats. Each says whether it is to be kept, and with which
sRGB pixels, or with which slugs it is to be refused; where that is arguable, several are allowed.
The right pixels come from elsewhere than our decoder: from the picture that was drawn, from the
arithmetic of ICC.1 on profiles written by hand, else from Pillow on a file without the oddity.

A corpus is built of the folder by the command that people use, and what it stored is compared:
wrong is another fate, or a mean dE2000 of 1 and more, or any touched pixel where none may change.
The same files are also read as others do: Pillow's usual lines, and OpenCV (img2dataset).
Files of HEIC, JPEG XL, deep AVIF and arithmetic JPEG are made where pillow-heif,
pillow-jxl-plugin, imagecodecs and jpegtran are installed; the first two are then to be read.
Writes benchmarks/results/odd_files.json; the exit code is 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from odd_files_set import colour, damage, declared, depths, formats, harmless, jpegs, modern, tiffs
from odd_files_set.case import Odd, Painter, Rgb
from odd_files_set.verdict import (
    Fate,
    Verdict,
    as_json,
    distance,
    fates,
    judge,
    opencv_pixels,
    plain_pixels,
)
from PIL import Image

from vae_corpus.pictures.decode import sniff

_ROOT = Path(__file__).resolve().parents[1]
_RESULT = Path(__file__).parent / "results" / "odd_files.json"
_PARTS = (colour, declared, depths, tiffs, jpegs, harmless, damage, modern, formats)
_SETTINGS = ("--engine.workers", "0", "--score.text", "false", "--plan.min_clarity", "0")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="decides the pictures")
    parser.add_argument("--check", metavar="NAME", help="tell all of one file; writes no result")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep files and corpus here")
    parser.add_argument("--out", metavar="FILE", type=Path, default=_RESULT)
    given = parser.parse_args(argv)
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        odds = {odd.name: odd for odd in make(given.seed)}
        if given.check:
            if given.check not in odds:
                parser.error(f"no such file: {given.check}")
            odds = {given.check: odds[given.check]}
        found = build(list(odds.values()), folder)
        if given.check:
            return check(odds[given.check], found.get(given.check), folder)
        verdicts = [judge(odd, found.get(odd.name)) for odd in odds.values()]
        result = summary(list(odds.values()), verdicts)
        print_table(verdicts)
    result["command"] = "python " + " ".join(["benchmarks/odd_files.py", *sys.argv[1:]])
    given.out.parent.mkdir(exist_ok=True)
    files = [as_json(verdict) for verdict in verdicts]
    text = json.dumps(result | {"files": files}, indent=1, ensure_ascii=False)
    given.out.write_text(text + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] else 0


def make(seed: int) -> list[Odd]:
    odds = [
        odd
        for part in _PARTS
        # A part's pictures stay when another one gains a file.
        for odd in part.cases(Painter([seed, zlib.crc32(part.__name__.encode())]))
    ]
    names = Counter(odd.name for odd in odds)
    twice = [name for name, count in names.items() if count > 1]
    assert not twice, f"names that are used twice: {twice}"
    return odds


def build(odds: list[Odd], folder: Path) -> dict[str, Fate]:
    """Write the files, build a corpus of them, and tell what became of each."""
    files, corpus = folder / "files", folder / "corpus"
    if files.exists() or corpus.exists():
        raise SystemExit(f"error: {folder} holds files of another run; name a new folder")
    files.mkdir(parents=True)
    for odd in odds:
        (files / odd.name).write_bytes(odd.data)
    config = folder / "corpus.yaml"
    # One rung, whose originals are kept up to 384 px: no picture is made smaller.
    sources = [{"name": "odd", "type": "folder", "uri": str(files)}]
    settings = {"sources": sources, "plan": {"rung_weights": {256: 1.0}}}
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "pipelines/build_corpus.py", "--config", str(config)]
    command += ["--out", str(corpus), *_SETTINGS, "--synth.samples", "{}"]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} left with {done.returncode}:\n{done.stderr}")
    return fates(corpus)


def summary(odds: list[Odd], verdicts: list[Verdict]) -> dict[str, Any]:
    pairs = list(zip(odds, verdicts, strict=True))
    wrong = [v for v in verdicts if not v.ok]
    kept = [v for v in verdicts if v.got == "kept" and v.de2000 is not None]
    must = [odd for odd in odds if odd.right and not odd.says]
    return {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "files": len(odds),
        "formats": len(formats_of(odds)),
        "wrong": len(wrong),
        "wrong_by_group": dict(Counter(v.group for v in wrong)),
        "kept": len(kept),
        "kept_de2000_1_or_more": sum((v.de2000 or 0) >= 1 for v in kept),
        "kept_de2000_worst": max((v.de2000 or 0 for v in kept), default=0),
        "kept_damaged": sum(v.got == "kept" and not o.right for o, v in pairs),
        "refused_intact": sum(v.got != "kept" and bool(o.right) and not o.says for o, v in pairs),
        "corrupt_or_truncated_on_intact": sum(
            o.intact and v.got in ("corrupt", "truncated") and not v.ok for o, v in pairs
        ),
        "stored_but_read_plainly_1_or_more": sum((v.plain_de2000 or 0) >= 1 for v in kept),
        "others": {
            "must_be_kept": len(must),
            "ours_right": sum(v.ok for o, v in pairs if o.right and not o.says),
            "pillow_right": _right(must, plain_pixels),
            "opencv_right": _right(must, opencv_pixels),
            "damaged": sum(o.group == "damage" and not o.right for o in odds),
            "ours_kept_damaged": sum(
                v.got == "kept" and o.group == "damage" and not o.right for o, v in pairs
            ),
            "pillow_kept_damaged": _kept_damaged(odds, plain_pixels),
            "opencv_kept_damaged": _kept_damaged(odds, opencv_pixels),
        },
    }


def formats_of(odds: list[Odd]) -> set[str]:
    """Formats by their first bytes, or by extension where we know no mark."""
    return {sniff(odd.data) or Path(odd.name).suffix for odd in odds}


Reader = Callable[[bytes], Rgb | None]


def _right(odds: list[Odd], reader: Reader) -> int:
    count = 0
    for odd in odds:
        seen = reader(odd.data)
        count += min(distance(seen, right) for right in odd.right) < odd.most
    return count


def _kept_damaged(odds: list[Odd], reader: Reader) -> int:
    damaged = [odd for odd in odds if odd.group == "damage" and not odd.right]
    return sum(reader(odd.data) is not None for odd in damaged)


def print_table(verdicts: list[Verdict]) -> None:
    print(f"{'file':38} {'expected':28} {'got':20} {'dE2000':>7} {'plainly':>7}")
    for v in verdicts:
        de, plain = (f"{x:.2f}" if x is not None else "" for x in (v.de2000, v.plain_de2000))
        mark = "ok" if v.ok else f"WRONG  {v.note}"
        print(f"{v.name[:38]:38} {v.expected[:28]:28} {v.got:20} {de:>7} {plain:>7}  {mark}")


def check(odd: Odd, fate: Fate | None, folder: Path) -> int:
    verdict = judge(odd, fate)
    print(json.dumps(as_json(verdict), indent=1, ensure_ascii=False))
    print(f"{len(odd.data)} bytes, starting with {odd.data[:32].hex(' ')}")
    print(f"reference: {odd.reference or 'none'}")
    if odd.why:
        print(f"arguable: {odd.why}")
    for name, reader in (("pillow", plain_pixels), ("opencv", opencv_pixels)):
        seen = reader(odd.data)
        told = "not read" if seen is None else f"{seen.shape[1]} x {seen.shape[0]} px"
        away = [round(distance(seen, right), 2) for right in odd.right]
        print(f"{name}: {told}, dE2000 to each right picture: {away}")
    if fate is not None and fate.row:
        shown = {k: v for k, v in fate.row.items() if isinstance(v, str | int | float)}
        print(json.dumps(shown, indent=1))
    if folder.exists():
        for number, right in enumerate(odd.right):
            path = folder / f"right-{number}.png"
            Image.fromarray(np.ascontiguousarray(right)).save(path)
    return 0 if verdict.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
