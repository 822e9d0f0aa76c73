"""The settings of training, with their defaults: the tested run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from vae_corpus.settings import Settings
from vae_training.model import configs
from vae_training.model.adapters import ADAPTERS, OURS, TRAINED
from vae_training.model.configs import Skip
from vae_training.model.folder import class_of

Compiled = Literal["auto", "none", "fused", "levels"]

# Wide kernels of our models need less than narrow ones (docs/decisions.md); those of other classes
# go on as comparable autoencoders do.
_NEW_RATES = {"lr": 5e-4, "lr_fan_in": 108}
_INIT_RATES = {"lr": 1e-4, "lr_fan_in": 0}
_OWN_BATCHES = [f"{pixels:,} for {name}" for name, pixels in configs.SMALL_BATCH_PIXELS.items()]
_BATCHES = ", ".join([*_OWN_BATCHES, f"else {configs.BATCH_PIXELS:,}"])


# How weights are updated: told in a model's card, and when a resumed run has others.
UPDATE = ("lr", "lr_fan_in", "schedule", "warmup_steps", "weight_decay", "grad_clip", "ema_decay")


class TrainSettings(Settings):
    """Train an autoencoder on a corpus."""

    corpus: str = Field(description="folder or URL of a corpus with curriculum.json and shards/")
    cache: str = Field(
        "",
        description="folder of this machine for the index of the corpus, and for shards of one that"
        " is far away (default: ~/.cache/vae-corpus/training)",
    )
    cache_gb: float = Field(
        200,
        ge=0,
        description="largest size on each node of the shards of a remote corpus in --cache, in GB;"
        " 0: a request for every image",
    )
    model: str = Field("tiny", description=f"one of {', '.join(configs.CONFIGS)}")
    init: str | None = Field(
        None,
        description="start from this folder, as diffusers saved it, instead of a new --model:"
        f" {', '.join(TRAINED)}",
    )
    train: str = Field(
        "all",
        description="what learns: all, decoder, encoder, or last-N: the last N levels of the"
        " decoder, with its head",
    )
    out: str = Field(
        "", description="run folder; resumes what it holds (default: runs/MODEL or runs/FOLDER)"
    )
    steps: int | None = Field(
        None, ge=1, description="cap of optimisation steps, shared by the phases by their samples"
    )
    batch_pixels: int | None = Field(
        None, ge=1, description=f"pixels of a global batch (default: {_BATCHES})"
    )
    crop_px: int | None = Field(
        None,
        ge=1,
        description="side of the square cut from each image; none: as the phases have it",
    )
    batch_multiple: int = Field(
        0,
        ge=0,
        description="global batches are multiples of this; 0: of the ranks the run began with",
    )
    accumulate: int = Field(
        1, ge=1, description="parts that a rank's share of a batch goes through the model in"
    )
    lr: float = Field(
        _NEW_RATES["lr"],
        gt=0,
        description=f"learning rate; with --init {_INIT_RATES['lr']} unless it is given",
    )
    lr_fan_in: int = Field(
        int(_NEW_RATES["lr_fan_in"]),
        ge=0,
        description="kernels of more inputs (channels x 9) than this get less of lr in proportion,"
        " so that wide models stay alive at the lr of narrow ones; 0: all get lr, as with --init of"
        " other classes than ours unless it is given",
    )
    schedule: Literal["cosine", "constant"] = Field("cosine", description="cosine or constant")
    warmup_steps: int = Field(1000, ge=0, description="at most a tenth of the run")
    weight_decay: float = Field(0.01, ge=0, description="AdamW, on matrices and kernels only")
    grad_clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    nonfinite_steps: int = Field(
        10,
        ge=0,
        description="steps in a row that may be skipped because loss or gradient is NaN or"
        " infinite; one more ends the run",
    )
    ema_decay: float = Field(0.9999, ge=0, lt=1, description="of the averaged weights")
    encoder_skip: Skip | None = Field(None, description="replaces the model's own")
    decoder_skip: Skip | None = Field(None, description="replaces the model's own")
    sharding: Literal["ddp", "fsdp"] = Field(
        "ddp", description="over ranks: ddp, whole copies; fsdp, split weights (FSDP2)"
    )
    gradients: Literal["fp32", "bf16"] = Field(
        "fp32", description="what GPUs exchange gradients in: bf16 halves the traffic"
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto", description="of the model's products: bf16 or fp32; auto: bf16 on a GPU"
    )
    compile: Compiled = Field(
        "auto",
        description="none, fused (kernels in Triton) or levels (compiled, once per bucket); auto:"
        " fused on a GPU",
    )
    cudnn_benchmark: bool = Field(
        False,
        description="choose convolutions on a GPU by trial: some seconds per size of batch before"
        " the first step, 3 to 5 % faster at 1024 px and above",
    )
    subpixel_convolutions: bool = Field(
        False, description="up-sample by four 2x2 convolutions, same results"
    )
    recompute: bool = Field(False, description="recompute activations to save memory")
    recompute_levels: int | None = Field(
        None, ge=1, description="of so many levels only, from full resolution down; none: all"
    )
    lpips_weights: str | None = Field(
        "", description="VGG-16 weights file, where a phase has LPIPS; none: train without"
    )
    dino: str | None = Field(
        "", description="folder of a DINOv2 model, where a phase has alignment; none: train without"
    )
    dino_layer: int | None = Field(None, ge=1, description="layer to align with; none: the middle")
    align_weight: Literal["fixed", "adaptive"] = Field(
        "adaptive",
        description="adaptive: lambda_align times a ratio of gradient norms, so that at 1 it pulls"
        " as hard as the reconstruction; fixed: lambda_align",
    )
    align_weight_max: float = Field(1e4, gt=0, description="largest ratio where it is adaptive")
    shuffle_shards: int = Field(
        32, ge=1, description="shards of a kind and rung that samples are shuffled over at a time"
    )
    timeout_s: float = Field(
        600.0,
        gt=0,
        description="seconds that ranks wait for one that is dead, hangs or writes its part of a"
        " checkpoint",
    )
    start_timeout_s: float = Field(
        1800.0, gt=0, description="the same until the first step is done"
    )
    seed: int = Field(0, ge=0, description="of weights, order and crops")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto, cpu or cuda")
    workers: int = Field(2, ge=1, description="decoding threads per process")
    threads: int = Field(0, ge=0, description="threads of torch on the CPU; 0: its own choice")
    checkpoint_every: int = Field(1000, ge=1, description="steps between checkpoints")
    validate_every: int = Field(
        1000, ge=0, description="steps between validations with a grid; 0: at the end only"
    )
    keep_checkpoints: int = Field(2, ge=1, description="newest checkpoints to keep")
    validation_samples: int = Field(8, ge=1, description="held out per kind, at most a quarter")
    latent_samples: int = Field(
        4096, ge=1, description="crops of the last phase that latents_mean and _std are taken over"
    )
    skip_samples: int = Field(
        2048, ge=1, description="crops of the last phase that a new model's linear skips are fit to"
    )
    wandb: str | None = Field(None, description="project in Weights & Biases, beside TensorBoard")
    peak_tflops: float | None = Field(
        None, gt=0, description="of one device, for MFU (default: known for common GPUs)"
    )

    @property
    def encoder_learns(self) -> bool:
        return self.train in ("all", "encoder")

    @field_validator("model")
    @classmethod
    def _known_model(cls, name: str) -> str:
        if name:  # none with --init
            configs.config(name)
        return name

    @field_validator("lpips_weights", "dino", mode="before")
    @classmethod
    def _none_in_a_file(cls, path: Any) -> Any:
        """YAML has `none` as text; left out, a path is "", which is something else."""
        return None if path == "none" else path

    @field_validator("train")
    @classmethod
    def _known_part(cls, part: str) -> str:
        if not re.fullmatch(r"all|decoder|encoder|last-[1-9]\d*", part):
            raise ValueError("one of all, decoder, encoder, last-1, last-2, ...")
        return part

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_model(cls, values: dict[str, Any]) -> dict[str, Any]:
        model, init = values.get("model") or "tiny", values.get("init")
        if init:
            for name in ("model", "encoder_skip", "decoder_skip"):
                if values.get(name):
                    raise ValueError(f"--init says what the model is: leave --{name} out")
            rates = _INIT_RATES
            if class_of(str(init)) == OURS:
                rates = {**rates, "lr_fan_in": _NEW_RATES["lr_fan_in"]}
            values = {**rates, **values, "model": ""}
            model = Path(str(init)).resolve().name
        defaults = {
            "out": f"runs/{model}",
            "batch_pixels": configs.SMALL_BATCH_PIXELS.get(str(model), configs.BATCH_PIXELS),
        }
        return {**values, **{k: v for k, v in defaults.items() if values.get(k) in (None, "")}}

    @model_validator(mode="after")
    def _fit_together(self) -> TrainSettings:
        if self.dino and not self.encoder_learns:
            raise ValueError(
                f"--train {self.train} leaves the encoder as it is, and alignment teaches nothing"
                " else: leave --dino out, or --train all or encoder"
            )
        name = class_of(self.init) if self.init else OURS
        if name not in TRAINED:
            raise ValueError(
                f"--init: {self.init} holds a {name}, which is for evaluation only:"
                f" {ADAPTERS[name].only_evaluated}; give one of {', '.join(TRAINED)}"
            )
        ours = {
            "subpixel_convolutions": self.subpixel_convolutions,
            "recompute_levels": self.recompute_levels,
            "compile fused": self.compile == "fused",
        }
        for setting, asked in ours.items():
            if asked and name != OURS:
                raise ValueError(f"--{setting} is not for {name}, but for {OURS}: leave it out")
        if self.recompute and not ADAPTERS[name].recompute:
            able = ", ".join(name for name, adapter in ADAPTERS.items() if adapter.recompute)
            raise ValueError(f"--recompute is not for {name}, but for {able}: leave it out")
        return self
