"""Steps whose loss or gradient is NaN or infinite: they are not taken, and their images are told.

A batch that is bad by itself is so again after a restart, so a run that ended there would never
get past it. Weights and averages stay as they were, and the order of the data moves on. A row of
such steps is no bad batch but a run that is lost: it ends, at the state before the row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vae_training.distributed import Ranks

_KEYS_TOLD = 16


class NonFiniteLoss(RuntimeError):
    """Too many steps in a row were refused; the state before the first of them is saved."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A step that was not taken. `scalars` are text, `keys` the images to look at, as in `path`."""

    step: int
    scalars: dict[str, str]
    keys: tuple[str, ...]
    path: Path

    def __str__(self) -> str:
        values = ", ".join(f"{name} {value}" for name, value in self.scalars.items())
        told = ", ".join(self.keys[:_KEYS_TOLD])
        more = len(self.keys) - _KEYS_TOLD
        return f"step {self.step}: {values}; images {told}" + (
            f" and {more} more in {self.path}" if more > 0 else ""
        )


def refuse(
    folder: Path,
    step: int,
    scalars: dict[str, float],
    *,
    keys: list[str],
    finite: bool,
    ranks: Ranks,
) -> Refused:
    """Tell of a step that is not taken; all ranks call it together, all keys go into a file.

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
    return Refused(step=step, scalars=said, keys=tuple(suspects), path=path)


def give_up(refused: Refused, row: int, checkpoint: Path) -> NonFiniteLoss:
    """The error that ends a run after `row` refused steps in a row, the last of them `refused`."""
    many = f" It is the last of {row} such steps in a row, each with a file beside." * (row > 1)
    return NonFiniteLoss(
        f"{refused}.{many} The state before is saved in {checkpoint}. Lower --lr or --grad_clip,"
        " or look at these images; --nonfinite_steps says how many such steps in a row are skipped"
    )
