"""A small S3 server with the faults of real ones: slow, busy for a while, or cutting answers short.

As a process of its own: `python tests/slow_store.py PORT FOLDER` serves the folders below FOLDER as
buckets. It checks no signatures. It knows GET with ranges, HEAD, DELETE, ListObjectsV2, PUT and
multipart uploads; `/-/faults?...` sets what goes wrong, `/-/counts` tells of the requests so far.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode
from xml.sax.saxutils import escape, unescape

_REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 403: "Forbidden"}
_REASONS |= {404: "Not Found", 416: "Range Not Satisfiable", 412: "Precondition Failed"}
_REASONS |= {429: "Too Many Requests", 500: "Internal Server Error", 503: "Slow Down"}
_XML = '<?xml version="1.0" encoding="UTF-8"?>'

# Status, headers, body.
Answer = tuple[int, dict[str, str], bytes]


class Store:
    """What the server holds and what is wrong with it; shared by its connections."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.counts: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        """No faults."""
        # Seconds before an answer begins, and bytes per second of each connection (0: no limit).
        self.latency_s = self.rate = 0.0
        # Until this moment every request is answered with `busy_status`.
        self.busy_until, self.busy_status = 0.0, 503
        # Of so many answers with a body one is cut off, refused, reset, or never comes; 0: none.
        self.cut_every = self.busy_every = self.reset_every = self.hang_every = 0
        # And one is lost on its way after all was done that was asked.
        self.lose_every = 0
        # Every request is answered with 403.
        self.denied = 0
        self._dice = random.Random(0)

    def set(self, faults: dict[str, str]) -> None:
        for name, value in faults.items():
            if name == "busy_s":
                self.busy_until = time.monotonic() + float(value)
            else:
                setattr(self, name, type(getattr(self, name))(float(value)))

    def one_in(self, often: int) -> bool:
        return bool(often) and self._dice.randrange(often) == 0

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        path, _, query = target.partition("?")
        asked = dict(parse_qsl(query, keep_blank_values=True))
        if path == "/-/faults":
            self.clear()
            self.set(asked)
            return 200, {}, b""
        if path == "/-/counts":
            return 200, {}, json.dumps(self.counts).encode()
        self.counts[method] += 1
        if time.monotonic() < self.busy_until or self.one_in(self.busy_every):
            self.counts["busy"] += 1
            return self.busy_status, {}, _error("SlowDown")
        if self.denied:
            return 403, {}, _error("AccessDenied")
        bucket, _, key = unquote(path).lstrip("/").partition("/")
        file = self.root / bucket / key
        if method == "GET" and not key:
            return 200, {}, _listing(self.root / bucket, bucket, asked)
        if method in ("GET", "HEAD"):
            return _file(file, headers, with_body=method == "GET")
        if method == "PUT" or method == "POST":
            return self._write(method, file, asked, headers, body)
        if method == "DELETE":
            if "uploadId" in asked:
                shutil.rmtree(self._parts(asked["uploadId"]), ignore_errors=True)
            else:
                file.unlink(missing_ok=True)
            return 204, {}, b""
        return 500, {}, b""

    def _parts(self, upload_id: str) -> Path:
        return self.root / ".uploads" / upload_id

    def _write(
        self, method: str, file: Path, asked: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Answer:
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        if method == "POST" and "delete" in asked:
            for key in re.findall("<Key>(.*?)</Key>", body.decode()):
                # Names of folders are asked for as well.
                if (file / unescape(key)).is_file():
                    (file / unescape(key)).unlink()
            return 200, {}, f"{_XML}<DeleteResult/>".encode()
        if method == "POST" and "uploads" in asked:
            upload_id = uuid.uuid4().hex
            self._parts(upload_id).mkdir(parents=True)
            where = f"<UploadId>{upload_id}</UploadId>"
            xml = f"{_XML}<InitiateMultipartUploadResult>{where}</InitiateMultipartUploadResult>"
            return 200, {}, xml.encode()
        if "partNumber" in asked:
            (self._parts(asked["uploadId"]) / f"{int(asked['partNumber']):05}").write_bytes(body)
            return 200, {"ETag": tag}, b""
        file.parent.mkdir(parents=True, exist_ok=True)
        if "uploadId" in asked:
            folder = self._parts(asked["uploadId"])
            if not folder.exists():
                return 404, {}, _error("NoSuchUpload")
            draft = folder / "whole"
            with open(draft, "wb") as whole:
                for part in sorted(folder.glob("[0-9]*")):
                    whole.write(part.read_bytes())
            os.replace(draft, file)
            shutil.rmtree(folder)
            xml = "<CompleteMultipartUploadResult><ETag>x-1</ETag></CompleteMultipartUploadResult>"
            return 200, {}, f"{_XML}{xml}".encode()
        if headers.get("if-none-match") == "*" and file.exists():
            return 412, {}, _error("PreconditionFailed")
        file.write_bytes(body)
        return 200, {"ETag": tag}, b""


def _error(code: str) -> bytes:
    return f"{_XML}<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


def _tag(found: os.stat_result) -> str:
    return f'"{found.st_mtime_ns:x}-{found.st_size:x}"'


def _date(found: os.stat_result) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(found.st_mtime))


def _file(file: Path, headers: dict[str, str], *, with_body: bool) -> Answer:
    try:
        found = file.stat()
    except OSError:
        return 404, {}, _error("NoSuchKey") if with_body else b""
    if not file.is_file():
        return 404, {}, _error("NoSuchKey") if with_body else b""
    size = found.st_size
    told = {"ETag": _tag(found), "Last-Modified": _date(found), "Accept-Ranges": "bytes"}
    if not with_body:
        return 200, told | {"Content-Length": str(size)}, b""
    first, last, status = 0, size - 1, 200
    if wanted := headers.get("range", "").removeprefix("bytes="):
        status = 206
        start, _, stop = wanted.partition("-")
        if start:
            first, last = int(start), min(int(stop or size), size - 1)
        else:
            first = max(0, size - int(stop))
        if first >= size:
            return 416, {"Content-Range": f"bytes */{size}"}, _error("InvalidRange")
        told["Content-Range"] = f"bytes {first}-{last}/{size}"
    with open(file, "rb") as opened:
        return status, told, os.pread(opened.fileno(), last - first + 1, first)


def _listing(folder: Path, bucket: str, asked: dict[str, str]) -> bytes:
    if "uploads" in asked:
        return f"{_XML}<ListMultipartUploadsResult/>".encode()
    prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
    limit = int(asked.get("max-keys", 1000))
    after = asked.get("continuation-token") or asked.get("start-after", "")
    files = (path for path in folder.rglob("*") if path.is_file())
    keys = sorted(path.relative_to(folder).as_posix() for path in files)
    entries: list[str] = []
    folders: set[str] = set()
    last, more = "", False
    for key in keys:
        if not key.startswith(prefix) or key <= after:
            continue
        below, cut, _ = key[len(prefix) :].partition(delimiter or "\0")
        if len(entries) + len(folders) >= limit:
            more = True
            break
        last = key
        if cut:
            folders.add(f"{prefix}{below}{delimiter}")
            continue
        found = (folder / key).stat()
        date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.st_mtime))
        entries.append(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{date}</LastModified>"
            f"<ETag>{escape(_tag(found))}</ETag><Size>{found.st_size}</Size></Contents>"
        )
    shared = "".join(
        f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
        for name in sorted(folders)
    )
    token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
    count = len(entries) + len(folders)
    return (
        f"{_XML}<ListBucketResult><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
        f"<KeyCount>{count}</KeyCount><MaxKeys>{limit}</MaxKeys>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(entries)}{shared}"
        "</ListBucketResult>"
    ).encode()


class _Connection(asyncio.Protocol):
    """Requests of one connection, one after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._got = bytearray()
        self._at_work = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._got += data
        if not self._at_work:
            self._begin()

    def _begin(self) -> None:
        end = self._got.find(b"\r\n\r\n")
        if end < 0 or self._transport is None:
            return
        first, *lines = self._got[:end].decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        if headers.pop("expect", ""):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._got[:end] = "\r\n".join(
                [first, *(line for line in lines if not line.lower().startswith("expect"))]
            ).encode("latin-1")
            self._begin()
            return
        body = self._body(end + 4, headers)
        if body is None:
            return
        self._at_work = True
        method, target, _ = first.split(" ")
        wait = 0.0 if target.startswith("/-/") else self._store.latency_s
        reply = self._replier(method, target, headers, body)
        if wait:
            asyncio.get_running_loop().call_later(wait, reply)
        else:
            reply()

    def _body(self, start: int, headers: dict[str, str]) -> bytes | None:
        """The body, taken from what was got; None while it is not all there."""
        size = int(headers.get("content-length", 0))
        if len(self._got) < start + size:
            return None
        body = bytes(self._got[start : start + size])
        del self._got[: start + size]
        if "aws-chunked" in headers.get("content-encoding", ""):
            return _unchunked(body)
        return body

    def _replier(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> Callable[[], None]:
        def reply() -> None:
            if self._transport is None:
                return
            store, is_ours = self._store, target.startswith("/-/")
            if not is_ours and store.one_in(store.hang_every):
                store.counts["hung"] += 1
                return
            if not is_ours and store.one_in(store.reset_every):
                store.counts["reset"] += 1
                self._transport.abort()
                return
            status, told, answer = store.answer(method, target, headers, body)
            if not is_ours and store.one_in(store.lose_every):
                store.counts["lost"] += 1
                self._transport.abort()
                return
            told.setdefault("Content-Length", str(len(answer)))
            head = f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in told.items())
            self._transport.write(f"{head}x-amz-request-id: 1\r\n\r\n".encode("latin-1"))
            if answer and not is_ours and status < 300 and store.one_in(store.cut_every):
                store.counts["cut"] += 1
                self._transport.write(answer[: len(answer) // 2])
                self._transport.close()
                return
            if not is_ours:
                store.counts["bytes"] += len(answer)
            if store.rate and answer and not is_ours:
                delay = len(answer) / store.rate
                asyncio.get_running_loop().call_later(delay, self._finish, answer)
            else:
                self._finish(answer)

        return reply

    def _finish(self, answer: bytes) -> None:
        if self._transport is None:
            return
        self._transport.write(answer)
        self._at_work = False
        if self._got:
            self._begin()


def _unchunked(body: bytes) -> bytes:
    whole, at = bytearray(), 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        if size == 0:
            return bytes(whole)
        whole += body[end + 2 : end + 2 + size]
        at = end + 4 + size


async def _serve(port: int, root: Path) -> None:
    store = Store(root)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(store), "127.0.0.1", port, backlog=512)
    async with server:
        await server.serve_forever()


class SlowStore:
    """A running server: its address, and what is asked of it beside S3."""

    def __init__(self, port: int, root: Path) -> None:
        self.root = root
        self.url = f"http://127.0.0.1:{port}"

    def faults(self, **faults: float) -> None:
        """Set what goes wrong from now on, by the names in `Store.clear`, and nothing else."""
        self._get(f"/-/faults?{urlencode(faults)}")

    def counts(self) -> Counter[str]:
        """Requests by method, `bytes` of answers, and faults by name, since the start."""
        return Counter(json.loads(self._get("/-/counts")))

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + quote(path, safe="/?&=-"), timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def slow_store(root: Path, port: int) -> Iterator[SlowStore]:
    """Serve the folders below `root` as buckets, from another process."""
    server = subprocess.Popen([sys.executable, __file__, str(port), str(root)])
    try:
        store = SlowStore(port, root)
        for _ in range(200):
            try:
                store.counts()
                break
            except OSError:
                time.sleep(0.05)
        yield store
    finally:
        server.terminate()
        server.wait(timeout=30)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))
