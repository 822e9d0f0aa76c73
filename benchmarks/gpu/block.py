"""A residual block whose passes over memory are fused in Triton, for channels_last memory.

    y = norm(x + b) * w, out = silu(y)        b: the bias of the convolution before, or none
    out = shortcut + h + b                    b: that of the second convolution and the shortcut

In torch a block reads or writes its activations 11 times forward and 11 times backward beside the
convolutions; here it is 7 and 8 times: biases are added, and their gradients summed, where the
values are at hand, and the gradient of the shortcut is added where that of the norm is written.
Sums of weights' gradients stay in registers over all tiles of a program, so that tiles of one warp
never wait for each other.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.gpu.fused import relative_errors
from vae_training.model.blocks import EPSILON, ResidualBlock

_WARPS_AT_ONCE = 16 * 132  # of all multiprocessors together
# (warps of a program, values of a thread, stages of the loop), and what `tune` found by width.
Choice = tuple[int, int, int]
CHOICES: tuple[Choice, ...] = (
    (4, 16, 1),
    (1, 16, 1),
    (4, 8, 1),
    (8, 8, 1),
    (8, 16, 1),
    (4, 16, 3),
)
CHOSEN: dict[int, Choice] = {}


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


class _NormSilu(torch.autograd.Function):
    """(silu(norm(x + b) * w), x); what flows back along x is added to its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)  # where nothing flows back along x
        rows = _rows(x)
        count, channels = rows.shape
        tall, sizes = _sizes(channels)
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
        tall, sizes = _sizes(channels)
        stages = _choice(channels)[2]
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
        tall, sizes = _sizes(rows.shape[1])
        out = torch.empty_like(rows)
        grid = (triton.cdiv(len(rows), tall),)
        _add[grid](_rows(a), rows, bias, out, len(rows), rows.shape[1], **sizes)
        ctx.dtype = bias.dtype
        return _image(out, h.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g = gradients[0]
        return g, g, _rows(g).sum(dim=0, dtype=torch.float32).to(ctx.dtype)


def _sizes(channels: int) -> tuple[int, dict[str, int]]:
    """Rows of a tile, and the sizes of a program."""
    warps, values, _ = _choice(channels)
    block = triton.next_power_of_2(channels)
    tall = max(1, 32 * warps * values // block)
    return tall, {"R": tall, "B": block, "num_warps": warps}


def _choice(channels: int) -> Choice:
    return CHOSEN.get(triton.next_power_of_2(channels), CHOICES[0])


def tune(
    channels: int, rows_px: int, device: str, seconds: Callable[[Callable[[], object]], float]
) -> dict[str, float]:
    """Milliseconds of norm and SiLU, forward and backward, by choice; the fastest is kept."""
    block = triton.next_power_of_2(channels)
    found: dict[str, float] = {}
    fastest = (float("inf"), CHOICES[0])
    for choice in CHOICES:
        warps, values, _ = choice
        if 32 * warps * values < block:  # a row would not fit
            continue
        CHOSEN[block] = choice
        job = pass_through(norm_silu, channels, rows_px, device)
        job()
        took = seconds(job)
        found[f"{warps} warps, {values} values, {choice[2]} stages"] = round(took * 1e3, 4)
        fastest = min(fastest, (took, choice))
    CHOSEN[block] = fastest[1]
    return found


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


def _rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()


def _image(rows: Tensor, shape: torch.Size) -> Tensor:
    batch, channels, height, width = shape
    return rows.view(batch, height, width, channels).permute(0, 3, 1, 2)


def norm_silu(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """silu(rms_norm(x + bias) * weight) over C of float[B, C, H, W], in the precision of x."""
    out: Tensor = _NormSilu.apply(x, weight, bias)[0]
    return out


def use_blocks(model: nn.Module) -> None:
    """Let all residual blocks of `model` run fused; weights stay as they are."""

    def forward(self: ResidualBlock, x: Tensor) -> Tensor:
        n, x = _NormSilu.apply(x, self.norm1.weight, None)
        h = F.conv2d(n, self.conv1.weight, padding=1)
        n, _ = _NormSilu.apply(h, self.norm2.weight, self.conv1.bias)
        h = F.conv2d(n, self.conv2.weight, padding=1)
        bias = self.conv2.bias
        if isinstance(self.shortcut, nn.Conv2d):
            x, bias = F.conv2d(x, self.shortcut.weight), bias + self.shortcut.bias
        out: Tensor = _Add.apply(x, h, bias)
        return out

    for module in model.modules():
        if isinstance(module, ResidualBlock):
            module.forward = types.MethodType(forward, module)  # type: ignore[method-assign]


def block_errors(device: str, dtype: torch.dtype, side: int = 24) -> dict[str, float]:
    """Largest ||a - b|| / ||b|| of a block and its gradients against float64: fused and torch's."""
    worst: dict[str, float] = {}
    for width_in, width in ((96, 96), (96, 144)):
        torch.manual_seed(width)
        plain = ResidualBlock(width_in, width).to(device)
        for weight in plain.parameters():  # norms and biases that matter
            weight.data.add_(0.2 * torch.randn_like(weight) * (weight.ndim == 1))
        plain.to(memory_format=torch.channels_last)
        fused, true = _copy(plain, width_in, width), _copy(plain, width_in, width).double()
        use_blocks(fused)
        x = torch.randn(2, width_in, side, side + 3, device=device)
        g = torch.randn(2, width, side, side + 3, device=device)
        wanted = _results(true, x.double(), g.double(), torch.float64)
        for name, block in (("fused", fused), ("torch", plain)):
            for part, error in relative_errors(_results(block, x, g, dtype), wanted).items():
                key = f"{name} {part}"
                worst[key] = max(worst.get(key, 0.0), error)
    return worst


def _copy(block: ResidualBlock, width_in: int, width: int) -> ResidualBlock:
    other = ResidualBlock(width_in, width).to(next(block.parameters()).device)
    other.load_state_dict(block.state_dict())
    return other.to(memory_format=torch.channels_last)


def _results(block: nn.Module, x: Tensor, g: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
    x = x.to(dtype, memory_format=torch.channels_last).requires_grad_()
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        out = block(x)
    named = dict(block.named_parameters())
    gradients = torch.autograd.grad(out, [x, *named.values()], g.to(out.dtype))
    return {"out": out, **dict(zip(["grad_x", *named], gradients, strict=True))}
