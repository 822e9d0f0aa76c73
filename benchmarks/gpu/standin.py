"""A stand-in for the few names of diffusers that the model is made of, where it is not installed.

What runs on the device is the same: diffusers only keeps the settings and saves the weights.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn


class Config(types.SimpleNamespace):
    """Settings by attribute and by name."""

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class ConfigMixin:
    """Keeps the settings of a model in `.config`."""

    config: Config

    def register_to_config(self, **settings: Any) -> None:
        known = vars(self.__dict__.get("config", Config()))
        self.__dict__["config"] = Config(**{**known, **settings})


class ModelMixin(nn.Module):
    """A module, and no more."""


def register_to_config(init: Callable[..., None]) -> Callable[..., None]:
    """Record what a constructor is called with, defaults included."""

    @functools.wraps(init)
    def recording(self: Any, *args: Any, **named: Any) -> None:
        bound = inspect.signature(init).bind(self, *args, **named)
        bound.apply_defaults()
        _, *settings = bound.arguments.items()
        self.register_to_config(**dict(settings))
        init(self, *args, **named)

    return recording


class DiagonalGaussianDistribution:
    """Mean and log variance side by side in the channels, with the work that diffusers does."""

    def __init__(self, parameters: Tensor) -> None:
        self.mean, logvar = torch.chunk(parameters, 2, dim=1)
        self.logvar = torch.clamp(logvar, -30.0, 20.0)
        self.std = torch.exp(0.5 * self.logvar)
        self.var = torch.exp(self.logvar)

    def mode(self) -> Tensor:
        return self.mean


@dataclass
class AutoencoderKLOutput:
    latent_dist: DiagonalGaussianDistribution


@dataclass
class DecoderOutput:
    sample: Tensor


_MODULES: dict[str, dict[str, Any]] = {
    "diffusers": {"ConfigMixin": ConfigMixin, "ModelMixin": ModelMixin},
    "diffusers.configuration_utils": {"register_to_config": register_to_config},
    "diffusers.models": {},
    "diffusers.models.autoencoders": {},
    "diffusers.models.autoencoders.vae": {
        "DecoderOutput": DecoderOutput,
        "DiagonalGaussianDistribution": DiagonalGaussianDistribution,
    },
    "diffusers.models.modeling_outputs": {"AutoencoderKLOutput": AutoencoderKLOutput},
    "diffusers.utils": {},
    "diffusers.utils.accelerate_utils": {"apply_forward_hook": lambda method: method},
}


def ensure_diffusers(force: bool = False) -> str:
    """Call before `vae_training.model` is imported; tells which diffusers the model stands on."""
    if not force and importlib.util.find_spec("diffusers") is not None:
        return version("diffusers")
    for name, members in _MODULES.items():
        module = types.ModuleType(name)
        module.__path__ = []
        # transformers looks for installed packages by their spec.
        module.__spec__ = importlib.util.spec_from_loader(name, loader=None)
        vars(module).update(members)
        sys.modules[name] = module
    return "stand-in"
