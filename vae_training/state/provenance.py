"""What a run learns from, written into its folder, so that an export can tell it anywhere.

data.json    groups with the samples that are not held out, phases with the steps of the run, and
             the sources that corpus.json names
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from vae_corpus.storage import commit_bytes
from vae_training.data.corpus import Data

_FILE = "data.json"


def record(run: Path, data: Data) -> None:
    """Write the file into the folder of a run; the same corpus and settings give the same bytes."""
    order, shards = data.order, data.shards
    groups = zip(order.groups, shards.samples(), order.sizes(), strict=True)
    told = {
        "corpus_digest": order.digest(),
        # In the order of the counters of a checkpoint.
        "groups": [
            {"kind": group.kind, "rung": group.rung, "samples": samples, "training": training}
            for group, samples, training in groups
        ],
        "phases": [
            phase.to_json() | {"steps": steps}
            for phase, steps in zip(data.curriculum.phases, order.schedule.steps, strict=True)
        ],
        **_sources(shards.corpus),
    }
    run.mkdir(parents=True, exist_ok=True)
    commit_bytes(str(run / _FILE), (json.dumps(told, indent=1) + "\n").encode())


def recorded(run: Path) -> dict[str, Any]:
    """What the file says; nothing for a run that was begun without it."""
    path = run / _FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _sources(corpus: str) -> dict[str, Any]:
    """Sources by name, type and the end of their path: the rest of it is nobody else's business."""
    try:
        with fsspec.open(f"{corpus.rstrip('/')}/corpus.json", "rb") as file:
            settings = json.load(file)["settings"]
        synth = settings["synth"]
        return {
            "sources": [
                {"name": s["name"], "type": s["type"], "from": PurePosixPath(s["uri"]).name}
                for s in settings["sources"]
            ],
            "texts": {
                language: [PurePosixPath(path).name for path in paths]
                for language, paths in synth["texts"].items()
            },
        }
    except Exception:  # nobody needs it to train, and stores have errors of many types
        return {}
