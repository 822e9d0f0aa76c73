"""What loading costs: CPU time per image beside pure JPEG decoding, and beside other loaders.

    python benchmarks/loader_speed.py [--peers DIR]

The shards are made on the spot: crops of the demo's photographs as JPEG, a few percent larger than
their bucket, 600 at 256 px and 96 at 1,024 px, in plain WebDataset tars.

What must be done by anybody, and all that this does:

- `simplejpeg`: decodes the same bytes strictly, out of memory, one after the other in one thread;
  no file is read, nothing is cropped, flipped or gathered. Its output is fresh for each picture and
  freed before the next, which is as fast as a buffer given to it;
- `simplejpeg in two threads`: the same, half of the pictures each, at once: what two workers pay
  for sharing caches and memory.

Loaders, which read files in a random order and hand out batches of uint8[B, H, W, 3] of the
bucket's size, cropped and flipped by chance, from two workers:

- `ours`: the loader of the trainer, two threads. Beside that it draws the order of training, walks
  through the headers, checks limits, and would replace damaged images;
- `torchdata`: StatefulDataLoader over an indexed dataset that reads by pread and decodes with
  simplejpeg, two processes; torchdata is looked for in DIR too (pip install --no-deps --target DIR
  torchdata);
- `webdataset`: WebDataset with a shuffle buffer through its own WebLoader, two processes, decoding
  as its documentation has it ("rgb8", with Pillow) and with simplejpeg.

CPU time of all processes and threads, user and system. Each loader has a process of its own, which
takes turns of several epochs; before and after each turn comes a turn of `simplejpeg`, because what
else runs on a machine takes caches away from both. The share of decoding is the mean of these two
by the turn between, and the median of the rounds is told with the quartiles. Reading the index is
not counted, starting threads or processes (by fork) is, a first turn to warm up is not.
Writes benchmarks/results/loader_speed.json.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import simplejpeg
import torch
from numpy.typing import NDArray

from vae_corpus.demo import demo_inputs
from vae_corpus.seeds import generator
from vae_corpus.tar import ShardWriter, Stored
from vae_corpus.words import GENERAL, Bucket, Group, buckets
from vae_training.config import TrainSettings
from vae_training.data.corpus import open_data
from vae_training.data.crops import crop_at
from vae_training.data.loader import Loader

RUNGS = {256: (600, 64), 1024: (96, 4)}  # rung -> images, batch
_EPOCHS = {256: 6, 1024: 3}
_ROUNDS = 9
_WORKERS = 2
_QUALITY = 92


def pictures(rung: int, count: int) -> Iterator[tuple[Bucket, NDArray[np.uint8]]]:
    """Crops of photographs, up to a quarter larger than the square bucket of the rung."""
    bucket = buckets(rung)[0]
    made, number = 0, 0
    photos = demo_inputs().photos
    while made < count:
        bgr = cv2.imread(str(photos[number % len(photos)]))
        rng = generator(0, "photo", rung, number)
        number += 1
        if bgr is None or min(bgr.shape[:2]) < 1.3 * rung:
            continue
        size = [int(rung * rng.uniform(1.02, 1.25)) for _ in range(2)]
        scale = rng.uniform(max(s / x for s, x in zip(size, bgr.shape, strict=False)), 1.0)
        small = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = (min(s, x) for s, x in zip(size, small.shape, strict=False))
        crop = crop_at(small, Bucket(width, height), *rng.random(2))
        if min(crop.shape[:2]) >= rung:
            made += 1
            yield bucket, crop


def write_corpus(folder: Path, rung: int, count: int) -> None:
    """Two shards with their indexes, and a curriculum of one phase."""
    made = list(pictures(rung, count))
    for part in range(2):
        name = f"shards/general/{rung}/photos-{part:06d}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{name}.tar", "wb") as file:
            writer = ShardWriter(file, name)
            for number in range(part, count, 2):
                bucket, bgr = made[number]
                data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
                key = f"photo-{number:06d}"
                sample = Stored(
                    key=key,
                    ext="jpg",
                    data=data,
                    width=bgr.shape[1],
                    height=bgr.shape[0],
                    group=Group(kind=GENERAL, rung=rung, bucket=str(bucket)),
                    source="photos",
                    parent=key,
                    label={},
                )
                writer.add(sample)
            table = writer.close()
        pq.write_table(table, folder / f"{name}.parquet")
    phase = {"name": "all", "samples": 10**6, "rungs": {str(rung): 1.0}, "kinds": {GENERAL: 1.0}}
    group = {"kind": GENERAL, "rung": rung, "bucket": str(buckets(rung)[0]), "samples": count}
    whole = {"version": 1, "groups": [group], "phases": [phase]}
    (folder / "curriculum.json").write_text(json.dumps(whole))


def index(corpus: Path) -> list[tuple[str, int, int]]:
    found = []
    for path in sorted(corpus.glob("shards/*/*/*.parquet")):
        for row in pq.read_table(path).to_pylist():
            found.append((str(corpus / row["shard"]), row["offset"], row["bytes"]))
    return found


def read(place: tuple[str, int, int]) -> bytes:
    handle = os.open(place[0], os.O_RDONLY)
    try:
        return os.pread(handle, place[2], place[1])
    finally:
        os.close(handle)


def augment(rgb: NDArray[np.uint8], rung: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    crop = crop_at(rgb, buckets(rung)[0], *rng.random(2))
    return cv2.flip(crop, 1) if rng.random() < 0.5 else np.ascontiguousarray(crop)


class Indexed(torch.utils.data.Dataset[torch.Tensor]):
    """What a map-style dataset over the same index looks like."""

    def __init__(self, corpus: Path, rung: int) -> None:
        self.places, self.rung = index(corpus), rung
        self.rng = np.random.default_rng()

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> torch.Tensor:
        data = read(self.places[number])
        rgb = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
        return torch.from_numpy(augment(rgb, self.rung, self.rng))


# Each loader is set up by a call, and gives what starts a turn: the images of every batch.
Turn = Callable[[], Iterator[int]]


def pure(corpus: Path, rung: int) -> Turn:
    stored = [read(place) for place in index(corpus)]

    def turn() -> Iterator[int]:
        for _ in range(_EPOCHS[rung]):
            for data in stored:
                simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
                yield 1

    return turn


def pure_twice(corpus: Path, rung: int) -> Turn:
    stored = [read(place) for place in index(corpus)]

    def decode(part: list[bytes]) -> int:
        for data in part:
            simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
        return len(part)

    def turn() -> Iterator[int]:
        with ThreadPoolExecutor(_WORKERS) as pool:
            for _ in range(_EPOCHS[rung]):
                yield from pool.map(decode, [stored[i::_WORKERS] for i in range(_WORKERS)])

    return turn


def ours(corpus: Path, rung: int) -> Turn:
    batch = RUNGS[rung][1]
    steps = _EPOCHS[rung] * RUNGS[rung][0] // batch
    settings = TrainSettings(
        corpus=str(corpus), steps=steps, batch_pixels=batch * rung**2, validation_samples=1
    )
    data = open_data(settings, 1)
    loader = Loader(shards=data.shards, order=data.order, workers=_WORKERS)
    return lambda: (len(b.pixels) for b in loader.batches(data.order.start(), steps))


def torchdata(corpus: Path, rung: int) -> Turn:
    from torchdata.stateful_dataloader import StatefulDataLoader

    loader = StatefulDataLoader(
        Indexed(corpus, rung),
        batch_size=RUNGS[rung][1],
        shuffle=True,
        num_workers=_WORKERS,
        multiprocessing_context="fork",
    )
    return lambda: (len(pixels) for _ in range(_EPOCHS[rung]) for pixels in loader)


def webdataset(corpus: Path, rung: int, *, fast: bool) -> Turn:
    import webdataset as wds

    def decode_fast(key: str, data: bytes) -> NDArray[np.uint8] | None:
        if not key.endswith("jpg"):
            return None
        return simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)

    rng = np.random.default_rng()
    tars = sorted(str(path) for path in corpus.glob("shards/*/*/*.tar"))
    dataset = wds.WebDataset(tars, shardshuffle=len(tars)).shuffle(100)
    dataset = dataset.decode(decode_fast) if fast else dataset.decode("rgb8")
    dataset = dataset.to_tuple("jpg").map(lambda t: torch.from_numpy(augment(t[0], rung, rng)))
    loader = wds.WebLoader(
        dataset,
        batch_size=RUNGS[rung][1],
        num_workers=_WORKERS,
        multiprocessing_context="fork",
    )
    return lambda: (len(pixels) for _ in range(_EPOCHS[rung]) for pixels in loader)


def webdataset_pillow(corpus: Path, rung: int) -> Turn:
    return webdataset(corpus, rung, fast=False)


def webdataset_simplejpeg(corpus: Path, rung: int) -> Turn:
    return webdataset(corpus, rung, fast=True)


LOADERS: dict[str, Callable[[Path, int], Turn]] = {
    "simplejpeg": pure,
    "simplejpeg in two threads": pure_twice,
    "ours": ours,
    "torchdata": torchdata,
    "webdataset": webdataset_pillow,
    "webdataset + simplejpeg": webdataset_simplejpeg,
}


def cpu_s() -> float:
    """CPU time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def serve(name: str, corpus: Path, rung: int, asked: Any) -> None:
    """Take turns when asked to, and answer with CPU milliseconds per image; the first warms up."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    turn = LOADERS[name](corpus, rung)
    sum(turn())
    asked.send(None)
    with contextlib.suppress(EOFError):  # the other end is closed: no more turns
        while True:
            asked.recv()
            began = cpu_s()
            count = sum(turn())
            asked.send(1e3 * (cpu_s() - began) / count)


@contextlib.contextmanager
def turns(names: list[str], corpus: Path, rung: int) -> Iterator[Callable[[str], float]]:
    """A function that has a loader take a turn; each is ready in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        pipes = {}
        for name in names:
            mine, theirs = context.Pipe()
            process = context.Process(target=serve, args=(name, corpus, rung, theirs))
            process.start()
            stack.callback(process.join)
            pipes[name] = stack.enter_context(mine)
            theirs.close()  # so that a process that dies is the end of the pipe
            mine.recv()

        def take(name: str) -> float:
            pipes[name].send(None)
            return float(pipes[name].recv())

        yield take


def compare(names: list[str], corpus: Path, rung: int, rounds: int) -> dict[str, Any]:
    """CPU time per image and share of decoding of each, by rounds."""
    runs: dict[str, list[float]] = {name: [] for name in names}
    shares: dict[str, list[float]] = {name: [] for name in names if name != "simplejpeg"}
    with turns(names, corpus, rung) as take:
        for _ in range(rounds):
            runs["simplejpeg"].append(take("simplejpeg"))
            for name, found in shares.items():
                runs[name].append(take(name))
                runs["simplejpeg"].append(take("simplejpeg"))
                found.append(statistics.mean(runs["simplejpeg"][-2:]) / runs[name][-1])
    return {
        "cpu_ms_per_image": {n: round(statistics.median(times), 3) for n, times in runs.items()},
        "share_of_decoding": {n: round(statistics.median(f), 3) for n, f in shares.items()},
        "quartiles": {
            n: [round(float(q), 3) for q in np.quantile(f, [0.25, 0.75])] for n, f in shares.items()
        },
        "runs": {n: [round(t, 3) for t in times] for n, times in runs.items()},
        "shares": {n: [round(f, 3) for f in found] for n, found in shares.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peers", type=Path, help="folder of packages that only this needs")
    parser.add_argument("--only", help="loaders beside simplejpeg, by comma; writes no file")
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    given = parser.parse_args()
    if given.peers:
        sys.path.append(str(given.peers))  # which spawned processes take over
    names = ["simplejpeg", *given.only.split(",")] if given.only else list(LOADERS)
    table: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rung, (count, batch) in RUNGS.items():
            corpus = Path(folder) / str(rung)
            write_corpus(corpus, rung, count)
            found = compare(names, corpus, rung, given.rounds)
            stored = index(corpus)
            table[str(rung)] = {
                "images": count,
                "batch": batch,
                "mean_bytes": round(sum(size for *_, size in stored) / count),
                **found,
            }
            for name, share in found["share_of_decoding"].items():
                ms, quartiles = found["cpu_ms_per_image"][name], found["quartiles"][name]
                print(f"{rung} px  {name:24} {ms:.3f} ms  share of decoding {share} {quartiles}")
    if not given.only:
        facts = {
            "command": "python benchmarks/loader_speed.py" + " --peers DIR" * bool(given.peers),
            "date": datetime.date.today().isoformat(),
            "device": f"CPU, {platform.machine()}, {os.cpu_count()} cores",
            "versions": {name: version(name) for name in ("simplejpeg", "webdataset", "torchdata")},
            "workers": _WORKERS,
            "rounds": given.rounds,
            "rungs": table,
        }
        out = Path(__file__).parent / "results" / "loader_speed.json"
        out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
