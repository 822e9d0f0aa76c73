"""What a corpus of 10^6 to 10^9 images costs, and what becomes short first.

    python benchmarks/scale_model.py                     # tables with the assumptions below
    python benchmarks/scale_model.py --pages 0.5 --cores 4000 --price_per_core_hour 0.04
    python benchmarks/scale_model.py --write             # the tables of docs/scale.md anew

Straight lines through measured figures (benchmarks/scale_figures.py): every stage streams, so its
work grows with the images. What was not measured is named and left out of the sums, which are then
least values. Sizes, shares, the cluster and its price are assumptions, each a flag.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.scale_figures import FIGURES, SIZES_PX, Amount, Measured, total  # noqa: E402
from benchmarks.scale_tables import between_marks, markdown, short  # noqa: E402
from pipelines.config import PackSettings  # noqa: E402
from vae_corpus.storage.upload import PART_BYTES  # noqa: E402

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
IMAGES = (10**6, 10**7, 10**8, 10**9)
SHARD_BYTES: int = PackSettings().shard_bytes
# Design, not measurement: a store lists so many names in one answer; a shard is begun, sent in
# parts, ended, and has an index; a unit's table is one request.
_NAMES_PER_LIST = 1000
_REQUESTS_PER_SHARD = SHARD_BYTES / PART_BYTES + 3
_REQUESTS_PER_TABLE = 1


def _assumed(default: float, meaning: str) -> float:
    value: float = field(default=default, metadata={"meaning": meaning})
    return value


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What nobody measured, because it is the user's to say."""

    size_px: float = _assumed(1024, "photographs: all of this size (256, 512 or 1024)")
    text: float = _assumed(1.0, "share of photographs in which text is looked for (score.text)")
    pages: float = _assumed(0.1, "share of images that are pages of PDFs, whose text is known")
    page_bytes: float = _assumed(50_000, "bytes of its PDF that a page stands for")
    packed: float = _assumed(0.6, "share of images that are kept and packed")
    packed_page_bytes: float = _assumed(300_000, "bytes of a packed page, PNG tiles")
    synthetic: float = _assumed(0.05, "synthetic pages of 512 px per image, half of them Chinese")
    synthetic_bytes: float = _assumed(300_000, "bytes of such a page, PNG")
    row_bytes: float = _assumed(2_000, "bytes of a row of scores")
    unit_images: float = _assumed(1_000, "images per unit: one tar, one task")
    cores: float = _assumed(1_000, "cores of the workers, all busy")
    gbit_s_per_core: float = _assumed(0.25, "network of a node to the store, per core")
    requests_s: float = _assumed(3_000, "requests a second that the store answers to one corpus")
    disk_mb_s_per_core: float = _assumed(20, "local disk of a node, per core")
    price_per_core_hour: float = _assumed(0.02, "a price, in whatever money; yours is on your bill")

    def __post_init__(self) -> None:
        if self.size_px not in SIZES_PX:
            raise ValueError(
                f"size_px is one of {SIZES_PX}, which were measured; got {self.size_px}"
            )


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The work of a stage: of workers, of the driver alone, and what it asks of the rest."""

    cpu_s: Amount = Amount()
    driver_s: Amount = Amount()
    network_bytes: Amount = Amount()
    requests: Amount = Amount()
    disk_bytes: Amount = Amount()


def stages(images: float, a: Assumptions, m: Measured) -> dict[str, Stage]:
    """What each stage of a build of so many images asks for."""
    pages, photographs = images * a.pages, images * (1 - a.pages)
    units = images / a.unit_images
    photograph = m[f"bytes {a.size_px:g}"]
    read = photograph * photographs + Amount(known=pages * a.page_bytes)
    rows = Amount(known=images * a.row_bytes)
    # Pages are drawn again for packing; photographs are read again and copied.
    kept = (photograph * photographs + Amount(known=pages * a.packed_page_bytes)) * a.packed
    copied = photograph * (photographs * a.packed)
    drawn = Amount(known=pages * a.packed * a.page_bytes)
    written = images * a.synthetic * a.synthetic_bytes
    return {
        "list": Stage(
            driver_s=m["list"] * (units / 1e6),
            requests=Amount(known=units / _NAMES_PER_LIST),
        ),
        "score": Stage(
            cpu_s=total(
                [
                    m[f"score {a.size_px:g}"] * (photographs * a.text / 1e6),
                    m[f"clarity {a.size_px:g}"] * (photographs * (1 - a.text) / 1e6),
                    m["page"] * (pages / 1e6),
                    _per_tb(m["read"], read),
                    m["task"] * (units / 1e6),
                ]
            ),
            driver_s=m["task of the driver"] * (units / 1e6),
            network_bytes=read + rows,
            requests=_per_tb(m["read requests"], read) + Amount(known=units * _REQUESTS_PER_TABLE),
        ),
        "plan": Stage(
            cpu_s=m["plan"] * (images / 1e6),
            network_bytes=rows,
            requests=m["plan requests"] * (images / 1e6),
            disk_bytes=m["plan disk"] * (2 * images),
        ),
        "pack": Stage(
            cpu_s=total(
                [
                    m.ratio("pack", "packed") * (images * a.packed),
                    m["draw"] * (pages * a.packed / 1e6),
                    _per_tb(m["read"], copied + drawn),
                    _per_tb(m["write"], kept),
                ]
            ),
            driver_s=m["task of the driver"] * (_shards(kept).known / 1e6),
            network_bytes=kept + copied + drawn,
            requests=_per_tb(m["read requests"], copied + drawn)
            + _shards(kept) * _REQUESTS_PER_SHARD,
        ),
        "synthesize": Stage(
            cpu_s=total(
                [
                    (m["synthesize en"] + m["synthesize zh"]) * (images * a.synthetic / 2e6),
                    _per_tb(m["write"], Amount(known=written)),
                ]
            ),
            driver_s=m["task of the driver"] * (written / SHARD_BYTES / 1e6),
            network_bytes=Amount(known=written),
            requests=Amount(known=written / SHARD_BYTES * _REQUESTS_PER_SHARD),
        ),
        "report": Stage(driver_s=m["report"] + m["count"] * (images / 1e6)),
    }


def _per_tb(each: Amount, amount: Amount) -> Amount:
    product = each * (amount.known / 1e12)
    return Amount(known=product.known, lacks=product.lacks | amount.lacks)


def _shards(written: Amount) -> Amount:
    return written * (1 / SHARD_BYTES)


def times_s(stage: Stage, a: Assumptions) -> dict[str, Amount]:
    """How long the stage takes if one thing alone is short, in seconds."""
    return {
        "CPU": stage.cpu_s * (1 / a.cores),
        "driver": stage.driver_s,
        "network": stage.network_bytes * (8e-9 / (a.gbit_s_per_core * a.cores)),
        "requests": stage.requests * (1 / a.requests_s),
        "disk": stage.disk_bytes * (1e-6 / (a.disk_mb_s_per_core * a.cores)),
    }


def whole(of: dict[str, Stage]) -> Stage:
    """All stages together."""
    names = [f.name for f in dataclasses.fields(Stage)]
    return Stage(**{n: total(getattr(stage, n) for stage in of.values()) for n in names})


def first_short(times: dict[str, Amount]) -> str:
    """What takes longest of what was measured, and what was not, which may take longer."""
    name, longest = max(times.items(), key=lambda item: item[1].known)
    unknown = ", ".join(n for n, t in times.items() if t.lacks and not t.known)
    known = name if longest.known else ""
    return "; ".join(filter(None, [known, unknown and f"not measured: {unknown}"]))


def tables(a: Assumptions, m: Measured) -> dict[str, str]:
    """The tables of docs/scale.md, by name."""
    figures = [[f.what, short(m[name]), f.unit, f"`{f.file}`"] for name, f in FIGURES.items()]
    assumptions = [
        [f"`--{f.name}`", f"{getattr(a, f.name):,g}", f.metadata["meaning"]]
        for f in dataclasses.fields(a)
    ]
    builds = {images: stages(images, a, m) for images in IMAGES}
    work = [
        [name, *(short(builds[n][name].cpu_s * (1 / 3600)) for n in IMAGES)]
        for name in builds[IMAGES[0]]
    ]
    work.append(["all", *(short(whole(builds[n]).cpu_s * (1 / 3600)) for n in IMAGES)])
    sums = {images: whole(builds[images]) for images in IMAGES}
    asked = [
        ["worker CPU, core hours", *(short(s.cpu_s * (1 / 3600)) for s in sums.values())],
        ["its price", *(short(_price(s, a)) for s in sums.values())],
        ["driver alone, hours", *(short(s.driver_s * (1 / 3600)) for s in sums.values())],
        ["store, TB read and written", *(short(s.network_bytes * 1e-12) for s in sums.values())],
        ["store, requests, millions", *(short(s.requests * 1e-6) for s in sums.values())],
        ["local disks, TB read and written", *(short(s.disk_bytes * 1e-12) for s in sums.values())],
    ]
    largest = builds[IMAGES[-1]]
    bounds = [
        [name, *(short(t * (1 / 3600)) for t in times.values()), first_short(times)]
        for name, stage in largest.items()
        for times in [times_s(stage, a)]
    ]
    counts = ["10^6 images", "10^7", "10^8", "10^9"]
    resources = list(times_s(Stage(), a))
    return {
        "figures": markdown(["", "figure", "unit", "file"], figures),
        "assumptions": markdown(["flag", "default", ""], assumptions),
        "work": markdown(["core hours of workers", *counts], work),
        "asked": markdown(["in all", *counts], asked),
        "bounds": markdown(["hours at 10^9", *resources, "first short"], bounds),
        "cores": markdown(
            ["takes as long as the CPUs of", "cores"], _useful_cores(sums[IMAGES[-1]], a)
        ),
    }


def _price(s: Stage, a: Assumptions) -> Amount:
    return s.cpu_s * (a.price_per_core_hour / 3600)


def _useful_cores(s: Stage, a: Assumptions) -> list[list[str]]:
    """Where more cores no longer help: what does not grow with them takes as long as the CPUs."""
    fixed = {"the store's answers": times_s(s, a)["requests"], "the driver": s.driver_s}
    rows = []
    for name, seconds in fixed.items():
        if not (s.cpu_s.known and seconds.known):
            rows.append([name, "not measured"])
            continue
        known = ", as far as known" if s.cpu_s.lacks | seconds.lacks else ""
        rows.append([name, f"{s.cpu_s.known / seconds.known:,.0f}{known}"])
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for f in dataclasses.fields(Assumptions):
        meaning = f.metadata["meaning"]
        parser.add_argument(f"--{f.name}", type=float, default=f.default, help=meaning)
    parser.add_argument("--write", action="store_true", help="renew the tables of docs/scale.md")
    given = vars(parser.parse_args(argv))
    write = given.pop("write")
    try:
        made = tables(Assumptions(**given), Measured())
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if write:
        if Assumptions(**given) != Assumptions():
            print("error: --write keeps to the assumptions of the document", file=sys.stderr)
            return 2
        DOCUMENT.write_text(between_marks(DOCUMENT.read_text(encoding="utf-8"), made))
        return 0
    print("\n\n".join(made.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
