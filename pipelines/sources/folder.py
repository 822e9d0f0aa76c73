"""Images in a folder, read recursively. Every file is listed: nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from pipelines import storage
from pipelines.sources.base import FileInfo, Item, Source, Unit, find_files, matches


class FolderSource(Source):
    """A folder of image files. Files that are no image are rejected with a slug, not skipped."""

    type: Literal["folder"] = "folder"
    include: tuple[str, ...] = Field((), description="patterns of relative paths; none: all files")
    exclude: tuple[str, ...] = Field((), description="patterns of relative paths to leave out")
    follow_links: bool = Field(True, description="also list what symbolic links point to")
    files_per_unit: int = Field(1000, ge=1, description="files that one task reads")

    def units(self) -> Iterator[Unit]:
        files = [
            file
            for file in find_files(self.uri, follow_links=self.follow_links)
            if self._wanted(self._member(file))
        ]
        for start in range(0, len(files), self.files_per_unit):
            part = files[start : start + self.files_per_unit]
            yield Unit(
                unit_id=self._unit_id([(self._member(f), f.bytes, f.version) for f in part]),
                source=self.name,
                uri=self.uri,
                start=start,
                stop=start + len(part),
                bytes=sum(f.bytes for f in part),
                members=tuple(self._member(f) for f in part),
            )

    def read(self, unit: Unit) -> Iterator[Item]:
        for member in unit.members:
            uri = storage.join(self.uri, member)
            try:
                data = storage.read_bytes(uri)
            except (FileNotFoundError, PermissionError) as error:
                fault = ("unreadable", str(error.strerror or error))
                yield Item(member=member, uri=uri, offset=0, data=b"", fault=fault)
            else:
                yield Item(member=member, uri=uri, offset=0, data=data)

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        return storage.read_bytes(uri)

    def _wanted(self, member: str) -> bool:
        hidden = any(part.startswith(".") for part in member.split("/"))
        return not hidden and matches(member, self.include, self.exclude)

    def _member(self, file: FileInfo) -> str:
        _, root = storage.filesystem(self.uri)
        _, inner = storage.filesystem(file.uri)
        return inner[len(root.rstrip("/")) + 1 :]
