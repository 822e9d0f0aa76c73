"""Builds on a real cluster while its processes are killed and stopped: does each come to its end?

    python benchmarks/chaos.py --builds 26

About an hour on two cores. Writes benchmarks/results/chaos.json. A small corpus of real and made
photographs, pages of text and synthetic text is built once undisturbed. Then again and again, each
time with one to three faults at random moments: a worker, a raylet, a machine, the head or the
build itself is killed, or stopped for good or for a while, as a machine that can no longer be
reached. What was harmed is mended, and the same command runs again until it ends well. No command
may run on for longer than `--limit` seconds after the last fault, and every corpus must have the
bytes of the first. A build whose nodes have all died waits two minutes for another, not ten. What
was said last, the exit code and the time from the fault to the end of the command are told for
each.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.build_feel import photograph  # noqa: E402
from benchmarks.chaos_machines import Machines  # noqa: E402
from tests.pictures import jpeg, page, tree, write_tar  # noqa: E402
from tests.ray_cluster import ROOT, environment  # noqa: E402
from vae_corpus.demo import demo_inputs  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "chaos.json"
FAULTS = (
    *("worker-kill", "worker-stop", "worker-pause", "raylet-kill", "raylet-stop", "node-kill"),
    *("node-stop", "node-pause", "gcs-kill", "gcs-stop", "head-kill", "driver-kill", "driver-term"),
)
_PAUSES_S = {"worker": 20.0, "node": 70.0}
_MOST_TRIES = 6
_STRAYS_S = 60.0
# How long a build that has lost all nodes waits for another: by default longer than `--limit`.
_START_TIMEOUT_S = 120


def write_inputs(folder: Path) -> dict[str, Any]:
    """Units enough for a crew to be at work when something happens; the settings of the build."""
    (folder / "photos").mkdir(parents=True)
    for number in range(60):
        data = photograph(np.random.default_rng(number), 640 + 8 * (number % 7), 480)
        (folder / "photos" / f"{number:03d}.jpg").write_bytes(data)
    inputs = demo_inputs()
    real = [p for f in inputs.photo_folders for i in f.include for p in f.root.glob(i)]
    for number, path in enumerate(sorted(path for path in real if path.is_file())[:6]):
        shutil.copy(path, folder / "photos" / f"real-{number}{path.suffix}")
    for number in range(6):
        seeds = range(10 * number, 10 * number + 3)
        pages = {f"{seed}.jpg": jpeg(page(560, 520, seed), 95) for seed in seeds}
        write_tar(folder / f"pages-{number}.tar", pages)
    fonts = [str(path) for path in inputs.fonts if "microhei" in str(path) or "dejavu" in str(path)]
    return {
        "sources": [
            {
                "name": "photos",
                "type": "folder",
                "uri": str(folder / "photos"),
                "files_per_unit": 6,
            },
            {"name": "pages", "type": "webdataset", "uri": str(folder / "pages-*.tar")},
        ],
        "plan": {"min_clarity": 0.0, "min_clarity_text": 0.0},
        "pack": {"shard_samples": 8},
        "engine": {"start_timeout_s": _START_TIMEOUT_S},
        "synth": {
            "samples": {256: 32},
            "texts": {language: [str(paths[0])] for language, paths in inputs.texts.items()},
            "fonts": fonts,
        },
    }


def digests(out: Path) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in tree(out).items()}


def _pause_or_end(driver: subprocess.Popen[bytes]) -> None:
    try:
        time.sleep(0.1)
    except BaseException:
        driver.kill()
        raise


class Chaos:
    """The inputs, the machines, and the command that is run on them."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self.folder, self.limit_s = folder, limit_s
        self.out = folder / "corpus"
        self.machines = Machines()
        config = folder / "corpus.yaml"
        config.write_text(yaml.safe_dump(write_inputs(folder / "inputs")))
        script = str(ROOT / "pipelines" / "build_corpus.py")
        self._command = [sys.executable, script, "--config", str(config), "--out", str(self.out)]

    def attempt(self, faults: list[tuple[float, str]], rng: random.Random) -> dict[str, Any]:
        """Run the command, do the faults at their moments (s), and tell how it ended."""
        log = self.folder / "said.txt"
        with open(log, "wb") as said:
            driver = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=environment(PYTHONPATH=str(ROOT), RAY_ADDRESS=self.machines.address),
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        begun_s = last_s = time.monotonic()
        due = sorted(faults)
        done: list[dict[str, Any]] = []
        continue_s = float("inf")
        hung = False
        while driver.poll() is None:
            _pause_or_end(driver)
            now = time.monotonic()
            if due and now - begun_s > due[0][0]:
                at_s, fault = due.pop(0)
                if self._harm(fault, driver, rng):
                    done.append({"fault": fault, "after_s": round(now - begun_s, 1)})
                    last_s = now
                    where, _, how = fault.partition("-")
                    if how == "pause":
                        continue_s = now + _PAUSES_S[where]
                else:
                    due.insert(0, (now - begun_s + 0.5, fault))  # there is no victim yet
            if now > continue_s:
                self.machines.go_on()
                continue_s = float("inf")
            if now - last_s > self.limit_s:
                hung = True
                driver.kill()
                driver.wait()
        ended_s = time.monotonic()
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return {
            "faults": done,
            "hung": hung,
            "code": driver.returncode,
            "seconds": round(ended_s - begun_s, 1),
            "from_fault_to_end_s": round(ended_s - last_s, 1) if done else None,
            "tracebacks": sum("Traceback" in line for line in lines),
            "said_last": [line.replace(str(self.folder), "") for line in lines[-3:]],
        }

    def _harm(self, fault: str, driver: subprocess.Popen[bytes], rng: random.Random) -> bool:
        if fault.startswith("driver"):
            driver.send_signal(signal.SIGKILL if fault == "driver-kill" else signal.SIGTERM)
            return True
        return self.machines.harm(fault, rng)

    def strays_s(self) -> float | None:
        """How long workers outlive the driver; None when some do for a minute."""
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < _STRAYS_S:
            if not self.machines.workers():
                return round(time.monotonic() - begun_s, 1)
            time.sleep(0.5)
        return None

    def build(self, faults: list[tuple[float, str]], rng: random.Random) -> dict[str, Any]:
        """Tries of the command until one ends well; faults only in the first."""
        shutil.rmtree(self.out, ignore_errors=True)
        tries: list[dict[str, Any]] = []
        while len(tries) < _MOST_TRIES:
            self.machines.mend()
            tries.append(self.attempt(faults if not tries else [], rng))
            names = [done["fault"] for done in tries[-1]["faults"]]
            if names and all(name.startswith("driver") for name in names):
                tries[-1]["workers_outlive_s"] = self.strays_s()
            if tries[-1]["code"] == 0 or tries[-1]["hung"]:
                break
            if rng.random() < 0.5:
                # What comes back late meets the next try.
                self.machines.go_on()
        drafts = [p for p in self.out.rglob(".*.tmp")]
        return {"tries": tries, "drafts_left": len(drafts), "digests": digests(self.out)}


def draw_faults(first: str, seconds: float, rng: random.Random) -> list[tuple[float, str]]:
    """One fault of this kind and up to two others, at moments of an undisturbed build."""
    others = [rng.choice(FAULTS) for _ in range(rng.choice([0, 0, 1, 2]))]
    return [(rng.uniform(3.0, 0.9 * seconds), fault) for fault in [first, *others]]


def tell(number: int, run: dict[str, Any]) -> None:
    for tried in run["tries"]:
        faults = ", ".join(f"{f['fault']} at {f['after_s']} s" for f in tried["faults"])
        print(
            f"{number:3} {faults or 'again':50} code {tried['code']:4} {tried['seconds']:6.1f} s,"
            f" {tried['from_fault_to_end_s']} s after the fault"
            f"{' HANGS' if tried['hung'] else ''}: {tried['said_last'][-1:]}"
        )
    print(f"    identical: {run['identical']}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--builds", type=int, default=26)
    parser.add_argument("--seed", type=int, default=datetime.date.today().toordinal())
    parser.add_argument("--limit", type=float, default=240, help="seconds after the last fault")
    parser.add_argument("--only", nargs="*", default=FAULTS, help="kinds of faults")
    parser.add_argument("--first", type=int, default=0, help="which of them comes first")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        chaos = Chaos(Path(name), given.limit)
        try:
            # The first build compiles loops and fills caches; the second one is timed.
            wholes = [chaos.build([], rng) for _ in range(2)]
            seconds = wholes[1]["tries"][-1]["seconds"]
            whole = wholes[0]["digests"]
            assert wholes[0]["tries"][-1]["code"] == 0, wholes[0]["tries"]
            assert whole == wholes[1]["digests"], "undisturbed builds differ"
            print(f"undisturbed: {seconds} s, {len(whole)} files", flush=True)
            runs = []
            for number in range(given.builds):
                # The machine may be faster by now: a fault is of no use after the end.
                kind = given.only[(given.first + number) % len(given.only)]
                faults = draw_faults(kind, seconds, rng)
                run = chaos.build(faults, rng)
                found = run.pop("digests")
                differ = {n for n in found | whole if found.get(n) != whole.get(n)}
                run |= {"identical": not differ, "differ": sorted(differ)[:10]}
                if run["tries"][0]["code"] == 0:
                    seconds = min(seconds, run["tries"][0]["seconds"])
                runs.append(run)
                tell(number, run)
                _write(given, seconds, len(whole), runs)
        finally:
            chaos.machines.close()
    bad = [run for run in runs if not run["identical"] or any(t["hung"] for t in run["tries"])]
    print(f"{len(runs)} builds, {len(bad)} that hung or differ")
    return 1 if bad else 0


def _write(
    given: argparse.Namespace, seconds: float, files: int, runs: list[dict[str, Any]]
) -> None:
    tries = [tried for run in runs for tried in run["tries"]]
    cut = [t["from_fault_to_end_s"] for t in tries if t["faults"] and t["code"] != 0]
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": f"python benchmarks/chaos.py --builds {given.builds} --seed {given.seed}"
        f" --first {given.first}",
        "device": f"{os.cpu_count()} cores, a head and two nodes as processes of one machine",
        "undisturbed_s": seconds,
        "files": files,
        "builds": len(runs),
        "hung": sum(tried["hung"] for tried in tries),
        "differ": sum(not run["identical"] for run in runs),
        "went_on": sum(run["tries"][0]["code"] == 0 for run in runs),
        "longest_from_fault_to_error_s": max(cut, default=0.0),
        "runs": runs,
    }
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
