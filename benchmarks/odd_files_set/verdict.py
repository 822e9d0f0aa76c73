"""What became of each file: the tables of a finished build, the stored pixels, and how far off."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, ImageOps
from skimage.color import deltaE_ciede2000, rgb2lab

from odd_files_set.case import Odd, Rgb
from vae_corpus.pictures.decode import Decoded, decode

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`de2000` and `levels` compare the pixels as this project decodes what was stored;
    `plain_de2000` as a reader does that turns by EXIF and knows no profiles."""

    name: str
    group: str
    expected: str
    got: str
    ok: bool
    de2000: float | None = None
    levels: int | None = None
    plain_de2000: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Fate:
    """`slug` is None where the file was kept; then `stored` has the bytes of the sample."""

    slug: str | None
    why: str = ""
    stored: bytes = b""
    row: dict[str, Any] | None = None


def fates(corpus: Path) -> dict[str, Fate]:
    """Every listed file by its name."""
    (plan,) = corpus.glob("plan/*")
    found: dict[str, Fate] = {}
    for table in ("dropped", "rejected"):
        for row in pq.read_table(plan / table).to_pylist():
            found[row["member"]] = Fate(row["slug"], row.get("why") or "", row=row)
    places: dict[str, dict[str, Any]] = {}
    for index in corpus.glob("shards/**/*.parquet"):
        places |= {row["parent"]: row for row in pq.read_table(index).to_pylist()}
    for row in pq.read_table(plan / "selected").to_pylist():
        place = places[row["key"]]
        with open(corpus / f"{row['shard']}.tar", "rb") as tar:
            tar.seek(place["offset"])
            stored = tar.read(place["bytes"])
        found[row["member"]] = Fate(None, "", stored, row)
    return found


def judge(odd: Odd, fate: Fate | None) -> Verdict:
    base = {"name": odd.name, "group": odd.group, "expected": odd.expected}
    if fate is None:
        return Verdict(**base, got="lost", ok=False, note="in none of the tables")
    if fate.slug is not None:
        return Verdict(**base, got=fate.slug, ok=fate.slug in odd.says, note=fate.why)
    opened = decode(fate.stored)
    if not isinstance(opened, Decoded):
        return Verdict(**base, got="kept", ok=False, note=f"stored, but now {opened.slug}")
    if not odd.right:
        return Verdict(**base, got="kept", ok=False, note="must not be kept")
    distances = [distance(opened.rgb, right) for right in odd.right]
    best = int(np.argmin(distances))
    height, width = opened.rgb.shape[:2]
    wanted = " or ".join(dict.fromkeys(f"{r.shape[1]} x {r.shape[0]}" for r in odd.right))
    if not np.isfinite(distances[best]):
        note = f"{width} x {height} px, not {wanted}"
        return Verdict(**base, got="kept", ok=False, note=note)
    steps = np.abs(opened.rgb.astype(int) - odd.right[best]).max()
    exact = odd.levels is None or steps <= odd.levels
    return Verdict(
        **base,
        got="kept",
        ok=bool(exact and distances[best] < odd.most),
        de2000=round(distances[best], 3),
        levels=int(steps),
        plain_de2000=_rounded(distance(plain_pixels(fate.stored), odd.right[best])),
        note="" if exact else f"{odd.levels} levels allowed",
    )


def distance(one: Rgb | None, two: Rgb) -> float:
    """The mean dE2000 of two pictures; infinite where their sizes differ."""
    if one is None or one.shape != two.shape:
        return float("inf")
    if np.array_equal(one, two):
        return 0.0
    labs: list[NDArray[Any]] = [rgb2lab(part) for part in (one, two)]
    return float(deltaE_ciede2000(*labs).mean())


def plain_pixels(data: bytes) -> Rgb | None:
    """As the usual few lines of Pillow read a file; None where they fail."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            turned = ImageOps.exif_transpose(image)
            if "A" in turned.getbands() or "transparency" in turned.info:
                layer = turned.convert("RGBA")
                turned = Image.new("RGB", layer.size, (255, 255, 255))
                turned.paste(layer, mask=layer.getchannel("A"))
            return np.array(turned.convert("RGB"))
    except Exception:
        return None


def opencv_pixels(data: bytes) -> Rgb | None:
    """As img2dataset reads a file: OpenCV, as it is told by EXIF; None where that fails."""
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    except Exception:
        return None


def as_json(verdict: Verdict) -> dict[str, Any]:
    return {key: value for key, value in asdict(verdict).items() if value not in (None, "")}


def _rounded(value: float) -> float | None:
    return round(value, 3) if np.isfinite(value) else None
