"""What it costs to find out that nothing is to be done, on an object store 30 ms away.

    python benchmarks/cheap_nothing.py --before /path/of/an/older/checkout --large 100000

A real S3 server (moto) runs as a process of its own and answers each request 30 ms later than it
could. A real small corpus is built there, then N made-up shards are added to its plan and its
folders: tiny tars with real indexes. The same command is run twice: once to settle (groups, page,
curriculum), once more to find nothing to do. The second is timed, as a whole process, together with
the requests that the server counted. The same without made-up shards gives the fixed part, so that
seconds for 100,000 shards follow by a straight line where fewer were made.

With `--large N` a third corpus has so many made-up shards, and the first look at them, a read of
each index, is left out: all their indexes are alike, so the ledger is told of all what one says.
What is timed, the run that finds nothing to do, is the same.

Also: 1 GB of text, whose hash decides about synthetic shards, and the time to name 2,000 synthetic
shards that choose among 100,000 backgrounds.

Writes benchmarks/results/cheap_nothing.json.
"""

from __future__ import annotations

import argparse
import bisect
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipelines.stages import ledger
from pipelines.stages.committed import Stock
from vae_corpus import storage, tar
from vae_corpus.words import GENERAL, Group

_ROOT = Path(__file__).resolve().parents[1]
_RESULTS = _ROOT / "benchmarks" / "results" / "cheap_nothing.json"
_BUCKET, _ACCOUNT = "corpora", "123456789012"
_GOAL_SHARDS = 100_000
_RECIPE = "0123456789abcdef"
_SAMPLES = 20
_TEXT_BYTES = 1_000_000_000


def made_up_shard() -> tuple[bytes, bytes]:
    """The bytes of a tar and of its index, as a packer would write them."""
    with tempfile.TemporaryDirectory() as folder:
        with storage.commit(f"{folder}/a.tar") as file:
            writer = tar.ShardWriter(file, "a")
            for n in range(_SAMPLES):
                shape = Group(kind=GENERAL, rung=256, bucket=("256x256", "288x224")[n % 2])
                writer.add(
                    tar.Stored(
                        key=f"photos-{n:016x}",
                        ext="jpg",
                        data=bytes(64),
                        width=256,
                        height=256,
                        group=shape,
                        source="photos",
                        parent=f"photos-{n:016x}",
                        label={},
                    )
                )
            index = writer.close()
        tar.commit_index(folder, "a", _RECIPE, index)
        return Path(f"{folder}/a.tar").read_bytes(), Path(f"{folder}/a.parquet").read_bytes()


# The server.


def serve(port: int, latency_s: float) -> None:
    """Moto, late by so much; it counts requests and can be filled without any."""
    from moto.s3.models import S3Backend, s3_backends
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, run_simple

    moto = DomainDispatcherApplication(create_backend_app)
    asked: Counter[str] = Counter()
    lock = threading.Lock()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.startswith("/-/"):
            said: Any = {}
            if path == "/-/counts":
                said = dict(asked)
                asked.clear()
            elif path == "/-/fill":
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                prefix, count = json.loads(body)
                _fill(s3_backends[_ACCOUNT]["aws"], prefix, count)
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(said).encode()]
        what = environ["REQUEST_METHOD"]
        if "list-type" in environ.get("QUERY_STRING", ""):
            what = "LIST"
        with lock:
            asked[what] += 1
        time.sleep(latency_s)
        answer: Iterable[bytes] = moto(environ, start_response)
        return answer

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_request(self, *args: Any) -> None:
            pass

    # Moto looks through all keys for every page of a listing, which no store does.
    S3Backend.list_objects_v2 = _list_page  # type: ignore[method-assign]
    run_simple("127.0.0.1", port, app, threaded=True, request_handler=Quiet)


def _list_page(
    backend: Any,
    bucket: Any,
    prefix: str | None,
    delimiter: str | None,
    continuation_token: str | None,
    start_after: str | None,
    max_keys: int,
) -> tuple[list[Any], bool, str | None]:
    names = sorted(bucket.keys)
    prefix = prefix or ""
    at = bisect.bisect_right(names, continuation_token or start_after or "")
    at = max(at, bisect.bisect_left(names, prefix))
    found: list[Any] = []
    last = ""
    while at < len(names) and names[at].startswith(prefix) and len(found) < max_keys:
        last = names[at]
        inside, slash, _ = last[len(prefix) :].partition(delimiter or "\0")
        if slash:
            found.append(f"{prefix}{inside}{slash}")
            last = f"{prefix}{inside}{slash}\U0010ffff"
            at = bisect.bisect_right(names, last)
        else:
            found.append(bucket.keys[last])
            at += 1
    more = at < len(names) and names[at].startswith(prefix)
    return found, more, last if more else None


def _fill(backend: Any, prefix: str, count: int) -> None:
    tar_bytes, index_bytes = made_up_shard()
    for n in range(count):
        # In order of names: each page of a listing sorts them, which is then no work.
        backend.put_object(_BUCKET, f"{prefix}-{n:06d}.parquet", index_bytes)
        backend.put_object(_BUCKET, f"{prefix}-{n:06d}.tar", tar_bytes)


def _tell(url: str, what: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/-/{what}", data=data, timeout=3600) as answer:
        return json.loads(answer.read())


# The corpus.


def run_build(checkout: Path, config: Path, out: str, url: str) -> dict[str, Any]:
    """The command as a process of its own: seconds, and requests by their sort."""
    _tell(url, "counts")
    start, used = time.monotonic(), _children_cpu_s()
    script = str(checkout / "pipelines" / "build_corpus.py")
    command = [sys.executable, script, "--config", str(config), "--out", out]
    done = subprocess.run(
        command,
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} left with {done.returncode}: {done.stderr}")
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(_children_cpu_s() - used, 1),
        "requests": _tell(url, "counts"),
    }


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def add_shards(out: str, count: int, url: str) -> None:
    """Made-up shards in the plan and in the folders of the corpus."""
    (plan,) = storage.folders(f"{out}/plan")
    path = f"{out}/plan/{plan}/shards.parquet"
    with storage.open_read(path) as file:
        table = pq.read_table(file)
    stem = f"shards/{GENERAL}/256/made"
    names = [f"{stem}-{n:06d}" for n in range(count)]
    more = {"shard": names, "recipe": [_RECIPE] * count, "samples": [_SAMPLES] * count}
    more |= {"neighbourhood": ["000000"] * count, "parts": [[]] * count}
    sink = io.BytesIO()
    pq.write_table(pa.concat_tables([table, pa.table(more, schema=table.schema)]), sink)
    storage.commit_bytes(path, sink.getvalue())
    prefix = out.removeprefix(f"s3://{_BUCKET}/")
    _tell(url, "fill", [f"{prefix}/{stem}", count])


def learn(out: str) -> None:
    """Say in the ledger of all made-up shards what the index of one says."""
    stock = Stock(out)
    listed = stock.listing.files
    stems = [path.removesuffix(".tar") for path in listed if path.endswith(".tar")]
    files = {s: (listed[f"{s}.tar"], listed[f"{s}.parquet"]) for s in stems}
    one = next(stem for stem in stems if "/made-" in stem)
    said = stock.ledger._look_into((one, *files[one]))
    assert said is not None
    rows = [
        said | {"shard": stem, "tar_stamp": whole.stamp, "index_stamp": index.stamp}
        for stem, (whole, index) in files.items()
        if "/made-" in stem
    ]
    known = ledger.Ledger(out, pa.Table.from_pylist(rows, schema=ledger._SCHEMA))
    known._changed = True
    known.save()


def measure(
    name: str, checkout: Path, shards: int, folder: Path, url: str, *, learnt: bool
) -> dict[str, Any]:
    out = f"s3://{_BUCKET}/{name}"
    config = folder / f"{name}.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "sources": [{"name": "photos", "type": "folder", "uri": str(folder / "photos")}],
                "score": {"text": False},
                "plan": {"min_clarity": 0.0},
                "engine": {"workers": 0},
            }
        )
    )
    run_build(checkout, config, out, url)
    few = run_build(checkout, config, out, url)
    add_shards(out, shards, url)
    if learnt:
        learn(out)
    settled = run_build(checkout, config, out, url)
    many = run_build(checkout, config, out, url)
    slope = (many["seconds"] - few["seconds"]) / shards
    straight = few["seconds"] + slope * _GOAL_SHARDS
    result = {
        "shards": shards,
        "first_look" if not learnt else "first_run_with_a_told_ledger": settled,
        "nothing_to_do": many,
        "without_made_up_shards": few,
        f"seconds_at_{_GOAL_SHARDS}": round(straight, 1),
        "measured_there": shards == _GOAL_SHARDS,
    }
    print(f"{name}: {json.dumps(result)}", flush=True)
    return result


_SYNTHETIC = """
import inspect, json, sys, time
from pathlib import Path
import numpy as np
try:
    from pipelines.stages import synthesize
except ImportError:  # an earlier version
    from pipelines import synthesize
from pipelines.config import CorpusConfig
text, out = sys.argv[1:]
Path(out, "fonts").mkdir(parents=True)
config = CorpusConfig.model_validate({"synth": {
    "languages": {"en": 1}, "texts": {"en": [text]}, "fonts": [out + "/fonts"],
    "samples": {"256": 2_000}, "backgrounds": 64},
    "pack": {"shard_samples": 1}})
few = config.model_copy(update={"synth": config.synth.model_copy(update={"samples": {256: 1}})})
rng = np.random.default_rng(0)
place = {"source": "photos", "uri": "/photos.tar", "bytes": 1000, "width": 512, "height": 512}
rows = [place | {"key": f"photos-{n}", "sha256": rng.bytes(32).hex(), "offset": n, "member": f"{n}"}
    for n in range(100_000)]
def call(config):
    extra = []
    if len(inspect.signature(synthesize.synth_shards).parameters) == 3:
        from pipelines.stages.digests import Digests
        extra = [Digests(out)]
    start = time.monotonic()
    shards = synthesize.synth_shards(config, rows, *extra)
    for known in extra:
        known.save()
    return time.monotonic() - start, [s.recipe for s in shards]
first, _ = call(few)
again, _ = call(few)
all_of_them, recipes = call(config)
print(json.dumps({"hash_1_gb_first_s": round(first, 2), "hash_1_gb_again_s": round(again, 2),
    "name_2000_shards_s": round(all_of_them - again, 1), "recipes": hash(tuple(recipes))}))
"""


def measure_synthetic(name: str, checkout: Path, folder: Path) -> dict[str, Any]:
    """Hashing of texts, and the names and recipes of synthetic shards."""
    text = folder / "text.txt"
    if not text.exists():
        line = b"A line of text that says nothing of importance, again and again.\n"
        block = line * (10_000_000 // len(line))
        with open(text, "wb") as file:
            while file.tell() < _TEXT_BYTES:
                file.write(block)
    done = subprocess.run(
        [sys.executable, "-c", _SYNTHETIC, str(text), str(folder / f"{name}-digests")],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"},
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    print(f"{name}: {json.dumps(result)}", flush=True)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shards", type=int, default=5_000, help="made-up shards")
    parser.add_argument("--before", type=Path, help="a checkout to measure in the same run")
    parser.add_argument("--before_shards", type=int, default=5_000, help="made-up shards there")
    parser.add_argument("--large", type=int, help="made-up shards of a third corpus")
    parser.add_argument(
        "--only_large", action="store_true", help="measure that one, keep the other results"
    )
    parser.add_argument("--latency_ms", type=float, default=30.0, help="of each request")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.latency_ms / 1000)
        return 0
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.pictures import jpeg, scene
    from tests.ray_cluster import free_port, wait_until
    from tests.s3_server import answers, environment

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    flags = ["--serve", str(port), "--latency_ms", str(args.latency_ms)]
    server = subprocess.Popen(
        [sys.executable, __file__, *flags], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    os.environ.update(environment(url))
    results: dict[str, Any] = json.loads(_RESULTS.read_text()) if args.only_large else {}
    results["latency_ms"] = args.latency_ms
    try:
        wait_until(lambda: answers(f"{url}/-/counts"), f"{url} answers", 60)
        storage.filesystem(f"s3://{_BUCKET}")[0].mkdir(_BUCKET)
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root)
            (folder / "photos").mkdir()
            for n in range(8):
                picture = jpeg(scene(420 + 20 * n, 330 + 9 * n, n), 95)
                (folder / "photos" / f"{n}.jpg").write_bytes(picture)
            if args.before:
                older = measure(
                    "before", args.before, args.before_shards, folder, url, learnt=False
                )
                results["before"] = older | measure_synthetic("before", args.before, folder)
            if not args.only_large:
                newer = measure("after", _ROOT, args.shards, folder, url, learnt=False)
                results["after"] = newer | measure_synthetic("after", _ROOT, folder)
            if args.large:
                large = measure("large", _ROOT, args.large, folder, url, learnt=True)
                results["after_large"] = large
    finally:
        server.terminate()
        server.wait(timeout=30)
    _RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
