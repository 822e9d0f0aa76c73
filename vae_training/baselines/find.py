"""Models of the catalogue in a folder of downloads; nothing is fetched here."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from pathlib import Path

from vae_training.baselines.catalogue import CATALOGUE, Known
from vae_training.model.folder import class_of, setting_of


def check_names(names: Sequence[str], weight_free: Sequence[str]) -> None:
    """ValueError names the nearest for a name that is in neither list."""
    known = [*weight_free, *CATALOGUE]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"no baseline is called {name}{hint} Known are {', '.join(known)}")


def folder_of(name: str, root: Path) -> Path:
    """The folder of a catalogue's model below `root`.

    ValueError says how to get it, or what to do instead where diffusers has no class for it, or
    that what is there is another model.
    """
    known = CATALOGUE[name]
    if not known.loader:
        raise ValueError(
            f"{name} cannot be opened here: {known.why_not}; reconstruct the pictures with that"
            " and give --reference DIR --reconstruction DIR"
        )
    found = _with_config(known, root / name)
    if found is None:
        raise ValueError(
            f"{name} is not in {root / name}, and nothing is downloaded here: get it with:"
            f" {command(known, root)}"
        )
    loader = class_of(str(found))
    if loader != known.loader:
        raise ValueError(
            f"{found} holds an {loader}, and {name} is an {known.loader}: get it with:"
            f" {command(known, root)}"
        )
    f, channels = setting_of(str(found))
    wanted = known.saved or known.setting
    if f"f{f}c{channels}" != wanted:
        raise ValueError(
            f"{found} holds an autoencoder of f{f}c{channels}, and {name} has {wanted}: get it"
            f" with: {command(known, root)}; or evaluate yours with --model NAME={found}"
        )
    return found


def command(known: Known, root: Path) -> str:
    """What a person runs to get it into `root`."""
    part = f' --include "{known.subfolder}/*"' if known.subfolder else ""
    return f"hf download {known.repo}{part} --local-dir {shlex.quote(str(root / known.name))}"


def _with_config(known: Known, folder: Path) -> Path | None:
    """The part of a download that is the autoencoder, also where it was downloaded alone."""
    for place in dict.fromkeys((folder / known.subfolder, folder / "vae", folder)):
        if (place / "config.json").is_file() and not (place / "model_index.json").is_file():
            return place
    return None
