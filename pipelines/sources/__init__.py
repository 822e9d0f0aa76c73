"""Where images come from. A source lists units, reads one, and fetches a single item again."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from pipelines.sources.base import Item, Reading, Source, SourceError, Unit
from pipelines.sources.documents import DocumentSource
from pipelines.sources.folder import FolderSource
from pipelines.sources.parquet import ParquetSource
from pipelines.sources.typeset import TypesetSource
from pipelines.sources.webdataset import WebDatasetSource

# Raised when the same files would be listed as other rows.
VERSION = 2

AnySource = Annotated[
    FolderSource | WebDatasetSource | ParquetSource | DocumentSource | TypesetSource,
    Field(discriminator="type"),
]
SOURCES: tuple[type[Source], ...] = get_args(get_args(AnySource)[0])

__all__ = [
    "SOURCES",
    "VERSION",
    "AnySource",
    "DocumentSource",
    "FolderSource",
    "Item",
    "ParquetSource",
    "Reading",
    "Source",
    "SourceError",
    "TypesetSource",
    "Unit",
    "WebDatasetSource",
]
