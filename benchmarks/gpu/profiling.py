"""Where the time of a step goes: kernels, operators with their shapes, and gaps between kernels."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity

_ROWS = 20


def profile(step: Callable[[], object], *, gpu: bool) -> dict[str, Any]:
    """The kernels of one step, and its operators by shape; to record these takes longer than to
    run."""
    kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if gpu else [])
    began = time.perf_counter()
    with torch.profiler.profile(activities=kinds, record_shapes=True) as profiler:
        step()
        _wait(gpu)
    wall = time.perf_counter() - began
    kernels = _on_device(profiler.key_averages(), gpu)
    shaped = profiler.key_averages(group_by_input_shape=True)
    operators = [e for e in shaped if e.device_type == DeviceType.CPU]
    return {
        "profiled_step_s": wall,
        "kernels_s": sum(_own_ms(e, gpu) for e in kernels) / 1e3,
        "kernels": _rows(kernels, gpu),
        "operators": _rows(operators, gpu, shapes=True),
    }


def busy(step: Callable[[], object], *, gpu: bool, steps: int) -> dict[str, Any]:
    """The share of time in which a kernel runs; only kernels are recorded, which costs little."""
    kind = ProfilerActivity.CUDA if gpu else ProfilerActivity.CPU
    with torch.profiler.profile(activities=[kind]) as profiler:
        for _ in range(steps):
            step()
        _wait(gpu)
    events = _on_device(profiler.events(), gpu)
    ranges = sorted((e.time_range.start, e.time_range.end) for e in events)
    covered, until = 0.0, ranges[0][0]
    for start, end in ranges:
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    kernels = _on_device(profiler.key_averages(), gpu)
    span = until - ranges[0][0]
    return {
        "steps": steps,
        "span_s": span / 1e6 / steps,
        "busy": covered / span,
        "kernels_s": sum(_own_ms(e, gpu) for e in kernels) / 1e3 / steps,
        "kernels": _rows(kernels, gpu),
    }


def _on_device(events: Any, gpu: bool) -> list[Any]:
    on = DeviceType.CUDA if gpu else DeviceType.CPU
    # Named spans such as Optimizer.step#AdamW.step hold what is listed anyway.
    return [e for e in events if e.device_type == on and "#" not in e.key]


def _own_ms(event: Any, gpu: bool) -> float:
    micros = event.self_device_time_total if gpu else event.self_cpu_time_total
    return float(micros) / 1e3


def _rows(events: list[Any], gpu: bool, shapes: bool = False) -> list[dict[str, Any]]:
    total = sum(_own_ms(e, gpu) for e in events) or 1.0
    rows = []
    for event in sorted(events, key=lambda e: _own_ms(e, gpu), reverse=True)[:_ROWS]:
        ms = _own_ms(event, gpu)
        row = {"name": event.key[:110], "ms": round(ms, 3), "share": round(ms / total, 4)}
        if shapes:
            row["shapes"] = str([s for s in event.input_shapes if s])[:110]
        rows.append({**row, "calls": event.count})
    return rows


def _wait(gpu: bool) -> None:
    if gpu:
        torch.cuda.synchronize()


def recorded(step: Callable[[], dict[str, Tensor]]) -> Callable[[], dict[str, Tensor]]:
    """The same step as one CUDA graph, replayed on each call; its tensors are those recorded."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # lazy initialisation cannot be recorded
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        terms = step()

    def replay() -> dict[str, Tensor]:
        graph.replay()
        return terms

    return replay
