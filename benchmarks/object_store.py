"""Reading from an object store 30 ms away against reading from the local disk, a worker of each.

    python benchmarks/object_store.py --before /path/of/an/older/checkout

Some minutes. The same pictures, JPEGs of 512 px, lie as plain tars, as gzipped ones, as a folder
and as Parquet (with a second column of bytes that nobody asks for), on the local disk and behind
tests/slow_store.py: a real S3 server over HTTP, a process of its own, that answers each request 30
ms later than it could and counts them. For each form a worker, again a process of its own,

- reads: hands out every picture and does nothing else,
- scores: reads, decodes and measures, with the settings of a build as they are,
- packs: takes 60 % of the pictures again by their addresses in order, compares their hashes, and
  writes them with labels into a tar on the local disk.

Local and remote take turns; medians of the rounds. Beside the ratio of images a second stand the
requests per 1,000 images and how many bytes were sent for each byte of pictures. Worker and server
share the machine, which is unkind to the store: on a cluster it has its own. Scoring stops in the
midst of a unit, and what was asked for ahead is counted all the same. A checkout of before is asked
to read and to pack fewer pictures. Writes benchmarks/results/object_store.json.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_RESULT = _ROOT / "benchmarks" / "results" / "object_store.json"
_FORMS = {"tar": "webdataset", "tar.gz": "webdataset", "folder": "folder", "parquet": "parquet"}
_DONE = ("read", "score", "pack")
_KEPT = 0.6
_PX, _QUALITY, _DRAWN = 512, 92, 32
_IN_A_FILE, _IN_A_GROUP = 1000, 100


def write_forms(root: Path, count: int) -> None:
    """The same pictures in each form, in folders below `root`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.pictures import jpeg, scene, write_tar

    drawn = [jpeg(scene(_PX, _PX, seed), _QUALITY) for seed in range(_DRAWN)]

    def picture(number: int) -> bytes:
        # No two files are alike: a comment in each.
        said = f"{number:032}".encode()
        data = drawn[number % _DRAWN]
        return data[:2] + b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said + data[2:]

    for form in _FORMS:
        (root / form).mkdir(parents=True)
    files = {f"{n:06}.jpg": picture(n) for n in range(count)}
    for name, data in files.items():
        (root / "folder" / name).write_bytes(data)
    names = list(files)
    for first in range(0, count, _IN_A_FILE):
        part = {name: files[name] for name in names[first : first + _IN_A_FILE]}
        number = f"{first // _IN_A_FILE:05}"
        write_tar(root / "tar" / f"{number}.tar", part)
        with tarfile.open(root / "tar.gz" / f"{number}.tar.gz", "w:gz", compresslevel=1) as packed:
            for name in part:
                packed.add(root / "folder" / name, name)
        rows = [{"bytes": data, "path": name} for name, data in part.items()]
        beside = [os.urandom(100_000) for _ in rows]
        table = pa.table({"image": pa.array(rows), "embedding": pa.array(beside)})
        pq.write_table(table, root / "parquet" / f"{number}.parquet", row_group_size=_IN_A_GROUP)


def measure(form: str, what: str, uri: str, limit: int) -> dict[str, float]:
    """Do one of `_DONE` over a source in this process; images, seconds, and CPU seconds of it."""
    from pipelines import sources

    kind = {source.model_fields["type"].default: source for source in sources.SOURCES}
    chosen = {"column": "image"} if form == "parquet" else {}
    source: Any = kind[_FORMS[form]](name="a", uri=uri, **chosen)
    units = list(source.units())
    work = _scoring(source) if what == "score" else None
    wanted = _addresses(source, units, limit) if what == "pack" else []
    began_s, cpu_s = time.monotonic(), _cpu_s()
    images = 0
    if what == "pack":
        images = _pack(source, wanted)
    else:
        for unit in units:
            for item in source.read(unit):
                assert item.fault is None, item.fault
                if work is not None:
                    work(item, unit)
                images += 1
                if images >= limit:
                    break
            if images >= limit:
                break
    seconds = time.monotonic() - began_s
    return {"images": images, "seconds": seconds, "cpu_seconds": _cpu_s() - cpu_s}


def _scoring(source: Any) -> Any:
    from filters.scores import Scores
    from filters.settings import ScoreSettings
    from pipelines.workers import scorer

    settings = ScoreSettings()
    job = scorer.ScoreJob(
        settings=settings,
        versions=scorer.versions(Scores(settings)),
        sources={source.name: source},
        folder="",
    )
    return scorer.make_item_scorer(job)


def _pack(source: Any, wanted: list[list[tuple[str, int, int, str]]]) -> int:
    from vae_corpus import storage
    from vae_corpus.tar import ShardWriter, Stored
    from vae_corpus.words import Group

    group = Group(kind="general", rung=512, bucket="512x512")
    images = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        storage.commit(f"{folder}/shard.tar") as file,
    ):
        writer = ShardWriter(file, "shard")
        for part in wanted:
            found = [(uri, offset, size) for uri, offset, size, _ in part]
            for data, (uri, *_, sha256) in zip(_fetched(source, found), part, strict=True):
                assert hashlib.sha256(data).hexdigest() == sha256
                stored = Stored(
                    key=f"a-{sha256[:16]}",
                    ext="jpg",
                    data=data,
                    width=_PX,
                    height=_PX,
                    group=group,
                    source="a",
                    parent=uri,
                    label={"width": _PX, "height": _PX, "sha256": sha256},
                )
                writer.add(stored)
                images += 1
        writer.close()
    return images


def _fetched(source: Any, found: list[tuple[str, int, int]]) -> Any:
    if hasattr(source, "fetch_many"):
        return source.fetch_many(found)
    return (source.fetch(*address) for address in found)


def _addresses(source: Any, units: list[Any], limit: int) -> list[list[tuple[str, int, int, str]]]:
    """What packing would ask of each unit, in order: a share drawn by a fixed seed."""
    local = os.environ["LOCAL_URI"]
    twin = source.model_copy(update={"uri": local})
    dice, kept, left = random.Random(0), [], limit
    for unit in twin.units():
        part = []
        for item in twin.read(unit):
            if left > 0 and dice.random() < _KEPT:
                place = source.uri + item.uri.removeprefix(local)
                sha256 = hashlib.sha256(item.data).hexdigest()
                part.append((place, item.offset, len(item.data), sha256))
                left -= 1
        kept.append(sorted(part))
    return kept


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run_worker(
    checkout: Path, form: str, what: str, uri: str, limit: int, local: str
) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", form, what, uri]
    said = subprocess.run(
        [*command, str(limit)],
        env=os.environ | {"PYTHONPATH": str(checkout), "LOCAL_URI": local, "OMP_NUM_THREADS": "1"},
        cwd=checkout,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    told: dict[str, float] = json.loads(said.splitlines()[-1])
    return told


def compare(checkout: Path, store: Any, root: Path, form: str, what: str, given: Any) -> Any:
    """Local and remote by turns; images a second of each, their ratio, and what was asked."""
    limit = {"score": given.scored}.get(what, given.images)
    if checkout != _ROOT:
        limit = min(limit, given.before_images)
    places = {"local": f"{root}/data/{form}", "store": f"s3://data/{form}"}
    speeds: dict[str, list[float]] = {"local": [], "store": []}
    cpu: dict[str, list[float]] = {"local": [], "store": []}
    asked: dict[str, float] = {}
    for _ in range(1 if checkout != _ROOT or what == "score" else given.rounds):
        for place, uri in places.items():
            before = store.counts()
            told = run_worker(checkout, form, what, uri, limit, places["local"])
            speeds[place].append(told["images"] / told["seconds"])
            cpu[place].append(1e3 * told["cpu_seconds"] / told["images"])
            if place == "store":
                counts = store.counts() - before
                sent = counts.pop("bytes", 0)
                asked = {
                    "images": told["images"],
                    "requests_per_1000": round(1e3 * counts.total() / told["images"], 1),
                    "bytes_per_image": round(sent / told["images"]),
                }
    local, remote = (statistics.median(speeds[place]) for place in places)
    return asked | {
        "local_images_s": round(local, 1),
        "store_images_s": round(remote, 1),
        "ratio": round(remote / local, 3),
        "local_cpu_ms": round(statistics.median(cpu["local"]), 3),
        "store_cpu_ms": round(statistics.median(cpu["store"]), 3),
    }


def _asked_of(name: str, given: argparse.Namespace) -> list[str]:
    # What scoring costs beside reading has not changed.
    return [what for what in given.only if (name, what) != ("before", "score")]


def _write(given: argparse.Namespace, picture_bytes: float, results: dict[str, Any]) -> None:
    whole = {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python", *sys.argv]).replace(str(given.before), "CHECKOUT"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "load_at_the_end": round(os.getloadavg()[0], 1),
        "latency_ms": given.latency_ms,
        "picture_bytes": round(picture_bytes),
        **results,
    }
    if tar := whole.get("after", {}).get("read", {}).get("tar"):
        # What the cost model draws out.
        whole["read_cpu_s_per_gb"] = round(tar["store_cpu_ms"] / tar["bytes_per_image"] * 1e6, 3)
        whole["read_requests_per_gb"] = round(
            tar["requests_per_1000"] / tar["bytes_per_image"] * 1e6, 1
        )
    _RESULT.write_text(json.dumps(whole, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="a checkout to measure in the same run")
    parser.add_argument("--images", type=int, default=4000, help="read and fetched")
    parser.add_argument("--scored", type=int, default=400, help="scored of them")
    parser.add_argument("--before-images", type=int, default=200, help="of the older checkout")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    parser.add_argument("--only", nargs="+", default=_DONE, choices=_DONE)
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        form, what, uri, limit = given.measure
        print(json.dumps(measure(form, what, uri, int(limit))))
        return 0
    sys.path[0] = str(_ROOT)
    from tests.ray_cluster import free_port
    from tests.s3_server import environment
    from tests.slow_store import slow_store

    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_forms(root / "data", given.images)
        size = sum(file.stat().st_size for file in (root / "data" / "folder").iterdir())
        with slow_store(root, free_port()) as store:
            os.environ |= environment(store.url)
            store.faults(latency_s=given.latency_ms / 1e3)
            for name, checkout in {"before": given.before, "after": _ROOT}.items():
                for what in _asked_of(name, given) if checkout else ():
                    for form in _FORMS:
                        told = compare(checkout, store, root, form, what, given)
                        results.setdefault(name, {}).setdefault(what, {})[form] = told
                        print(name, what, form, json.dumps(told), flush=True)
                        _write(given, size / given.images, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
