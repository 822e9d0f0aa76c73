"""What is measured: an autoencoder of a folder, or a baseline, as one thing that reconstructs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_corpus.seeds import generator
from vae_training.baselines.catalogue import CATALOGUE
from vae_training.baselines.find import folder_of
from vae_training.baselines.weight_free import BASELINES
from vae_training.evaluation.pictures import padded
from vae_training.model import folder
from vae_training.model.adapters import Adapter, adapter_of
from vae_training.model.pixels import to_model, to_pixels

Rgb = NDArray[np.uint8]
RESERVED = ("reference",)  # a folder of the output


@dataclass(frozen=True, kw_only=True)
class Contender:
    """`reconstruct` maps pictures of one shape, and a name of the noise of each, to pictures.

    It gives None for a picture that comes back with values that are no numbers. Sides are multiples
    of `f`; `only_px` is the side of the one square that it takes, None where any size goes.
    `settings` is all that reconstructions depend on besides the pictures.
    """

    name: str
    f: int
    only_px: int | None = None
    settings: dict[str, Any]
    reconstruct: Callable[[Sequence[Rgb], Sequence[str]], list[Rgb | None]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How models are run."""

    mode: Literal["mode", "sample"]
    seed: int
    dtype: Literal["fp32", "bf16"]
    device: str
    tiling: bool = False


def names_of(given: Sequence[str]) -> dict[str, str]:
    """Names to baselines or folders, in the order given; ValueError when two share a name."""
    found: dict[str, str] = {}
    for text in given:
        name, source = _named(text)
        if name in RESERVED or not re.fullmatch(r"[\w.+-]+", name) or name.strip(".") == "":
            raise ValueError(
                f"--model {text}: {name!r} cannot name a folder of results: write NAME={source}"
            )
        if name in found:
            raise ValueError(
                f"--model: {found[name]} and {source} are both called {name}: write NAME={source}"
            )
        found[name] = source
    return found


def all_names(model: Sequence[str], baselines: Sequence[str], root: str) -> dict[str, str]:
    """Names of models and of baselines, as `names_of` gives them; `root` has those of others.

    ValueError when one of them is not there, or is another than the catalogue says.
    """
    given = [*model]
    for name in baselines:
        try:
            given.append(name if name in BASELINES else f"{name}={folder_of(name, Path(root))}")
        except ValueError as error:
            raise ValueError(f"--baselines: {str(error).removeprefix('init: ')}") from None
    return names_of(given)


def check_source(source: str) -> None:
    """ValueError when this is neither a baseline nor a folder with an autoencoder that is known."""
    if source not in BASELINES:
        with _as_model():
            folder.class_of(model_folder(source))


def open_contender(name: str, source: str, options: Options) -> Contender:
    """The baseline or the model of a folder; ValueError says what is wrong with the folder."""
    if source in BASELINES:
        baseline = BASELINES[source]
        return Contender(
            name=name,
            f=baseline.f,
            settings={"baseline": source, "meaning": baseline.meaning},
            reconstruct=lambda pictures, _: [baseline.reconstruct(rgb) for rgb in pictures],
        )
    with _as_model(name):
        place = model_folder(source)
        start = folder.start_of(place)
        model = folder.load(place).eval().requires_grad_(False).to(options.device)
    adapter = adapter_of(model)
    f, channels = adapter.f(model.config), adapter.latent_channels(model.config)
    settings = {
        "class": start.name,
        "weights": start.weights,
        "config": start.config,
        "f": f,
        "latent_channels": channels,
        "dtype": options.dtype,
        "device": torch.device(options.device).type,
        "mode": options.mode,
    }
    if options.tiling:
        if not adapter.tiles or not hasattr(model, "enable_tiling"):
            raise ValueError(f"--model {source}: a {start.name} is not called in tiles here")
        model.enable_tiling()
        settings["tiling"] = True
    if options.mode == "sample":
        settings["seed"] = options.seed
        with torch.device("meta"):
            shadow = type(model).from_config(model.config)
            px = adapter.trial_px(model.config)
            spread = adapter.posterior(shadow, torch.empty(1, 3, px, px))[1]
        if spread is None:
            raise ValueError(
                f"--model {source}: a {start.name} has no posterior to sample: --mode mode"
            )
    return Contender(
        name=name,
        f=f,
        only_px=adapter.only_px(model.config),
        settings=settings,
        reconstruct=lambda pictures, noises: _reconstruct(
            model, adapter, options, pictures, noises
        ),
    )


def model_folder(source: str) -> str:
    """A folder with config.json: this one, or `model` inside a run; ValueError for neither."""
    path = Path(source)
    if not path.is_dir():
        raise ValueError(f"there is no folder {source}, and it is none of {', '.join(BASELINES)}")
    if not (path / "config.json").is_file() and (path / "model" / "config.json").is_file():
        return str(path / "model")
    if (path / "checkpoints").is_dir() and not (path / "config.json").is_file():
        raise ValueError(
            f"the run {source} has no model yet; make one of its newest checkpoint with:"
            f" python -m vae_training.state.export {source} --out DIR"
        )
    return source


@torch.no_grad()
def _reconstruct(
    model: Any, adapter: Adapter, options: Options, pictures: Sequence[Rgb], noises: Sequence[str]
) -> list[Rgb | None]:
    x = to_model(torch.from_numpy(np.stack(pictures)).to(options.device))
    half = options.dtype == "bf16"
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=half):
        if options.mode == "sample":
            mean, spread = adapter.posterior(model, x)
            assert spread is not None
            z = mean + spread * _noise(mean, options.seed, noises)
        else:
            z = adapter.encode(model, x)
        image = adapter.decode(model, z)[:, :3].float()
    finite = image.isfinite().flatten(1).all(dim=1).tolist()
    made = to_pixels(image.nan_to_num()).cpu().numpy()
    return [rgb if good else None for rgb, good in zip(made, finite, strict=True)]


def _noise(like: Tensor, seed: int, names: Sequence[str]) -> Tensor:
    """Normal noise that depends on the seed and the picture, not on its neighbours or a device."""
    shape = like.shape[1:]
    drawn = [generator(seed, "noise", name).standard_normal(shape, np.float32) for name in names]
    return torch.from_numpy(np.stack(drawn)).to(like.device, like.dtype)


def batches(shapes: Sequence[tuple[int, int]], f: int, largest: int) -> Iterator[list[int]]:
    """Numbers of pictures that go through a model together: at most `largest`, of one padded shape.

    `shapes` are height and width in px.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for number, (height, width) in enumerate(shapes):
        groups.setdefault((height + -height % f, width + -width % f), []).append(number)
    for members in groups.values():
        for first in range(0, len(members), largest):
            yield members[first : first + largest]


def through(contender: Contender, pictures: Sequence[Rgb], noises: Sequence[str]) -> list[Any]:
    """Pictures of one padded shape there and back: padded by their edges, cropped afterwards."""
    made = contender.reconstruct([padded(rgb, contender.f) for rgb in pictures], noises)
    return [
        None if back is None else np.ascontiguousarray(back[: rgb.shape[0], : rgb.shape[1]])
        for rgb, back in zip(pictures, made, strict=True)
    ]


@contextmanager
def _as_model(name: str = "") -> Iterator[None]:
    """Say --model where an error speaks of the setting of training that has such a folder.

    What the catalogue notes of a model that is called `name` goes with it.
    """
    try:
        yield
    except ValueError as error:
        note = CATALOGUE[name].note if name in CATALOGUE else ""
        said = str(error).removeprefix("init: ")
        raise ValueError(f"--model: {said}{f' (of {name}: {note})' if note else ''}") from None


def _named(text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if equals and source and "/" not in name and not Path(text).is_dir():
        return name, source
    if text in BASELINES:
        return text, text
    path = Path(text).resolve()
    # The model of a run is called after the run.
    return (path.parent.name if path.name == "model" else path.name), text
