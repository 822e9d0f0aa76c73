"""Autoencoders for high compression: `build("f16c64")` gives one with `.encoder`, `.decoder`."""

from typing import TYPE_CHECKING, Any

from vae_training.model.configs import CONFIGS, Config, config

if TYPE_CHECKING:
    from vae_training.model.autoencoder import Autoencoder, build

__all__ = ["CONFIGS", "Autoencoder", "Config", "build", "config"]


def __getattr__(name: str) -> Any:
    # Settings ask for the names of the models: that must not import PyTorch, for seconds.
    if name in ("Autoencoder", "build"):
        from vae_training.model import autoencoder

        return getattr(autoencoder, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
