"""WebDataset tars, for example as img2dataset writes them: one unit per tar."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, Literal

from pipelines.sources.base import IMAGE_EXTENSIONS, Item, Source, Unit
from pipelines.sources.files import find_files, is_gone, open_read, read_bytes, storable


class WebDatasetSource(Source):
    """Tars whose image members (by extension) are samples; captions are passed over."""

    type: Literal["webdataset"] = "webdataset"

    def units(self) -> Iterator[Unit]:
        for file in find_files(self.uri, suffix=".tar"):
            yield Unit(
                unit_id=self._unit_id(file.uri, file.bytes, file.version),
                source=self.name,
                uri=file.uri,
                start=0,
                stop=0,
                bytes=file.bytes,
            )

    def read(self, unit: Unit) -> Iterator[Item]:
        """Every image of the tar. A tar that breaks off ends in one item with a fault."""
        try:
            file = open_read(unit.uri)
        except OSError as error:
            if not is_gone(error):
                raise
            yield _rest(unit.uri, 0, ("unreadable", str(error.strerror or error)))
            return
        with file:
            end = 0
            try:
                with tarfile.open(fileobj=file, mode="r:", encoding="utf-8") as tar:
                    for member in tar:
                        end = member.offset_data + member.size
                        if not member.isfile() or not _is_image(member.name):
                            continue
                        content = tar.extractfile(member)
                        data = content.read() if content is not None else b""
                        if len(data) < member.size:
                            raise tarfile.ReadError("unexpected end of data")
                        yield Item(
                            member=storable(member.name),
                            uri=unit.uri,
                            offset=member.offset_data,
                            data=data,
                        )
                    if unit.bytes < end:
                        raise tarfile.ReadError("unexpected end of data")
                    # To tarfile a header that it cannot read is the end of the archive.
                    if not _only_zeros(file, tar.offset):
                        raise tarfile.ReadError("damaged header, or more after the end")
            except tarfile.TarError as error:
                why = f"{error}; what follows byte {end} was not read"
                yield _rest(unit.uri, end, ("broken_tar", why))

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        return read_bytes(uri, offset, size)


def _rest(uri: str, offset: int, fault: tuple[str, str]) -> Item:
    return Item(member="(rest of the tar)", uri=uri, offset=offset, data=b"", fault=fault)


def _only_zeros(file: IO[bytes], start: int) -> bool:
    file.seek(start)
    return not any(any(chunk) for chunk in iter(lambda: file.read(1 << 20), b""))


def _is_image(name: str) -> bool:
    return name.rsplit(".", 1)[-1].lower() in IMAGE_EXTENSIONS
