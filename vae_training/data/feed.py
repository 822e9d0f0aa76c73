"""Batches on the device, the next one copied while the step before it runs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import torch

from vae_training.data.loader import Batch


def feed(
    batches: Generator[Batch, None, None], device: torch.device
) -> Generator[Batch, None, None]:
    """The same batches with their pixels on `device`.

    On a GPU, pinned pixels are copied on a stream of their own; torch reuses their memory when the
    copy is done.
    """
    if device.type != "cuda":
        yield from batches
        return
    copying = torch.cuda.Stream(device)
    ready: Batch | None = None
    try:
        for batch in batches:
            with torch.cuda.stream(copying):
                copied = replace(batch, pixels=batch.pixels.to(device, non_blocking=True))
            if ready is not None:
                yield ready
            # Waits for the copy of `copied` as well: it had the whole step before to be done.
            torch.cuda.current_stream(device).wait_stream(copying)
            copied.pixels.record_stream(torch.cuda.current_stream(device))
            ready = copied
        if ready is not None:
            yield ready
    finally:
        batches.close()
