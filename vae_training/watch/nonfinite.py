"""The end of a run whose loss is NaN or infinite: which images to look at."""

from __future__ import annotations

import json
from pathlib import Path

from vae_training.distributed import Ranks

_KEYS_TOLD = 16


class NonFiniteLoss(RuntimeError):
    """A loss or gradient is NaN or infinite; the state before the step is saved."""


def refuse(
    folder: Path,
    step: int,
    scalars: dict[str, float],
    *,
    keys: list[str],
    finite: bool,
    ranks: Ranks,
) -> NonFiniteLoss:
    """The error to raise on all ranks, which call this together; all keys go into a file.

    `keys` are this rank's images, and `finite` says whether its own loss is. The images of ranks
    with a non-finite loss are named, those of all ranks if only the gradient is non-finite.
    """
    gathered = ranks.gather((finite, keys))
    suspects = [key for fine, some in gathered if not fine for key in some]
    suspects = suspects or [key for _, some in gathered for key in some]
    path = folder / f"refused-step-{step:08d}.json"
    said = {name: str(value) for name, value in scalars.items()}
    if ranks.first:
        path.write_text(json.dumps({"scalars": said, "keys": suspects}, indent=1) + "\n")
    values = ", ".join(f"{name} {value}" for name, value in said.items())
    more = f" and {len(suspects) - _KEYS_TOLD} more in {path}" * (len(suspects) > _KEYS_TOLD)
    return NonFiniteLoss(
        f"step {step}: {values}. The state before it is saved in {folder / 'checkpoints'}. Lower"
        f" --lr or --grad_clip, or look at the batch: {', '.join(suspects[:_KEYS_TOLD])}{more}"
    )
