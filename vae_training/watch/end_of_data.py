"""The end of a run that cannot read on: all ranks end together, and what to do is said once."""

from __future__ import annotations

from pathlib import Path

from vae_corpus.curriculum import CorpusError
from vae_training.distributed import Ranks


class EndOfData(RuntimeError):
    """Some rank cannot read its share of a batch; the state before that step is saved."""


def end_of_data(unread: CorpusError | None, ranks: Ranks, *, saved: Path) -> EndOfData:
    """The error to raise on all ranks, which call this together; `unread` is this rank's own."""
    told = next(said for said in ranks.gather(unread and str(unread)) if said)
    return EndOfData(f"{told}. The state before this step is saved in {saved}")
