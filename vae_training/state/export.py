"""Export a checkpoint to a folder that diffusers opens, with or without this package.

It holds weights, configuration, the code of the model and a model card.
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

# Derived from BaseException: `except Exception` does not see it.
from torch.distributed.checkpoint.api import CheckpointException

from vae_corpus.settings import Settings, load, run
from vae_training.model import Autoencoder, build
from vae_training.state.model_card import model_card
from vae_training.state.standalone import AUTO_MAP, FILE, standalone

_STATISTICS = ("latents_mean", "latents_std", "scaling_factor")
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
        settings = info["settings"]
        model = build(
            settings["model"],
            encoder_skip=settings["encoder_skip"],
            decoder_skip=settings["decoder_skip"],
        )
        model.load_state_dict(_weights(path, model.state_dict(), raw))
    except (Exception, CheckpointException) as error:  # damage raises errors of many types
        raise ValueError(
            f"cannot read {path} ({error}): export an older checkpoint of the run"
        ) from None
    run_folder = path.parent.parent
    model.register_to_config(**_statistics(run_folder / "model" / "config.json"))
    return save(model.eval(), out, run_folder, info, raw=raw)


def save(
    model: Autoencoder, out: Path, run_folder: Path, info: Mapping[str, Any], *, raw: bool = False
) -> Path:
    """Write `model` with its code and card below `out`.

    The card tells of the run, and of the checkpoint whose JSON part is `info`.
    """
    model.register_to_config(auto_map=AUTO_MAP)
    model.save_pretrained(out)
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


def _weights(path: Path, like: dict[str, torch.Tensor], raw: bool) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint, by the names of `like`."""
    part, prefix = ("objective", _AUTOENCODER) if raw else ("ema", "")
    held = {prefix + name: tensor for name, tensor in like.items()}
    with warnings.catch_warnings():  # of a single process, which is intended
        warnings.simplefilter("ignore")
        dcp.load({part: held}, checkpoint_id=path, no_dist=True)
    return {name: held[prefix + name] for name in like}


def _statistics(config: Path) -> dict[str, Any]:
    if not config.is_file():
        return {}
    return {k: v for k, v in json.loads(config.read_text()).items() if k in _STATISTICS}


class ExportSettings(Settings):
    """What to export, and where to."""

    source: Path = Field(description="folder of a run, or a checkpoint in it")
    out: Path = Field(description="new folder")
    raw: bool = Field(False, description="last step's weights, not the average")


def main(argv: Sequence[str] | None = None) -> int:
    """Export; 0 when done, 1 when there is nothing to export."""
    given = load(ExportSettings, argv, description=__doc__ or "", positional=("source",))
    try:
        folder = export(given.source, given.out, raw=given.raw)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    model = Autoencoder.from_pretrained(folder)
    count = sum(p.numel() for p in model.parameters())
    print(f"wrote {folder}: {count:,} parameters, {'raw' if given.raw else 'averaged'} weights")
    if model.config.latents_mean is None:
        print("latents_mean and latents_std are not set: the run has not finished")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
