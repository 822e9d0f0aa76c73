"""Finding the files of a source: below a folder, by a glob pattern, or named one by one.

A listing is a stream. Answers come in any order, of many folders or prefixes at once; what needs an
order goes through a `Spool`, which keeps it on a disk.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.sources.base import SourceError
from pipelines.sources.files import FileInfo
from pipelines.sources.spool import Spool
from pipelines.sources.stores import remote_files
from pipelines.sources.walk import local_files
from vae_corpus import storage

Suffix = str | tuple[str, ...]


def find_files(uri: str, *, suffix: Suffix = "", follow_links: bool = True) -> Iterator[FileInfo]:
    """Files below a folder, of a glob pattern, or the one file, sorted by name.

    A local path that is there is taken as it stands, whatever characters it has. Hidden files and
    folders below it are left out, and what is neither file nor folder. SourceError when no file is
    left, when a folder cannot be read, or when two files would be stored under one name.
    """
    with Spool() as found:
        for file in stream_files(uri, suffix=suffix, follow_links=follow_links):
            found.add(file)
        yield from found.by_name()


def stream_files(uri: str, *, suffix: Suffix = "", follow_links: bool = True) -> Iterator[FileInfo]:
    """`find_files` in no order, as they are found, and not compared with each other."""
    found = local_files(uri, follow_links) if storage.is_local(uri) else remote_files(uri)
    every = wanted = 0
    for file in found:
        every += 1
        if file.name.lower().endswith(suffix):
            wanted += 1
            yield file
    if not every:
        raise SourceError(f"no files at {uri}: check the path, or remove the source")
    if not wanted:
        what = suffix if isinstance(suffix, str) else suffix[0]
        raise SourceError(f"no {what} among the {every} files at {uri}: check the type")
