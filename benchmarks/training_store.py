"""Training from an object store 30 ms away: images a second and requests, beside other loaders.

    python benchmarks/training_store.py [--peers DIR]

Some minutes. 40 shards of JPEG crops of the demo's photographs at 256 px, a few percent larger than
their bucket, lie on the local disk and behind tests/slow_store.py: a real S3 server over HTTP, a
process of its own on the same two cores, that answers each request 30 ms later than it could and
counts them. A consumer takes batches of 64, cropped and flipped by chance, and does nothing with
them. Each line is a process of its own with two workers; lines take turns, medians of the rounds.
To open an index or a listing is not counted, to start threads or processes is.

- `ours, local disk`: the loader of the trainer on the local disk;
- `ours, steady`: from the store through an empty cache, blocks of 8 shards; counted is what comes
  between the first block, which began with a request for every image, and the last one;
- `ours, with the start`: all of the same run;
- `ours, warm`: a second run with the same cache;
- `webdataset`: tars over HTTP with the pipe of curl that its documentation gives, two processes,
  a shuffle buffer, decoded by simplejpeg;
- `litdata`: the same JPEGs in its own format in the same store, an empty cache, two processes of
  its DataLoader, shuffled, decoded by simplejpeg. It is looked for in DIR too: pip install
  --no-deps --target DIR litdata lightning-utilities.

mosaicml-streaming is left out: out of its own shards in this store, two forked workers of its
dataset handed out bytes that no decoder took, and why was not found.

Beside that, the CPU time an image of our loader fed from a filled cache, as the share that pure
decoding with simplejpeg has of it, in turns as in loader_speed.py.
Writes benchmarks/results/training_store.json.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
if __package__ in (None, ""):
    sys.path[0] = str(_ROOT)

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import simplejpeg  # noqa: E402
import torch  # noqa: E402

from benchmarks.loader_speed import augment, cpu_s, index, pictures, read  # noqa: E402
from vae_corpus.tar import ShardWriter, Stored  # noqa: E402
from vae_corpus.words import GENERAL, Group, buckets  # noqa: E402
from vae_training.config import TrainSettings  # noqa: E402
from vae_training.data.corpus import open_data  # noqa: E402
from vae_training.data.loader import Loader  # noqa: E402

_RESULT = _ROOT / "benchmarks" / "results" / "training_store.json"
_RUNG, _BATCH, _WORKERS, _QUALITY = 256, 64, 2, 92
_BLOCK = 8
_DRAWN = 150  # pictures: more files are these with another comment

# Images of each batch as it comes.
Turn = Iterator[int]


@functools.cache
def _drawn() -> list[tuple[bytes, tuple[int, int]]]:
    found = []
    for _, bgr in pictures(_RUNG, _DRAWN):
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
        found.append((data, bgr.shape[:2]))
    return found


def jpegs(count: int) -> Iterator[tuple[str, bytes, tuple[int, int]]]:
    """Names, JPEGs that all differ, and their height and width."""
    for number in range(count):
        data, size = _drawn()[number % _DRAWN]
        said = f"{number:032}".encode()
        comment = b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said
        yield f"photo-{number:06d}", data[:2] + comment + data[2:], size


def write_corpus(folder: Path, shards: int, images: int) -> None:
    import pyarrow.parquet as pq

    bucket = str(buckets(_RUNG)[0])
    made = jpegs(shards * images)
    for part in range(shards):
        name = f"shards/general/{_RUNG}/photos-{part:06d}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{name}.tar", "wb") as file:
            writer = ShardWriter(file, name)
            for _ in range(images):
                key, data, (height, width) = next(made)
                writer.add(
                    Stored(
                        key=key,
                        ext="jpg",
                        data=data,
                        width=width,
                        height=height,
                        group=Group(kind=GENERAL, rung=_RUNG, bucket=bucket),
                        source="photos",
                        parent=key,
                        label={},
                    )
                )
            table = writer.close()
        pq.write_table(table, folder / f"{name}.parquet")
    phase = {"name": "all", "samples": 10**6, "rungs": {str(_RUNG): 1.0}, "kinds": {GENERAL: 1.0}}
    group = {"kind": GENERAL, "rung": _RUNG, "bucket": bucket, "samples": shards * images}
    whole = {"version": 1, "groups": [group], "phases": [phase]}
    (folder / "curriculum.json").write_text(json.dumps(whole))


def write_litdata(folder: Path, count: int, shard_bytes: int) -> None:
    from litdata.streaming.cache import Cache

    cache = Cache(str(folder), chunk_bytes=shard_bytes)
    for number, (_, data, _) in enumerate(jpegs(count)):
        cache[number] = data
    cache.done()
    cache.merge(1)


def ours(corpus: str, cache: str, images: int, store: str) -> Turn:
    steps = images // _BATCH
    settings = TrainSettings(
        corpus=corpus,
        cache=cache,
        steps=steps,
        batch_pixels=_BATCH * _RUNG**2,
        shuffle_shards=_BLOCK,
        validation_samples=1,
    )
    data = open_data(settings, 1)
    loader = Loader(shards=data.shards, order=data.order, workers=_WORKERS)
    return (len(batch.pixels) for batch in loader.batches(data.order.start(), steps))


def _taken(batches: Iterator[Any], images: int) -> Turn:
    while images > 0:
        for pixels in batches:
            yield len(pixels)
            images -= len(pixels)
            if images <= 0:
                return


def _decoded(data: bytes) -> torch.Tensor:
    rgb = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
    return torch.from_numpy(augment(rgb, _RUNG, np.random.default_rng()))


def webdataset(corpus: str, cache: str, images: int, store: str) -> Turn:
    import webdataset as wds

    folder = Path(os.environ["STORE_ROOT"]) / "data" / "corpus"
    tars = sorted(folder.glob("shards/*/*/*.tar"))
    urls = [
        f"pipe:curl -s -L {store}/data/corpus/{tar.relative_to(folder).as_posix()}" for tar in tars
    ]
    dataset = wds.WebDataset(urls, shardshuffle=len(urls)).shuffle(1000)
    dataset = dataset.to_tuple("jpg").map(lambda found: _decoded(found[0]))
    loader = wds.WebLoader(
        dataset, batch_size=_BATCH, num_workers=_WORKERS, multiprocessing_context="fork"
    )
    return _taken(loader, images)


def litdata(corpus: str, cache: str, images: int, store: str) -> Turn:
    import litdata as lit
    from litdata.streaming import downloader

    # It takes no other way to let its client speak HTTP without TLS.
    downloader._OBSTORE_CLIENT_OPTIONS["allow_http"] = True

    class Images(lit.StreamingDataset):  # type: ignore[misc]
        def __getitem__(self, at: Any) -> torch.Tensor:
            return _decoded(super().__getitem__(at))

    dataset = Images(
        "s3://data/litdata",
        cache_dir=cache,
        shuffle=True,
        storage_options={"endpoint_url": store},
    )
    loader = lit.StreamingDataLoader(
        dataset, batch_size=_BATCH, num_workers=_WORKERS, multiprocessing_context="fork"
    )
    return _taken(iter(loader), images)


PEERS: dict[str, Callable[[str, str, int, str], Turn]] = {
    "webdataset": webdataset,
    "litdata": litdata,
}


def child(name: str, corpus: str, cache: str, images: int, store: str, told: Any) -> None:
    """Take one turn and send the time and the server's count of requests after each batch."""
    from tests.slow_store import SlowStore

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    server = SlowStore(int(store.rsplit(":", 1)[1]), Path())
    make = PEERS.get(name, ours)
    turn = make(corpus, cache, images, store)
    marks, done = [(0, time.monotonic(), _requests(server))], 0
    block = _BLOCK * int(os.environ["IMAGES_A_SHARD"])
    for count in turn:
        before, done = done, done + count
        # At both of these places one block is here that nobody has read.
        if any(before < mark <= done for mark in (block, images - block)):
            marks.append((done, time.monotonic(), _requests(server)))
    marks.append((done, time.monotonic(), _requests(server)))
    told.send(marks)
    told.close()
    os._exit(0)  # some of the others' threads do not end


def _requests(server: Any) -> int:
    counts = server.counts()
    return int(sum(counts[method] for method in ("GET", "HEAD", "POST", "PUT")))


def take(name: str, corpus: str, cache: str, images: int, store: str) -> Any:
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(name, corpus, cache, images, store, theirs))
    process.start()
    theirs.close()
    try:
        return mine.recv() if mine.poll(600) else None
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()


def rates(marks: list[tuple[int, float, int]], first: int, last: int) -> tuple[float, float]:
    """Images a second and requests per 1,000 images between two marks."""
    images, seconds, requests = (b - a for a, b in zip(marks[first], marks[last], strict=True))
    return images / seconds, 1e3 * requests / images


def share_of_decoding(corpus: str, cache: str, images: int, rounds: int) -> dict[str, float]:
    """CPU of pure decoding by that of our loader with a filled cache, in turns in this process."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    stored = [read(place) for place in index(Path(os.environ["STORE_ROOT"]) / "data" / "corpus")]
    stored = stored[:images]

    def pure() -> float:
        began = cpu_s()
        for data in stored:
            simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
        return 1e3 * (cpu_s() - began) / len(stored)

    found, pures, all_ours = [], [pure()], []
    for _ in range(rounds):
        turn = ours(corpus, cache, images, "")
        began = cpu_s()
        count = sum(turn)
        all_ours.append(1e3 * (cpu_s() - began) / count)
        pures.append(pure())
        found.append(statistics.mean(pures[-2:]) / all_ours[-1])
    return {
        "share": round(statistics.median(found), 3),
        "shares": [round(f, 3) for f in found],  # type: ignore[dict-item]
        "ours_ms": round(statistics.median(all_ours), 3),
        "simplejpeg_ms": round(statistics.median(pures), 3),
    }


def measure(given: argparse.Namespace, root: Path, store: Any) -> dict[str, Any]:
    corpus, remote = str(root / "data" / "corpus"), "s3://data/corpus"
    images = given.shards * given.images
    runs: dict[str, list[tuple[float, float]]] = {}
    names = [name for name in PEERS if name == "webdataset" or given.peers]

    def add(name: str, marks: Any, first: int = 0, last: int = -1) -> None:
        speed, requests = rates(marks, first, last)
        runs.setdefault(name, []).append((speed, requests))
        print(f"{name:22} {speed:7.0f} images/s {requests:7.2f} requests per 1,000", flush=True)

    for number in range(given.rounds):
        cache = str(root / "cache" / f"{number}")
        for name, place in (("ours, local disk", corpus), ("cold", remote), ("warm", remote)):
            marks = take(name, place, cache, images, store.url)
            if name == "cold":
                add("ours, steady", marks, 1, 2)
                add("ours, with the start", marks)
            else:
                add("ours, warm" if name == "warm" else name, marks)
        for name in names:
            marks = take(name, remote, str(root / "cache" / f"{name}-{number}"), images, store.url)
            if marks is None:
                print(f"{name}: it ended without a word", flush=True)
                continue
            add(name, marks)
            shutil.rmtree(root / "cache" / f"{name}-{number}", ignore_errors=True)
    last = str(root / "cache" / f"{given.rounds - 1}")
    return {
        name: {
            "images_s": round(statistics.median(run[0] for run in some)),
            "requests_per_1000": round(statistics.median(run[1] for run in some), 2),
            "runs": [[round(value, 2) for value in run] for run in some],
        }
        for name, some in runs.items()
    } | {"share_of_decoding": share_of_decoding(remote, last, images, given.rounds + 2)}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", type=Path, help="folder of packages that only this needs")
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--images", type=int, default=400, help="of a shard")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    given = parser.parse_args()
    if given.peers:
        sys.path.append(str(given.peers))  # which spawned processes take over
    from tests.ray_cluster import free_port
    from tests.s3_server import environment
    from tests.slow_store import slow_store

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_corpus(root / "data" / "corpus", given.shards, given.images)
        sizes = [p.stat().st_size for p in (root / "data" / "corpus").rglob("*.tar")]
        print(f"{len(sizes)} shards of {statistics.mean(sizes) / 1e6:.1f} MB", flush=True)
        images = given.shards * given.images
        if given.peers:
            write_litdata(root / "data" / "litdata", images, round(statistics.mean(sizes)))
        with slow_store(root, free_port()) as store:
            os.environ |= environment(store.url)
            os.environ |= {"STORE_ROOT": folder, "IMAGES_A_SHARD": str(given.images)}
            store.faults(latency_s=given.latency_ms / 1e3)
            found = measure(given, root, store)
    steady = found["ours, steady"]["images_s"]
    whole = {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python", *sys.argv]).replace(str(given.peers), "DIR"),
        "rounds": given.rounds,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "load_at_the_end": round(os.getloadavg()[0], 1),
        "latency_ms": given.latency_ms,
        "shards": len(sizes),
        "shard_mb": round(statistics.mean(sizes) / 1e6, 1),
        "images_a_shard": given.images,
        "versions": {n: version(n) for n in PEERS if n in found},
        "lines": found,
        "steady_by_local": round(steady / found["ours, local disk"]["images_s"], 3),
        "by_peer": {
            n: round(found["ours, with the start"]["images_s"] / found[n]["images_s"], 2)
            for n in PEERS
            if n in found
        },
    }
    _RESULT.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: whole[name] for name in ("steady_by_local", "by_peer")}))
    print(json.dumps(found["share_of_decoding"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
