"""Are the fused kernels the same computation? Errors against float64, beside those of torch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vae_training.fused import fuse
from vae_training.model.blocks import ResidualBlock, Up

# Convolutions of a block run in TF32 on a GPU.
_ALLOWED = {"cpu": {"float32": 1e-4, "bfloat16": 2e-2}, "cuda": {"float32": 5e-3, "bfloat16": 2e-2}}
_WIDTHS = ((96, 96), (96, 144))


def check(device: str) -> dict[str, float]:
    """Errors of blocks and up-sampling by precision and gradient; ValueError where one is large."""
    told: dict[str, float] = {}
    for name, allowed in _ALLOWED[device].items():
        for part, error in errors(device, getattr(torch, name)).items():
            told[f"{name} {part}"] = float(f"{error:.3g}")
            if error > allowed:
                raise ValueError(f"{name} {part} is off by {error}, more than {allowed}: not equal")
    return told


def errors(device: str, dtype: torch.dtype, side: int = 24) -> dict[str, float]:
    """Largest ||a - b|| / ||b|| of parts and their gradients against float64: fused and torch's."""
    worst: dict[str, float] = {}
    for width_in, width in _WIDTHS:
        parts: dict[str, Callable[[], nn.Module]] = {
            "block": lambda i=width_in, o=width: ResidualBlock(i, o),
            "up": lambda i=width_in: Up(i, local_skip=True),
        }
        for part, make in parts.items():
            torch.manual_seed(width)
            plain = make().to(device)
            for weight in plain.parameters():  # norms and biases that matter
                weight.data.add_(0.2 * torch.randn_like(weight) * (weight.ndim == 1))
            plain.to(memory_format=torch.channels_last)
            fused, true = _copy(plain, make), _copy(plain, make).double()
            fuse(fused)
            x = torch.randn(2, width_in, side, side + 3, device=device)
            wide = x if part == "block" else x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            g = torch.randn(2, width if part == "block" else width_in, *wide.shape[2:])
            g = g.to(device)
            wanted = _results(true, x.double(), g.double(), torch.float64)
            for name, module in (("fused", fused), ("torch", plain)):
                found = _results(module, x, g, dtype)
                for value, error in relative_errors(found, wanted).items():
                    key = f"{name} {part} {value}"
                    worst[key] = max(worst.get(key, 0.0), error)
    return worst


def relative_errors(found: dict[str, Tensor], true: dict[str, Tensor]) -> dict[str, float]:
    """||a - b|| / ||b|| by name."""
    errors = {}
    for name, wanted in true.items():
        b = wanted.detach().double()
        error = float((found[name].detach().double() - b).norm() / b.norm())
        # A NaN compares as false with everything: it must not look like no error.
        errors[name] = error if error == error else float("inf")
    return errors


def pass_through(
    function: Callable[[Tensor, Tensor], Tensor], channels: int, rows_px: int, device: str
) -> Callable[[], object]:
    """A job that runs `function` in bf16 on a square of `rows_px`, forward and backward."""
    dtype = torch.bfloat16
    x = torch.randn(1, channels, rows_px, rows_px, device=device, dtype=dtype)
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    g = torch.randn_like(x)
    weight = torch.ones(channels, device=device).requires_grad_()
    return lambda: torch.autograd.grad(function(x, weight), (x, weight), g)


def _copy(part: nn.Module, make: Callable[[], nn.Module]) -> nn.Module:
    other = make().to(next(part.parameters()).device)
    other.load_state_dict(part.state_dict())
    return other.to(memory_format=torch.channels_last)


def _results(part: nn.Module, x: Tensor, g: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
    x = x.to(dtype, memory_format=torch.channels_last).requires_grad_()
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        out = part(x)
    named = dict(part.named_parameters())
    gradients = torch.autograd.grad(out, [x, *named.values()], g.to(out.dtype))
    return {"out": out, **dict(zip(["grad_x", *named], gradients, strict=True))}
