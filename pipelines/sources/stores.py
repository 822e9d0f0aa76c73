"""Files of object stores and other servers, many requests in flight."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

from pipelines.sources.files import FileInfo
from pipelines.sources.patterns import EVERYTHING, split_pattern
from pipelines.sources.s3_keys import s3_objects
from pipelines.workers.pulse import beat
from vae_corpus import storage

_REQUESTS = 32
# What tells of a version, each store in its own words.
_VERSIONS = ("ETag", "etag", "mtime", "LastModified", "created")

Info = dict[str, Any]


def remote_files(uri: str) -> Iterator[FileInfo]:
    """Files in no order. An answer that fails is raised, as the store's client puts it."""
    fs, inner = storage.filesystem(uri)
    inner = inner.rstrip("/")
    root, pattern = split_pattern(inner)
    scheme = uri.split("://")[0]
    begun = False
    try:
        for page in _pages(fs, inner, root, pattern):
            begun = begun or bool(page)
            files = [_file(info, inner, root, scheme) for info in page]
            named = [file for file in files if file is not None]
            beat(files=len(named))
            yield from named
    except FileNotFoundError:
        if begun:  # else there is nothing, which who asked says in better words
            raise


def _pages(fs: Any, inner: str, root: str, pattern: tuple[str, ...]) -> Iterator[list[Info]]:
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    if "s3" in protocols and not fs.version_aware:
        found_any = False
        for page in s3_objects(fs, inner, root, pattern or EVERYTHING):
            found_any = found_any or bool(page)
            yield page
        if not (found_any or pattern) and "/" in inner:
            info = fs.info(inner)  # no folder, but one object
            yield [info] if info["type"] == "file" else []
    elif pattern:
        yield _files(fs.glob(inner, detail=True).values())
    elif {"http", "https"}.intersection(protocols):
        yield _files(fs.find(inner, detail=True).values())
    else:
        yield from _folders(fs, inner)


def _folders(fs: Any, top: str) -> Iterator[list[Info]]:
    """All folders from one on: side by side where the client can ask from several threads."""
    at_once = _REQUESTS if fs.async_impl else 1
    waiting, asked = [top], dict[Future[list[Info]], str]()
    pool = ThreadPoolExecutor(at_once)
    try:
        while waiting or asked:
            while waiting and len(asked) < at_once:
                folder = waiting.pop()
                url = str(fs.unstrip_protocol(folder))
                asked[pool.submit(storage.patiently, url, partial(_entries, fs, folder))] = folder
            for answer in wait(asked, return_when=FIRST_COMPLETED).done:
                folder = asked.pop(answer)
                entries = answer.result()
                below = [str(e["name"]).rstrip("/") for e in entries if e["type"] == "directory"]
                waiting += [path for path in below if path != folder and not _is_hidden(path, top)]
                yield _files(entries)
    finally:
        pool.shutdown(cancel_futures=True)


def _entries(fs: Any, folder: str) -> list[Info]:
    try:
        return list(fs.ls(folder, detail=True))
    except FileNotFoundError:
        return []


def _files(infos: Any) -> list[Info]:
    return [info for info in infos if info["type"] == "file"]


def _is_hidden(path: str, root: str) -> bool:
    return any(part.startswith(".") for part in path[len(root) :].lstrip("/").split("/"))


def _file(info: Info, inner: str, root: str, scheme: str) -> FileInfo | None:
    """None for what is hidden, and for an empty object that stands for a folder."""
    path = str(info["name"])
    if path == inner:
        root = inner.rpartition("/")[0]
    elif path.endswith("/") or _is_hidden(path, root):
        return None
    return FileInfo(
        root=root if "://" in root else f"{scheme}://{root}",
        name=path[len(root) :].lstrip("/"),
        bytes=int(info["size"] or 0),
        version=str(next((info[key] for key in _VERSIONS if info.get(key)), None)),
    )
