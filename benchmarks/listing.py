"""Listing sources: the memory it takes, and how long, beside the plain ways and an older checkout.

    python benchmarks/listing.py --before /path/of/an/older/checkout

Ten minutes on two cores. Each figure comes from a process of its own. Writes
benchmarks/results/listing.json:

- memory: by how much a process that asks a folder for its units grows, at most, from 10^4 to 10^6
  units. Names are made up and fed to the source in place of a listing; what follows is real;
- local: 200,000 empty files on this disk, in 400 folders and in one, by os.walk and a stat of each,
  by the older checkout, and by this one;
- slow disk: 5,000 of them where each question takes .5 ms more (a sleep), as on a network disk;
- store: 100,000 keys of an S3 server that answers after 30 ms, in 200 folders and in one. The
  server is a small one in this file, which can list and nothing else: moto takes longer to answer
  than the network would.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

_ROOT = Path(__file__).resolve().parents[1]
_RESULT = _ROOT / "benchmarks" / "results" / "listing.json"
_MEMBERS = 4
_LATENCY_S, _SLOW_S = 0.03, 0.0005
_PAGE = 1000


def made_up(files: int) -> Iterator[Any]:
    from pipelines.sources.files import FileInfo

    for n in range(files):
        name = f"crawl-{n % 997:04d}/{n // 1000:07d}/photo_{n:010d}.jpg"
        version = str(1_700_000_000_000_000_000 + n * 7_919)
        yield FileInfo(root="/data/photos", name=name, bytes=100_000 + n % 9999, version=version)


def units_of_made_up(units: str) -> dict[str, Any]:
    from pipelines.sources import FolderSource, folder

    count = int(units)
    source = FolderSource(name="a", uri="/data/photos", files_per_unit=_MEMBERS)
    if hasattr(folder, "stream_files"):
        folder.stream_files = lambda *_, **__: made_up(count * _MEMBERS)
    else:
        folder.find_files = lambda *_, **__: list(made_up(count * _MEMBERS))
    found = members = 0
    for unit in source.units():
        found += 1
        members += len(unit.members)
    assert members == count * _MEMBERS
    return {"units": found, "members": members}


def find_all(uri: str) -> dict[str, Any]:
    return {"files": sum(1 for _ in _find_files()(uri))}


def walk_and_stat(top: str) -> dict[str, Any]:
    found = []
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            seen = os.stat(path)
            found.append((path, seen.st_size, seen.st_mtime_ns))
    found.sort()
    return {"files": len(found)}


def find_all_slowly(top: str) -> dict[str, Any]:
    """As `find_all`, where folders and files answer later."""
    scandir, ask = os.scandir, os.stat

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self._entry, self.name = entry, entry.name
            self.is_dir, self.is_symlink = entry.is_dir, entry.is_symlink

        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            time.sleep(_SLOW_S)
            return self._entry.stat(follow_symlinks=follow_symlinks)

    class Entries:
        def __init__(self, entries: Any) -> None:
            self._entries, self.close = entries, entries.close

        def __enter__(self) -> Entries:
            return self

        def __exit__(self, *_: Any) -> None:
            self.close()

        def __iter__(self) -> Entries:
            return self

        def __next__(self) -> Entry:
            return Entry(next(self._entries))

    def slow_scandir(path: str) -> Entries:
        time.sleep(_SLOW_S)
        return Entries(scandir(path))

    def slow_stat(path: Any, **options: Any) -> os.stat_result:
        time.sleep(_SLOW_S)
        return ask(path, **options)

    os.scandir, os.stat = slow_scandir, slow_stat  # type: ignore[assignment]
    return find_all(top)


def _find_files() -> Callable[..., Any]:
    try:
        from pipelines.sources.listing import find_files
    except ImportError:
        from pipelines.sources.files import find_files
    return find_files


WORK = {
    work.__name__: work for work in (units_of_made_up, find_all, walk_and_stat, find_all_slowly)
}


def measure(work: str, argument: str) -> dict[str, Any]:
    """In a process of its own: do the work once, and see what it took."""
    import pipelines.sources  # noqa: F401  (its own size and time are not the listing's)

    if argument.startswith("s3://"):
        from vae_corpus import storage

        storage.exists(argument)  # connects
    before = _status_mb("VmRSS")
    start, cpu = time.perf_counter(), time.process_time()
    facts = WORK[work](argument)
    facts["seconds"] = round(time.perf_counter() - start, 2)
    facts["cpu_s"] = round(time.process_time() - cpu, 2)
    facts["grew_by_mb"] = round(_status_mb("VmHWM") - before, 1)
    return facts


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(name))


def ask(checkout: Path, work: str, argument: str, **env: str) -> dict[str, Any]:
    said = subprocess.run(
        [sys.executable, __file__, "--work", work, argument],
        env=os.environ | {"PYTHONPATH": str(checkout)} | env,
        cwd=checkout,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    facts: dict[str, Any] = json.loads(said.splitlines()[-1])
    print(checkout.name, work, argument, facts, flush=True)
    return facts


def memory(checkouts: dict[str, Path]) -> dict[str, Any]:
    found: dict[str, Any] = {"names in a unit": _MEMBERS}
    for name, checkout in checkouts.items():
        # The older one keeps all of it: 10^6 units would take 10 GB.
        for units in (10_000, 100_000) if name == "before" else (10_000, 100_000, 1_000_000):
            facts = ask(checkout, "units_of_made_up", str(units))
            found[f"{name}, {units:,} units asked for"] = facts
    small, large = (found[f"now, {n:,} units asked for"] for n in (10_000, 1_000_000))
    grew = large["grew_by_mb"] - small["grew_by_mb"]
    return found | {"growth from 10^4 to 10^6 units, MB": round(grew, 1)}


def make_tree(top: Path, folders: int, files: int) -> None:
    for folder in range(folders):
        below = top / f"{folder // 20:02d}" / f"{folder % 20:02d}"
        below.mkdir(parents=True)
        for n in range(files // folders):
            os.close(os.open(below / f"photo_{n:06d}.jpg", os.O_CREAT | os.O_WRONLY))


def local(checkouts: dict[str, Path]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folders in (400, 1):
        with tempfile.TemporaryDirectory() as top:
            make_tree(Path(top), folders, 200_000)
            walk_and_stat(top)  # all begin with what this leaves in the caches of the disk
            for turn in (1, 2) if folders > 1 else (1,):
                each = {"os.walk and stat": ask(_ROOT, "walk_and_stat", top)}
                each |= {
                    name: ask(checkout, "find_all", top) for name, checkout in checkouts.items()
                }
                found[f"200,000 files in {folders} folders, turn {turn}"] = each
    for folders in (40, 1):
        with tempfile.TemporaryDirectory() as top:
            make_tree(Path(top), folders, 5_000)
            found[f"5,000 files in {folders} folders, each question .5 ms slower"] = {
                name: ask(checkout, "find_all_slowly", top) for name, checkout in checkouts.items()
            }
    return found


class Lister(BaseHTTPRequestHandler):
    """ListObjectsV2 of one bucket. The folder that a key is in is listed as S3 would."""

    protocol_version = "HTTP/1.1"
    keys: list[str] = []
    lock = threading.Lock()
    asked = in_flight = most_in_flight = 0

    def do_GET(self) -> None:
        with self.lock:
            Lister.asked += 1
            Lister.in_flight += 1
            Lister.most_in_flight = max(Lister.most_in_flight, Lister.in_flight)
        time.sleep(_LATENCY_S)
        wanted = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        data = self._page(wanted) if "list-type" in wanted else b""
        self.send_response(200 if data else 404)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        with self.lock:
            Lister.in_flight -= 1

    do_HEAD = do_GET

    def _page(self, wanted: dict[str, str]) -> bytes:
        prefix, delimiter = wanted.get("prefix", ""), wanted.get("delimiter", "")
        after = wanted.get("continuation-token") or wanted.get("start-after", "")
        at = bisect.bisect_right(self.keys, max(after, prefix[:-1]))
        rows: list[str] = []
        last = ""
        while len(rows) < _PAGE and at < len(self.keys) and self.keys[at].startswith(prefix):
            key, cut = self.keys[at], self.keys[at].find(delimiter, len(prefix))
            if delimiter and cut >= 0:
                last = key[: cut + 1]
                rows.append(f"<CommonPrefixes><Prefix>{escape(last)}</Prefix></CommonPrefixes>")
                last += "\U0010ffff"
                at = bisect.bisect_right(self.keys, last)
                continue
            last = key
            at += 1
            rows.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z"
                f'</LastModified><ETag>"{at:032x}"</ETag><Size>{at}</Size>'
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
        more = len(rows) == _PAGE and at < len(self.keys) and self.keys[at].startswith(prefix)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult'
            ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><MaxKeys>1000</MaxKeys>"
            f"<KeyCount>{len(rows)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{token}{''.join(rows)}</ListBucketResult>"
        ).encode()

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


@contextmanager
def lister(keys: list[str]) -> Iterator[str]:
    Lister.keys = sorted(keys)
    Lister.asked = Lister.most_in_flight = 0
    server = _Server(("127.0.0.1", 0), Lister)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def store(checkouts: dict[str, Path]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    forms = {
        "200 folders": [f"in/{n % 200:03d}/photo_{n:08d}.jpg" for n in range(100_000)],
        "one folder": [f"in/photo_{n:08d}.jpg" for n in range(100_000)],
    }
    for form, keys in forms.items():
        for name, checkout in checkouts.items():
            with lister(keys) as url:
                facts = ask(
                    checkout,
                    "find_all",
                    "s3://bucket/in",
                    AWS_ENDPOINT_URL=url,
                    AWS_ACCESS_KEY_ID="nobody",
                    AWS_SECRET_ACCESS_KEY="nothing",
                    AWS_DEFAULT_REGION="us-east-1",
                )
                facts |= {"requests": Lister.asked, "most in flight": Lister.most_in_flight}
            assert facts["files"] == len(keys)
            found[f"100,000 keys in {form}, {name}"] = facts
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="a checkout to measure in the same run")
    parser.add_argument("--only", choices=("memory", "local", "store"), help="one part, anew")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        print(json.dumps(measure(*given.work)))
        return 0
    checkouts = {"before": given.before.resolve()} if given.before else {}
    checkouts["now"] = _ROOT
    parts = {"memory": memory, "local": local, "store": store}
    facts: dict[str, Any] = json.loads(_RESULT.read_text()) if _RESULT.exists() else {}
    facts |= {
        "command": "python benchmarks/listing.py --before <older checkout>",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
    }
    for name in [given.only] if given.only else list(parts):
        load = os.getloadavg()[0]
        facts[name] = parts[name](checkouts) | {"load of the machine at the start": round(load, 1)}
    _RESULT.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
