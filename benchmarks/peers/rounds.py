"""What the peers have in common: read the pages, wait for a word, draw them once, say how long.

Runs in a peer's own environment, so it imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any


def serve(work: Callable[[list[dict[str, Any]]], int]) -> None:
    """`work(pages)` draws all pages and returns how many characters it drew, spaces left out.

    The first argument of the script names a JSON file of pages. Each line that comes in runs one
    round; what goes out is its characters and its CPU seconds.
    """
    with open(sys.argv[1], encoding="utf-8") as file:
        pages = json.load(file)
    for _ in iter(sys.stdin.readline, ""):
        began = time.process_time()
        characters = work(pages)
        answer = [characters, time.process_time() - began]
        print(json.dumps(answer), file=sys.__stdout__, flush=True)


def inked(text: str) -> int:
    """Characters of `text` that are not spaces."""
    return len("".join(text.split()))


# Peers print about their own affairs: only answers go out. Before they are imported.
sys.stdout = sys.stderr
