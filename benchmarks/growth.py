"""A corpus that grows by a source and loses images: which shards stay as they are.

    python benchmarks/growth.py --units 100 --images 40

Crops of the demo's photographs and pages in tars, a unit each, are built to a corpus. Then one more
tar comes, as a source of its own, and the same command runs again; then one image in a hundred is
taken down. Each time the files of all shards are compared with those before.

Writes benchmarks/results/growth.json.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from PIL import Image

sys.path[0] = str(Path(__file__).resolve().parents[1])

from pipelines import build_corpus, take_down  # noqa: E402
from tests.pictures import encoded, jpeg, write_tar  # noqa: E402
from vae_corpus import demo  # noqa: E402

_RESULTS = Path(__file__).parent / "results" / "growth.json"
_MOST_PX = 520


def write_units(folder: Path, first: int, count: int, images: int, photos: list[Path]) -> None:
    """Tars of crops of photographs, each drawn by its number; every tenth is a PNG."""
    folder.mkdir(parents=True)
    opened = [np.asarray(Image.open(path).convert("RGB")) for path in photos]
    opened = [rgb for rgb in opened if min(rgb.shape[:2]) > _MOST_PX]
    for unit in range(first, first + count):
        rng = np.random.default_rng(unit)
        members = {}
        for n in range(images):
            whole = opened[int(rng.integers(len(opened)))]
            height, width = rng.integers(270, _MOST_PX, 2)
            y, x = (
                int(rng.integers(a - b)) for a, b in zip(whole.shape, (height, width), strict=False)
            )
            crop = np.ascontiguousarray(whole[y : y + height, x : x + width])
            ext = "png" if n % 10 == 0 else "jpg"
            data = encoded(crop, "png") if ext == "png" else jpeg(crop, 90)
            members[f"{unit:04d}-{n:03d}.{ext}"] = data
        write_tar(folder / f"{unit:04d}.tar", members)


def shards(out: Path) -> dict[str, str]:
    """Hashes of tar and index of each shard."""
    found: dict[str, str] = {}
    for path in sorted(out.glob("shards/*/*/*.tar")):
        both = path.read_bytes() + path.with_suffix(".parquet").read_bytes()
        found[str(path.relative_to(out))] = hashlib.sha256(both).hexdigest()
    return found


def compared(before: dict[str, str], after: dict[str, str]) -> dict[str, Any]:
    same = sum(after.get(name) == digest for name, digest in before.items())
    return {
        "shards_before": len(before),
        "unchanged": same,
        "unchanged_share": round(same / len(before), 4),
        "new": len(set(after) - set(before)),
    }


def settings(root: Path, sources: list[str]) -> str:
    path = root / "corpus.yaml"
    config = {
        "sources": [
            {"name": name, "type": "webdataset", "uri": str(root / name)} for name in sources
        ],
        "plan": {"min_clarity": 0.0, "min_clarity_text": 0.0},
        "pack": {"shard_bytes": 2_000_000, "neighbourhood_units": 10},
        "synth": {"samples": {}},
        "engine": {"workers": 0},
    }
    path.write_text(yaml.safe_dump(config))
    return str(path)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--images", type=int, default=40)
    args = parser.parse_args(argv)
    photos = [path for path in demo.demo_inputs().photos if path.suffix in (".jpg", ".png")]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_units(root / "old", 0, args.units, args.images, photos)
        write_units(root / "new", args.units, 1, args.images, photos)
        out = root / "corpus"
        assert build_corpus.main(["--config", settings(root, ["old"]), "--out", str(out)]) == 0
        first = shards(out)
        assert (
            build_corpus.main(["--config", settings(root, ["old", "new"]), "--out", str(out)]) == 0
        )
        grown = shards(out)
        facts: dict[str, Any] = {"one_unit_more": compared(first, grown)}
        keys = [
            row["key"]
            for path in sorted(out.glob("plan/*/selected/*.parquet"))
            for row in pq.read_table(path, columns=["key", "shard"]).to_pylist()
        ]
        chosen = set(keys[:: max(1, 100)])
        (root / "keys.txt").write_text("\n".join(sorted(chosen)))
        concerned = {
            row["shard"]
            for path in sorted(out.glob("shards/*/*/*.parquet"))
            for row in pq.read_table(path, columns=["shard", "parent"]).to_pylist()
            if row["parent"] in chosen
        }
        start = time.monotonic()
        arguments = [str(out), "--keys", str(root / "keys.txt"), "--engine.workers", "0"]
        assert take_down.main(arguments) == 0
        taken = shards(out)
        changed = {name for name, digest in grown.items() if taken.get(name) != digest}
        facts["take_down"] = compared(grown, taken) | {
            "images": len(chosen),
            "shards_that_held_them": len(concerned),
            "changed_that_held_none": len(changed - concerned),
            "seconds": round(time.monotonic() - start, 1),
        }
        # The scan of the command said that none is left; so does every name in every tar.
        left = sum(
            any(key in name for key in chosen)
            for path in out.glob("shards/*/*/*.parquet")
            for name in pq.read_table(path, columns=["parent"])["parent"].to_pylist()
        )
        facts["take_down"]["left"] = left
    facts |= {
        "units": args.units,
        "images": len(keys),
        "date": datetime.date.today().isoformat(),
        "command": f"python benchmarks/growth.py {' '.join(sys.argv[1:])}",
    }
    print(json.dumps(facts, indent=1))
    _RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
