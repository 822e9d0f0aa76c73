"""Export a checkpoint to a folder that diffusers opens, with or without this package.

It holds weights, configuration, a model card, and the code of the model if it is one of ours.
Run: `python -m vae_training.state.export runs/f16c128 --out f16c128`
The source is a run, whose newest checkpoint counts, or a checkpoint.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from pydantic import Field
from torch import nn

# Derived from BaseException: `except Exception` does not see it.
from torch.distributed.checkpoint.api import CheckpointException

from vae_corpus.settings import Settings, load, run
from vae_training.model import build, folder
from vae_training.model.adapters import OURS
from vae_training.model.folder import Start
from vae_training.state.model_card import model_card
from vae_training.state.standalone import AUTO_MAP, FILE, standalone
from vae_training.state.statistics import copy_statistics

_AUTOENCODER = "autoencoder."  # prefix of the raw weights within the objective


def export(source: Path, out: Path, *, raw: bool = False) -> Path:
    """Write the averaged weights, or the `raw` ones of the last step, below `out`.

    Latent statistics come from the model of a finished run; before its end `latents_mean` stays
    None. ValueError when there is no checkpoint, or `out` holds other files.
    """
    if out.exists() and any(out.iterdir()) and not (out / "config.json").is_file():
        raise ValueError(f"{out} holds other files: choose a new or empty folder for --out")
    path = _find(source)
    try:
        info = json.loads((path / "info.json").read_text(encoding="utf-8"))
        model = _model(info)
        model.load_state_dict(_weights(path, model, raw))
    except (Exception, CheckpointException) as error:  # damage raises errors of many types
        raise ValueError(
            f"cannot read {path} ({error}): export an older checkpoint of the run"
        ) from None
    run_folder = path.parent.parent
    copy_statistics(run_folder / "model", model)
    return save(model.eval(), out, run_folder, info, raw=raw)


def save(
    model: Any, out: Path, run_folder: Path, info: Mapping[str, Any], *, raw: bool = False
) -> Path:
    """Write `model` with its card below `out`, and with its code, where diffusers has it not.

    The card tells of the run, and of the checkpoint whose JSON part is `info`.
    """
    ours = type(model).__name__ == OURS
    if ours:
        model.register_to_config(auto_map=AUTO_MAP)
    model.save_pretrained(out)
    if ours:
        (out / FILE).write_text(standalone(), encoding="utf-8")
    (out / "README.md").write_text(model_card(model, run_folder, info, raw=raw), encoding="utf-8")
    return out


def _find(source: Path) -> Path:
    if (source / "info.json").is_file():
        return source
    steps = sorted([*source.glob("checkpoints/step-*"), *source.glob("step-*")])
    if not steps:
        raise ValueError(
            f"{source} holds no checkpoint: give the folder of a run (with checkpoints/ in it) or"
            " a folder step-..."
        )
    return steps[-1]


def _model(info: Mapping[str, Any]) -> Any:
    """The model of a checkpoint, with random weights."""
    if "start" in info:
        return folder.build(Start.from_json(info["start"]))
    settings = info["settings"]
    return build(
        settings["model"],
        encoder_skip=settings["encoder_skip"],
        decoder_skip=settings["decoder_skip"],
    )


def _weights(path: Path, model: nn.Module, raw: bool) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint, by their names in `model`; buffers have no averages."""
    averaged = set() if raw else {name for name, _ in model.named_parameters()}
    raws = {n: t for n, t in model.state_dict().items() if n not in averaged}
    held = {
        "objective": {_AUTOENCODER + name: tensor for name, tensor in raws.items()},
        "ema": {name: t for name, t in model.state_dict().items() if name in averaged},
    }
    with warnings.catch_warnings():  # of a single process, which is intended
        warnings.simplefilter("ignore")
        dcp.load({k: v for k, v in held.items() if v}, checkpoint_id=path, no_dist=True)
    return held["ema"] | {name: held["objective"][_AUTOENCODER + name] for name in raws}


class ExportSettings(Settings):
    """What to export, and where to."""

    source: Path = Field(description="folder of a run, or a checkpoint in it")
    out: Path = Field(description="new folder")
    raw: bool = Field(False, description="last step's weights, not the average")


def main(argv: Sequence[str] | None = None) -> int:
    """Export; 0 when done, 1 when there is nothing to export."""
    given = load(ExportSettings, argv, description=__doc__ or "", positional=("source",))
    try:
        made = export(given.source, given.out, raw=given.raw)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    model = folder.load(made)
    count = sum(p.numel() for p in model.parameters())
    print(f"wrote {made}: {count:,} parameters, {'raw' if given.raw else 'averaged'} weights")
    if type(model).__name__ == OURS and model.config.latents_mean is None:
        print("latents_mean and latents_std are not set: the run has not finished")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
