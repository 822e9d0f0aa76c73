"""What a training step does on the device: gradients of a batch, then new weights and averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from vae_corpus.curriculum import LossWeights
from vae_training.compilation import compile_model, memory_layout, prepare
from vae_training.distributed import Ranks, replicate, shard
from vae_training.losses.objective import Objective
from vae_training.optimizer import make_optimizer
from vae_training.state.ema import Ema

if TYPE_CHECKING:  # settings need pydantic, which is not where the GPU benchmark runs
    from vae_training.config import TrainSettings


class Update:
    """`objective`, its `optimizer` and its averages `ema`, on the device of `ranks`.

    After weights have been loaded into it, `start` is called once.
    """

    def __init__(self, objective: Objective, settings: TrainSettings, ranks: Ranks) -> None:
        self.objective, self._settings, self._ranks = objective, settings, ranks
        on_gpu = ranks.device.type == "cuda"
        self.half_precision = settings.precision == "bf16" or (
            settings.precision == "auto" and on_gpu
        )
        prepare(ranks.device)
        self._sharded = settings.sharding == "fsdp"
        # FSDP2 takes contiguous weights only; activations are channels last all the same.
        layout = torch.contiguous_format if self._sharded else memory_layout(objective)
        objective.to(ranks.device, memory_format=layout)
        for frozen in objective.frozen():
            frozen.to(ranks.device)
        compile_model(objective, settings.compile, ranks.device)
        if self._sharded:
            shard(objective, ranks, half_precision=self.half_precision)
        self.ema = Ema(objective.autoencoder, settings.ema_decay)
        self.optimizer = make_optimizer(objective, settings)
        self._wrapped: nn.Module = objective

    def start(self) -> None:
        """Let ranks share gradients from here on, and train."""
        if not self._sharded:
            self._wrapped = replicate(self.objective, self._ranks)
        self._wrapped.train()

    def gradients(self, x: Tensor, weights: LossWeights, draw: int) -> tuple[list[str], Tensor]:
        """Names of the scalars of a step, and float64 values: these, then one error per image.

        Images, weights and `draw` are those of `Objective`; `grad_norm` is told before gradients
        are clipped. Nothing here waits for the device.
        """
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self.half_precision):
            terms: dict[str, Tensor] = self._wrapped(x, weights, draw)
        errors = terms.pop("squared_error")
        terms["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self.objective.trained(), self._settings.grad_clip)
        terms["grad_norm"] = norm.full_tensor() if isinstance(norm, DTensor) else norm
        values = torch.stack([v.detach() for v in terms.values()]).double()
        return list(terms), torch.cat([values, errors])

    def apply(self, step: int) -> None:
        """Take optimizer step `step`, counted from 0."""
        self.optimizer.step()
        self.discard()
        self.ema.update(self.objective.autoencoder, step)

    def discard(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none=True)
