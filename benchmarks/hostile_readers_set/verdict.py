"""What became of a hostile input, whether it may, and what it took."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Any, NamedTuple

from hostile_readers_set import child
from hostile_readers_set.case import ERROR, FILES, KEPT, Hostile

# Of the processor: the readers have one thread, and a machine may be shared.
MOST_S = 30
_SENTENCE_CHARS = 2000


class Verdict(NamedTuple):
    name: str
    reader: str
    bytes: int
    outcome: dict[str, int]
    error: str
    why: str
    seconds: float
    cpu_seconds: float
    peak_mb: int
    wrong: str


def judge(hostile: Hostile, folder: Path) -> Verdict:
    """Make the input in a new folder, read it in a process of its own, and judge."""
    source = folder / "source"
    for part in ("source", "out", "tmp", "home"):
        (folder / part).mkdir(parents=True)
    # Elsewhere, so that what it leaves in memory does not count as idle.
    made = child.in_child(lambda: _made(hostile, source), folder / "out" / "making")
    assert made is None, f"{hostile.name} cannot be made: {made}"
    files = [path for path in source.rglob("*") if path.is_file()]
    size = sum(path.lstat().st_size for path in files)
    before = _tree(folder)
    told = child.read(hostile.reader, folder, hostile.settings)
    changed = sorted(set(before.items()) ^ set(_tree(folder).items()))
    wrong = _wrong(hostile, told, len(files))
    if changed:
        wrong += f"; changed outside the output folder: {changed[0][0]}"
    _remove(folder)
    return Verdict(
        name=hostile.name,
        reader=hostile.reader,
        bytes=size,
        outcome=told.get("slugs", {}) | ({"passed_over": n} if (n := told["passed_over"]) else {}),
        error=told["error"],
        why=told.get("why", ""),
        seconds=told["seconds"],
        cpu_seconds=told["cpu_seconds"],
        peak_mb=told["peak_mb"],
        wrong=wrong.removeprefix("; "),
    )


def _made(hostile: Hostile, folder: Path) -> None:
    hostile.make(folder)


def _wrong(hostile: Hostile, told: dict[str, Any], files: int) -> str:
    if "died" in told:
        return f"the process ended: {told['died']}"
    faults = []
    if "raised" in told:
        faults.append(f"raised {told['raised']}")
    if told["error"]:
        if ERROR not in hostile.fates:
            faults.append(f"an error: {told['error']}")
        if told["error_chars"] > _SENTENCE_CHARS:
            faults.append(f"an error of {told['error_chars']} characters")
    elif "raised" not in told:
        allowed = hostile.fates | {"good"}
        if odd := set(told["slugs"]) - allowed:
            faults.append(f"{', '.join(sorted(odd))}, allowed: {', '.join(sorted(allowed))}")
        if told["good"] < hostile.good:
            faults.append(f"{told['good']} of {hostile.good} good ones kept")
        rows = sum(told["slugs"].values())
        wanted = files if hostile.rows == FILES else hostile.rows
        if wanted is not None and rows != wanted:
            faults.append(f"{rows} rows, not {wanted}")
        if hostile.passed_over is not None and told["passed_over"] != hostile.passed_over:
            faults.append(f"{told['passed_over']} passed over, not {hostile.passed_over}")
        if not hostile.fates - {ERROR} and hostile.reader == "settings" and KEPT in told["slugs"]:
            faults.append("taken for settings")
    if told["peak_mb"] > hostile.most_mb:
        faults.append(f"{told['peak_mb']} MB")
    if told["cpu_seconds"] > MOST_S:
        faults.append(f"{told['cpu_seconds']} s")
    return "; ".join(faults + told["seen"])


def _tree(folder: Path) -> dict[str, str]:
    """All that lies outside the output folder: kinds, sizes, times and, of small files, hashes."""
    found = {}
    for place, folders, files in os.walk(folder):
        if place == str(folder):
            folders.remove("out")
        for name in [*folders, *files]:
            path = os.path.join(place, name)
            seen = os.lstat(path)
            is_small = stat.S_ISREG(seen.st_mode) and seen.st_size < 1 << 20
            digest = hashlib.sha256(Path(path).read_bytes()).hexdigest() if is_small else ""
            changed = 0 if stat.S_ISDIR(seen.st_mode) else seen.st_mtime_ns
            found[ascii(path)] = f"{seen.st_mode} {seen.st_size} {changed} {digest}"
    return found


def _remove(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)
