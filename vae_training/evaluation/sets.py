"""The sets of an evaluation: ready pairs, or pictures that models reconstruct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vae_corpus.curriculum import CorpusError
from vae_corpus.progress import ProgressLine
from vae_corpus.settings import SettingsError
from vae_training.distributed import Ranks
from vae_training.evaluation.config import EvaluateSettings
from vae_training.evaluation.contenders import Contender, Options, open_contender
from vae_training.evaluation.conventions import PREPARATIONS
from vae_training.evaluation.from_corpus import PHOTOS, TEXT, is_corpus, unpack
from vae_training.evaluation.labels import Labels, labels_of
from vae_training.evaluation.measure import Row
from vae_training.evaluation.originals import Original, Preparation, prepare
from vae_training.evaluation.pictures import list_pictures
from vae_training.evaluation.reconstruct import reconstruct


@dataclass(kw_only=True)
class Set:
    """Pictures that models are measured on; per model the rows of all, its settings, and FID."""

    name: str
    listing: dict[str, Any]
    originals: list[Original] = field(default_factory=list)
    labels: dict[str, Labels] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    fid: dict[str, float] = field(default_factory=dict)


def pairs(settings: EvaluateSettings) -> Set:
    """Ready pairs by their names; SettingsError when no name is in both folders."""
    a, b = (list_pictures(Path(f)) for f in (settings.reference, settings.reconstruction))
    if not set(a.pictures) & set(b.pictures):
        examples = [next(iter(x.pictures), "none") for x in (a, b)]
        raise SettingsError(
            f"no picture of {settings.reference} ({len(a.pictures)}, e.g. {examples[0]}) has the"
            f" name of one of {settings.reconstruction} ({len(b.pictures)}, e.g. {examples[1]}):"
            " pairs have the same relative path, suffixes may differ"
        )
    model = Path(settings.reconstruction).resolve().name
    rows = []
    for name in sorted({*a.pictures, *b.pictures, *a.ambiguous, *b.ambiguous}):
        row = Row(set="pairs", model=model, name=name)
        if twice := a.ambiguous.get(name, []) + b.ambiguous.get(name, []):
            row.slug, row.why = "ambiguous_name", " and ".join(map(str, twice))
        elif name not in a.pictures:
            row.slug, row.why = "no_reference", f"{b.pictures[name]} stands alone"
        elif name not in b.pictures:
            row.slug, row.why = "no_reconstruction", f"{a.pictures[name]} stands alone"
        else:
            row.reference, row.reconstruction = str(a.pictures[name]), str(b.pictures[name])
        rows.append(row)
    listing = {"reference": settings.reference, "reconstruction": settings.reconstruction}
    return Set(
        name="pairs",
        listing={**listing, "preparation": PREPARATIONS["pairs"]},
        rows={model: rows},
        settings={model: {"files": settings.reconstruction}},
    )


def reconstructed(
    settings: EvaluateSettings, names: Mapping[str, str], device: str, ranks: Ranks | None = None
) -> list[Set]:
    """The sets of pictures, each reconstructed by every model; one model at a time is loaded.

    With `ranks`, all of them call this together, and each makes its share of the reconstructions.
    """
    if ranks is not None and not ranks.first:
        ranks.gather(None)  # what the first has prepared is found as it is
    sets = [
        _opened(settings, name, place, preparation)
        for name, place, preparation in (
            ("photos", settings.photos, Preparation(size=settings.size)),
            ("text", settings.text, Preparation(crop=settings.text_crop)),
        )
        if place
    ]
    if ranks is not None and ranks.first:
        ranks.gather(None)
    options = Options(
        mode=settings.mode,
        seed=settings.seed,
        dtype=settings.dtype,
        device=device,
        tiling=settings.tiling,
    )
    for name, source in names.items():
        try:
            contender = open_contender(name, source, options)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        for part in sets:
            _reconstruct(settings, contender, part, ranks)
    return sets


def _opened(settings: EvaluateSettings, name: str, place: str, preparation: Preparation) -> Set:
    """A set with its originals prepared; SettingsError when it has none."""
    out = Path(settings.out)
    folder = _unpacked(settings, name, place) if is_corpus(place) else Path(place)
    listing = list_pictures(folder)
    if not listing.pictures:
        raise SettingsError(
            f"--{name}: no pictures in {place} ({listing.others} other files): give a folder"
            " of jpg, png, webp..., or a corpus"
        )
    tell = ProgressLine(len(listing.pictures), f"originals of {name}").tell
    originals = prepare(listing, out / "reference" / name, preparation, tell=tell)
    if all(original.slug for original in originals):
        raise SettingsError(
            f"--{name}: none of the {len(originals)} pictures in {place} can be read, e.g."
            f" {originals[0].why}"
        )
    try:
        labels = labels_of(listing.pictures)
    except ValueError as error:
        raise SettingsError(f"--{name}: {error}") from None
    if preparation.size is not None:
        labels = {}  # sizes and places are those of the picture before it was resized
    way = "cut" if preparation.crop else "photos" if preparation.size else "own_size"
    told = {
        "folder": place,
        "size_px": preparation.size,
        "crop_px": preparation.crop,
        "preparation": PREPARATIONS[way],
        "other_files": listing.others,
        "labelled": len(labels),
    }
    return Set(name=name, listing=told, originals=originals, labels=labels)


def _unpacked(settings: EvaluateSettings, name: str, corpus: str) -> Path:
    line: list[ProgressLine] = []

    def tell(done: int, total: int) -> None:
        line[:] = line or [ProgressLine(total, f"samples of {name}")]
        line[0].tell(done)

    folder = Path(settings.out) / "samples" / name
    kinds = PHOTOS if name == "photos" else TEXT
    try:
        return unpack(corpus, kinds, settings.held_out, folder, tell)
    except CorpusError as error:
        raise SettingsError(f"--{name}: {error}") from None


def _reconstruct(
    settings: EvaluateSettings, contender: Contender, part: Set, ranks: Ranks | None
) -> None:
    folder = Path(settings.out) / contender.name / part.name
    todo = [original for original in part.originals if not original.slug]
    tell = ProgressLine(len(todo), f"{part.name} through {contender.name}").tell
    try:
        failed = reconstruct(
            contender, part.originals, folder, batch=settings.batch, tell=tell, ranks=ranks
        )
    except torch.OutOfMemoryError:
        raise SettingsError(
            f"{contender.name} needs more memory than the device has: lower --batch"
            f" {settings.batch} or --size"
        ) from None
    except ValueError as error:
        raise SettingsError(str(error)) from None
    rows = []
    for o in part.originals:
        row = Row(set=part.name, model=contender.name, name=o.name, slug=o.slug, why=o.why)
        row.reference = o.path
        if o.name in failed:
            row.slug, row.why = failed[o.name], "the model gave values that are no numbers"
        elif not o.slug:
            row.reconstruction = str(folder / f"{o.name}.png")
        rows.append(row)
    part.rows[contender.name] = rows
    part.settings[contender.name] = contender.settings
