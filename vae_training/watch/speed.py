"""Model FLOPs of training, and the peak of a device: the two sides of MFU."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from vae_training.model.adapters import adapter_of

# Dense bfloat16 TFLOP/s of the data sheets, by a part of the device's name; the first match counts.
_PEAK_TFLOPS = (
    ("H100 PCIe", 756.0),
    ("H100 NVL", 835.0),
    ("H100", 989.0),
    ("H200", 989.0),
    ("GH200", 989.0),
    ("H800", 989.0),
    ("H20", 148.0),
    ("B200", 2250.0),
    ("B100", 1750.0),
    ("A100", 312.0),
    ("A800", 312.0),
    ("L40S", 362.0),
    ("MI300X", 1307.0),
)
_SIDE_PX = 256


def training_flops_per_px(model: Any, train: str = "all") -> float:
    """FLOPs of one forward and backward pass per pixel, where `train` learns, as for `freeze`.

    The gradient of weights costs as much as their forward pass, and that of inputs again as much,
    from the last part down to the first that learns. As usual for MFU, recomputed activations are
    not counted, nor are the frozen LPIPS and DINOv2. It is the same for all sizes, but for the
    attention that some classes have.
    """
    adapter = adapter_of(model)
    with torch.device("meta"):
        shadow = type(model).from_config(model.config)
        image = torch.empty(1, 3, _SIDE_PX, _SIDE_PX)
    before: list[int] = []  # the FLOPs of the parts before the first that learns
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if train.startswith("last-"):
            first = adapter.levels(shadow)[-int(train.removeprefix("last-"))]
            first.register_forward_pre_hook(lambda *_: before.append(counter.get_total_flops()))
        z = adapter.encode(shadow, image)
        encoder = counter.get_total_flops()
        adapter.decode(shadow, z)
    total = counter.get_total_flops()
    still = before[0] if before else encoder if train == "decoder" else 0
    learning = encoder if train == "encoder" else total - still
    return (total + learning + (total - still)) / _SIDE_PX**2


def peak_flops(device: torch.device, tflops: float | None) -> float | None:
    """Peak FLOP/s of a device: `tflops` if given, else by its name; None if it is unknown."""
    if tflops is not None:
        return tflops * 1e12
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak * 1e12 for part, peak in _PEAK_TFLOPS if part in name), None)
