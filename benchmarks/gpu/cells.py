"""The measurements themselves; each function takes a cell and gives what goes into the file."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from benchmarks.gpu import equality, judges, profiling
from benchmarks.gpu.plan import Cell, Setup
from benchmarks.gpu.trainer_step import trainer_step, waits
from benchmarks.gpu.variants import norm_silu_plain, use_norm, widen_rgb
from vae_corpus.curriculum import LossWeights
from vae_training.losses.alignment import Projector, margin_cosine, margin_distance
from vae_training.losses.objective import Objective
from vae_training.losses.window import window
from vae_training.model import Autoencoder, build, config
from vae_training.model import blocks as parts
from vae_training.model.cost import cost
from vae_training.state.ema import Ema

PEAK_FLOPS = 790e12  # dense bf16, as measured
_COUNTED_PX = 256
_SHAPES = 64
_MANY_PX = 32 * 256**2
_CLIP = 1.0
_HOT_S = 0.3  # of matrix products, repeated
# Channels and sides: large enough that launches do not count.
_WIDTHS = ((96, 1024), (144, 1024), (288, 1024), (576, 512), (1152, 512))


class Bench:
    """Runs cells on one device; a small one stands for the whole where there is no GPU."""

    def __init__(self, device: str, *, warmup: int, repeats: int, backend: str) -> None:
        self.device, self.gpu = device, device == "cuda"
        self.backend = backend
        self._turns = (warmup, repeats)
        self.warmup, self.repeats = warmup, repeats
        self._clocks: dict[str, float] = {}

    def run(self, cell: Cell, setup: Setup) -> dict[str, Any]:
        """Measure a cell with its switches set anew, and compiled code forgotten."""
        torch.compiler.reset()
        torch._functorch.config.donated_buffer = True
        torch._dynamo.config.recompile_limit = _SHAPES
        torch.backends.cudnn.benchmark = setup.cudnn_benchmark
        torch.backends.cuda.matmul.allow_tf32 = setup.tf32
        torch.manual_seed(0)
        self.warmup, self.repeats = self._turns
        if cell.px**2 * cell.batch > _MANY_PX:  # seconds a step
            self.warmup, self.repeats = min(1, self.warmup), min(3, self.repeats)
        measure: Callable[[Cell, Setup], dict[str, Any]] = getattr(self, cell.kind)
        return measure(cell, setup)

    def train(self, cell: Cell, setup: Setup) -> dict[str, Any]:
        """Seconds of a training step, and of the first, which compiles; memory; MFU."""
        found: dict[str, Any] = {"batch": cell.batch}
        if setup.norm == "fused":
            found["errors"] = equality.check(self.device)
        alone = _group_of_one("nccl" if self.gpu else "gloo") if setup.ddp else nullcontext()
        with alone:
            if cell.kind == "trainer":
                step = trainer_step(self._model(cell, Setup()), cell, setup, self.device)
            else:
                step = self._step(cell, setup)
            first, found["first_step_s"] = self._first(step)
            found |= {name: float(f"{value:.6g}") for name, value in first.items()}
            if self.gpu and cell.kind == "trainer":
                found["waits"] = waits(step)
            found["step_s"] = self._median(step)
        found["images_per_s"] = cell.batch / found["step_s"]
        if self.gpu:
            flops = _train_flops_per_px(cell.model) * cell.px**2 * cell.batch
            found["mfu"] = flops / found["step_s"] / PEAK_FLOPS
            found["peak_gib"] = self._peak()
            found |= self._clocks
        return found

    trainer = train

    def busy(self, cell: Cell, setup: Setup) -> dict[str, Any]:
        """How much of the time kernels run while nothing else is recorded, and which ones."""
        step = self._warm(cell, setup, 2 * self.warmup)
        return profiling.busy(step, gpu=self.gpu, steps=self.repeats)

    def kernels(self, cell: Cell, setup: Setup) -> dict[str, Any]:
        """Norm and SiLU alone, forward and backward in ms, by width: compiled, and fused."""
        from vae_training.fused import norm_silu

        found: dict[str, Any] = {}
        for channels, side in _WIDTHS if self.gpu else ():
            rows: dict[str, float] = {}
            compiled = torch.compile(norm_silu_plain, dynamic=False, backend=self.backend)
            for name, way in {"compiled": compiled, "fused": norm_silu}.items():
                job = equality.pass_through(way, channels, side, self.device)
                job()
                rows[name] = round(self._median(job) * 1e3, 4)
            # x and out forward; x, the gradient and that of x backward; two bytes each.
            rows["a copy of as many bytes"] = round(5 * 2 * channels * side**2 / 3e12 * 1e3, 4)
            found[f"{channels} channels, {side} px"] = rows
        return found

    def profile(self, cell: Cell, setup: Setup) -> dict[str, Any]:
        """The kernels that take most of a step, and the operators with their shapes."""
        return profiling.profile(self._warm(cell, setup, self.warmup), gpu=self.gpu)

    def infer(self, cell: Cell, setup: Setup) -> dict[str, Any]:
        """Images per second to encode and to decode, everything in bf16, and their peaks."""
        model = self._model(cell, setup).eval().requires_grad_(False)
        model.to(torch.bfloat16, memory_format=torch.channels_last)
        f, channels = model.config.f, model.config.latent_channels
        image = self._image(cell).to(torch.bfloat16, memory_format=torch.channels_last)
        z = torch.randn(cell.batch, channels, cell.px // f, cell.px // f, device=self.device)
        z = z.to(torch.bfloat16, memory_format=torch.channels_last)
        found: dict[str, Any] = {"batch": cell.batch}
        jobs: dict[str, Callable[[], Tensor]] = {
            "encode": lambda: model.encode(image).latent_dist.mode(),
            "decode": lambda: model.decode(z).sample,
        }
        for name, job in jobs.items():
            try:
                with torch.inference_mode():
                    job()
                    found[f"{name}_images_per_s"] = cell.batch / self._median(job)
                found[f"{name}_peak_gib"] = self._peak()
            except torch.cuda.OutOfMemoryError:
                found[f"{name}_images_per_s"] = "out of memory"
                torch.cuda.empty_cache()
        return found

    def terms(self, cell: Cell, setup: Setup) -> dict[str, Any]:
        """Each term of the loss alone, forward and backward: seconds, and memory on top."""
        f, channels = _latent(cell.model)
        if setup.window:
            rows, _ = window(cell.px, cell.px, f, 0)
            cell = dataclasses.replace(cell, px=rows.stop - rows.start)
        layout = torch.channels_last if setup.channels_last else torch.contiguous_format
        x = self._image(cell).to(memory_format=layout)
        image = self._image(cell).to(memory_format=layout).requires_grad_()
        z = torch.randn(cell.batch, channels, cell.px // f, cell.px // f, device=self.device)
        z.requires_grad_()

        def aligned() -> Callable[[], Tensor]:
            features = judges.features(setup, self.device)
            projector = Projector(channels, features.width).to(self.device)

            def term() -> Tensor:
                seen, mapped = features(x, (z.shape[2], z.shape[3])), projector(z)
                return margin_cosine(mapped, seen, 0.0) + margin_distance(mapped, seen, 0.0)

            return term

        def perceptual() -> Callable[[], Tensor]:
            lpips = judges.lpips(setup, self.device).to(memory_format=layout)
            return lambda: cast(Tensor, lpips(image, x))

        found: dict[str, Any] = {"batch": cell.batch}
        makers = {"l1": lambda: lambda: F.l1_loss(image, x), "lpips": perceptual, "align": aligned}
        for name, make in makers.items():
            try:
                term = make()
                before = torch.cuda.memory_allocated() if self.gpu else 0
                run = functools.partial(_backward, term, [image, z])
                run()
                found[f"{name}_s"] = self._median(run)
                if self.gpu:
                    found[f"{name}_gib"] = self._peak() - before / 2**30
                del term, run
            except torch.cuda.OutOfMemoryError:
                found[f"{name}_s"] = "out of memory"
                image.grad = z.grad = None
            except ImportError as error:
                found[f"{name}_s"] = f"failed: {error}"
            if self.gpu:
                torch.cuda.empty_cache()
        return found

    def ceilings(self, cell: Cell, setup: Setup) -> dict[str, Any]:
        """What this card can do at most: a large matrix product in bf16, and a copy."""
        side = 8192 if self.gpu else 256
        a, b = (torch.randn(side, side, device=self.device).bfloat16() for _ in range(2))
        large = torch.randn(side, 16 * side, device=self.device)
        copy = torch.empty_like(large)
        a @ b, copy.copy_(large)
        product, moved = self._median(lambda: a @ b), self._median(lambda: copy.copy_(large))
        many = max(1, int(_HOT_S / product))
        out = torch.empty_like(a)

        def hot() -> None:  # steps follow each other: then power is scarce, and the clock falls
            for _ in range(many):
                torch.mm(a, b, out=out)

        long = self._median(hot)
        return {
            "tflops": 2 * side**3 / product / 1e12,
            "tflops_hot": 2 * side**3 * many / long / 1e12,
            **self._clocks,
            "copy_tb_per_s": 2 * large.nbytes / moved / 1e12,
        }

    def _step(self, cell: Cell, setup: Setup) -> Callable[[], dict[str, Tensor]]:
        """A closure that does one training step as the trainer does it, and gives its terms."""
        torch.manual_seed(0)
        model = self._model(cell, setup).train()
        lpips = judges.lpips(setup, self.device) if setup.full_loss else None
        features = judges.features(setup, self.device) if setup.full_loss else None
        adaptive = judges.LARGEST_WEIGHT if setup.full_loss and setup.adaptive else None
        objective = Objective(model, lpips, features, adaptive=adaptive).to(self.device)
        if setup.channels_last:
            objective.to(memory_format=torch.channels_last)
        model.recompute_activations(setup.recompute, setup.recompute_levels)
        self._compile(objective, setup)
        trained = objective.trained()
        graphed = setup.graph and self.gpu
        optimizer = torch.optim.AdamW(trained, lr=1e-5, fused=self.gpu, capturable=graphed)
        ema = Ema(model, 0.999) if setup.extras else None
        wrapped = self._replicate(objective, setup)
        weights = LossWeights(lpips=1.0, align=0.5) if setup.full_loss else LossWeights()
        torch.manual_seed(1)  # the same image whatever was drawn before: losses can be compared
        x = self._image(cell)
        if setup.channels_last:
            x = x.to(memory_format=torch.channels_last)

        def step() -> dict[str, Tensor]:
            with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.gpu):
                terms: dict[str, Tensor] = wrapped(x, weights)
            terms["loss"].backward()
            seen = {name: v.detach() for name, v in terms.items() if v.ndim == 0}
            if ema:
                seen["grad_norm"] = nn.utils.clip_grad_norm_(trained, _CLIP)
                torch.stack(list(seen.values())).tolist()  # the trainer's one look at the device
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if ema:
                ema.update(model, 10**6)
            return seen

        return profiling.recorded(step) if graphed else step

    def _warm(self, cell: Cell, setup: Setup, steps: int) -> Callable[[], object]:
        step = self._step(cell, setup)
        for _ in range(1 + steps):
            step()
        self._wait()
        return step

    def _model(self, cell: Cell, setup: Setup) -> Autoencoder:
        """Weights are drawn on the device, none is zero: products with zeros run faster."""
        with torch.device("meta"):
            model = build(cell.model)
        model.to_empty(device=self.device)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if weight.ndim > 1:
                    nn.init.kaiming_normal_(weight, nonlinearity="linear")
                else:
                    weight.fill_(1.0 if "norm" in name else 0.01)
        model.use_subpixel_convolutions(setup.phases)
        if setup.norm == "compiled":
            use_norm(model, torch.compile(norm_silu_plain, dynamic=False, backend=self.backend))
        elif setup.norm == "fused":
            from vae_training.fused import fuse

            fuse(model)
        if setup.wide_rgb:
            widen_rgb(model, inputs=setup.wide_rgb == "in")
        return model

    def _compile(self, objective: Objective, setup: Setup) -> None:
        model = objective.autoencoder
        blocks = (parts.ResidualBlock, parts.Up, parts.Down)
        chosen: dict[str, list[nn.Module]] = {
            "": [],
            "halves": [model.encoder, model.decoder],
            "levels": objective.adapter.all_levels(model),
            # Those of one shape share their code.
            "blocks": [m for m in model.modules() if isinstance(m, blocks)],
        }
        for module in chosen[setup.compiled]:
            module.compile(dynamic=False, backend=self.backend)

    def _replicate(self, objective: Objective, setup: Setup) -> nn.Module:
        if not setup.ddp:
            return objective
        from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

        wrapped = nn.parallel.DistributedDataParallel(
            objective,
            device_ids=[0] if self.gpu else None,
            gradient_as_bucket_view=True,
            static_graph=setup.ddp == "static",
        )
        if setup.ddp == "static" and self.gpu:  # the hook wants NCCL
            wrapped.register_comm_hook(None, bf16_compress_hook)
        return wrapped

    def _image(self, cell: Cell) -> Tensor:
        return torch.rand(cell.batch, 3, cell.px, cell.px, device=self.device) * 2 - 1

    def _first(self, step: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, float], float]:
        began = time.perf_counter()
        terms = step()
        self._wait()
        return {name: float(v) for name, v in terms.items()}, time.perf_counter() - began

    def _median(self, job: Callable[[], object]) -> float:
        """Seconds of `job`, which has run once; the peak of memory counts from here."""
        for _ in range(self.warmup):
            job()
        self._wait()
        if not self.gpu:
            times = []
            for _ in range(self.repeats):
                began = time.perf_counter()
                job()
                times.append(time.perf_counter() - began)
            return statistics.median(times)
        torch.cuda.reset_peak_memory_stats()
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(self.repeats + 1)]
        marks[0].record()
        for mark in marks[1:]:
            job()
            mark.record()
        self._clocks = _clocks()  # while the last jobs run
        torch.cuda.synchronize()
        pairs = zip(marks, marks[1:], strict=False)
        return statistics.median(a.elapsed_time(b) / 1e3 for a, b in pairs)

    def _peak(self) -> float:
        return torch.cuda.max_memory_allocated() / 2**30 if self.gpu else 0.0

    def _wait(self) -> None:
        if self.gpu:
            torch.cuda.synchronize()


@contextlib.contextmanager
def _group_of_one(backend: str) -> Iterator[None]:
    """A process group without a network; it ends whatever happens in it."""
    store = distributed.HashStore()
    distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _clocks() -> dict[str, float]:
    """Clock of the multiprocessors and power of the card, where they can be read."""
    try:
        return {"sm_mhz": torch.cuda.clock_rate(), "watts": torch.cuda.power_draw() / 1e3}
    except Exception:  # no library of the driver's: the times tell all the same
        return {}


def _latent(name: str) -> tuple[int, int]:
    """f and the channels of the latent."""
    return config(name).f, config(name).latent_channels


@functools.cache
def _train_flops_per_px(name: str) -> float:
    return cost(name, _COUNTED_PX).train_flops / _COUNTED_PX**2


def _backward(term: Callable[[], Tensor], leaves: list[Tensor]) -> None:
    term().backward()
    for leaf in leaves:
        leaf.grad = None
