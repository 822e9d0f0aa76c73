"""What a build feels like: the first line, the longest silence, and the time from Ctrl-C on.

`python benchmarks/build_feel.py` makes 38 photograph-like JPEGs of 12 megapixels, builds a corpus
of them as a command whose output is a log and once more on a terminal, sends SIGINT and SIGTERM
halfway, does the same with the demo, and writes benchmarks/results/build_feel.json. `--small` is
for tests, and leaves out the demo.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pty
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "build_feel.json"


@dataclass(frozen=True, kw_only=True)
class Felt:
    """One run of the command; seconds. `to_end_s` is from the signal on, if one was sent."""

    first_line_s: float
    longest_silence_s: float
    before_silence: str
    seconds: float
    code: int
    to_end_s: float | None
    said: list[str]


def photograph(rng: np.random.Generator, width: int, height: int) -> bytes:
    """A JPEG with detail at all scales, about as large as a camera's."""
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (4, 16, 64, 256, 1024):
        small = rng.normal(0, 1, (max(2, cells * height // width), cells, 3)).astype(np.float32)
        picture += (
            cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * 40 / cells**0.4
        )
    rgb = np.clip(picture + 128, 0, 255).astype(np.uint8)
    ok, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, 93])
    assert ok
    return bytes(data)


def make_folder(folder: Path, count: int, width: int, height: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        data = photograph(np.random.default_rng(number), width, height)
        (folder / f"{number:03d}.jpg").write_bytes(data)


def feel(
    arguments: list[str],
    *,
    terminal: bool = False,
    stop: int | None = None,
    stop_after: str = "score: ",
    stop_wait_s: float = 5.0,
    **variables: str,
) -> Felt:
    """Run the command and note when it says something; send `stop` some time after a word."""
    begun = time.monotonic()
    reader, writer = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "pipelines" / "build_corpus.py"), *arguments],
        stdout=writer,
        stderr=writer,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "160"} | variables,
    )
    os.close(writer)
    times, text = [], b""
    sent_s, stop_s = None, None
    silence, before, last, ended = 0.0, "", begun, None
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        while True:
            if stop is not None and stop_s is None and stop_after.encode() in text:
                stop_s = time.monotonic() + stop_wait_s
            if stop is not None and sent_s is None and stop_s and time.monotonic() > stop_s:
                sent_s = time.monotonic()
                process.send_signal(stop)
            if ended is None and process.poll() is not None:
                ended = time.monotonic()  # the prompt is back; others may hold the pipe
            if not selector.select(timeout=0.1):
                continue
            try:
                part = os.read(reader, 65536)
            except OSError:  # the far end of a terminal is closed
                part = b""
            now = time.monotonic()
            if times and (ended or now) - last > silence:
                silence, before = (ended or now) - last, text.decode(errors="replace")[-160:]
            last = now
            if not part:
                break
            times.append(now)
            text += part
    os.close(reader)
    code = process.wait()
    ended = ended or time.monotonic()
    return Felt(
        first_line_s=round(times[0] - begun, 2) if times else ended - begun,
        longest_silence_s=round(silence, 2),
        before_silence=before,
        seconds=round(ended - begun, 1),
        code=code,
        to_end_s=None if sent_s is None else round(ended - sent_s, 2),
        said=text.decode(errors="replace").replace("\r", "\n").splitlines()[-60:],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="6 images of 1 megapixel")
    parser.add_argument("--workers", default="2", help="engine.workers")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--text", default="false", help="score.text")
    given = parser.parse_args()
    count, width, height = (6, 1200, 900) if given.small else (38, 4000, 3000)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_folder(root / "photos", count, width, height)
        source = f"[{{name: photos, type: folder, uri: {root / 'photos'}}}]"
        common = ["--sources", source, "--plan.min_clarity", "0", "--synth.samples", "{}"]
        common += ["--score.text", given.text, "--engine.workers", given.workers]
        runs = {
            "log": feel([*common, "--out", str(root / "log")]),
            "terminal": feel([*common, "--out", str(root / "terminal")], terminal=True),
            "ctrl_c": feel([*common, "--out", str(root / "stop")], stop=signal.SIGINT),
            "sigterm": feel([*common, "--out", str(root / "stop2")], stop=signal.SIGTERM),
            "goes_on": feel([*common, "--out", str(root / "stop")]),
        }
        if not given.small:
            runs |= {
                "demo log": feel(["--out", str(root / "demo")]),
                "demo terminal": feel(["--out", str(root / "demo2")], terminal=True),
                "demo ctrl_c": feel(
                    ["--out", str(root / "demo3")], stop=signal.SIGINT, stop_wait_s=25
                ),
                "demo sigterm": feel(
                    ["--out", str(root / "demo4")],
                    stop=signal.SIGTERM,
                    stop_after="synthesize: ",
                    stop_wait_s=3,
                ),
            }
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/build_feel.py",
        "device": f"{os.cpu_count()} cores",
        "images": count,
        "megapixels": width * height / 1e6,
        "workers": given.workers,
        "text": given.text,
        "load": os.getloadavg()[0],
        # What it said names folders of this machine.
        "runs": {
            name: {key: value for key, value in asdict(felt).items() if key != "said"}
            for name, felt in runs.items()
        },
    }
    given.out.write_text(json.dumps(facts, indent=1) + "\n")
    for name, felt in runs.items():
        print(
            f"{name}: first line {felt.first_line_s} s, longest silence {felt.longest_silence_s} s,"
            f" {felt.seconds} s in all, exit code {felt.code}"
            + ("" if felt.to_end_s is None else f", {felt.to_end_s} s after the signal")
        )


if __name__ == "__main__":
    main()
