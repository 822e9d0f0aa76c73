"""What a training step does on the device: gradients of a batch, then new weights and averages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

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
        prepare(ranks.device, cudnn_benchmark=settings.cudnn_benchmark)
        self._sharded = settings.sharding == "fsdp"
        # FSDP2 takes contiguous weights only; activations are channels last all the same.
        layout = torch.contiguous_format if self._sharded else memory_layout(objective)
        objective.to(ranks.device, memory_format=layout)  # type: ignore[call-overload]
        for frozen in objective.frozen():
            frozen.to(ranks.device)
        compile_model(objective, settings.compile, ranks.device)
        if self._sharded:
            shard(
                objective,
                ranks,
                half_precision=self.half_precision,
                gradients=settings.gradients,
            )
        self.ema = Ema(objective.autoencoder, settings.ema_decay)
        self.optimizer = make_optimizer(objective, settings)
        self._wrapped: nn.Module = objective

    def start(self) -> None:
        """Let ranks share gradients from here on, and train."""
        if not self._sharded:
            parts, gradients = self._settings.accumulate, self._settings.gradients
            self._wrapped = replicate(self.objective, self._ranks, parts=parts, gradients=gradients)
        self._wrapped.train()

    def gradients(self, x: Tensor, weights: LossWeights, draw: int) -> tuple[list[str], Tensor]:
        """Names of the scalars of a step, and float64 values: these, then one error per image.

        Images, weights and `draw` are those of `Objective`; `grad_norm` is told before gradients
        are clipped. The batch goes through in `accumulate` parts, as many as it has images at
        most. Scalars are means over its images, and so are gradients, except that an adaptive
        weight is that of a part on all ranks. Nothing here waits for the device.
        """
        terms: dict[str, Tensor] = {}
        errors: list[Tensor] = []
        parts = x.tensor_split(min(self._settings.accumulate, len(x)))
        for number, part in enumerate(parts, start=1):
            share = len(part) / len(x)
            with self._summed_over_ranks(number == len(parts)):
                with torch.autocast(
                    x.device.type, dtype=torch.bfloat16, enabled=self.half_precision
                ):
                    found = self._wrapped(part, weights, draw)
                (share * found["loss"]).backward()
            errors.append(found.pop("squared_error"))
            for name, value in found.items():
                term = share * value.detach()
                terms[name] = terms[name] + term if name in terms else term
        norm = nn.utils.clip_grad_norm_(self.objective.trained(), self._settings.grad_clip)
        terms["grad_norm"] = norm.full_tensor() if isinstance(norm, DTensor) else norm
        values = torch.stack([v.detach() for v in terms.values()]).double()
        return list(terms), torch.cat([values, *errors])

    @contextmanager
    def _summed_over_ranks(self, now: bool) -> Iterator[None]:
        """Whether the gradients of what runs inside are shared, with those kept before them."""
        if isinstance(self._wrapped, FSDPModule):
            self._wrapped.set_requires_gradient_sync(now)
        if isinstance(self._wrapped, DistributedDataParallel) and not now:
            with self._wrapped.no_sync():
                yield
        else:
            yield

    def apply(self, step: int) -> None:
        """Take optimizer step `step`, counted from 0."""
        self.optimizer.step()
        self.discard()
        self.ema.update(self.objective.autoencoder, step)

    def discard(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none=True)
