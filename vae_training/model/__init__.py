"""Autoencoders for high compression: `build("f16c64")` gives one with `.encoder`, `.decoder`."""

from vae_training.model.autoencoder import Autoencoder, build
from vae_training.model.configs import CONFIGS, Config, config

__all__ = ["CONFIGS", "Autoencoder", "Config", "build", "config"]
