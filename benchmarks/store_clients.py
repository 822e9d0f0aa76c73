"""Two clients of S3, s3fs and obstore: what a GET costs, with 1, 16 and 64 of them in flight.

    python benchmarks/store_clients.py

A minute. The server is tests/slow_store.py, a process of its own, which answers 30 ms later than it
could; objects of 60 kB are read whole, and one of 256 MiB in ranges of 8 MiB, the latter without
the delay. Threads ask, as in `vae_corpus.storage`; the two take turns, medians of three rounds. CPU
is that of the client's process alone. Writes benchmarks/results/store_clients.json.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

_RESULT = Path(__file__).parent / "results" / "store_clients.json"
_SMALL, _SMALL_BYTES = 1000, 60_000
_LARGE_BYTES, _PART_BYTES = 256 * 1024**2, 8 * 1024**2
_IN_FLIGHT = (1, 16, 64)
_ROUNDS = 3

Read = Callable[[str, int, int], int]


def clients() -> dict[str, Read]:
    """Each reads a range and says how many bytes came."""
    import fsspec
    import obstore
    from obstore.store import S3Store

    s3fs = fsspec.filesystem("s3", config_kwargs={"max_pool_connections": max(_IN_FLIGHT)})
    store = S3Store("bucket", client_options={"allow_http": True})

    def by_s3fs(name: str, start: int, stop: int) -> int:
        return len(s3fs.cat_file(f"bucket/{name}", start=start, end=stop))

    def by_obstore(name: str, start: int, stop: int) -> int:
        return len(bytes(obstore.get_range(store, name, start=start, end=stop)))

    return {"s3fs": by_s3fs, "obstore": by_obstore}


def time_of(read: Read, asks: Sequence[tuple[str, int, int]], in_flight: int) -> dict[str, float]:
    with ThreadPoolExecutor(in_flight) as pool:
        began_s, before_s = time.monotonic(), _cpu_s()
        sizes = list(pool.map(lambda ask: read(*ask), asks))
        seconds, cpu_s = time.monotonic() - began_s, _cpu_s() - before_s
    assert sizes == [stop - start for _, start, stop in asks]
    return {
        "gets_s": len(asks) / seconds,
        "cpu_ms": 1e3 * cpu_s / len(asks),
        "mb_s": sum(sizes) / seconds / 1e6,
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    from tests.ray_cluster import free_port
    from tests.s3_server import environment
    from tests.slow_store import slow_store

    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        bucket = Path(folder) / "bucket"
        bucket.mkdir()
        for n in range(_SMALL):
            (bucket / f"{n}").write_bytes(random.Random(n).randbytes(_SMALL_BYTES))
        (bucket / "large").write_bytes(random.Random(0).randbytes(1 << 20) * (_LARGE_BYTES >> 20))
        with slow_store(Path(folder), free_port()) as store:
            os.environ |= environment(store.url)
            both = clients()
            for in_flight in _IN_FLIGHT:
                count = min(_SMALL, 40 * in_flight)
                small = [(f"{n}", 0, _SMALL_BYTES) for n in range(count)]
                starts = range(0, _LARGE_BYTES, _PART_BYTES)
                large = [("large", start, start + _PART_BYTES) for start in starts]
                for what, latency_s, asks in (("small", 0.03, small), ("large", 0.0, large)):
                    store.faults(latency_s=latency_s)
                    rounds = [
                        {name: time_of(read, asks, in_flight) for name, read in both.items()}
                        for _ in range(_ROUNDS)
                    ]
                    for name in both:
                        told = {
                            figure: round(statistics.median(r[name][figure] for r in rounds), 2)
                            for figure in rounds[0][name]
                        }
                        results.setdefault(what, {}).setdefault(str(in_flight), {})[name] = told
                        print(what, in_flight, name, json.dumps(told), flush=True)
    whole = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/store_clients.py",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "latency_ms_small": 30,
        "small_bytes": _SMALL_BYTES,
        "part_bytes": _PART_BYTES,
        **results,
    }
    _RESULT.write_text(json.dumps(whole, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
