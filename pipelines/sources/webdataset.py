"""WebDataset tars, for example as img2dataset writes them: one unit per tar."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Literal

from pipelines import storage
from pipelines.sources.base import IMAGE_EXTENSIONS, Item, Source, Unit, find_files


class WebDatasetSource(Source):
    """Tars whose image members (by extension) are samples; captions are passed over."""

    type: Literal["webdataset"] = "webdataset"

    def units(self) -> Iterator[Unit]:
        for file in find_files(self.uri):
            if not file.uri.endswith(".tar"):
                continue
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
        with storage.open_read(unit.uri) as file:
            end = 0
            try:
                with tarfile.open(fileobj=file, mode="r:") as tar:
                    for member in tar:
                        end = member.offset_data + member.size
                        if not member.isfile() or not _is_image(member.name):
                            continue
                        content = tar.extractfile(member)
                        data = content.read() if content is not None else b""
                        if len(data) < member.size:
                            raise tarfile.ReadError("unexpected end of data")
                        yield Item(
                            member=member.name, uri=unit.uri, offset=member.offset_data, data=data
                        )
                    if unit.bytes < end:
                        raise tarfile.ReadError("unexpected end of data")
            except tarfile.TarError as error:
                fault = ("broken_tar", f"{error}; what follows byte {end} was not read")
                yield Item(
                    member="(rest of the tar)", uri=unit.uri, offset=end, data=b"", fault=fault
                )

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        return storage.read_bytes(uri, offset, size)


def _is_image(name: str) -> bool:
    return name.rsplit(".", 1)[-1].lower() in IMAGE_EXTENSIONS
