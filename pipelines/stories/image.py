"""The story of one image: from where it was read to the phases that will show it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from filters.scores import COLUMNS
from pipelines.planning.place import rung_draw_sql, rung_shares
from pipelines.planning.taken_down import TAKEN_DOWN
from pipelines.planning.tiles import judge_row
from pipelines.stories.corpus import (
    Corpus,
    Row,
    StoryError,
    find_images,
    on_background,
    quoted,
    scored,
    stored_samples,
    why_taken_down,
)
from pipelines.stories.spoken import Spoken, shown
from pipelines.stories.twins import place, tell_twin
from vae_corpus import storage
from vae_corpus.words import GENERAL

Section = tuple[str, list[str]]

# The figures that the report draws as well.
_MEASURED = tuple(column.name for column in COLUMNS if column.title and not column.sql)
_LEFT_OUT = {
    "few_chars": "min_tile_chars_per_256",
    "blank": "min_ink_levels",
    "too_many": "max_tiles_per_image",
}
_SHOWN_TILES = 40


def tell_image(corpus: Corpus, row: Row, tile: tuple[int, int] | None) -> list[Section]:
    """Everything that the corpus knows of the image of this row of the plan."""
    told: list[Section] = [("image", _head(row)), ("read", _read(corpus, row))]
    if row["fate"] == "rejected":
        return [*told, ("rejected", [f"{row['slug']}: {row['why'] or 'no more is known'}"])]
    score = scored(corpus, row)
    told.append(("scores", _scores(score)))
    spoken = Spoken(score, corpus.config.plan)
    told.append(("kind", [f"{row['kind']}: {spoken.why_kind()}"]))
    told.append(("rules", _rules(spoken)))
    spoken.close()
    told.append(("twin", tell_twin(corpus, row) if row.get("duplicate_of") else _no_twin(row)))
    if row["rung"] is not None:
        told.append(("rung", _rung(corpus, row)))
        if row["kind"] != GENERAL:
            told.append(("tiles", _tiles(corpus, row | score, tile)))
        if row.get("slug") in (None, "over_quota"):
            told.append(("quota", _quota(corpus, row)))
    if row["fate"] == "dropped":
        return [*told, ("dropped", [_why_dropped(corpus, row)])]
    samples = stored_samples(corpus, row)
    if tile is not None:
        corner = f"x{tile[0]}y{tile[1]}"
        samples = [s for s in samples if s["key"].endswith(f"-{corner}")]
        if not samples:
            raise StoryError(
                f"{row['key']} has no tile {corner} in the corpus: ask for it without the corner"
            )
    told.append(("stored", [stored_at(corpus, sample) for sample in samples]))
    told.append(("shown", _phases(corpus, samples)))
    if row["kind"] == GENERAL and (count := on_background(corpus, row["key"])):
        told.append(("background", [f"of {count} samples of synthetic text"]))
    return told


def tell_synthetic(corpus: Corpus, sample: Row) -> list[Section]:
    """The story of a sample of synthetic text: what is written on which background."""
    label = json.loads(
        storage.read_bytes(shard_path(corpus, sample), sample["json_offset"], sample["json_bytes"])
    )
    recipe = json.loads(label["recipe"]) if label.get("recipe") else {}
    text = " / ".join(str(line.get("text", "")) for line in label["lines"])
    faces = [str(font["face"]) for font in label.get("fonts", ())]
    drawn = [
        f"{sample['language']} at {sample['size_band']} px, {sample['bucket']} px",
        f"layout {recipe.get('layout', label.get('layout', 'not named'))}",
        f"fonts {', '.join(faces) or 'not named'}",
        f"text {text if len(text) <= 300 else text[:300] + '...'}",
    ]
    images = [r for r in find_images(corpus, sample["parent"]) if r["fate"] == "selected"]
    behind = [sample["parent"], *(f"  read at {place(image)}" for image in images[:1])]
    return [
        ("image", [f"{sample['key']}: synthetic text, selected"]),
        ("drawn", drawn),
        ("background", behind),
        ("stored", [stored_at(corpus, sample)]),
        ("shown", _phases(corpus, [sample])),
    ]


def shard_path(corpus: Corpus, sample: Row) -> str:
    return storage.join(corpus.root, sample["shard"])


def stored_at(corpus: Corpus, sample: Row) -> str:
    size = f"{sample['width']} x {sample['height']} px, bucket {sample['bucket']}"
    density = f", density {sample['density']}" if sample["density"] else ""
    at = f"offset {sample['offset']:,}, {sample['bytes']:,} bytes"
    return f"{sample['key']}.{sample['ext']} in {sample['shard']} at {at}; {size}{density}"


def _why_dropped(corpus: Corpus, row: Row) -> str:
    slug = row["slug"]
    if slug == TAKEN_DOWN:
        return f"as {slug}: this image was taken down: {why_taken_down(corpus, row)}"
    return f"as {slug}: ask for {slug} to see its setting"


def _head(row: Row) -> list[str]:
    fate = row["fate"] if row["fate"] == "selected" else f"{row['fate']} as {row['slug']}"
    return [f"{row['key']}: {fate}"]


def _read(corpus: Corpus, row: Row) -> list[str]:
    lines = [place(row), f"source {row['source']}, {row['bytes']:,} bytes, sha256 {row['sha256']}"]
    if row["width"] is not None:
        colours = f"{row['colour_space']}{', converted' if row['colour_converted'] else ''}"
        size = f"{row['width']} x {row['height']} px {row['format']}"
        quality = f", quality {shown(row['jpeg_quality'])}" if row["jpeg_quality"] else ""
        lines.append(f"{size}{quality}, colours {colours}")
    if row.get("decode_note"):
        lines.append(row["decode_note"])
    same = [r for r in find_images(corpus, row["key"]) if r["uri"] != row["uri"]]
    if same:
        lines.append(f"the same bytes also at {', '.join(place(r) for r in same[:3])}")
    return lines


def _scores(score: Row) -> list[str]:
    known = [f"{name} {shown(score[name])}" for name in _MEASURED if score.get(name) is not None]
    script = f", script {score['script']}" if score["script"] else ""
    return [", ".join(known) + script if known else "not measured: a side is below 64 px"]


def _rules(spoken: Spoken) -> list[str]:
    told = spoken.verdicts()
    wide = max(len(slug) for slug, _, _ in told)
    return [f"{slug:<{wide}}  {answer:<9}  {words}" for slug, answer, words in told]


def _no_twin(row: Row) -> list[str]:
    found = (None, "over_quota", "no_text", "blank", TAKEN_DOWN)
    if row.get("slug") in found and row["rung"] is not None:
        return ["none that is better"]
    return ["not looked for: it was dropped before"]


def _rung(corpus: Corpus, row: Row) -> list[str]:
    config = corpus.config
    (drawn,) = storage.query(
        [storage.join(corpus.scores, f"{row['unit']}.parquet")],
        f"""SELECT {rung_draw_sql(config.seed)} AS u FROM stored
            WHERE sha256 = {quoted(row["sha256"])} LIMIT 1""",
    )
    low, shares, asked = 0.0, [], None
    for rung, edge in rung_shares(config.plan, min(row["width"], row["height"])):
        shares.append(f"{rung} from {low:.3f}")
        if asked is None and drawn["u"] < edge:
            asked = rung
        low = edge
    bucket = f", bucket {row['bucket']}" if row["bucket"] else ""
    lines = [f"{row['rung']}: the draw is {drawn['u']:.4f} of {', '.join(shares)}{bucket}"]
    if asked not in (None, row["rung"]):
        lines.append(f"{asked} was drawn, but no tile of it has enough text: a smaller rung has")
    return lines


def _tiles(corpus: Corpus, row: Row, wanted: tuple[int, int] | None) -> list[str]:
    _, bucket, judged = judge_row(row, corpus.config.plan, corpus.config.seed)
    if bucket is None:
        return [f"no bucket of rung {row['rung']} fits"]
    if not judged:
        return [f"of {bucket} px: none, because no line of text was found"]
    if wanted is not None:
        judged = [one for one in judged if (one.tile.x, one.tile.y) == wanted]
        if not judged:
            return [f"none at x{wanted[0]}y{wanted[1]}: no tile of {bucket} px starts there"]
    counts = Counter(slug or "kept" for _, slug in judged)
    lines = [f"of {bucket} px: " + ", ".join(f"{n} {slug}" for slug, n in counts.most_common())]
    measured = row["text_lines"] is not None
    for tile, slug in judged[:_SHOWN_TILES]:
        chars = f"{shown(tile.chars)} characters" if measured else "characters not measured"
        why = "kept"
        if slug is not None:
            setting = _LEFT_OUT[slug]
            why = f"left out, {slug}: {setting} {shown(getattr(corpus.config.plan, setting))}"
        lines.append(f"  x{tile.x}y{tile.y}  {chars}  {why}")
    if len(judged) > _SHOWN_TILES:
        lines.append(f"  and {len(judged) - _SHOWN_TILES} more: ask for one by KEY-xNyN")
    return lines


def _quota(corpus: Corpus, row: Row) -> list[str]:
    column = "clarity" if row["kind"] == GENERAL else "max_chars_per_256_tile"
    value = row[column]
    ahead = f"{column} IS NOT NULL"
    tied = f"{column} IS NULL"
    if value is not None:
        ahead, tied = f"{column} > {value!r}::FLOAT", f"{column} = {value!r}::FLOAT"
    better = f"({ahead} OR ({tied} AND sha256 < {quoted(row['sha256'])}))"
    this = " AND ".join(f"{n} = {quoted(row[n])}" for n in ("uri", "member"))
    ahead_of_it, count, met = 0, 0, False
    # Dropped ones first: the columns of the first table are those of all.
    for paths in corpus.generations("dropped", "selected"):
        (found,) = storage.query(
            paths,
            f"""SELECT count(*) AS n, count(*) FILTER ({better}) AS better,
                       count(*) FILTER ({this} AND "offset" = {row["offset"]}) > 0 AS holds_it
                FROM stored WHERE kind = {quoted(row["kind"])}
                    AND (slug IS NULL OR slug IN ('over_quota', '{TAKEN_DOWN}'))""",
        )
        if not met:
            ahead_of_it += found["better"] if found["holds_it"] else found["n"]
        met |= found["holds_it"]
        count += found["n"]
    quota = corpus.config.plan.quotas.get(row["kind"])
    allowed = "no quota" if quota is None else f"quota {quota:,}"
    return [
        f"rank {ahead_of_it + 1:,} of {count:,} of kind {row['kind']} by {column}"
        f" ({shown(value)}); {allowed}"
    ]


def _phases(corpus: Corpus, samples: Sequence[Row]) -> list[str]:
    path = storage.join(corpus.root, "curriculum.json")
    try:
        phases = json.loads(storage.read_bytes(path))["phases"]
    except FileNotFoundError:
        return ["no curriculum.json: the corpus is not whole, run the build again"]
    lines = [
        f"phase {phase['name']}: kind weight {_weight(phase['kinds'][sample['kind']])},"
        f" rung weight {_weight(phase['rungs'][str(sample['rung'])])}"
        for phase in phases
        for sample in samples[:1]
        if any(_shows(phase, one) for one in samples)
    ]
    return lines or ["in no phase: none gives this kind, rung and group a weight"]


def _shows(phase: Mapping[str, Any], sample: Row) -> bool:
    weights = [
        phase["kinds"].get(sample["kind"], 0),
        phase["rungs"].get(str(sample["rung"]), 0),
    ]
    if sample["density"] is not None and "densities" in phase:
        weights.append(phase["densities"].get(sample["density"], 0))
    if sample["size_band"] is not None and "size_bands" in phase:
        bands = phase["size_bands"]
        own = f"{sample['language']} {sample['size_band']}"
        weights.append(bands.get(own, bands.get(sample["size_band"], 0)))
    return all(any(w) if isinstance(w, list) else w for w in weights)


def _weight(weight: Any) -> str:
    return f"{weight[0]:g} to {weight[1]:g}" if isinstance(weight, list) else f"{weight:g}"
