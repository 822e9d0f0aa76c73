"""The settings of the demo build: the demo inputs as sources, and counts for a laptop."""

from __future__ import annotations

from pathlib import Path

from pipelines.config import CorpusConfig
from pipelines.demo.damage import write_damaged
from pipelines.sources import AnySource, DocumentSource, FolderSource
from vae_corpus.debian import cache_dir
from vae_corpus.demo import DemoInputs, demo_inputs

# Enough for every group of the curriculum to have samples, little enough for a few minutes.
_SYNTH_SAMPLES = {512: 128, 1024: 32}
_PAGES_PER_FILE = 16
# Photographs of 2048 px and more are too few here for a rung of their own.
_RUNG_WEIGHTS = {256: 0.5, 512: 0.3, 1024: 0.2}
# A curriculum of millions of samples would show each of these few hundred as often; these are for
# the phases of the rungs above.
_PHASE_SAMPLES = (5000, 2500, 1250)
# Sharp photographs, of the packages and of the pictures that serve without apt.
_TO_DAMAGE = ("after-the-rain.jpg", "this-is-not-windows.jpg", "coffee.png", "rocket.jpg")


def with_demo_inputs(config: CorpusConfig) -> tuple[CorpusConfig, tuple[str, ...]]:
    """`config` with the demo's sources, texts and fonts where it names none; and what is missing.

    Settings that were given stay as they are.
    """
    inputs = demo_inputs()
    sources: list[AnySource] = [
        FolderSource(
            name=folder.name,
            uri=str(folder.root),
            include=folder.include,
            exclude=folder.exclude,
            # The wallpaper package links many names to each picture.
            follow_links=False,
            files_per_unit=40,
        )
        for folder in inputs.photo_folders
    ]
    if damaged := _to_damage(inputs):
        folder = write_damaged(damaged, cache_dir() / "demo-damaged")
        sources.append(FolderSource(name="damaged", uri=str(folder), files_per_unit=40))
    sources += [
        DocumentSource(
            name=path.stem.split(".")[0].replace("-", "_")[:36] + f"_{i}",
            uri=str(path),
            max_pages=_PAGES_PER_FILE,
            fonts=tuple(str(path) for path in inputs.fonts),
        )
        for i, path in enumerate(inputs.pdfs)
    ]
    given = config.synth.model_fields_set
    texts = {
        language: tuple(str(path) for path in paths)
        for language, paths in inputs.texts.items()
        if paths
    }
    changes: dict[str, object] = {}
    if "samples" not in given:
        changes["samples"] = _SYNTH_SAMPLES
    if "texts" not in given:
        changes["texts"] = texts
        if "zh" not in texts and "languages" not in given:
            changes["languages"] = {"en": 1.0}
    if "fonts" not in given:
        changes["fonts"] = tuple(str(path) for path in inputs.fonts)
    synth = config.synth.model_copy(update=changes)
    update: dict[str, object] = {"sources": tuple(sources), "synth": synth}
    if "phases" not in config.model_fields_set:
        phases = (phase for phase in config.phases if set(phase.rungs) <= set(_RUNG_WEIGHTS))
        update["phases"] = tuple(
            phase.model_copy(update={"samples": samples})
            for phase, samples in zip(phases, _PHASE_SAMPLES, strict=True)
        )
    if "rung_weights" not in config.plan.model_fields_set:
        update["plan"] = config.plan.model_copy(update={"rung_weights": _RUNG_WEIGHTS})
    return config.model_copy(update=update), inputs.missing


def _to_damage(inputs: DemoInputs) -> list[Path]:
    return [path for path in inputs.photos if path.name in _TO_DAMAGE][:2]
