"""The README.md of an exported model: a model card of what is known, and of nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from vae_training.config import UPDATE
from vae_training.metrics.psnr import told
from vae_training.model.adapters import OURS, adapter_of
from vae_training.model.configs import GSC, LINEAR, LSC, NSC
from vae_training.state.provenance import recorded
from vae_training.validation import LARGEST_PX

_FRONT = """\
---
library_name: diffusers
tags:
- autoencoder
- vae
- image-compression
---
"""
_SKIPS = {
    LINEAR: "global: means, and beside them a projection that was fit before training",
    GSC: "global, without weights",
    LSC: "local, one per level, without weights",
    NSC: "none",
}
_CODE = "The code beside the weights is under Apache-2.0. "
_START = "The weights began as those of another model, whose licence holds for them too.\n"
_LICENCE = """\
A corpus does not record the licences of its
sources, so none is stated for the weights: look at the sources before you pass them on."""
# Told as they are in the settings of the run.
_SETTINGS = ("batch_pixels", *UPDATE, "train", "precision", "seed")


def model_card(model: Any, run: Path, info: Mapping[str, Any], *, raw: bool = False) -> str:
    """Markdown with the front matter of Hugging Face.

    `run` is a folder whose data and validations are told, `info` the JSON part of the checkpoint
    that the weights come from, `raw` whether they are those of its last step. What either does not
    record is said to be unknown, or left out.
    """
    settings, step, data = info.get("settings", {}), info.get("step"), recorded(run)
    phases = data.get("phases", [])
    sections = (
        ("Use", _use(model)),
        ("Model", _shape(model)),
        ("Figures", _figures(run, step, raw)),
        ("Latents", _latents(model, info, raw)),
        ("Data", _data(data, info)),
        ("Training", _training(settings, phases, step, raw)),
        ("Licence", _licence(model, info)),
    )
    name = settings.get("model") or type(model).__name__
    title = f"{_FRONT}\n# {name}\n\n{_summary(model, info)}\n"
    return title + "".join(f"\n## {name}\n\n{text}\n" for name, text in sections)


def _summary(model: Any, info: Mapping[str, Any]) -> str:
    adapter, name = adapter_of(model), type(model).__name__
    f, channels = adapter.f(model.config), adapter.latent_channels(model.config)
    what = ", of convolutions only" if name == OURS else f" of the class {name} of diffusers"
    told = (
        f"An autoencoder for images{what}: one position of its latent has"
        f" {channels} channels and\nstands for {f} x {f} px. Trained with vae-corpus"
    )
    if "start" not in info:
        return f"{told}."
    parts = {"all": "all its weights", "encoder": "its encoder", "decoder": "its decoder"}
    part = info.get("settings", {}).get("train", "all")
    part = parts.get(part) or f"the {part.replace('-', ' ')} levels of its decoder"
    return f"{told}, from a trained {info['start']['class']}: {part} learned."


def _use(model: Any) -> str:
    name, f = type(model).__name__, adapter_of(model).f(model.config)
    if name != OURS:
        return f"""\
```python
from diffusers import {name}
vae = {name}.from_pretrained("FOLDER_OR_REPOSITORY")
```

It takes the place of the model that training began from, and is called as that. H and W of images
are multiples of {f}."""
    return f"""\
```python
from diffusers import AutoModel
vae = AutoModel.from_pretrained("FOLDER_OR_REPOSITORY", trust_remote_code=True)
z = vae.encode(image).latent_dist.mode()    # image: float[B, 3, H, W] in [-1, 1]
image = vae.decode(z).sample
```

H and W are multiples of {f}. The code is one file beside the weights; it needs torch and diffusers
0.36 or later. Read it before you trust it. `vae.enable_tiling()` encodes and decodes large images
in tiles, with the same result up to rounding."""


def _shape(model: Any) -> str:
    c, adapter = model.config, adapter_of(model)
    rows = [
        ("compression per side (f)", adapter.f(c)),
        ("latent channels", adapter.latent_channels(c)),
        ("encoder", f"{_parameters(adapter.encoder(model)):,} parameters"),
        ("decoder", f"{_parameters(adapter.decoder(model)):,} parameters"),
    ]
    if type(model).__name__ == OURS:
        rows += [
            ("skip of the encoder", _SKIPS[c.encoder_skip]),
            ("skip of the decoder", _SKIPS[c.decoder_skip]),
        ]
    return _table(("", ""), rows)


def _figures(run: Path, step: int | None, raw: bool) -> str:
    if raw:
        return "Not measured: these are the weights of a step, and validations see averages."
    rows = [row for row in _validations(run) if row["step"] == step]
    if not rows:
        return "Not measured at this step."
    row = rows[-1]
    counts = row.get("samples", {})
    columns = {"model": ("psnr", "exact")}
    if row["skip_psnr"]:
        columns["skip alone"] = ("skip_psnr", "skip_exact")
    table = _table(
        ("kind", "images", *columns),
        (
            (kind, counts.get(kind, "unknown"), *_cells(row, kind, columns.values()))
            for kind in row["psnr"]
        ),
    )
    about = ""
    if row.get("over_skips"):
        about = " Skip alone is the image without\nwhat convolutions add, as which the model began."
    elif "skip alone" in columns:
        about = " Skip alone is a global skip without any weights."
    if any(sum(row.get(exact, {}).values()) for _, exact in columns.values()):
        about += " Means are over the images\nthat differ; exact ones are counted beside them."
    return (
        "Mean PSNR in dB of 8-bit RGB on images of the corpus that training never saw, cut to"
        f" {LARGEST_PX} px\nper side where they are larger.{about}\n\n{table}"
    )


def _cells(row: Mapping[str, Any], kind: str, columns: Iterable[tuple[str, str]]) -> Iterator[str]:
    """PSNR of a kind per column, given by the names of its means and of its counts of exact ones.

    Rows of older runs have no such counts.
    """
    for psnr, exact in columns:
        count = row.get("samples", {}).get(kind, 0)
        yield told(row[psnr][kind], row.get(exact, {}).get(kind, 0), count)


def _validations(run: Path) -> Iterator[dict[str, Any]]:
    path = run / "validation.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            yield json.loads(line)
        except ValueError:  # a killed run may leave half a line at the end
            return


def _latents(model: Any, info: Mapping[str, Any], raw: bool) -> str:
    encoder_learned = info.get("settings", {}).get("train", "all") in ("all", "encoder")
    if "start" in info and not encoder_learned:
        return (
            "The encoder did not learn: latents and their scale are those of the model that"
            " training began from."
        )
    crops = info.get("settings", {}).get("latent_samples")  # older runs have none
    over = f"over {crops:,} crops of\nthe images of the last phase" if crops else ""
    if type(model).__name__ != OURS:
        told = "Of scale and statistics the configuration holds what its class has a place for."
        return told + (f" A run takes them at its end, {over}." if over else "")
    if model.config.latents_mean is None:
        return "Statistics of the latents are not known: the run has not finished."
    whose = "with the averaged weights of the finished run" if raw else ""
    parts = [
        "`config.latents_mean` and `config.latents_std` are those of each channel",
        over,
        whose,
    ]
    return (
        f"{', '.join(part for part in parts if part)}:\na diffusion model should see"
        f" `(z - mean) / std`. `config.scaling_factor` is {model.config.scaling_factor:.4g}."
    )


def _data(data: Mapping[str, Any], info: Mapping[str, Any]) -> str:
    if not data:
        return "Not recorded in the folder of the run."
    groups = data["groups"]
    seen = info.get("state", {}).get("counters", [])
    totals: dict[str, Counter[tuple[str, int]]] = {
        name: Counter() for name in ("samples", "training", "seen")
    }
    for number, group in enumerate(groups):
        place = (group["kind"], group["rung"])
        totals["samples"][place] += group["samples"]
        totals["training"][place] += group["training"]
        totals["seen"][place] += seen[number] if len(seen) == len(groups) else 0
    rows = [
        (kind, rung, *(f"{count[kind, rung]:,}" for count in totals.values()))
        for kind, rung in sorted(totals["samples"])
    ]
    table = _table(("kind", "rung, px", "in the corpus", "not held out", "seen in training"), rows)
    sources = [f"- {s['name']}: {s['type']} `{s['from']}`" for s in data.get("sources", [])]
    texts = [f"- texts, {k}: {', '.join(v)}" for k, v in data.get("texts", {}).items() if v]
    named = "\n".join(sources + texts) or "Its sources are not known here."
    return (
        f"A corpus with digest `{data['corpus_digest']}`. An image may be seen several times."
        f"\n\n{table}\n\n{named}"
    )


def _training(
    settings: Mapping[str, Any], phases: Sequence[Mapping[str, Any]], step: int | None, raw: bool
) -> str:
    weights = "weights of the last step" if raw else "weights averaged over steps"
    total = sum(phase["steps"] for phase in phases)
    if step is None:
        told = f"The {weights}."
    elif phases and step < total:
        told = f"**Training has not finished**: the {weights}, after {step:,} of {total:,} steps."
    else:
        told = f"The {weights}, after {step:,} steps."
    parts = [told]
    if phases:
        head = ("phase", "steps", "of", "samples asked for", "px", "kinds", "loss")
        parts.append(_table(head, _phases(settings, phases, step or 0)))
    values = [(f"`{name}`", settings[name]) for name in _SETTINGS if name in settings]
    if values:
        parts.append(_table(("setting", "value"), values))
    return "\n\n".join(parts)


def _phases(
    settings: Mapping[str, Any], phases: Sequence[Mapping[str, Any]], step: int
) -> Iterator[tuple[object, ...]]:
    for phase in phases:
        done = min(step, phase["steps"])
        step -= done
        loss = ["L1"]
        if settings.get("lpips_weights") and phase["lambda_lpips"]:
            loss.append(f"LPIPS x {_weight(phase['lambda_lpips'])}")
        if settings.get("dino") and phase["align"]["lambda"]:
            how = ", adaptive" if settings.get("align_weight") == "adaptive" else ""
            loss.append(f"alignment to DINOv2 x {_weight(phase['align']['lambda'])}{how}")
        weights = (
            ", ".join(f"{name} x {_weight(weight)}" for name, weight in phase[what].items())
            for what in ("rungs", "kinds")
        )
        samples = f"{phase['samples']:,}"
        yield phase["name"], f"{done:,}", f"{phase['steps']:,}", samples, *weights, ", ".join(loss)


def _licence(model: Any, info: Mapping[str, Any]) -> str:
    ours = type(model).__name__ == OURS
    return _START * ("start" in info) + _CODE * ours + _LICENCE


def _weight(weight: float | Sequence[float]) -> str:
    return " to ".join(f"{w:g}" for w in (weight if isinstance(weight, list) else [weight]))


def _parameters(parts: Iterable[nn.Module]) -> int:
    return sum(p.numel() for part in parts for p in part.parameters())


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
