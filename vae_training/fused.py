"""Parts of the model with fused passes over memory: Triton kernels for channels_last tensors.

    y = norm(x + b) * w, out = silu(y)        b: the bias of the convolution before, or none
    out = shortcut + h + b                    b: that of the second convolution and the shortcut
    each pixel four times                     in bf16, where autocast takes float32 for it

In torch a block reads or writes its activations 11 times forward and 11 times backward beside the
convolutions; here it is 7 and 8 times: biases are added, and their gradients summed, where the
values are at hand, and the gradient of the shortcut is added where that of the norm is written.
Sums of weights' gradients stay in registers over all tiles of a program, so that tiles of one warp
never wait for each other.

Sums are float32 inside, and a bf16 result is rounded once, where torch rounds three times.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.nn import functional as F

from vae_training.model.blocks import EPSILON, ResidualBlock, RmsNorm, Up

_WARPS_AT_ONCE = 16 * 132  # of all multiprocessors together
# Warps of a program, values of a thread, stages of its loop: the fastest on an H100 for the narrow
# levels of the encoder, and for wider rows.
_NARROW, _WIDE = (8, 8, 1), (4, 16, 3)
_NARROW_UP_TO = 128


def fuse(model: nn.Module) -> None:
    """Let the parts of `model` run fused, in place; weights keep names and values."""
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            module.fused = block
        elif isinstance(module, RmsNorm):
            module.fused = norm_silu
        elif isinstance(module, Up):
            module.fused = twice


def block(part: ResidualBlock, x: Tensor) -> Tensor:
    """`part(x)` of float[B, C, H, W]."""
    n, x = _NormSilu.apply(x, part.norm1.weight, None)
    h = F.conv2d(n, part.conv1.weight, padding=1)
    n, _ = _NormSilu.apply(h, part.norm2.weight, part.conv1.bias)
    h = F.conv2d(n, part.conv2.weight, padding=1)
    bias = part.conv2.bias
    if isinstance(part.shortcut, nn.Conv2d):
        assert bias is not None and part.shortcut.bias is not None
        x, bias = F.conv2d(x, part.shortcut.weight), bias + part.shortcut.bias
    out: Tensor = _Add.apply(x, h, bias)
    return out


def norm_silu(x: Tensor, weight: Tensor) -> Tensor:
    """silu(rms_norm(x) * weight) over C of float[B, C, H, W], in the precision of x."""
    out: Tensor = _NormSilu.apply(x, weight, None)[0]
    return out


def twice(x: Tensor) -> Tensor:
    """float[B, C, H, W] -> float[B, C, 2H, 2W], each pixel four times, in the precision of x."""
    larger: Tensor = _Twice.apply(x)
    return larger


@triton.jit
def _forward(x_ptr, b_ptr, w_ptr, out_ptr, scale_ptr, rows, C, EPS: tl.constexpr, HAS_B: tl.constexpr, R: tl.constexpr, B: tl.constexpr):  # noqa: E501, N803  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    channel = tl.arange(0, B)
    inside = (row < rows)[:, None] & (channel < C)[None, :]
    at = row[:, None] * C + channel[None, :]
    x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(w_ptr + channel, mask=channel < C, other=0.0).to(tl.float32)
    if HAS_B:
        x += tl.load(b_ptr + channel, mask=channel < C, other=0.0).to(tl.float32)[None, :]
    scale = 1.0 / tl.sqrt(tl.sum(x * x, axis=1) / C + EPS)
    y = x * scale[:, None] * w[None, :]
    out = y * tl.sigmoid(y)
    tl.store(out_ptr + at, out.to(out_ptr.dtype.element_ty), mask=inside)
    tl.store(scale_ptr + row, scale, mask=row < rows)


@triton.jit
def _backward(x_ptr, b_ptr, w_ptr, scale_ptr, g_ptr, along_ptr, gx_ptr, gw_ptr, gb_ptr, rows, C, TURNS: tl.constexpr, HAS_B: tl.constexpr, HAS_ALONG: tl.constexpr, R: tl.constexpr, B: tl.constexpr, STAGES: tl.constexpr):  # noqa: E501, N803  # fmt: skip
    program, programs = tl.program_id(0), tl.num_programs(0)
    channel = tl.arange(0, B)
    w = tl.load(w_ptr + channel, mask=channel < C, other=0.0).to(tl.float32)
    gw = tl.zeros([R, B], dtype=tl.float32)
    gb = tl.zeros([R, B], dtype=tl.float32)
    if HAS_B:
        b = tl.load(b_ptr + channel, mask=channel < C, other=0.0).to(tl.float32)
    for turn in tl.range(0, TURNS, num_stages=STAGES):
        row = (turn * programs + program).to(tl.int64) * R + tl.arange(0, R)
        inside = (row < rows)[:, None] & (channel < C)[None, :]
        at = row[:, None] * C + channel[None, :]
        x = tl.load(x_ptr + at, mask=inside, other=0.0).to(tl.float32)
        g = tl.load(g_ptr + at, mask=inside, other=0.0).to(tl.float32)
        scale = tl.load(scale_ptr + row, mask=row < rows, other=0.0)
        if HAS_B:
            x += b[None, :]
        unit = x * scale[:, None]
        y = unit * w[None, :]
        s = tl.sigmoid(y)
        gy = g * s * (1.0 + y * (1.0 - s))
        gw += gy * unit
        gunit = gy * w[None, :]
        mean = tl.sum(gunit * unit, axis=1) / C
        gx = scale[:, None] * (gunit - unit * mean[:, None])
        if HAS_ALONG:
            gx += tl.load(along_ptr + at, mask=inside, other=0.0).to(tl.float32)
        if HAS_B:
            gb += gx
        tl.store(gx_ptr + at, gx.to(gx_ptr.dtype.element_ty), mask=inside)
    sums = program * C + channel
    tl.store(gw_ptr + sums, tl.sum(gw, axis=0), mask=channel < C)
    if HAS_B:
        tl.store(gb_ptr + sums, tl.sum(gb, axis=0), mask=channel < C)


@triton.jit
def _add(a_ptr, h_ptr, b_ptr, out_ptr, rows, C, R: tl.constexpr, B: tl.constexpr):  # noqa: N803
    row = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    channel = tl.arange(0, B)
    inside = (row < rows)[:, None] & (channel < C)[None, :]
    at = row[:, None] * C + channel[None, :]
    a = tl.load(a_ptr + at, mask=inside, other=0.0).to(tl.float32)
    h = tl.load(h_ptr + at, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(b_ptr + channel, mask=channel < C, other=0.0).to(tl.float32)
    out = a + h + b[None, :]
    tl.store(out_ptr + at, out.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _double(x_ptr, out_ptr, rows, W, C, R: tl.constexpr, B: tl.constexpr):  # noqa: N803
    row = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    channel = tl.arange(0, B)
    inside = (row < rows)[:, None] & (channel < C)[None, :]
    to = (4 * W * (row // W) + 2 * (row % W))[:, None] * C + channel[None, :]
    x = tl.load(x_ptr + row[:, None] * C + channel[None, :], mask=inside, other=0.0)
    tl.store(out_ptr + to, x, mask=inside)
    tl.store(out_ptr + to + C, x, mask=inside)
    tl.store(out_ptr + to + 2 * W * C, x, mask=inside)
    tl.store(out_ptr + to + 2 * W * C + C, x, mask=inside)


@triton.jit
def _sum_of_four(g_ptr, gx_ptr, rows, W, C, R: tl.constexpr, B: tl.constexpr):  # noqa: N803
    row = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    channel = tl.arange(0, B)
    inside = (row < rows)[:, None] & (channel < C)[None, :]
    from_ = (4 * W * (row // W) + 2 * (row % W))[:, None] * C + channel[None, :]
    g = tl.load(g_ptr + from_, mask=inside, other=0.0).to(tl.float32)
    g += tl.load(g_ptr + from_ + C, mask=inside, other=0.0).to(tl.float32)
    g += tl.load(g_ptr + from_ + 2 * W * C, mask=inside, other=0.0).to(tl.float32)
    g += tl.load(g_ptr + from_ + 2 * W * C + C, mask=inside, other=0.0).to(tl.float32)
    at = row[:, None] * C + channel[None, :]
    tl.store(gx_ptr + at, g.to(gx_ptr.dtype.element_ty), mask=inside)


class _NormSilu(torch.autograd.Function):
    """(silu(norm(x + b) * w), x); what flows back along x is added to its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)  # where nothing flows back along x
        rows = _rows(x)
        count, channels = rows.shape
        tall, sizes, _ = _sizes(channels)
        out = torch.empty_like(rows)
        scale = torch.empty(count, device=x.device, dtype=torch.float32)
        given = weight if bias is None else bias
        _forward[(triton.cdiv(count, tall),)](
            rows, given, weight, out, scale, count, channels,
            EPS=EPSILON, HAS_B=bias is not None, **sizes,
        )  # fmt: skip
        ctx.save_for_backward(rows, weight, bias, scale)
        ctx.shape = x.shape
        return _image(out, x.shape), x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        rows, weight, bias, scale = ctx.saved_tensors
        count, channels = rows.shape
        tall, sizes, stages = _sizes(channels)
        tiles = triton.cdiv(count, tall)
        most = 2 * _WARPS_AT_ONCE // sizes["num_warps"]
        programs = max(1, min(most, tiles // 4))
        g = _rows(gradients[0])
        along = None if gradients[1] is None else _rows(gradients[1])
        gx = torch.empty_like(rows)
        gw, gb = torch.empty(
            2, programs, channels, device=g.device, dtype=torch.float32
        )  # a row per program
        _backward[(programs,)](
            rows, weight if bias is None else bias, weight, scale, g, g if along is None else along,
            gx, gw, gb, count, channels, TURNS=triton.cdiv(tiles, programs),
            HAS_B=bias is not None, HAS_ALONG=along is not None, STAGES=stages, **sizes,
        )  # fmt: skip
        grad_bias = None if bias is None else gb.sum(dim=0).to(bias.dtype)
        return _image(gx, ctx.shape), gw.sum(dim=0).to(weight.dtype), grad_bias


class _Add(torch.autograd.Function):
    """a + h + b, b over the channels."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, h: Tensor, bias: Tensor) -> Tensor:
        rows = _rows(h)
        tall, sizes, _ = _sizes(rows.shape[1])
        out = torch.empty_like(rows)
        grid = (triton.cdiv(len(rows), tall),)
        _add[grid](_rows(a), rows, bias, out, len(rows), rows.shape[1], **sizes)
        ctx.dtype = bias.dtype
        return _image(out, h.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g = gradients[0]
        return g, g, _rows(g).sum(dim=0, dtype=torch.float32).to(ctx.dtype)


class _Twice(torch.autograd.Function):
    """Nearest neighbour at twice the resolution."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rows = _rows(x)
        ctx.shape = batch, channels, height, width = x.shape
        tall, sizes, _ = _sizes(channels)
        out = torch.empty(4 * len(rows), channels, device=x.device, dtype=x.dtype)
        grid = (triton.cdiv(len(rows), tall),)
        _double[grid](rows, out, len(rows), width, channels, **sizes)
        return _image(out, torch.Size((batch, channels, 2 * height, 2 * width)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        g = _rows(gradients[0])
        _, channels, _, width = ctx.shape
        tall, sizes, _ = _sizes(channels)
        out = torch.empty(len(g) // 4, channels, device=g.device, dtype=g.dtype)
        grid = (triton.cdiv(len(out), tall),)
        _sum_of_four[grid](g, out, len(out), width, channels, **sizes)
        return _image(out, ctx.shape)


def _sizes(channels: int) -> tuple[int, dict[str, int], int]:
    """Rows of a tile, the sizes of a program, and the stages of its loop."""
    block = triton.next_power_of_2(channels)
    warps, values, stages = _NARROW if block <= _NARROW_UP_TO else _WIDE
    tall = max(1, 32 * warps * values // block)
    return tall, {"R": tall, "B": block, "num_warps": warps}, stages


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()


def _image(rows: Tensor, shape: torch.Size) -> Tensor:
    batch, channels, height, width = shape
    return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)
