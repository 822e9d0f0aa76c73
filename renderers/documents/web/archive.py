"""Files inside a ZIP archive that someone else made: read within bounds, never unpacked."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib

from renderers.documents.page import DocumentFault
from renderers.documents.web.resources import MAX_FILE_BYTES

MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 1024**3
# Text shrinks to a tenth, zeros to a thousandth.
MAX_RATIO = 200
_RATIO_FROM_BYTES = 1 << 20
_ENCRYPTED = 1
_WRONG = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError)


class Archive:
    """Files by their place in the archive, as `Resources`.

    DocumentFault `broken_document` when it is no archive, `locked_document` when files in it are
    encrypted, `document_too_large` when it would unpack to more than documents do.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _WRONG as error:
            raise DocumentFault("broken_document", f"the archive does not open: {error}") from None
        entries = self._zip.infolist()
        if len(entries) > MAX_ENTRIES:
            why = f"the archive has {len(entries)} files, {MAX_ENTRIES} are allowed"
            raise DocumentFault("document_too_large", why)
        if any(entry.flag_bits & _ENCRYPTED for entry in entries):
            raise DocumentFault("locked_document", "files in the archive are encrypted")
        _check_sizes(entries)
        # Of two files at one place, the last counts.
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}

    def read(self, place: str) -> bytes | None:
        """The bytes; None when there is no such file, it is damaged, or it is too large."""
        entry = self._entries.get(place)
        if entry is None or entry.file_size > MAX_FILE_BYTES:
            return None
        try:
            with self._zip.open(entry) as file:
                return file.read(MAX_FILE_BYTES)
        except _WRONG:
            return None


def joined(folder: str, link: str) -> str:
    """The place that `link` names from `folder`; one that leads outside names nothing."""
    place = posixpath.normpath(posixpath.join(folder, link))
    return "" if place.startswith(("../", "/")) or place in ("..", ".") else place


def _check_sizes(entries: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(1, sum(entry.compress_size for entry in entries))
    if unpacked > MAX_UNPACKED_BYTES:
        why = f"the archive unpacks to {unpacked} bytes, {MAX_UNPACKED_BYTES} are allowed"
        raise DocumentFault("document_too_large", why)
    if unpacked > _RATIO_FROM_BYTES and unpacked > MAX_RATIO * packed:
        why = f"the archive unpacks to {unpacked // packed} times its size, {MAX_RATIO} are allowed"
        raise DocumentFault("document_too_large", why)
