"""What is measured, the most telling first: cells, each a change to what was kept before it.

A change that makes the step faster is kept for the cells after it in its group; other groups start
from what the first one kept, or from the best of it that needs no compiler.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_PX_IN_BATCH = 16 * 256**2
_COMPILING_S = 60  # a first step that compiles, beside _CELL_S; what is left of the budget decides
_CELL_S = 20


@dataclass(frozen=True, kw_only=True)
class Setup:
    """How the model runs. `compiled` is "", "blocks", "levels" or "halves"; `norm` "torch",
    "compiled" with SiLU in one pass, or "fused", the trainer's kernels for blocks and up-sampling;
    `ddp` "", "plain" or "static", that is with a static graph and gradients sent in bf16. Judges
    are LPIPS and DINOv2, which runs in bf16 anyway; `tf32` is for matrix products, torch has it for
    convolutions anyway. `wide_rgb` pads three channels to eight, of what comes "out", or goes "in"
    too; `graph` replays a step that was recorded once. `window` lets judges see 512 px of a side.
    The trainer takes losses and recomputation only."""

    channels_last: bool = False
    cudnn_benchmark: bool = False
    phases: bool = False
    norm: str = "torch"
    compiled: str = ""
    full_loss: bool = False
    tf32: bool = False
    half_judges: bool = False
    short_dino: bool = False
    adaptive: bool = True
    wide_rgb: str = ""
    graph: bool = False
    window: bool = False
    extras: bool = False
    recompute: bool = False
    recompute_levels: int | None = None
    ddp: str = ""

    @property
    def eager(self) -> bool:
        return not self.compiled and self.norm != "compiled"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measurement. `kind` names a function of `benchmarks.gpu.cells`."""

    group: str
    step: str
    kind: str = "train"
    model: str = ""
    px: int = 0
    batch: int = 0
    change: dict[str, Any] = field(default_factory=dict)
    # What is changed: the "plain" set-up, what was "kept", or the best "eager" one, not compiled.
    base: str = "kept"
    keep: bool = False  # when it is faster

    def needs_s(self, setup: Setup) -> int:
        """Seconds to have left, so that it is worth to begin."""
        return _CELL_S + (0 if setup.eager else _COMPILING_S)


_STEPS: dict[str, dict[str, Any]] = {
    "plain": {},
    "channels_last": {"channels_last": True},
    "cudnn.benchmark": {"cudnn_benchmark": True},
    "phases": {"phases": True},
    "norm + SiLU compiled": {"norm": "compiled"},
    "blocks fused in Triton": {"norm": "fused"},
    "colours out in 8 channels": {"wide_rgb": "out"},
    "colours in and out in 8": {"wide_rgb": "in"},
    "replayed as one graph": {"graph": True},
    "compiled blocks": {"norm": "torch", "compiled": "blocks"},
    "compiled levels": {"norm": "torch", "compiled": "levels"},
    "compiled halves": {"norm": "torch", "compiled": "halves"},
}
_FULL_LOSS: dict[str, dict[str, Any]] = {
    "as torch has it": {},
    "TF32 matrix products": {"tf32": True},
    "judges in bf16": {"half_judges": True},
    "DINOv2 cut behind its layer": {"short_dino": True},
}
_TRAINER: dict[str, dict[str, Any]] = {
    "L1": {},
    "full loss": {"full_loss": True, "adaptive": False},
    "full loss, adaptive": {"full_loss": True},
}
_TERMS: dict[str, dict[str, Any]] = {
    "as torch has it": {},
    "TF32": {"tf32": True},
    "TF32, DINOv2 cut": {"tf32": True, "short_dino": True},
    "TF32, DINOv2 cut, in a window": {"tf32": True, "short_dino": True, "window": True},
    "the same, channels_last": {
        "tf32": True,
        "short_dino": True,
        "window": True,
        "channels_last": True,
    },
    "the same, LPIPS in bf16": {
        "tf32": True,
        "short_dino": True,
        "window": True,
        "half_judges": True,
    },
}
_AS_TRAINER: dict[str, dict[str, Any]] = {
    "alone": {},
    "clipped, averaged, looked at": {"extras": True},
    "DDP of one": {"ddp": "plain"},
    "DDP of one, static, bf16 hook": {"ddp": "static"},
}
EAGER, KEPT = "not compiled", "all that was kept"


def plan(models: Sequence[str], sides_px: Sequence[int], batch: int | None) -> Iterator[Cell]:
    """All cells for models and resolutions, of which the first ones are looked into."""
    first, small = models[0], sides_px[0]

    def of(model: str, px: int) -> dict[str, Any]:
        return {"model": model, "px": px, "batch": batch or max(1, _PX_IN_BATCH // px**2)}

    def spared(px: int) -> dict[str, Any]:  # the finest resolution keeps the inputs of levels only
        return {"recompute": px == sides_px[-1] and px > small}

    def higher(model: str, px: int) -> Iterator[Cell]:
        group, plain = f"{model} {px} px", {**spared(px), "channels_last": True}
        yield Cell(group=group, step="channels_last", base="plain", change=plain, **of(model, px))
        yield Cell(group=group, step=EAGER, base="eager", change=spared(px), **of(model, px))

    here, group = of(first, small), f"{first} {small} px"
    yield Cell(group="ceilings", step="matrix product and copy", kind="ceilings")
    yield Cell(group="ceilings", step="norm and SiLU alone", kind="kernels", base="plain")
    for step, change in _STEPS.items():
        yield Cell(group=group, step=step, change=change, keep=True, **here)
    for base, step in (
        ("eager", "profile of the best not compiled"),
        ("kept", "profile of the best"),
    ):
        yield Cell(group=group, step=step, kind="profile", base=base, **here)
    yield Cell(group=group, step="busy with the best", kind="busy", **here)
    for model in models[1:]:
        named = {"group": f"{model} {small} px, looked into", **of(model, small)}
        yield Cell(step="best", **named)
        yield Cell(step="profile of the best", kind="profile", **named)
        yield Cell(step="busy with the best", kind="busy", **named)
        for times in (2, 4):
            yield Cell(step=f"{times} x the batch", **{**named, "batch": times * named["batch"]})
    for px, model in itertools.product(sides_px, models):
        for step, change in _TRAINER.items():
            yield Cell(
                group=f"{model} {px} px, the trainer itself",
                step=step,
                kind="trainer",
                base="plain",
                change={**change, **spared(px)},
                **of(model, px),
            )
    for step, change in _FULL_LOSS.items():
        change = {**change, "full_loss": True}
        of_loss = f"{group}, full loss"
        yield Cell(group=of_loss, step=step, base="eager", change=change, keep=True, **here)
    for model in models[1:]:
        yield from higher(model, small)
    for px in sides_px:
        for model in models:
            step = f"{model} {px} px"
            yield Cell(
                group="inference in bf16", step=step, kind="infer", base="eager", **of(model, px)
            )
    for px in sides_px[1:]:
        yield from higher(first, px)
    for px in sides_px:
        for step, change in _TERMS.items():
            named = {**of(first, px), "step": f"{px} px, {step}", "change": change}
            yield Cell(group="terms of the loss alone", kind="terms", base="plain", **named)
    for step, change in _AS_TRAINER.items():
        yield Cell(group=f"{group}, as the trainer", step=step, base="eager", change=change, **here)
    everything = {"full_loss": True, "tf32": True, "half_judges": True, "short_dino": True}
    yield Cell(group=f"{group}, full loss", step=KEPT, change=everything, **here)
    for model, px in [(m, small) for m in models[1:]] + [(first, px) for px in sides_px[1:]]:
        yield Cell(group=f"{model} {px} px", step=KEPT, change=spared(px), **of(model, px))
    yield Cell(group=group, step="twice the batch", **{**here, "batch": 2 * here["batch"]})
    for levels in (1, 2):
        change = {**spared(sides_px[-1]), "recompute_levels": levels}
        step = f"recomputing {levels} levels only"
        yield Cell(
            group=f"{first} {sides_px[-1]} px", step=step, change=change, **of(first, sides_px[-1])
        )
    again = {"phases": True}
    yield Cell(group=group, step="phases after all", change=again, **here)
    for model, px in [(m, px) for px in sides_px[1:] for m in models[1:]]:
        yield from higher(model, px)
