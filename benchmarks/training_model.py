"""What it takes to train on a default curriculum with 8, 64 or 512 GPUs, and what is short first.

    python benchmarks/training_model.py                        # tables with the assumptions below
    python benchmarks/training_model.py --scaling 0.9 --price_per_gpu_hour 2.5
    python benchmarks/training_model.py --write                # docs/training-at-scale.md anew

Straight lines through measured figures: images/s of one H100 (gpu_train.py), CPU time of a decoded
image (loader_speed.py) and of a fetched byte (object_store.py), bytes of an image
(score_cost.py). How well ranks scale over a network was not measured: it is an assumption, as is
all that can be given as a flag.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.scale_figures import RESULTS, Figure  # noqa: E402
from benchmarks.scale_tables import between_marks, markdown  # noqa: E402
from pipelines.config import PackSettings  # noqa: E402
from pipelines.planning.phases import DEFAULT_PHASES, PhaseSettings  # noqa: E402
from vae_training.config import TrainSettings  # noqa: E402
from vae_training.data.prefetch import PART_BYTES  # noqa: E402

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "training-at-scale.md"
GPUS = (8, 64, 512)
MODELS = ("f16c128", "f32c192")
_SIDES = (256, 1024, 2048)
_GPU_FILE = "gpu_train_5.json"
_RECIPE = Path(__file__).resolve().parents[1] / "vae_training" / "recipes" / "f16c128.yaml"


def _gpu(model: str, px: int) -> Figure:
    return Figure(
        what=f"{model}, {px} px, the full loss: of one H100",
        unit="images/s",
        file=_GPU_FILE,
        keys=(
            "results",
            f"{model} {px} px, the trainer itself",
            "full loss, adaptive",
            "images_per_s",
        ),
    )


def _image(px: int) -> Figure:
    return Figure(
        what=f"bytes of a photograph of {px} px",
        unit="bytes",
        file="score_cost.json",
        keys=("all scores", str(px), "mean_bytes"),
    )


def _decode(px: int) -> Figure:
    return Figure(
        what=f"read, decode, crop and flip an image of {px} px",
        unit="CPU ms",
        file="loader_speed.json",
        keys=("rungs", str(px), "cpu_ms_per_image", "ours"),
    )


def _away(nodes: int, shards: int) -> Figure:
    return Figure(
        what=f"images whose shard is at another of {nodes} nodes, blocks of {shards} shards",
        unit="share",
        file="shuffle_quality.json",
        keys=("sharing", f"{nodes} nodes", str(shards), "share_away_from_home"),
    )


FIGURES = {
    **{f"{model} {px}": _gpu(model, px) for model in MODELS for px in _SIDES},
    **{f"bytes {px}": _image(px) for px in (256, 512, 1024)},
    **{f"decode {px}": _decode(px) for px in (256, 1024)},
    "fetch": Figure(
        what="bring whole shards from a store into the cache of a node",
        unit="CPU s per GB",
        file="object_store.json",
        keys=("read_cpu_s_per_gb",),
    ),
    "away 8": _away(8, 32),
    "away 64": _away(64, 128),
}


def _assumed(default: float, meaning: str) -> float:
    value: float = field(default=default, metadata={"meaning": meaning})
    return value


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What nobody measured, because it is the user's to say."""

    scaling: float = _assumed(1.0, "share of the speed of one GPU that each of many keeps")
    gpus_per_node: float = _assumed(8, "GPUs of a node, which share its cache")
    cores_per_gpu: float = _assumed(12, "CPU cores of a node per GPU")
    gbit_s_per_node: float = _assumed(100, "network of a node to the store")
    requests_s: float = _assumed(3_000, "requests a second that the store answers to one corpus")
    price_per_gpu_hour: float = _assumed(2.5, "a price, in whatever money; yours is on your bill")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase of the curriculum: images and bytes that it shows, by rung, and its steps."""

    name: str
    images: dict[int, float]
    lanes: int
    steps: float

    @property
    def pixels(self) -> float:
        return sum(count * rung**2 for rung, count in self.images.items())


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model on so many GPUs; rates are those of the phase that needs most."""

    model: str
    gpus: int
    hours: float
    price: float
    images_s: float
    cores: float
    node_mb_s: float
    requests_s: float


def phases() -> list[Phase]:
    """The default curriculum, with the middle of each ramp."""
    return [_phase(each) for each in DEFAULT_PHASES]


def _phase(given: PhaseSettings) -> Phase:
    batch_pixels = yaml.safe_load(_RECIPE.read_text(encoding="utf-8"))["batch_pixels"]
    weights = {rung: _middle(weight) for rung, weight in given.rungs.items()}
    whole = sum(weights.values())
    # A step draws its rung by weight, and takes as many images as its pixels allow.
    per_step = {r: w / whole * max(1, batch_pixels // r**2) for r, w in weights.items()}
    steps = given.samples / sum(per_step.values())
    return Phase(
        name=given.name,
        images={rung: steps * count for rung, count in per_step.items()},
        lanes=len(given.rungs) * len(given.kinds),
        steps=steps,
    )


def _middle(weight: float | tuple[float, float]) -> float:
    return sum(weight) / 2 if isinstance(weight, tuple) else weight


def bytes_of(rung: int, found: dict[str, float]) -> float:
    """Of an image; at 2048 px, which was not measured, as many per pixel as at 1024."""
    return found["bytes 1024"] * 4 if rung == 2048 else found[f"bytes {rung}"]


def cpu_s_of(rung: int, found: dict[str, float]) -> float:
    """To decode an image: by its pixels between and above those that were measured."""
    nearest = 256 if rung == 256 else 1024
    return found[f"decode {nearest}"] / 1e3 * (rung / nearest) ** 2


def run(model: str, gpus: int, given: Assumptions, found: dict[str, float]) -> Run:
    nodes = gpus / given.gpus_per_node
    hours, images_s, cores, rate = 0.0, 0.0, 0.0, 0.0
    for phase in phases():
        seconds = 0.0
        for rung, count in phase.images.items():
            # 512 px costs a GPU as much per pixel as 256 px.
            speed = found[f"{model} {256 if rung <= 512 else rung}"] * given.scaling
            seconds += count / (speed * (256 / 512) ** 2 if rung == 512 else speed) / gpus
        hours += seconds / 3600
        images_s = max(images_s, sum(phase.images.values()) / seconds)
        decoded = sum(n * cpu_s_of(rung, found) for rung, n in phase.images.items())
        read = sum(n * bytes_of(rung, found) for rung, n in phase.images.items()) / seconds
        cores = max(cores, (decoded / seconds + read / 1e9 * found["fetch"]) / gpus)
        rate = max(rate, read)
    return Run(
        model=model,
        gpus=gpus,
        hours=hours,
        price=hours * gpus * given.price_per_gpu_hour,
        images_s=images_s,
        cores=cores,
        node_mb_s=rate / nodes / 1e6,
        requests_s=rate / PART_BYTES + images_s * away(nodes, found),
    )


def away(nodes: float, found: dict[str, float]) -> float:
    """Share of images that are asked for one by one; of numbers of nodes that were measured."""
    return 0.0 if nodes <= 1 else found["away 8" if nodes <= 8 else "away 64"]


def cache_gb(phase: Phase, found: dict[str, float], nodes: int) -> float:
    """The shards that are read now and next, of all lanes of a phase, on one of `nodes`."""
    pack, blocks = PackSettings(), 2 * TrainSettings(corpus="").shuffle_shards
    lanes = phase.lanes / len(phase.images)
    of_rung = (
        min(pack.shard_bytes, pack.shard_samples * bytes_of(rung, found)) for rung in phase.images
    )
    return lanes * blocks * sum(of_rung) / nodes / 1e9


def tables(given: Assumptions, found: dict[str, float]) -> dict[str, str]:
    named = dataclasses.fields(Assumptions)
    measured = [
        [figure.what, f"{found[name]:,.3g}" if found[name] < 1000 else f"{found[name]:,.0f}",
         figure.unit, f"`{figure.file}`"]
        for name, figure in FIGURES.items()
    ]  # fmt: skip
    runs = [run(model, gpus, given, found) for model in MODELS for gpus in GPUS]
    return {
        "figures": markdown(["", "figure", "unit", "file"], measured),
        "assumptions": markdown(
            ["flag", "default", ""],
            [
                [f"`--{f.name}`", f"{getattr(given, f.name):,g}", f.metadata["meaning"]]
                for f in named
            ],
        ),
        "phases": markdown(
            ["phase", "steps", "10^6 images", "10^12 pixels", "cache, GB", "on each of 8 nodes"],
            [
                [
                    p.name,
                    f"{p.steps:,.0f}",
                    f"{sum(p.images.values()) / 1e6:.0f}",
                    f"{p.pixels / 1e12:.2f}",
                    f"{cache_gb(p, found, 1):.0f}",
                    f"{cache_gb(p, found, 8):.0f}",
                ]
                for p in phases()
            ],
        ),
        "runs": markdown(
            [
                "model", "GPUs", "hours", "price", "images/s", "cores per GPU",
                "MB/s of a node", "requests/s",
            ],
            [
                [
                    r.model, str(r.gpus), f"{r.hours:,.1f}", f"{r.price:,.0f}",
                    f"{r.images_s:,.0f}", f"{r.cores:.2f}", f"{r.node_mb_s:,.0f}",
                    f"{r.requests_s:,.1f}",
                ]
                for r in runs
            ],
        ),
        "first": markdown(
            ["of f16c128 on 512 GPUs", "used", "there is", "share"],
            _shares(run("f16c128", 512, given, found), given),
        ),
    }  # fmt: skip


def _shares(r: Run, given: Assumptions) -> list[list[str]]:
    """What a run uses of what there is, the shortest first."""
    rows = [
        ("CPU cores per GPU", r.cores, given.cores_per_gpu),
        ("MB/s of a node from the store", r.node_mb_s, given.gbit_s_per_node / 8 * 1e3),
        ("requests/s of all nodes", r.requests_s, given.requests_s),
    ]
    rows.sort(key=lambda row: -row[1] / row[2])
    return [[name, f"{u:,.3g}", f"{t:,.5g}", f"{u / t:.2%}"] for name, u, t in rows]


def measured(results: Path = RESULTS) -> dict[str, float]:
    """All figures; FileNotFoundError names a file that no benchmark has written yet."""
    found = {}
    for name, figure in FIGURES.items():
        value = figure.value(results)
        if value is None:
            raise FileNotFoundError(f"{results / figure.file}: run the benchmark of its name")
        found[name] = value
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for each in dataclasses.fields(Assumptions):
        parser.add_argument(
            f"--{each.name}", type=float, default=each.default, help=each.metadata["meaning"]
        )
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    given = vars(parser.parse_args(argv))
    write = given.pop("write")
    made = tables(Assumptions(**given), measured())
    if write:
        text = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(between_marks(text, made), encoding="utf-8")
        print(f"written to {DOCUMENT}")
        return 0
    for name, table in made.items():
        print(f"{name}\n\n{table}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
