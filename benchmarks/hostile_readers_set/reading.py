"""Sources, text corpora and settings read as a build reads them."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import TypeAdapter

from filters.scores import Scores
from filters.settings import ScoreSettings
from hostile_readers_set.case import KEPT, good_pictures
from pipelines.config import CorpusConfig
from pipelines.sources import AnySource, FolderSource, Source, SourceError
from pipelines.workers import scorer
from renderers.text.corpora import TextSource
from renderers.text.files import UnreadableText
from vae_corpus import storage
from vae_corpus.settings import SettingsError, load

# A sentence of these is what a person gets to read.
FOR_PEOPLE = (SourceError, UnreadableText, SettingsError)

GOOD_TEXT = "The good paragraph number {} has enough letters to be prose of the language."
_WHY_CHARS = 300


def source(reader: str, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """List, score and fetch again, as the stages of a build do one after the other."""
    given = {"type": reader, "name": "hostile", "uri": str(folder / "source")} | settings
    source: Source = TypeAdapter(AnySource).validate_python(given)
    work = scorer.make_scorer(_job(source, folder / "out"))
    good = {hashlib.sha256(data).hexdigest() for data in good_pictures()}
    slugs: Counter[str] = Counter()
    found_good: set[str] = set()
    passed_over, why, longest = 0, "", 0
    for unit in source.units():
        work(unit)
        table = pq.ParquetFile(scorer.score_path(str(folder / "out"), unit.unit_id))
        marks = storage.parquet_metadata(scorer.score_path(str(folder / "out"), unit.unit_id))
        passed_over += sum(_counts(marks or {}).values())
        columns = ["slug", "why", "sha256", "uri", "offset", "bytes", "member"]
        for batch in table.iter_batches(columns=columns):
            for row in batch.to_pylist():
                slugs[row["slug"] or KEPT] += 1
                longest = max(longest, len(row["member"]), len(row["why"] or ""))
                if row["slug"] is not None:
                    why = why or row["why"]
                    continue
                data = source.fetch(row["uri"], row["offset"], row["bytes"])
                assert hashlib.sha256(data).hexdigest() == row["sha256"], "fetched otherwise"
                if row["sha256"] in good:
                    found_good.add(row["sha256"])
                    slugs[KEPT] -= 1
                    slugs["good"] += 1
    return {
        "slugs": dict((+slugs).most_common()),
        "good": len(found_good),
        "passed_over": passed_over,
        "why": why[:_WHY_CHARS],
        "longest_text": longest,
    }


def texts(reader: str, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    found = TextSource.from_paths([folder / "source"], language="en").paragraphs
    wanted = {GOOD_TEXT.format(number) for number in range(2)}
    others = len(set(found) - wanted)
    return {"slugs": {KEPT: others} if others else {}, "good": len(wanted & set(found))}


def settings(reader: str, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    path = next((folder / "source").iterdir())
    load(CorpusConfig, ["--config", str(path)], description="")
    return {"slugs": {KEPT: 1}, "good": 0}


def warm_up(folder: Path) -> None:
    """Load what is loaded on first use, so that it counts for nothing."""
    warm = folder / "warm"
    (warm / "source").mkdir(parents=True)
    (warm / "source" / "a.jpg").write_bytes(good_pictures()[2])
    source_ = FolderSource(name="warm", uri=str(warm / "source"))
    work = scorer.make_scorer(_job(source_, warm / "out"))
    for unit in source_.units():
        work(unit)


def _job(source: Source, out: Path) -> scorer.ScoreJob:
    settings = ScoreSettings(text=False)
    versions = scorer.versions(Scores(settings))
    return scorer.ScoreJob(
        settings=settings, versions=versions, sources={source.name: source}, folder=str(out)
    )


def _counts(marks: dict[str, str]) -> dict[str, int]:
    import json

    counts: dict[str, int] = json.loads(marks.get("passed_over", "{}"))
    return counts
