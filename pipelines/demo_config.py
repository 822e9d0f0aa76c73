"""The settings of the demo build: the demo inputs as sources, and counts for a laptop."""

from __future__ import annotations

from pipelines.config import CorpusConfig
from pipelines.demo import demo_inputs
from pipelines.sources import AnySource, DocumentSource, FolderSource

# Enough for every group of the curriculum to have samples, little enough for a few minutes.
_SYNTH_SAMPLES = {256: 96, 512: 96, 1024: 32}
_PAGES_PER_FILE = 24


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
            # The wallpaper package links many names to each picture.
            follow_links=False,
            files_per_unit=40,
        )
        for folder in inputs.photo_folders
    ]
    sources += [
        DocumentSource(
            name=path.stem.split(".")[0].replace("-", "_")[:36] + f"_{i}",
            uri=str(path),
            max_pages=_PAGES_PER_FILE,
            pages_per_unit=12,
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
    return config.model_copy(update=update), inputs.missing
