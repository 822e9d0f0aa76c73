"""Where scalars and pictures of a run are looked at: TensorBoard, and Weights & Biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter


class Board(Protocol):
    """Takes what a run tells, by step."""

    def scalars(self, step: int, values: dict[str, float]) -> None: ...

    def picture(self, step: int, name: str, path: Path) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """Event files in `folder`; what an earlier process wrote from `first_step` on is hidden."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=first_step)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, path: Path) -> None:
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB"))
        self._writer.add_image(name, rgb, step, dataformats="HWC")

    def close(self) -> None:
        self._writer.close()


class Wandb:
    """A run of the project, resumed by the id in its folder. ValueError without the package."""

    def __init__(self, project: str, folder: Path, settings: dict[str, Any]) -> None:
        try:
            import wandb
        except ImportError:
            raise ValueError("wandb: the package is not installed: pip install wandb") from None
        self._wandb = wandb
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / "wandb-id"
        # Steps of a resumed run lie behind those that a killed one told: a metric of our own is
        # the axis, because wandb's own step never goes back.
        self._run = wandb.init(
            project=project,
            name=folder.name,
            id=known.read_text().strip() if known.exists() else None,
            dir=str(folder),
            config=settings,
            resume="allow",
        )
        known.write_text(f"{self._run.id}\n")
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self._run.log({"step": step, **values})

    def picture(self, step: int, name: str, path: Path) -> None:
        self._run.log({"step": step, name: self._wandb.Image(str(path))})

    def close(self) -> None:
        self._run.finish()
