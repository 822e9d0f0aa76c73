"""The first line of a build, printed before the libraries are imported, which takes seconds."""

from __future__ import annotations

import sys


def say() -> None:
    """Say that the command has begun; nothing when only its help is wanted."""
    if not {"-h", "--help"} & set(sys.argv[1:]):
        print("vae-corpus: loading the libraries ...", flush=True)
