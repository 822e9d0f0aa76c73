"""What must hold of any bytes that are given to a reader; AssertionError where it does not."""

from __future__ import annotations

import bz2
import gzip
import itertools
import lzma
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.sources import ParquetSource, Source, SourceError, Unit, WebDatasetSource
from vae_corpus.pictures.decode import SLUGS, Fault, Limits, decode, decode_luma, open_image

# Small, so that what a picture costs is not what the time goes to.
_LIMITS = Limits(max_pixels=1 << 20, max_side_px=4096, max_bytes=64 << 20)
_SCRATCH = np.empty(3 << 20, np.uint8)

Target = Callable[[bytes], None]


def decode_target(data: bytes) -> None:
    """Every way through the door ends in pixels within the limits, or in a fault that has a slug.

    All ways agree on which of the two, and on the size.
    """
    found = decode(data, _LIMITS)
    grey = decode_luma(data, _LIMITS)
    opened = open_image(data, _SCRATCH)
    fault = opened if isinstance(opened, Fault) else opened.decode()
    if fault is not None:
        _check_fault(fault)
    if isinstance(found, Fault):
        _check_fault(found)
        # Colours may clip where the luma does not, so the words may differ; not the fate.
        assert isinstance(grey, Fault), f"grey, but not in colour: {found}"
        return
    assert not isinstance(grey, Fault), f"in colour, but not grey: {grey}"
    assert found.rgb.dtype == np.uint8 and found.rgb.ndim == 3 and found.rgb.shape[2] == 3
    height, width = found.rgb.shape[:2]
    assert 0 < height * width <= _LIMITS.max_pixels and max(height, width) <= _LIMITS.max_side_px
    assert grey.luma.shape == (height, width), (grey.luma.shape, height, width)
    assert fault is None, f"opened for the loader it is a fault: {fault}"
    assert isinstance(found.note, str) and isinstance(found.colour_space, str)


def _check_fault(fault: Fault) -> None:
    assert fault.slug in SLUGS and fault.why, fault


def tar_target(folder: Path) -> Target:
    """Reading a tar never raises, and each image can be fetched again from its address.

    The first byte chooses whether it is plain, bytes under the name of a compressed tar, or a tar
    that is compressed here.
    """
    ways = [(".tar", None)] * 6 + [(suffix, None) for suffix in _PACK] + list(_PACK.items())
    number = itertools.count()

    def target(data: bytes) -> None:
        suffix, pack = ways[data[0] % len(ways)] if data else (".tar", None)
        # A new name each time: readers keep the file open that they fetched from last.
        path = folder / f"{next(number)}{suffix}"
        path.write_bytes(pack(data[1:]) if pack else data[1:])
        source = WebDatasetSource(name="w", uri=str(path), max_file_bytes=1 << 20)
        try:
            _check_items(source)
            listed = source.list_images(source.files()[0])
            (unit,) = source.units()
            read = list(source.read(unit))
            # What is cut off is seen by reading alone.
            faults = {item.member for item in read if item.fault is not None}
            names = Counter(item.member for item in read if item.member not in faults)
            assert not names - Counter(item.member for item, _ in listed), "not listed"
        finally:
            path.unlink()

    return target


def _by_arrow(codec: str) -> Callable[[bytes], bytes]:
    return lambda data: pa.compress(data, codec, asbytes=True)


def _framed_lz4(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


_PACK: dict[str, Callable[[bytes], bytes]] = {
    ".tar.gz": lambda data: gzip.compress(data, 1),
    ".tar.bz2": bz2.compress,
    ".tar.xz": lambda data: lzma.compress(data, preset=0),
    ".tar.zst": _by_arrow("zstd"),
    ".tar.lz4": _framed_lz4,
}


def parquet_target(folder: Path) -> Target:
    """A Parquet file gives its rows or faults, or a SourceError of one sentence, nothing else."""

    number = itertools.count()

    def target(data: bytes) -> None:
        path = folder / f"{next(number)}.parquet"
        path.write_bytes(data)
        source = ParquetSource(name="p", uri=str(path), batch_bytes=1 << 20)
        try:
            _check_items(source)
        except SourceError as error:
            assert str(error).strip(), "an error that says nothing"
        finally:
            path.unlink()

    return target


def _check_items(source: Source) -> None:
    for unit in source.units():
        seen = 0
        for item in source.read(unit):
            seen += 1
            # Names and reasons become columns of text.
            for text in (item.member, item.uri, *(item.fault or ())):
                text.encode()
            if item.fault is not None:
                assert item.fault[0] and item.fault[1], item.fault
                continue
            again = source.fetch(item.uri, item.offset, len(item.data))
            assert again == item.data, f"{item.member} is fetched otherwise"
        assert seen or not _announced(source, unit), "nothing came of a unit"


def _announced(source: Source, unit: Unit) -> int:
    """Rows by the footer; 0 for a tar, which announces nothing."""
    if isinstance(source, WebDatasetSource):
        return 0
    if unit.start == unit.stop:
        return 1
    metadata = pq.read_metadata(unit.uri)
    return sum(int(metadata.row_group(i).num_rows) for i in range(unit.start, unit.stop))


def make(name: str, folder: Path) -> Target:
    makers: dict[str, Callable[[], Target]] = {
        "decode": lambda: decode_target,
        "tar": lambda: tar_target(folder),
        "parquet": lambda: parquet_target(folder),
    }
    return makers[name]()


def run_folder(name: str) -> Path:
    """In memory where there is such a place: a file is written for each of many thousand inputs."""
    shared = Path("/dev/shm")
    base = shared if os.access(shared, os.W_OK) else Path(os.environ.get("TMPDIR", "/tmp"))
    folder = base / f"fuzz-readers-{name}-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    return folder


NAMES: tuple[Any, ...] = ("decode", "tar", "parquet")
