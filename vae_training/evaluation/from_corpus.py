"""Held-out samples of a corpus as a folder of pictures, each with its label as JSON beside it.

An evaluation takes folders; the tars of a corpus are read by byte range, and what they hold is laid
out as the renderers write pages: `KIND/KEY.png` and `KIND/KEY.json`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vae_corpus.curriculum import CorpusError
from vae_corpus.storage import commit_bytes
from vae_training.data.holdout import hold_out
from vae_training.data.shards import Shards, open_shards

PHOTOS = ("general",)
TEXT = ("text_real", "document", "text_synth")
_MARK = ".samples"  # says that a folder is laid out here, and may be cleared here
_COLUMNS = ["key", "ext", "offset", "bytes", "json_offset", "json_bytes"]

_Place = tuple[str, int, int, int, int]  # suffix, offset and bytes of the picture, of the label


def is_corpus(place: str) -> bool:
    """Whether this is a corpus, or an address of one, and not a folder of pictures."""
    return "://" in place or (Path(place) / "curriculum.json").is_file()


def unpack(
    corpus: str,
    kinds: Sequence[str],
    per_kind: int,
    folder: Path,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write up to `per_kind` held-out samples of each kind below `folder`, and give the folder.

    These are what a run with `--validation_samples` of at least `per_kind` never trains on. What is
    there in full is not read again; what belongs to other samples is removed. CorpusError when the
    corpus cannot be read, or holds out nothing of these kinds, or when the folder holds files of
    others. `tell` hears done and total.
    """
    shards = open_shards(corpus)
    held = hold_out(shards, per_kind).validation
    rows = [row for kind in kinds for row in held.get(kind, [])]
    if not rows:
        have = ", ".join(sorted(held)) or "nothing"
        raise CorpusError(
            f"{corpus} holds out no samples of {' or '.join(kinds)} (it has {have}): at most a"
            " quarter of the images of a kind are held out, so that a corpus of a few gives none;"
            " give a folder of pictures, or a larger corpus"
        )
    mark = folder / _MARK
    if folder.is_dir() and any(folder.iterdir()) and not mark.is_file():
        raise CorpusError(
            f"{folder} holds files that are no samples of an evaluation (it has no {_MARK}):"
            " choose another --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    commit_bytes(str(mark), b"")
    wanted = {mark}
    done = 0
    for shard, members in _by_shard(shards, rows).items():
        for row, (ext, start, length, label_start, label_length) in members.items():
            kind = shards.groups[shards.group[row]].kind
            for suffix, offset, size in (
                (ext, start, length),
                ("json", label_start, label_length),
            ):
                path = folder / kind / f"{shards.key(row)}.{suffix}"
                wanted.add(path)
                if not (path.is_file() and path.stat().st_size == size):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    commit_bytes(str(path), _read(shards, shard, offset, size))
            done += 1
            tell(done, len(rows))
    for path in folder.rglob("*"):
        if path.is_file() and path not in wanted:
            path.unlink()
    return folder


def _by_shard(shards: Shards, rows: Sequence[int]) -> dict[str, dict[int, _Place]]:
    """Per tar: its rows, with suffix, offset and bytes of the picture and of its label."""
    by_number: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_number[int(shards.shard[row])].append(row)
    found: dict[str, dict[int, _Place]] = {}
    for number, members in by_number.items():
        name = shards.names[number]
        index = f"{shards.corpus}/{name.removesuffix('.tar')}.parquet"
        with fsspec.open(index, "rb") as file:
            table = pq.read_table(file, columns=_COLUMNS)
        keys = [shards.key(row) for row in members]
        table = table.filter(pc.is_in(table["key"], value_set=pa.array(keys, table["key"].type)))
        places = {key: rest for key, *rest in zip(*table.to_pydict().values(), strict=True)}
        found[name] = {row: tuple(places[key]) for row, key in zip(members, keys, strict=True)}
    return found


def _read(shards: Shards, shard: str, offset: int, size: int) -> bytes:
    path = f"{shards.corpus}/{shard}"
    try:
        data = shards.reader.ask(path, offset, size)()
    except OSError as error:
        raise CorpusError(
            f"cannot read {path} ({error}): mend the disk or the way to the server; the same"
            " command goes on"
        ) from None
    if len(data) != size:
        raise CorpusError(
            f"{path} gave {len(data)} of {size} bytes at {offset}: it is truncated or not what its"
            " index says; delete it and its .parquet, and build the corpus again"
        )
    return data
