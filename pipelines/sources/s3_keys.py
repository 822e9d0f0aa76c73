"""The keys of an S3 bucket: a thousand come with each answer, and many requests are in flight.

The first request asks for the folders at the top. If one answer names them all, each is listed
beside the others, with all that is below it. Folders by the ten thousand would cost a request each:
then, as in one folder of very many files, keys are listed as they come, and while fewer requests
are in flight than could be, a range of keys is cut in two and its second half listed from its
middle on (start-after). Where keys lie is not known before: an empty half costs one request, and
the other half is cut again.
"""

from __future__ import annotations

import datetime
import glob
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipelines.sources.base import SourceError
from pipelines.sources.patterns import EVERYTHING, fits
from vae_corpus import storage

_REQUESTS = 32
_WIDENED = "_vae_corpus_widened"
# Directory buckets know neither an order of keys nor start-after.
_UNORDERED = "--x-s3"
# Printable characters of ASCII lie between: a middle is looked for among them.
_FIRST, _LAST = 0x20, 0x7F

Info = dict[str, Any]


@dataclass(kw_only=True)
class _Range:
    """Keys that begin with `prefix`, behind `after`, up to `until`; `token` names the next page."""

    prefix: str
    delimiter: str = ""
    after: str = ""
    until: str | None = None
    token: str | None = None

    def holds(self, key: str) -> bool:
        return key > self.after and (self.until is None or key <= self.until)


@dataclass(frozen=True, kw_only=True)
class _Page:
    objects: list[Info]
    folders: list[str]
    last: str
    token: str | None
    in_order: bool


def s3_objects(fs: Any, inner: str, root: str, pattern: Sequence[str]) -> Iterator[list[Info]]:
    """Pages of what fits `pattern` below `root`, in no order.

    Objects are as s3fs tells of them. FileNotFoundError where there is no bucket.
    """
    bucket, _, folder = root.partition("/")
    stem = pattern[0][: _literal(pattern[0])] if inner != root else ""
    start = _Range(prefix=(f"{folder}/" if folder else "") + stem, delimiter="/")
    listing = _Listing(fs, bucket, can_split=not bucket.endswith(_UNORDERED))
    skipped = len(root) + 1
    for page in listing.pages(start, pattern, len(folder) + 1 if folder else 0):
        if tuple(pattern) != EVERYTHING:
            page = [i for i in page if fits(i["name"][skipped:].split("/"), pattern, whole=True)]
        yield page


def _literal(part: str) -> int:
    """How many characters of a part stand before its first wildcard."""
    return next((i for i in range(len(part)) if glob.has_magic(part[: i + 1])), len(part))


def _widened(fs: Any) -> Any:
    """The same store, fit for many answers; made once and kept with `fs`.

    It has as many connections as requests, where the client's own limit is ten, and reads times
    quickly: three quarters of what an answer costs the client go into them otherwise. To make it
    takes some tenths of a second, which one answer is not worth.
    """
    # Not in a cache by `fs`: two that were made alike are equal, and may lead to other servers.
    if not hasattr(fs, _WIDENED):
        setattr(fs, _WIDENED, _made_wide(fs))
    return getattr(fs, _WIDENED)


def _made_wide(fs: Any) -> Any:
    from aiobotocore.session import AioSession

    session = AioSession(**fs.kwargs)
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time)
    config = {"max_pool_connections": _REQUESTS} | fs.config_kwargs
    own = {"config_kwargs": config, "session": session, "skip_instance_cache": True}
    return type(fs)(**fs.storage_options | own)


def _time(said: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(said)
    except (TypeError, ValueError):
        from botocore.utils import parse_timestamp

        parsed: datetime.datetime = parse_timestamp(said)
        return parsed


class _Listing:
    def __init__(self, fs: Any, bucket: str, can_split: bool) -> None:
        self._fs, self._bucket, self._can_split = fs, bucket, can_split

    def pages(self, start: _Range, pattern: Sequence[str], skipped: int) -> Iterator[list[Info]]:
        first = self._page(start)
        if len(pattern) == 1 and tuple(pattern) != EVERYTHING:
            yield first.objects
            yield from self._all([start] if self._goes_on(start, first) else [])
        elif first.token is not None:
            yield from self._all([_Range(prefix=start.prefix)])
        else:
            yield first.objects
            below = [
                folder
                for folder in first.folders
                if folder[skipped : skipped + 1] != "."
                and fits(folder[skipped:].rstrip("/").split("/"), pattern, whole=False)
            ]
            yield from self._all([_Range(prefix=folder) for folder in below])

    def _all(self, waiting: list[_Range]) -> Iterator[list[Info]]:
        if waiting:
            self._fs = _widened(self._fs)
        asked: dict[Future[_Page], _Range] = {}
        pool = ThreadPoolExecutor(_REQUESTS)
        try:
            while waiting or asked:
                while waiting and len(asked) < _REQUESTS:
                    span = waiting.pop()
                    asked[pool.submit(self._page, span)] = span
                for answer in wait(asked, return_when=FIRST_COMPLETED).done:
                    span, page = asked.pop(answer), answer.result()
                    self._check_order(span, page)
                    if self._goes_on(span, page):
                        waiting.append(span)
                        if self._can_split and len(asked) + len(waiting) < _REQUESTS:
                            waiting += _cut(span, page.last)
                    yield page.objects
        finally:
            pool.shutdown(cancel_futures=True)

    def _goes_on(self, span: _Range, page: _Page) -> bool:
        span.token = page.token
        return page.token is not None and (span.until is None or page.last < span.until)

    def _check_order(self, span: _Range, page: _Page) -> None:
        if page.in_order:
            return
        self._can_split = False
        if span.after or span.until is not None:
            raise SourceError(
                f"s3://{self._bucket} lists keys below {span.prefix} in no order, and some were"
                " taken for the last of their range: name its folders as sources of their own"
            )

    def _check_start(self, span: _Range, keys: list[str], folders: list[str]) -> None:
        """SourceError where the first answer holds what lies before the range."""
        before = [key for key in keys if key <= span.after]
        before += [f for f in folders if f <= span.after and not span.after.startswith(f)]
        if span.after and before:
            # Each half of a range would be the whole of it, and be cut again, without end.
            raise SourceError(
                f"the store of s3://{self._bucket} does not honour start-after: asked for keys"
                f" behind {span.after!r}, it answers with {before[0]!r}. Give folders of fewer"
                f" files below {span.prefix!r} as sources of their own, or copy them to another"
                " store"
            )

    def _page(self, span: _Range) -> _Page:
        """One request, in any thread."""
        place = {"StartAfter": span.after} if span.after else {}
        if span.token is not None:
            place = {"ContinuationToken": span.token}
        ask = partial(
            self._fs.call_s3,
            "list_objects_v2",
            Bucket=self._bucket,
            Prefix=span.prefix,
            Delimiter=span.delimiter,
            **place,
            **self._fs.req_kw,
        )
        answer = storage.patiently(f"s3://{self._bucket}/{span.prefix}", ask)
        keys = [found["Key"] for found in answer.get("Contents", ())]
        folders = [found["Prefix"] for found in answer.get("CommonPrefixes", ())]
        if span.token is None:
            self._check_start(span, keys, folders)
        objects = [
            {
                "name": f"{self._bucket}/{found['Key']}",
                "size": found["Size"],
                "ETag": found.get("ETag"),
                "LastModified": found.get("LastModified"),
            }
            for found in answer.get("Contents", ())
            if span.holds(found["Key"])
        ]
        return _Page(
            objects=objects,
            folders=folders,
            last=max([*keys[-1:], *folders[-1:]], default=""),
            token=answer.get("NextContinuationToken") if answer.get("IsTruncated") else None,
            in_order=keys == sorted(keys),
        )


def _cut(span: _Range, last: str) -> list[_Range]:
    """The second half of what is left of a range behind `last`, which the range then ends before.

    None where there is no key between.
    """
    middle = _between(last, span.until or f"{span.prefix}{chr(_LAST)}")
    if middle is None:
        return []
    second = _Range(prefix=span.prefix, delimiter=span.delimiter, after=middle, until=span.until)
    span.until = middle
    return [second]


def _between(low: str, high: str) -> str | None:
    """A key about halfway from one to another."""
    if low >= high:
        return None
    same = len(os.path.commonprefix([low, high]))
    for i in range(same, len(low) + 1):
        a = ord(low[i]) if i < len(low) else _FIRST
        b = ord(high[i]) if i == same else _LAST
        middle = (a + b) // 2
        if b - a > 1 and not 0xD800 <= middle < 0xE000:  # surrogates stand in no key
            return low[:i] + chr(middle)
    return None
