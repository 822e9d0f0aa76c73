"""What comes of a read: an image's bytes, a fault that training goes on without, or its end."""

from __future__ import annotations

from vae_corpus.curriculum import CorpusError
from vae_corpus.pictures.decode import Fault
from vae_training.data.ranges import Answer, Lost

UNREADABLE = "unreadable"

# An image as it is stored, or why it cannot be had.
Encoded = bytes | Fault


def finish(answer: Answer, path: str, offset: int, size: int) -> Encoded:
    """The `size` bytes that were asked for at `offset` of a tar, or a fault, `unreadable`.

    CorpusError when a local tar is gone or cut, or nothing of a store can be read.
    """
    try:
        data = answer()
    except Lost as lost:
        return Fault(UNREADABLE, f"{path} {lost}")
    except FileNotFoundError:
        raise CorpusError(f"{path} is gone: build the corpus again to restore it") from None
    except OSError as error:
        raise CorpusError(
            f"cannot read {path} ({error}): mend the disk or the way to the server; the same"
            " command resumes"
        ) from None
    if len(data) < size:
        raise CorpusError(
            f"{path} ends before byte {offset + size}: the tar is truncated; delete it and"
            " its .parquet and build the corpus again"
        )
    return data


def none_readable(attempts: int, last: Fault, where: str) -> CorpusError:
    """The end of a run that has looked for an image in vain, with what to do about the last."""
    way_out = (
        "restore the tars in the store, or build the corpus again; the same command resumes"
        if last.slug == UNREADABLE
        else "the shard is damaged; delete it and its .parquet and build the corpus again"
    )
    return CorpusError(
        f"{attempts} images in a row cannot be read, the last: {last.slug}: {where}: {way_out}"
    )
