"""Dashboards for scalars and pictures of a run: TensorBoard, and Weights & Biases."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

from vae_training.config import TrainSettings


class Board(Protocol):
    """Receives scalars and pictures by step."""

    def scalars(self, step: int, values: dict[str, float]) -> None: ...

    def picture(self, step: int, name: str, path: Path) -> None: ...

    def close(self) -> None: ...


def open_boards(folder: Path, first_step: int, settings: TrainSettings) -> list[Board]:
    """TensorBoard below the run `folder`, and Weights & Biases if the settings ask for it."""
    boards: list[Board] = [TensorBoard(folder / "tensorboard", first_step)]
    if settings.wandb:
        boards.append(Wandb(settings.wandb, folder, settings.model_dump()))
    return boards


class TensorBoard:
    """Event files in `folder`; events of an earlier process from `first_step` on are hidden."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self._writer: Any = SummaryWriter(str(folder), purge_step=first_step)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def picture(self, step: int, name: str, path: Path) -> None:
        # The file as it is: `add_image` would encode its pixels again.
        with Image.open(path) as image:
            width, height, planes = *image.size, len(image.getbands())
        shown = Summary.Image(
            height=height,
            width=width,
            colorspace=planes,
            encoded_image_string=path.read_bytes(),
        )
        summary = Summary(value=[Summary.Value(tag=name, image=shown)])
        self._writer.file_writer.add_summary(summary, step)

    def close(self) -> None:
        self._writer.close()


class Wandb:
    """A run of `project`, resumed by the id in its folder. ValueError without the package."""

    def __init__(self, project: str, folder: Path, settings: dict[str, Any]) -> None:
        try:
            import wandb
        except ImportError:
            raise ValueError("wandb: the package is not installed: pip install wandb") from None
        self._wandb = wandb
        folder.mkdir(parents=True, exist_ok=True)
        known = folder / "wandb-id"
        # A resumed run repeats steps that a killed one logged. wandb's own step never decreases, so
        # a metric of ours is the x axis.
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
