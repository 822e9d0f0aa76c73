"""Tars as they lie in a source, plain or compressed, opened as files that can be sought in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

import pyarrow as pa

from pipelines.sources.files import open_read, stream

_SUFFIXES = {
    ".tar": "",
    ".tar.gz": "gzip",
    ".tgz": "gzip",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tar.xz": "xz",
    ".txz": "xz",
    ".tar.zst": "zstd",
    ".tzst": "zstd",
    ".tar.lz4": "lz4",
}
TAR_SUFFIXES = tuple(_SUFFIXES)
_MAGIC = {
    b"\x1f\x8b": ".tar.gz",
    b"BZh": ".tar.bz2",
    b"\xfd7zXZ\0": ".tar.xz",
    b"\x28\xb5\x2f\xfd": ".tar.zst",
    b"\x04\x22\x4d\x18": ".tar.lz4",
}
# What a tar may unpack to: so many times its size, or so much if that is more. Pictures hardly
# compress, and ten megabytes of a bomb are ten gigabytes or more.
_MAX_RATIO, _ALWAYS_BYTES = 200, 1 << 30
_BUFFER_BYTES = 1 << 20
_STEP_BYTES = 1 << 16


def suffix_of(name: str) -> str:
    """The suffix that makes a file a tar; empty when it has none of them."""
    return next((suffix for suffix in TAR_SUFFIXES if name.lower().endswith(suffix)), "")


def compression_of(name: str) -> str:
    """gzip, bz2, xz, zstd or lz4; empty for a plain tar."""
    return _SUFFIXES.get(suffix_of(name), "")


def hidden_suffix(head: bytes) -> str | None:
    """The suffix that a compressed tar should have, by its first bytes."""
    return next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), None)


def open_tar(uri: str, *, whole: bool = True) -> IO[bytes]:
    """The bytes of the tar inside the file, seekable; `whole`: they will be read to the end.

    Of a compressed one they are read forwards, and a step back starts anew at the beginning. Bytes
    that do not decompress are a tarfile.ReadError.
    """
    compression = compression_of(uri)
    file = stream(uri) if whole or compression else open_read(uri)
    return io.BufferedReader(_Inflated(file, compression), _BUFFER_BYTES) if compression else file


class _Inflated(io.RawIOBase):
    """A compressed file as the bytes inside it."""

    def __init__(self, file: IO[bytes], compression: str) -> None:
        self._file, self._compression = file, compression
        self._stream: Any = None
        self._failed: Exception | None = None
        self._at = self._wanted = 0
        # By the whole file, so that a second reading ends at the same byte.
        self._most = max(_ALWAYS_BYTES, _MAX_RATIO * file.seek(0, io.SEEK_END))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._wanted

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end of a compressed file is not known")
        self._wanted = offset + (self._wanted if whence == io.SEEK_CUR else 0)
        return self._wanted

    def readinto(self, buffer: Any) -> int:
        try:
            # Asked for a gigabyte, it would hold that twice.
            data = self._read(min(len(buffer), _BUFFER_BYTES))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, pa.ArrowException) as error:
            raise tarfile.ReadError(f"cannot decompress: {error}") from None
        except OSError as error:
            # Damaged data; what disk or network say has a number, or a type of its own.
            if type(error) is not OSError or error.errno is not None:
                raise
            raise tarfile.ReadError(f"cannot decompress: {error}") from None
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        if self._stream is None or self._wanted < self._at:
            self._file.seek(0)
            self._stream = _decompressor(self._file, self._compression)
            self._at, self._failed = 0, None
        if self._failed is not None:
            raise self._failed
        while self._at < self._wanted:
            self._check()
            skipped = len(self._stream.read(min(_BUFFER_BYTES, self._wanted - self._at)))
            if not skipped:
                return b""
            self._at += skipped
        self._check()
        data = self._up_to(size)
        self._at += len(data)
        self._wanted = self._at
        return data

    def _check(self) -> None:
        if self._at > self._most:
            raise tarfile.ReadError(
                f"it unpacks to more than {self._most} bytes: unpack it yourself if that is right"
            )

    def _up_to(self, size: int) -> bytes:
        """As many bytes as come before the end or an error, which then waits for the next call."""
        data = bytearray()
        while len(data) < size:
            try:
                # Python's decompressors give with read1 what they have; arrow's gives all or none.
                if self._compression in _PYTHONS_OWN:
                    step = self._stream.read1(min(_STEP_BYTES, size - len(data)))
                else:
                    step = self._stream.read(min(tarfile.BLOCKSIZE, size - len(data)))
            except Exception as error:
                if not data:
                    raise
                self._failed = error
                break
            if not step:
                break
            data += step
        return bytes(data)

    def close(self) -> None:
        self._file.close()
        super().close()


_PYTHONS_OWN: dict[str, Callable[[IO[bytes]], Any]] = {
    "gzip": lambda file: gzip.GzipFile(fileobj=file),
    "bz2": bz2.BZ2File,
    "xz": lzma.LZMAFile,
}


def _decompressor(file: IO[bytes], compression: str) -> Any:
    if compression in _PYTHONS_OWN:
        return _PYTHONS_OWN[compression](file)
    return pa.CompressedInputStream(_KeptOpen(file), compression)


class _KeptOpen:
    """A file for arrow, whose streams close what they read when they are thrown away."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self.closed = True


class OpenTar:
    """The compressed tar that was read last: who asks in order of address never goes back."""

    def __init__(self) -> None:
        self._uri = ""
        self._file: IO[bytes] | None = None

    def read(self, uri: str, offset: int, size: int) -> bytes:
        if self._file is None or uri != self._uri:
            self.close()
            self._file, self._uri = open_tar(uri), uri
        try:
            self._file.seek(offset)
            return self._file.read(size)
        except BaseException:
            self.close()  # another try begins with a file in a known state
            raise

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None
