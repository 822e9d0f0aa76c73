"""A build in Weights & Biases: the figures of the console, by stage, while it runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.report.progress import Progress
from pipelines.workers.tasks import Crew, Listener, Stats, Task
from vae_corpus import storage
from vae_corpus.settings import SettingsError

_EVERY_S = 10.0


class Board(Listener):
    """A run of the project, resumed by the id in a local corpus. SettingsError without wandb."""

    def __init__(self, project: str, out: str, settings: dict[str, Any]) -> None:
        try:
            import wandb
        except ImportError:
            raise SettingsError("wandb: the package is not installed: pip install wandb") from None
        folder = Path(out) if storage.is_local(out) else None
        known = folder / "wandb-id" if folder else None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._run: Any = wandb.init(
            project=project,
            name=storage.name_of(out),
            id=known.read_text().strip() if known and known.exists() else None,
            dir=str(folder) if folder else None,
            config=settings,
            resume="allow",
        )
        if known:
            known.write_text(f"{self._run.id}\n")
        self._stage = ""
        self._progress = Progress([])
        self._next_s = 0.0

    def begin(self, stage: str, progress: Progress) -> None:
        """What follows is about this stage."""
        self._stage, self._progress = stage, progress

    def running(self, tasks: Sequence[tuple[Task, Stats]], crew: Crew) -> None:
        if time.monotonic() >= self._next_s:
            self.tell()

    def tell(self) -> None:
        """Log the figures of this moment."""
        self._next_s = time.monotonic() + _EVERY_S
        now = self._progress.snapshot()
        values: dict[str, float] = {
            "images": now.images,
            "bytes": now.bytes,
            "share": now.share,
            "workers": now.crew.at_work,
            "retries": now.retries,
            "given_up": now.failed,
        }
        if now.seconds:
            values["images_per_s"] = now.images / now.seconds
        values |= {f"rejected/{slug}": count for slug, count in now.rejected.items()}
        self._run.log({f"{self._stage}/{name}": value for name, value in values.items()})

    def close(self) -> None:
        self._run.finish()
