"""Reconstructions of a set by one contender, written as PNG; those that are there are kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vae_corpus.pictures.decode import Fault
from vae_corpus.pictures.encode import lossless
from vae_corpus.storage import commit_bytes
from vae_training.distributed import Ranks
from vae_training.evaluation.contenders import Contender, batches, through
from vae_training.evaluation.originals import Original
from vae_training.evaluation.pictures import load

SETTINGS, JOURNAL = ".settings.json", ".made"
NON_FINITE = "non_finite"
_VERSION = 1


def reconstruct(
    contender: Contender,
    originals: Sequence[Original],
    folder: Path,
    *,
    batch: int,
    tell: Callable[[int], None],
    ranks: Ranks | None = None,
) -> dict[str, str]:
    """Write `folder/NAME.png` for every original that has none of these pixels and settings.

    A journal beside them says of which pixels each was made, and whether a picture came of it.
    Other settings begin anew. With `ranks`, all of them call this together, and each makes its
    share of the same batches. Gives the slugs of those that have no reconstruction. ValueError when
    the folder holds files of others, or a picture has not the one size that the contender takes.
    """
    rank, world = (ranks.rank, ranks.world) if ranks else (0, 1)
    _check_sizes(contender, originals)
    if rank == 0:
        _begin(folder, contender.settings)
        _gather_journals(folder)
    _wait(ranks)
    made = _journal(folder)
    todo = [o for o in originals if not o.slug and not _is_there(folder, o, made)]
    _wait(ranks)  # all have read what there was before anybody adds to it
    shapes = [(o.height, o.width) for o in todo]
    share = list(batches(shapes, contender.f, batch))[rank::world]
    done = 0
    with (folder / f"{JOURNAL}{rank or ''}").open("a", encoding="utf-8") as journal:
        for numbers in share:
            members = [todo[n] for n in numbers]
            pictures = [_pixels(original) for original in members]
            results = through(contender, pictures, [o.sha256 for o in members])
            for original, rgb in zip(members, results, strict=True):
                if rgb is not None:
                    target = folder / f"{original.name}.png"
                    target.parent.mkdir(parents=True, exist_ok=True)
                    commit_bytes(str(target), lossless(rgb, "png"))
                line = [original.name, original.sha256, rgb is not None]
                journal.write(json.dumps(line, ensure_ascii=False) + "\n")
            journal.flush()
            done += len(members)
            tell(min(len(todo), done * world))
    _wait(ranks)
    if rank == 0:
        _gather_journals(folder)
    _wait(ranks)
    made = _journal(folder)
    return {
        o.name: NON_FINITE
        for o in originals
        if not o.slug and made.get(o.name) == (o.sha256, False)
    }


def _wait(ranks: Ranks | None) -> None:
    """Until all ranks are here."""
    if ranks is not None:
        ranks.gather(None)


def _gather_journals(folder: Path) -> None:
    """Append what other ranks noted to the one journal, whose last word on a picture holds."""
    path = folder / JOURNAL
    with path.open("a", encoding="utf-8") as journal:
        journal.write("\n" if journal.tell() else "")  # ends a line cut short
        for other in sorted(folder.glob(f"{JOURNAL}[0-9]*")):
            journal.write(other.read_text(encoding="utf-8") + "\n")
            journal.flush()
            other.unlink()


def _check_sizes(contender: Contender, originals: Sequence[Original]) -> None:
    side = contender.only_px
    for o in originals:
        if side is not None and not o.slug and (o.width, o.height) != (side, side):
            raise ValueError(
                f"{contender.name} takes pictures of {side} x {side} px alone, and {o.name} has"
                f" {o.width} x {o.height}: give --photos with --size {side}, or leave it out"
            )


def settings_hash(settings: dict[str, Any]) -> str:
    """16 hex digits of all that a reconstruction depends on."""
    text = json.dumps([_VERSION, settings], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _begin(folder: Path, settings: dict[str, Any]) -> None:
    """Make the folder, empty where its settings were others."""
    mark = folder / SETTINGS
    wanted = settings_hash(settings)
    if folder.is_dir() and any(folder.iterdir()):
        try:
            if json.loads(mark.read_text(encoding="utf-8"))["hash"] == wanted:
                return
        except (OSError, ValueError, LookupError, TypeError):
            raise ValueError(
                f"{folder} holds files that are no reconstructions of an evaluation (it has no"
                f" {SETTINGS}): choose another --out"
            ) from None
        # The mark goes last: a removal that breaks off is done again.
        for path in sorted(folder.iterdir(), key=lambda path: path == mark):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    told = {"hash": wanted, "settings": settings}
    commit_bytes(str(mark), json.dumps(told, indent=1, ensure_ascii=False, default=str).encode())


def _journal(folder: Path) -> dict[str, tuple[str, bool]]:
    """Names to the pixels they were made of, and whether there is a picture."""
    made: dict[str, tuple[str, bool]] = {}
    path = folder / JOURNAL
    for line in path.read_text(encoding="utf-8").split("\n") if path.is_file() else ():
        try:
            name, sha256, good = json.loads(line)
        except (ValueError, TypeError):
            continue  # cut short: that one is made again
        made[str(name)] = (str(sha256), bool(good))
    return made


def _is_there(folder: Path, original: Original, made: dict[str, tuple[str, bool]]) -> bool:
    sha256, good = made.get(original.name, ("", False))
    return sha256 == original.sha256 and (not good or (folder / f"{original.name}.png").is_file())


def _pixels(original: Original) -> Any:
    found = load(Path(original.path))
    if isinstance(found, Fault):
        raise ValueError(f"{found.why}: remove this file, then run the same command again")
    return found.rgb
