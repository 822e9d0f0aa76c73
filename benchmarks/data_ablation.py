"""What each part of a corpus is worth to an autoencoder, at equal steps, with three seeds each.

    python benchmarks/data_ablation.py --work ablation    # under an hour on two cores, by its parts

Builds two corpora of the demo's sources, where every other folder of photographs is replaced by
damaged pictures (filters/training/degrade.py, two per photograph): one with the clarity filter,
one that keeps everything. Six mixes train the model tiny with the recipe of a laptop, which see the
same number of crops in phases of the same lengths:

    photographs           general images alone
    + real text           half of the later phases are real pictures with text
    + documents           a quarter each
    + synthetic text      the demo's curriculum with all four kinds
    without clarity       the same over the corpus that kept damaged pictures
    flat                  the same images, all kinds mixed evenly from the first step

Judged on what held_out.py makes, of other packages: PSNR and SSIM of photographs, PSNR and NED of
crops of documents, PSNR and NED of rendered lines by the size of their type. Told per mix with a 95
% interval over pictures, and as paired differences to a neighbour. Writes data_ablation.json and
data_ablation.svg below benchmarks/results (or --out). What is done stays in --work: the same
command goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import held_out
import numpy as np
import pyarrow.parquet as pq
import yaml
from PIL import Image

from filters.training.degrade import KINDS
from pipelines.config import CorpusConfig
from pipelines.demo.config import with_demo_inputs
from pipelines.sources import FolderSource
from vae_corpus.pictures.decode import Fault, decode
from vae_corpus.seeds import generator
from vae_training import train
from vae_training.evaluation import curves
from vae_training.evaluation.config import EvaluateSettings
from vae_training.evaluation.run import evaluate
from vae_training.metrics.intervals import Interval, clustered_interval

ROOT = Path(__file__).resolve().parents[1]
RECIPE = Path(train.__file__).parent / "recipes" / "tiny-cpu.yaml"
DAMAGED_SOURCE = "lxqt"  # of the demo: its photographs come damaged
_DAMAGED_PX = 1280
GENERAL, REAL, DOCUMENT = "general", "text_real", "document"
# The kinds of the phases behind the first, which is general alone; None: those of the demo.
MIXES: dict[str, dict[str, float] | None] = {
    "photographs": {GENERAL: 1.0},
    "+ real text": {GENERAL: 0.5, REAL: 0.5},
    "+ documents": {GENERAL: 0.5, REAL: 0.25, DOCUMENT: 0.25},
    "+ synthetic text": None,
    "without clarity": None,
    "flat": None,
}
# Each mix and what it is compared with.
NEIGHBOURS = (
    ("+ real text", "photographs"),
    ("+ documents", "+ real text"),
    ("+ synthetic text", "+ documents"),
    ("+ synthetic text", "photographs"),
    ("+ synthetic text", "without clarity"),
    ("+ synthetic text", "flat"),
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("ablation"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, a thread each")
    parser.add_argument("--mixes", nargs="+", choices=MIXES, default=list(MIXES))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("settings", nargs="*", help="of train.py, behind --")
    given = parser.parse_args(argv)
    given.work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    if not (given.work / "held_out").is_dir():
        print(held_out.make(given.work / "held_out", photos=24, documents=24, pages=2), flush=True)
    corpora = {keep: build(given.work, keep) for keep in (False, True)}
    jobs = []
    for mix in given.mixes:
        corpus = remix(given.work, corpora[mix == "without clarity"], mix)
        jobs += [(corpus, mix, seed, given) for seed in range(given.seeds)]
    with multiprocessing.get_context("spawn").Pool(given.jobs, maxtasksperchild=1) as pool:
        seconds = pool.starmap(learn, jobs, chunksize=1)
    found = judge(given)
    facts = {
        "command": "python " + " ".join(["benchmarks/data_ablation.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "device": "cpu",
        "minutes": round((time.perf_counter() - began) / 60, 1),
        "s_per_run": {"mean": round(fmean(seconds), 1), "longest": round(max(seconds), 1)},
        "corpora": {
            "with clarity filter" if not keep else "without": _counts(path)
            for keep, path in corpora.items()
        },
        **found,
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "data_ablation.json").write_text(json.dumps(facts, indent=1) + "\n")
    show(found)
    return 0


def build(work: Path, keep: bool) -> Path:
    """A corpus of the demo's sources with damaged photographs, with the clarity filter or not."""
    out = work / ("corpus-all" if keep else "corpus")
    config, _ = with_demo_inputs(CorpusConfig())
    (clean,) = (s for s in config.sources if s.name == DAMAGED_SOURCE)
    assert isinstance(clean, FolderSource)
    damaged = FolderSource(name="harmed", uri=str(harm(clean, work / "harmed")), files_per_unit=40)
    sources = [damaged if s is clean else s for s in config.sources]
    settings = config.model_copy(update={"sources": tuple(sources)}).model_dump(mode="json")
    settings.pop("out", None)
    if keep:
        settings["plan"] |= {"min_clarity": 0.0, "min_clarity_text": 0.0}
    (work / f"{out.name}.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True))
    command = [sys.executable, "pipelines/build_corpus.py"]
    command += ["--config", str((work / f"{out.name}.yaml").resolve()), "--out", str(out.resolve())]
    subprocess.run(command, cwd=ROOT, check=True)
    return out


def harm(source: FolderSource, out: Path, copies: int = 2) -> Path:
    """Two harmed parts of each photograph of a source, as PNG: halves, so that none are twins."""
    if out.is_dir():
        return out
    out.mkdir(parents=True)
    kinds = list(KINDS)
    paths = sorted({p for pattern in source.include for p in Path(source.uri).glob(pattern)})
    for number, path in enumerate(p for p in paths if p.is_file() and not p.is_symlink()):
        found = decode(path.read_bytes())
        if isinstance(found, Fault):
            continue
        image = Image.fromarray(found.rgb)
        image.thumbnail((2 * _DAMAGED_PX, _DAMAGED_PX), Image.Resampling.LANCZOS)
        whole = np.asarray(image)
        for part, half in enumerate(np.array_split(whole, copies, axis=1)):
            kind = kinds[(number * copies + part) % len(kinds)]
            rng = generator(0, "harm", path.name, part)
            harmed = KINDS[kind].apply(np.ascontiguousarray(half), rng)
            bgr = cv2.cvtColor(harmed, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(out / f"{number:03d}-{part}-{kind}.png"), bgr)
    return out


def remix(work: Path, corpus: Path, mix: str) -> Path:
    """The same shards under a curriculum of the mix."""
    folder = work / "mixes" / mix.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "shards").exists():
        (folder / "shards").symlink_to((corpus / "shards").resolve())
    curriculum = json.loads((corpus / "curriculum.json").read_text())
    phases = curriculum["phases"]
    kinds = MIXES[mix]
    if kinds is not None:
        for phase in phases[1:]:
            phase["kinds"] = kinds
            phase.pop("size_bands", None)
    if mix == "flat":
        curriculum["phases"] = [flat(phases)]
    (folder / "curriculum.json").write_text(json.dumps(curriculum))
    return folder


def flat(phases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One phase with the mean weight of each kind, rung and size band over all samples."""
    total = sum(phase["samples"] for phase in phases)

    def mean(name: str) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        weight = sum(p["samples"] for p in phases if name in p)
        for phase in phases:
            for key, value in phase.get(name, {}).items():
                sums[key] += phase["samples"] * (fmean(value) if isinstance(value, list) else value)
        return {key: value / weight for key, value in sums.items()}

    return {
        **phases[0],
        "name": "flat",
        "samples": total,
        **{name: mean(name) for name in ("rungs", "kinds", "size_bands")},
    }


def learn(corpus: Path, mix: str, seed: int, given: argparse.Namespace) -> float:
    """One run; the seconds that it took, as told by the first time that it was done."""
    run = given.work / "runs" / name_of(mix, seed)
    done = run / "seconds.json"
    if not done.is_file():
        arguments = ["--config", str(RECIPE), "--corpus", str(corpus), "--seed", str(seed)]
        arguments += ["--latent_samples", "64", "--device", "cpu", "--threads", "1"]
        began = time.perf_counter()
        failed = train.main([*arguments, "--out", str(run), *given.settings])
        if failed or not (run / "model").is_dir():  # without a model it was stopped before its end
            raise RuntimeError(f"training of {mix} with seed {seed} failed")
        done.write_text(json.dumps(time.perf_counter() - began))
    return float(json.loads(done.read_text()))


def name_of(mix: str, seed: int) -> str:
    return f"{mix.replace('+ ', 'plus-').replace(' ', '-')}-{seed}"


def judge(given: argparse.Namespace) -> dict[str, Any]:
    """All runs beside weight-free ones on the held-out sets, in one evaluation."""
    runs = {name_of(mix, s): (mix, s) for mix in given.mixes for s in range(given.seeds)}
    models = [str(given.work / "runs" / name) for name in runs]
    settings = EvaluateSettings(
        model=(*models, "skip-f16c64", "skip-f16c128"),
        photos=str(given.work / "held_out" / "photos"),
        text=str(given.work / "held_out" / "text"),
        metrics=("psnr", "ssim", "ned"),
        ocr_workers=2,
        out=str(given.work / "evaluation"),
    )
    done = evaluate(settings)
    assert done
    values = collect(given.work / "evaluation", runs)
    measures = list(dict.fromkeys(measure for _, measure in values))
    means = {
        mix: {m: _told(interval(over_seeds(values[mix, m]))) for m in measures}
        for mix in [*given.mixes, "skip-f16c64", "skip-f16c128"]
        if all((mix, m) in values for m in measures)
    }
    seeds = {
        mix: {
            m: [
                round(fmean(v for some in one.values() for v in some), 4)
                for one in by_seed(values[mix, m])
            ]
            for m in measures
        }
        for mix in given.mixes
    }
    differences = [
        {
            "mix": a,
            "less": b,
            **{m: _told(difference(values[a, m], values[b, m])) for m in measures},
        }
        for a, b in NEIGHBOURS
        if a in given.mixes and b in given.mixes
    ]
    first = {name: mix for name, (mix, seed) in runs.items() if seed == 0}
    part = done.results["sets"]["text"]
    shown = {
        first.get(name, name): found
        for name, found in part["models"].items()
        if name in first or name.startswith("skip-")
    }
    drawn = curves.draw({"models": shown, "legibility": part.get("legibility", [])})
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "data_ablation.svg").write_text(drawn)
    return {"means": means, "seeds": seeds, "differences": differences}


# Of a mix and measure: per seed and picture the values, several where lines of it are measured.
Values = dict[int, dict[str, list[float]]]


def collect(folder: Path, runs: dict[str, tuple[str, int]]) -> dict[tuple[str, str], Values]:
    """By mix and measure."""
    found: dict[tuple[str, str], Values] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(model: str, measure: str, picture: str, value: float | None) -> None:
        if value is not None and np.isfinite(value):
            mix, seed = runs.get(model, (model, 0))
            found[mix, measure][seed][picture].append(value)

    for row in pq.read_table(folder / "images.parquet").to_pylist():
        if row["set"] == "photos":
            add(row["model"], "photographs, PSNR", row["name"], row["psnr"])
            add(row["model"], "photographs, SSIM", row["name"], row["ssim"])
        elif row["name"].startswith("document/"):
            add(row["model"], "documents, PSNR", row["name"], row["psnr"])
            add(row["model"], "documents, NED", row["name"], row["ned"])
    for row in pq.read_table(folder / "lines.parquet").to_pylist():
        for metric in ("psnr", "ned"):
            add(row["model"], f"rendered lines, {metric.upper()}", row["name"], row[metric])
            measure = f"lines of {row['em_px']:.0f} px, {metric.upper()}"
            add(row["model"], measure, row["name"], row[metric])
    return dict(found)


def by_seed(values: Values) -> list[dict[str, list[float]]]:
    return [values[seed] for seed in sorted(values)]


def over_seeds(values: Values) -> dict[str, list[float]]:
    """Per picture the mean over seeds of each of its values."""
    seeds = by_seed(values)
    return {
        picture: np.mean([one[picture] for one in seeds], axis=0).tolist()
        for picture in seeds[0]
        if len({len(one.get(picture, ())) for one in seeds}) == 1
    }


def interval(values: dict[str, list[float]]) -> Interval | None:
    pairs = [(v, picture) for picture, some in values.items() for v in some]
    return clustered_interval([v for v, _ in pairs], [p for _, p in pairs])


def difference(a: Values, b: Values) -> Interval | None:
    """Of a and b on the same pictures and lines, each the mean over its seeds."""
    x, y = over_seeds(a), over_seeds(b)
    same = {p: np.subtract(x[p], y[p]).tolist() for p in x if len(x[p]) == len(y.get(p, ()))}
    return interval(same)


def _told(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {
        key: round(value, 4) if isinstance(value, float) else value
        for key, value in dataclasses.asdict(found).items()
    }


def _counts(corpus: Path) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for group in json.loads((corpus / "curriculum.json").read_text())["groups"]:
        counts[group["kind"]] += group["samples"]
    return dict(counts)


def show(found: dict[str, Any]) -> None:
    for title, rows in (
        ("means over pictures and seeds", found["means"].items()),
        ("paired differences", ((f"{d['mix']} less {d['less']}", d) for d in found["differences"])),
    ):
        print(f"\n{title}")
        for name, row in rows:
            print(f"  {name}")
            for line in _lines(row):
                print(f"    {line}")


def _lines(row: dict[str, Any]) -> Iterable[str]:
    for measure, value in row.items():
        if isinstance(value, dict):
            yield f"{measure:<26}{value['mean']:>9.3f} [{value['low']:.3f}, {value['high']:.3f}]"


if __name__ == "__main__":
    sys.exit(main())
