"""RMS norm and SiLU in one pass, forward and backward, as Triton kernels for channels_last memory.

    y = x / rms(x) * w,   out = y * sigmoid(y)

Kept for the backward pass are x and one number per position; torch keeps x, y and more. torch's own
norm gives each position to a thread block, and a position here has 96 to 1,152 channels only.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from vae_training.model.blocks import RmsNorm

_EPSILON = 1e-6
_TILE = 4096  # values that a program holds
_PROGRAMS = 1024  # of the backward pass: each sums its share of the weight's gradient


@triton.jit
def _forward(x_ptr, w_ptr, out_ptr, scale_ptr, rows, C, EPS: tl.constexpr, R: tl.constexpr, B: tl.constexpr):  # noqa: E501, N803  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    channel = tl.arange(0, B)
    inside = (row < rows)[:, None] & (channel < C)[None, :]
    at = row[:, None] * C + channel[None, :]
    x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(w_ptr + channel, mask=channel < C, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(x * x, axis=1) / C + EPS)
    y = x * scale[:, None] * w[None, :]
    out = y * tl.sigmoid(y)
    tl.store(out_ptr + at, out.to(out_ptr.dtype.element_ty), mask=inside)
    tl.store(scale_ptr + row, scale, mask=row < rows)


@triton.jit
def _backward(x_ptr, w_ptr, scale_ptr, g_ptr, gx_ptr, gw_ptr, rows, C, TURNS: tl.constexpr, R: tl.constexpr, B: tl.constexpr):  # noqa: E501, N803  # fmt: skip
    program, programs = tl.program_id(0), tl.num_programs(0)
    channel = tl.arange(0, B)
    w = tl.load(w_ptr + channel, mask=channel < C, other=0.0).to(tl.float32)
    gw = tl.zeros([B], dtype=tl.float32)
    for turn in range(TURNS):
        row = (turn * programs + program).to(tl.int64) * R + tl.arange(0, R)
        inside = (row < rows)[:, None] & (channel < C)[None, :]
        at = row[:, None] * C + channel[None, :]
        x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
        g = tl.load(g_ptr + at, mask=inside, other=0.0).to(tl.float32)
        scale = tl.load(scale_ptr + row, mask=row < rows, other=0.0)
        unit = x * scale[:, None]
        y = unit * w[None, :]
        s = tl.sigmoid(y)
        gy = g * s * (1.0 + y * (1.0 - s))
        gw += tl.sum(gy * unit, axis=0)
        gunit = gy * w[None, :]
        along = tl.sum(gunit * unit, axis=1) / C
        gx = scale[:, None] * (gunit - unit * along[:, None])
        tl.store(gx_ptr + at, gx.to(gx_ptr.dtype.element_ty), mask=inside)
    tl.store(gw_ptr + program * C + channel, gw, mask=channel < C)


class _NormSilu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        rows, channels = x.shape
        block = triton.next_power_of_2(channels)
        tall = max(1, _TILE // block)
        out = torch.empty_like(x)
        scale = torch.empty(rows, device=x.device, dtype=torch.float32)
        grid = (triton.cdiv(rows, tall),)
        sizes = {"R": tall, "B": block, "num_warps": 8}
        _forward[grid](x, weight, out, scale, rows, channels, EPS=_EPSILON, **sizes)
        ctx.save_for_backward(x, weight, scale)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight, scale = ctx.saved_tensors
        g = gradients[0].contiguous()
        rows, channels = x.shape
        block = triton.next_power_of_2(channels)
        tall = max(1, _TILE // block)
        tiles = triton.cdiv(rows, tall)
        programs = min(tiles, _PROGRAMS)
        gx = torch.empty_like(x)
        gw = torch.empty(programs, channels, device=x.device, dtype=torch.float32)
        turns = triton.cdiv(tiles, programs)
        _backward[(programs,)](
            x, weight, scale, g, gx, gw, rows, channels, TURNS=turns, R=tall, B=block, num_warps=8
        )
        return gx, gw.sum(dim=0).to(weight.dtype)


def norm_silu(x: Tensor, weight: Tensor) -> Tensor:
    """silu(rms_norm(x) * weight) over C of float[B, C, H, W], in the precision of x."""
    batch, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).reshape(-1, channels)  # no copy in channels_last memory
    out: Tensor = _NormSilu.apply(rows.contiguous(), weight)
    return out.view(batch, height, width, channels).permute(0, 3, 1, 2)


def errors(device: str, dtype: torch.dtype, rows_px: int = 48) -> dict[str, float]:
    """Largest relative errors ||a - b|| / ||b|| against float64: of the kernels and of torch."""
    worst: dict[str, float] = {}
    for channels in (96, 144, 1152):
        torch.manual_seed(channels)
        x = torch.randn(2, channels, rows_px, rows_px + 3, device=device, dtype=dtype)
        x = x.to(memory_format=torch.channels_last)
        weight = torch.rand(channels, device=device) + 0.5
        g = torch.randn_like(x)
        true = _results(lambda x, w: F.silu(_norm(x, w)), x.double(), weight.double(), g.double())
        for name, function in (("kernel", norm_silu), ("torch", lambda x, w: F.silu(_norm(x, w)))):
            for part, error in relative_errors(_results(function, x, weight, g), true).items():
                key = f"{name} {part}"
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


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    norm = RmsNorm(weight.numel())
    del norm.weight
    norm.weight = weight  # type: ignore[assignment]
    return norm(x)


def _results(function: Any, x: Tensor, weight: Tensor, g: Tensor) -> dict[str, Tensor]:
    x, weight = x.detach().requires_grad_(), weight.detach().requires_grad_()
    out = function(x, weight)
    gradients = torch.autograd.grad(out, (x, weight), g)
    return dict(zip(("out", "grad_x", "grad_weight"), (out, *gradients), strict=True))
