"""How files are dealt to units: by a hash of their names."""

from __future__ import annotations

import hashlib

# A folder is cut into up to so many units for the sake of more workers, as long as one has more
# than so many files or bytes: about a second of work, where a unit costs some hundredths.
_SMALL_UNITS = 64
_SMALL_FILES = 32
_SMALL_BYTES = 16 * 1024**2


def buckets(files: int, size_bytes: int, files_per_unit: int) -> int:
    """How many units to deal files to: the next power of two, 1 for none.

    It seldom changes as files are added, and then each bucket splits in two.
    """
    small = min(_SMALL_UNITS, max(-(-files // _SMALL_FILES), -(-size_bytes // _SMALL_BYTES)))
    wanted = min(files, max(-(-files // files_per_unit), small))
    return 1 << max(0, wanted - 1).bit_length()


def name_hash(name: str) -> int:
    """A number of 64 bits that decides the bucket of a file."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
