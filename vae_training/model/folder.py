"""A folder with an autoencoder that diffusers saved: config.json, and weights beside it."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_training.model.adapters import ADAPTERS, OURS, adapter_of

_WEIGHTS = "diffusion_pytorch_model*"
_KNOWN = ", ".join(ADAPTERS)


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a run starts from: class, configuration, and a digest of the weights."""

    name: str
    config: dict[str, Any]
    weights: str

    def __str__(self) -> str:
        return f"{self.name} with weights {self.weights}"

    def to_json(self) -> dict[str, Any]:
        return {"class": self.name, "config": self.config, "weights": self.weights}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Start:
        return Start(name=data["class"], config=data["config"], weights=data["weights"])


def class_of(folder: str) -> str:
    """The name of the class; ValueError when the folder holds none that is known."""
    return str(_read(folder)["_class_name"])


def f_of(folder: str) -> int:
    """Sides of images are multiples of it."""
    return setting_of(folder)[0]


def setting_of(folder: str) -> tuple[int, int]:
    """f and latent channels; values that config.json leaves out are the class's."""
    config = _read(folder)
    name = config["_class_name"]
    parameters = inspect.signature(_class(name).__init__).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    shape = defaults | config
    return ADAPTERS[name].f(shape), ADAPTERS[name].latent_channels(shape)


def start_of(folder: str) -> Start:
    """What the folder holds, to be compared when a run is resumed; reads all weights."""
    config = _read(folder)
    digest = hashlib.sha256()
    for path in sorted(Path(folder).glob(_WEIGHTS)):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return Start(
        name=config["_class_name"],
        # What begins with _ is about the program that saved it, and its paths.
        config={name: value for name, value in config.items() if not name.startswith("_")},
        weights=digest.hexdigest()[:16],
    )


def load(folder: str | Path) -> Any:
    """The model in float32, from this folder alone; ValueError when it cannot be read."""
    import torch

    name = class_of(str(folder))
    try:
        model, found = _class(name).from_pretrained(
            folder,
            local_files_only=True,
            torch_dtype=torch.float32,
            low_cpu_mem_usage=False,
            output_loading_info=True,
        )
    except Exception as error:  # damage raises errors of many types
        raise ValueError(
            f"init: cannot read the {name} in {folder} ({error}): save it anew with save_pretrained"
        ) from None
    if missing := found["missing_keys"]:
        raise ValueError(
            f"init: the weights in {folder} lack {len(missing)} that a {name} of its config.json"
            f" has, among them {missing[0]}: save it anew with save_pretrained"
        )
    model.register_to_config(_name_or_path="")  # a path of this machine, which exports would tell
    _try(model, folder)
    return model


def build(start: Start) -> Any:
    """A model of the same class and configuration, with random weights."""
    return _class(start.name).from_config(start.config)


def _try(model: Any, folder: str | Path) -> None:
    """Send a picture through a copy without memory; ValueError when it does not come back."""
    import torch

    adapter = adapter_of(model)
    px, channels = adapter.trial_px(model.config), adapter.latent_channels(model.config)
    side = px // adapter.f(model.config)
    shapes: list[Any]
    try:
        with torch.device("meta"):
            shadow, x = type(model).from_config(model.config), torch.empty(1, 3, px, px)
        z = adapter.encode(shadow, x)
        shapes = [list(z.shape), list(adapter.decode(shadow, z).shape)]
    except (RuntimeError, ValueError) as error:
        shapes = [str(error)]
    if shapes not in ([[1, channels, side, side], [1, planes, px, px]] for planes in (3, 4)):
        raise ValueError(
            f"init: the {type(model).__name__} in {folder} does not take an image"
            f" {[1, 3, px, px]} to a latent {[1, channels, side, side]} and back, but to {shapes}:"
            " give a model of RGB images"
        )


def _class(name: str) -> Any:
    from vae_training.model import Autoencoder  # first: it makes diffusers importable everywhere

    if name == OURS:
        return Autoencoder
    import diffusers

    if not hasattr(diffusers, name):
        raise ValueError(
            f"init: diffusers {diffusers.__version__} has no {name}: pip install -U diffusers"
        )
    return getattr(diffusers, name)


def _read(folder: str) -> dict[str, Any]:
    """config.json, with a class that is known."""
    path = Path(folder) / "config.json"
    if (Path(folder) / "model_index.json").is_file():
        raise ValueError(f"init: {folder} holds a whole pipeline: give its folder vae")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        name = config["_class_name"]
    except FileNotFoundError:
        raise ValueError(
            f"init: there is no {path}: give a folder that save_pretrained of diffusers has made,"
            f" of one of {_KNOWN}; nothing is downloaded here"
        ) from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError(
            f"init: {path} names no class ({error}): give a folder that save_pretrained of"
            f" diffusers has made, of one of {_KNOWN}"
        ) from None
    if name not in ADAPTERS:
        raise ValueError(
            f"init: {folder} holds a {name}; known are {_KNOWN}: give one of these, or write an"
            " entry in vae_training/model/adapters.py"
        )
    return dict(config)
