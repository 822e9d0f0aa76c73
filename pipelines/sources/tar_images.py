"""The images of one tar, each with an address at which the same bytes can be read again."""

from __future__ import annotations

import posixpath
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from tarfile import TarInfo
from typing import IO, Self

from pipelines.sources.base import Item
from pipelines.sources.files import storable
from pipelines.sources.members import (
    HEAD_BYTES,
    IMAGE_EXTENSIONS,
    SIDECAR_EXTENSIONS,
    extension_of,
    is_image,
)
from pipelines.sources.tar_files import hidden_suffix

_MAX_HOPS = 40
# What tarfile reads whole before it gives a member: attributes, and names too long for a header.
_READ_WHOLE = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_MAX_HEADER_BYTES = 1 << 20
# All headers of one member together: maps of sparse members, and long names one after the other.
_MAX_HEADERS_BYTES = 4 << 20
# Attributes for all members, which tarfile looks through at each.
_MAX_GLOBAL_ATTRIBUTES = 1000
# No file system holds more, and no program could seek there.
_MAX_MEMBER_BYTES = 1 << 60
# The end is filled up to a record of some kilobytes; a bomb can be all zeros.
_MAX_ZEROS_BYTES, _ZEROS_BYTES = 256 << 20, 1 << 20


@dataclass(kw_only=True)
class TarReading:
    """Reads the images of a tar; then knows what else it holds.

    `passed_over` counts, by extension, members that are no images; `keys` are the WebDataset keys
    (names up to the first dot) of all members with the extension of an image, wanted or not.
    """

    uri: str
    wanted: Callable[[str], bool]
    max_bytes: int
    passed_over: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)

    def items(self, file: IO[bytes], size_bytes: int | None) -> Iterator[Item]:
        """Every image of the open tar, links to images after the others.

        A tar that breaks off ends in one item with a fault. `size_bytes` is the size of the file
        where `file` shows the same bytes, None for a compressed one.
        """
        found: list[TarInfo] = []
        yield from self._members(file, size_bytes, found)
        yield from self._links(file, found)

    def _members(
        self, file: IO[bytes], size_bytes: int | None, found: list[TarInfo]
    ) -> Iterator[Item]:
        end = 0
        headers = _Headers(file, size_bytes)
        try:
            # Names by the locale would be other names elsewhere.
            with tarfile.open(
                fileobj=headers,  # type: ignore[call-overload]
                mode="r:",
                encoding="utf-8",
                errors="surrogateescape",
                tarinfo=_Header,
            ) as tar:
                while (member := tar.next()) is not None:
                    headers.begin()
                    if len(tar.pax_headers) > _MAX_GLOBAL_ATTRIBUTES:
                        raise tarfile.ReadError(
                            f"{len(tar.pax_headers)} attributes for all members, where"
                            f" {_MAX_GLOBAL_ATTRIBUTES} are the most"
                        )
                    if not member.issparse():
                        _check_size(member)
                    # tarfile would keep them all: a tar of some kilobytes may hold millions.
                    tar.members.clear()
                    if _is_of_links(member):
                        member.pax_headers = {}
                        found.append(member)
                    if _is_file(member):
                        yield from self._image(file, member.name, member)
                    elif not (member.isdir() or member.islnk() or member.issym()):
                        self.passed_over["devices"] += 1
                    end = member.offset_data + (0 if member.issparse() else member.size)
                if size_bytes is not None and size_bytes < end:
                    raise tarfile.ReadError("unexpected end of data")
                # To tarfile a header that it cannot read is the end of the archive.
                if not _only_zeros(file, tar.offset):
                    raise tarfile.ReadError("damaged header, or more after the end")
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            # tarfile raises any of these for headers that make no sense.
            why = f"{error}; what follows byte {end} was not read"
            if end == 0 and size_bytes is not None and (suffix := _named_wrongly(file)):
                why = f"the file is compressed: its name must end in {suffix}"
            yield rest_of(self.uri, end, ("broken_tar", why))

    def _links(self, file: IO[bytes], found: list[TarInfo]) -> Iterator[Item]:
        """Links after all files, by the place of their targets: a compressed tar is read twice."""
        links = [member for member in found if member.islnk() or member.issym()]
        if not links:
            return
        by_name = {posixpath.normpath(member.name): member for member in found}
        pairs = [(link, _target(link, by_name)) for link in links]
        pairs.sort(key=lambda pair: pair[1].offset_data if pair[1] else pair[0].offset)
        for link, target in pairs:
            if target is not None:
                try:
                    yield from self._image(file, link.name, target)
                except tarfile.ReadError as error:
                    yield self._fault(link.name, target, "broken_tar", str(error))
            elif extension_of(link.name) not in IMAGE_EXTENSIONS:
                self._pass_over(link.name)
            elif self.wanted(_plain(link.name)):
                why = f"a link to {storable(link.linkname)}, which is no file of this tar"
                yield self._fault(link.name, link, "unreadable", why)

    def _image(self, file: IO[bytes], name: str, member: TarInfo) -> Iterator[Item]:
        """The item of a member under this name, if it is an image that is wanted."""
        extension = extension_of(name)
        if extension in IMAGE_EXTENSIONS:
            self.keys.add(_key(name))
        if not self.wanted(_plain(name)):
            return

        def head() -> bytes:
            return b"" if member.issparse() else _read(file, member, HEAD_BYTES)

        if not is_image(name, head):
            self._pass_over(name)
        elif member.issparse():
            why = "stored sparse, in pieces: write the tar again without the option --sparse"
            yield self._fault(name, member, "sparse_member", why)
        elif member.size > self.max_bytes:
            why = f"{member.size} bytes, max_file_bytes is {self.max_bytes}"
            yield self._fault(name, member, "file_too_large", why)
        else:
            data = self._data(file, member)
            yield Item(member=storable(name), uri=self.uri, offset=member.offset_data, data=data)

    def _data(self, file: IO[bytes], member: TarInfo) -> bytes:
        data = _read(file, member, member.size)
        if len(data) < member.size:
            raise tarfile.ReadError("unexpected end of data")
        return data

    def _fault(self, name: str, member: TarInfo, slug: str, why: str) -> Item:
        return Item(
            member=storable(name),
            uri=self.uri,
            offset=member.offset_data,
            data=b"",
            fault=(slug, why),
        )

    def _pass_over(self, name: str) -> None:
        extension = extension_of(name)
        self.passed_over[storable(f".{extension}") if extension else "links"] += 1


@dataclass(kw_only=True)
class TarListing(TarReading):
    """Names the images of a tar and reads none: their bytes are empty, `sizes` has their sizes."""

    sizes: dict[int, int] = field(default_factory=dict)
    _place: int = 0

    def numbered(self, file: IO[bytes], size_bytes: int | None) -> Iterator[tuple[int, Item]]:
        """Every image with the place at which `sizes` has its size; faults have none."""
        for item in self.items(file, size_bytes):
            yield self._place, item
            self._place += 1

    def _data(self, file: IO[bytes], member: TarInfo) -> bytes:
        self.sizes[self._place] = member.size
        return b""


class _Header(TarInfo):
    """A header of a member; ReadError when it announces more attributes than any writer has."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        _check_size(header)
        if header.type in _READ_WHOLE and header.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(
                f"a header of {header.size} bytes, where {_MAX_HEADER_BYTES} are the most"
            )
        return header


class _Headers:
    """The file as tarfile reads headers from it: no more of them for one member than is sane."""

    def __init__(self, file: IO[bytes], size_bytes: int | None) -> None:
        self._file, self._size_bytes = file, size_bytes
        self.tell = file.tell
        self._left = _MAX_HEADERS_BYTES

    def begin(self) -> None:
        """The headers of another member follow."""
        self._left = _MAX_HEADERS_BYTES

    def seek(self, offset: int) -> int:
        if self._size_bytes is not None and offset > self._size_bytes:
            raise tarfile.ReadError("unexpected end of data")
        return self._file.seek(offset)

    def read(self, size: int) -> bytes:
        self._left -= size
        if self._left < 0:
            raise tarfile.ReadError(
                f"more than {_MAX_HEADERS_BYTES} bytes of headers for one member"
            )
        return self._file.read(size)


def rest_of(uri: str, offset: int, fault: tuple[str, str]) -> Item:
    """Stands for what could not be read of a tar."""
    name = uri.rsplit("/", 1)[-1]
    return Item(member=f"(rest of {name})", uri=uri, offset=offset, data=b"", fault=fault)


def _check_size(member: TarInfo) -> None:
    if not 0 <= member.size <= _MAX_MEMBER_BYTES:
        # Digits of a number may go on for pages.
        raise tarfile.ReadError("a member of less than nothing or of more than any file has")


def _is_file(member: TarInfo) -> bool:
    # A type that nobody knows is to be taken for a file (POSIX, pax).
    return member.isreg() or member.type not in tarfile.SUPPORTED_TYPES


def _is_of_links(member: TarInfo) -> bool:
    """Whether it is a link, or may be an image that a link leads to."""
    is_link = member.islnk() or member.issym()
    return is_link or (_is_file(member) and extension_of(member.name) not in SIDECAR_EXTENSIONS)


def _plain(name: str) -> str:
    return storable(name.removeprefix("./"))


def _key(name: str) -> str:
    folder, _, base = name.rpartition("/")
    return f"{folder}/{base.partition('.')[0]}"


def _target(link: TarInfo, by_name: dict[str, TarInfo]) -> TarInfo | None:
    """The file that a link leads to inside the tar, over other links; None when there is none."""
    member: TarInfo | None = link
    for _ in range(_MAX_HOPS):
        if member is None or _is_file(member):
            return member
        if not (member.islnk() or member.issym()):
            return None
        folder = posixpath.dirname(member.name) if member.issym() else ""
        member = by_name.get(posixpath.normpath(posixpath.join(folder, member.linkname)))
    return None


def _read(file: IO[bytes], member: TarInfo, size: int) -> bytes:
    file.seek(member.offset_data)
    return file.read(min(size, member.size))


def _only_zeros(file: IO[bytes], start: int) -> bool:
    file.seek(start)
    for _ in range(0, _MAX_ZEROS_BYTES, _ZEROS_BYTES):
        chunk = file.read(_ZEROS_BYTES)
        if chunk.count(0) < len(chunk):
            return False
        if not chunk:
            return True
    raise tarfile.ReadError(f"more than {_MAX_ZEROS_BYTES} zeros after the end")


def _named_wrongly(file: IO[bytes]) -> str | None:
    file.seek(0)
    return hidden_suffix(file.read(8))
