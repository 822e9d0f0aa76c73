"""An evaluation from its settings to its results."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from filters.ocr.engine import OcrEngine, OcrUnavailable
from filters.ocr.engines import make_engine
from vae_corpus.progress import ProgressLine
from vae_corpus.settings import SettingsError
from vae_training.distributed import Ranks
from vae_training.evaluation import curves, page, speed
from vae_training.evaluation import results as outcome
from vae_training.evaluation.breakdown import MEASURES, breakdown, legibility
from vae_training.evaluation.config import EvaluateSettings
from vae_training.evaluation.contenders import all_names, check_source
from vae_training.evaluation.conventions import CONVENTIONS
from vae_training.evaluation.lines import LineRow, measure_lines
from vae_training.evaluation.measure import Features, Judges, Row, measure, measure_text
from vae_training.evaluation.sets import Set, pairs, reconstructed
from vae_training.losses.lpips import TRUNK_URL, load_lpips
from vae_training.metrics.fid import frechet_distance
from vae_training.metrics.inception import FEATURES, WEIGHTS_URL, load_inception
from vae_training.metrics.ned import TextCache

_WITH_TEXT = ("text", "pairs")  # sets that NED is measured on
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Results as written, the files, and the rows of all pictures and models."""

    results: dict[str, Any]
    files: list[Path]
    rows: list[Row]


def evaluate(
    settings: EvaluateSettings, say: Say = print, ranks: Ranks | None = None
) -> Evaluation | None:
    """Reconstruct, measure and write results below `settings.out`.

    With `ranks`, all of them call this together; the first measures what all have made, and the
    others get None.

    SettingsError says which setting does not fit and what to do. A metric that cannot be measured
    here is left out and named; a picture that cannot be is a row with a slug.
    """
    device = str(ranks.device) if ranks else _device(settings)
    # What is called fp32 is to be that: convolutions round to TF32 otherwise.
    torch.backends.cudnn.allow_tf32 = False
    contenders = _contenders(settings)
    if ranks is not None and not ranks.first:
        if contenders:
            reconstructed(settings, contenders, device, ranks)
        return None
    left_out: dict[str, str] = {}
    judges = _judges(settings, device, left_out)
    ocr = _engine(settings, left_out)
    for metric, why in left_out.items():
        say(f"{metric} is left out: {why}")
    sets = [pairs(settings)] if settings.reference else []
    if contenders:
        sets += reconstructed(settings, contenders, device, ranks)
    for part in sets:
        _measure(part, judges)
    text_sets = [part for part in sets if part.name in _WITH_TEXT]
    if ocr is not None and text_sets:
        _measure_text(settings, text_sets, ocr, say)
    lines = _measure_lines(settings, text_sets, ocr)
    results = _results(settings, sets, lines, left_out, ocr, device)
    rows = [row for part in sets for rows in part.rows.values() for row in rows]
    out = Path(settings.out)
    shown = [*curves.write(out, results), page.write(out, results, rows)]
    files = [*outcome.write(out, results, rows, lines), *shown]
    return Evaluation(results=results, files=files, rows=rows)


def measure_speed(settings: EvaluateSettings, say: Say = print) -> str:
    """Measure what --speed asks, write it below `settings.out`, and give it as Markdown."""
    given = {
        name.removeprefix("speed_"): value
        for name, value in settings.model_dump().items()
        if name.startswith("speed_") or name in ("dtype", "threads")
    }
    given["device"] = _device(settings)
    found = speed.measure(_contenders(settings), given, Path(settings.out), say)
    return speed.markdown(found)


def _contenders(settings: EvaluateSettings) -> dict[str, str]:
    """Names to what is measured; SettingsError when one cannot be opened."""
    try:
        found = all_names(settings.model, settings.baselines, settings.baseline_folder)
        for source in found.values():
            check_source(source)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return found


def _device(settings: EvaluateSettings) -> str:
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise SettingsError("device: there is no GPU that torch sees here: --device cpu")
    return "cuda" if there and settings.device != "cpu" else "cpu"


def _judges(settings: EvaluateSettings, device: str, left_out: dict[str, str]) -> Judges:
    lpips = inception = None
    if "lpips" in settings.metrics:
        way = f"download {TRUNK_URL} and give --lpips_weights FILE"
        try:
            if not Path(settings.lpips_weights).is_file():
                there = f"there is no file {settings.lpips_weights}"
                raise ValueError(
                    f"{there if settings.lpips_weights else 'it has no weights'}: {way}"
                )
            lpips = load_lpips(settings.lpips_weights).to(device)
        except ValueError as error:
            left_out["lpips"] = str(error).removeprefix("lpips_weights: ")
        except Exception as error:  # damaged weights raise errors of many types
            left_out["lpips"] = f"cannot read {settings.lpips_weights} ({error}): {way}"
    if "fid" in settings.metrics:
        try:
            if not settings.fid_weights:
                raise ValueError(
                    f"it has no weights: download {WEIGHTS_URL} and give --fid_weights FILE"
                )
            inception = load_inception(settings.fid_weights).to(device)
        except ValueError as error:
            left_out["fid"] = str(error)
    plain = frozenset(settings.metrics) & {"psnr", "ssim"}
    return Judges(
        plain=plain, device=device, lpips=lpips, inception=inception, batch=settings.batch
    )


def _engine(settings: EvaluateSettings, left_out: dict[str, str]) -> OcrEngine | None:
    """An engine that is ready to read; None where NED is not asked for or cannot be measured."""
    if "ned" not in settings.metrics:
        return None
    if not (settings.text or settings.reference):
        left_out["ned"] = "there is no set with text: give --text DIR"
        return None
    try:
        import rapidfuzz  # noqa: F401
    except ImportError:
        left_out["ned"] = "rapidfuzz is not installed: pip install 'vae-corpus[eval]'"
        return None
    try:
        engine = _new_engine(settings)
        engine.ready(to_read=True)
    except (OcrUnavailable, ImportError) as error:
        left_out["ned"] = str(error)
        return None
    return engine


def _new_engine(settings: EvaluateSettings) -> OcrEngine:
    models = Path(settings.ocr_models) if settings.ocr_models else None
    return make_engine(settings.ocr, models=models, device=settings.ocr_device)


def _measure(part: Set, judges: Judges) -> None:
    features = None
    if judges.inception is not None:
        features = Features(model=judges.inception, batch=judges.batch)
    originals = {original.name: original for original in part.originals}
    for model, rows in part.rows.items():
        tell = ProgressLine(len(rows), f"measured, {part.name} of {model}").tell
        measure(rows, originals, judges, features, tell)
        measured = [row for row in rows if not row.slug]
        if features is not None and len(measured) > 1:
            a, b = (
                features.of([getattr(row, f"{side}_sha256") for row in measured])
                for side in ("reference", "reconstruction")
            )
            part.fid[model] = frechet_distance(a, b)


def _measure_text(
    settings: EvaluateSettings, sets: Sequence[Set], engine: OcrEngine, say: Say
) -> None:
    cache = _cache(settings, engine)
    rows = [row for part in sets for rows in part.rows.values() for row in rows]
    spare = [engine]
    try:
        read = measure_text(
            rows,
            lambda: spare.pop() if spare else _new_engine(settings),
            cache,
            workers=settings.ocr_workers,
            start=lambda total: ProgressLine(total, "pictures read").tell,
        )
    finally:
        cache.close()
    say(f"text: {read:,} pictures read; all others were in {cache.path}")


def _measure_lines(
    settings: EvaluateSettings, sets: Sequence[Set], engine: OcrEngine | None
) -> list[LineRow]:
    """Labelled lines of all models; their texts are kept beside those of whole pictures."""
    found: list[LineRow] = []
    if not settings.lines:
        return found
    cache = None if engine is None else _cache(settings, engine)
    try:
        for part in sets:
            if not any(known.lines for known in part.labels.values()):
                continue
            found += measure_lines(
                [row for rows in part.rows.values() for row in rows],
                part.labels,
                {original.name: original for original in part.originals},
                per_picture=settings.lines,
                make_engine=None if engine is None else lambda: _new_engine(settings),
                cache=cache,
                workers=settings.ocr_workers,
                start=lambda total: ProgressLine(total, "lines read").tell,
            )
    finally:
        if cache is not None:
            cache.close()
    return found


def _cache(settings: EvaluateSettings, engine: OcrEngine) -> TextCache:
    path = Path(settings.cache) if settings.cache else Path(settings.out) / "texts.jsonl"
    return TextCache(path, engine.engine_id)


def _results(
    settings: EvaluateSettings,
    sets: Sequence[Set],
    lines: Sequence[LineRow],
    left_out: Mapping[str, str],
    ocr: OcrEngine | None,
    device: str,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "version": 1,
        "made_with": {name: _version(name) for name in ("vae-corpus", "torch", "diffusers")},
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "conventions": {m: CONVENTIONS[m] for m in settings.metrics if m not in left_out},
        "left_out": dict(left_out),
        "weights": {
            metric: _sha256(path)
            for metric, path in (("lpips", settings.lpips_weights), ("fid", settings.fid_weights))
            if metric in settings.metrics and metric not in left_out
        },
        "sets": {},
        "differences": [],
    }
    if ocr is not None:
        found["ocr"] = {
            "engine": settings.ocr,
            "engine_id": ocr.engine_id,
            "batch": "lines are read one at a time",
            "classifiers": "none: no orientation, unwarping or text-line classifier",
        }
    for part in sets:
        models = {}
        for model, rows in part.rows.items():
            entry = outcome.summary(rows, settings.metrics, seed=settings.seed)
            if model in part.fid:
                few = entry["measured"] <= FEATURES
                entry["metrics"]["fid"] = {
                    "mean": part.fid[model],
                    "pictures": entry["measured"],
                    "fewer_pictures_than_features": few,
                }
            own = [line for line in lines if (line.set, line.model) == (part.name, model)]
            by = breakdown(rows, own, part.labels, seed=settings.seed)
            models[model] = {
                **entry,
                **({"breakdown": by} if by else {}),
                "settings": part.settings[model],
            }
        found["sets"][part.name] = {**part.listing, "models": models}
        if of_set := [line for line in lines if line.set == part.name]:
            known = legibility(of_set, part.labels, seed=settings.seed)
            found["sets"][part.name] |= {"legibility": known, "measures": MEASURES}
        found["differences"] += [
            {"set": part.name, **entry}
            for entry in outcome.differences(part.rows, settings.metrics, seed=settings.seed)
        ]
    return found


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
