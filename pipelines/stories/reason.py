"""The story of a slug: how many images went that way, which, and what another setting would do."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from pipelines.planning import neighbourhoods, rules, taken_down
from pipelines.planning.settings import PlanSettings
from pipelines.stories.corpus import Corpus, Row, quoted, why_taken_down
from pipelines.stories.image import Section
from pipelines.stories.spoken import shown
from pipelines.stories.twins import place
from pipelines.workers import careful
from vae_corpus import storage
from vae_corpus.expressions import Expression
from vae_corpus.pictures import decode
from vae_corpus.words import GENERAL

_EXAMPLES = 5
# The steps that are tried: the first that changes a fate is the nearest other threshold.
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_ELSEWHERE = {
    "duplicate": "no setting: files of the same bytes are kept once",
    "over_quota": "plan.quotas",
    taken_down.TAKEN_DOWN: f"no setting: {taken_down.NAME} lists what must not be in the corpus",
    "too_many_pixels": "score.max_pixels",
    "side_too_long": "score.max_side_px",
    "file_too_large": "max_file_bytes of its source",
    "missing_glyphs": "fonts of its source",
    "hangs_worker": "engine.image_timeout_s",
}
# Every slug that an image may bear.
KNOWN = (
    {rule.slug for rule in rules.RULES}
    | set(_ELSEWHERE)
    | set(decode.SLUGS)
    | set(careful.SLUGS)
    | {"near_duplicate", "score_failed", "unreadable", "count_differs"}
    | {"broken_tar", "broken_parquet", "broken_document"}
)
_TILES = ("min_tile_chars_per_256", "min_ink_levels")
_TWINS = (
    "duplicate_bits",
    "duplicate_fine_bits",
    "duplicate_text_runs",
    "duplicate_layout_levels",
)


def slugs(corpus: Corpus) -> dict[str, tuple[str, int]]:
    """Every slug that the plan or the scores gave: the fate that it stands for, and how often."""
    return {
        row["slug"]: (fate, row["n"])
        for fate in ("dropped", "rejected")
        for row in storage.query(
            corpus.tables(fate),
            "SELECT slug, count(*) AS n FROM stored GROUP BY slug ORDER BY n DESC, slug",
        )
    }


def tell_slug(corpus: Corpus, slug: str, fate: str, count: int) -> list[Section]:
    listed = corpus.facts["images"]["listed"]
    told: list[Section] = [
        ("slug", [f"{slug}: {count:,} of {listed:,} listed images were {fate}"]),
        ("for example", _examples(corpus, slug, fate)),
    ]
    s = corpus.config.plan
    by_rule = [rule for rule in rules.RULES if rule.slug == slug]
    for rule in by_rule:
        values = rules.values(s)
        deciding = [f"plan.{name} {shown(values[name])}" for name in _settings(rule.when)]
        if "min_rung" in rule.when.settings():
            deciding.append(f"plan.rung_weights, whose smallest is {min(s.rung_weights)}")
        if slug in ("noisy", "compressed", "blurred"):
            deciding.append(f"and {slug} is the worst of noise, compression and blur")
        told.append(("decided by", deciding or ["no setting"]))
        told.append(("nearest", _nearest(corpus, slug, _settings(rule.when))))
    if slug in ("no_text", "blank"):
        names = [f"plan.{name} {shown(getattr(s, name))}" for name in _TILES]
        told.append(("or decided by", [*names, "where none of its tiles was left to cut"]))
    if slug == "near_duplicate":
        told.append(("decided by", [f"plan.{n} {shown(getattr(s, n))}" for n in _TWINS]))
        told.append(("nearest", _nearest_twins(corpus)))
    elif slug == "over_quota":
        told.append(("decided by", ["plan.quotas"]))
        told.append(("nearest", _next_in_quota(corpus)))
    elif not by_rule:
        told.append(("decided by", [_ELSEWHERE.get(slug, _by_file(fate))]))
    return told


def _by_file(fate: str) -> str:
    return "the file itself: no setting would read it" if fate == "rejected" else "no setting"


def _examples(corpus: Corpus, slug: str, fate: str) -> list[str]:
    rows = storage.query(
        corpus.tables(fate),
        f"SELECT * FROM stored WHERE slug = {quoted(slug)} ORDER BY md5(key) LIMIT {_EXAMPLES}",
    )
    return [f"{row['key']}  {place(row)}{_detail(corpus, row)}" for row in rows]


def _detail(corpus: Corpus, row: Row) -> str:
    if row["slug"] == taken_down.TAKEN_DOWN:
        return f": {why_taken_down(corpus, row)}"
    if row.get("why"):
        return f": {row['why']}"
    return f", twin of {row['duplicate_of']}" if row.get("duplicate_of") else ""


def _settings(when: Expression) -> list[str]:
    return [name for name in when.settings() if name in PlanSettings.model_fields]


def _nearest(corpus: Corpus, slug: str, names: list[str]) -> list[str]:
    """What the nearest step of each setting, up and down, would change by the rules alone."""
    s = corpus.config.plan
    tried = [
        (name, sign, other)
        for name in names
        for sign in (-1, 1)
        for other in _others(s, name, sign)
    ]
    if not tried:
        return ["no other value is allowed"]
    columns = ", ".join(
        f"{rules.slug_sql(s.model_copy(update={name: other}))} AS other_{i}"
        for i, (name, _, other) in enumerate(tried)
    )
    is_it = f"now IS NOT DISTINCT FROM {quoted(slug)}"
    counts = ", ".join(
        f"count(*) FILTER ({is_it} AND other_{i} IS DISTINCT FROM {quoted(slug)}) AS freed_{i},"
        f"count(*) FILTER ({is_it} AND other_{i} IS NULL) AS passed_{i},"
        f"count(*) FILTER (NOT ({is_it}) AND other_{i} = {quoted(slug)}) AS caught_{i}"
        for i in range(len(tried))
    )
    (found,) = storage.query(
        _score_paths(corpus),
        f"""
        WITH kinds AS (
            SELECT *, least(width, height) AS side, {rules.kind_sql(s)} AS kind
            FROM stored WHERE slug IS NULL),
        judged AS (SELECT {rules.slug_sql(s)} AS now, {columns} FROM kinds)
        SELECT {counts} FROM judged
        """,
    )
    lines, seen = [], set()
    for i, (name, sign, other) in enumerate(tried):
        freed, passed, caught = (found[f"{what}_{i}"] for what in ("freed", "passed", "caught"))
        if (name, sign) in seen or not (freed or caught):
            continue
        seen.add((name, sign))
        told = []
        if freed:
            told.append(f"{freed:,} fewer would be {slug}, {passed:,} of them pass every rule")
        if caught:
            told.append(f"{caught:,} more would be {slug}")
        lines.append(f"plan.{name} {shown(other)}: {'; '.join(told)}")
    if not lines:
        return [f"{', '.join(names)} up to {_STEPS[-1]:.0%} off would change nothing"]
    return [*lines, "duplicates, tiles and quotas are not decided again for these counts"]


def _others(s: PlanSettings, name: str, sign: int) -> list[Any]:
    """Allowed values of a setting, ever further off on one side."""
    now = getattr(s, name)
    found: dict[Any, None] = {}
    for step in _STEPS:
        other = now * (1 + sign * step)
        if isinstance(now, int):
            other = now + sign * max(1, round(now * step))
        try:
            PlanSettings.model_validate(s.model_dump() | {name: other})
        except ValidationError:
            continue
        if other != now:
            found[other] = None
    return list(found)


def _score_paths(corpus: Corpus) -> list[str]:
    listed = [neighbourhood.units for neighbourhood in neighbourhoods.listed(corpus.units)]
    units = storage.query(listed, "SELECT unit_id FROM stored ORDER BY unit_id")
    lost = {failure["task_id"] for failure in corpus.facts["quarantined"]}
    ids = [row["unit_id"] for row in units if row["unit_id"] not in lost]
    return [storage.join(corpus.scores, f"{unit}.parquet") for unit in ids]


def _nearest_twins(corpus: Corpus) -> list[str]:
    """How many twins of one image lie just at the limit of each hash."""
    s = corpus.config.plan
    (found,) = storage.query(
        corpus.tables("dropped", "selected"),
        f"""
        WITH twins AS (SELECT key, any_value(phash) AS phash, any_value(phash_fine) AS phash_fine
                       FROM stored GROUP BY key),
        far AS (SELECT bit_count(xor(a.phash, b.phash)) AS bits,
                       bit_count(xor(a.phash_fine::BIT, b.phash_fine::BIT)) AS fine
                FROM stored a JOIN twins b ON a.duplicate_of = b.key
                WHERE a.slug = 'near_duplicate')
        SELECT count(*) FILTER (bits = {s.duplicate_bits}) AS bits,
               count(*) FILTER (fine = {s.duplicate_fine_bits}) AS fine FROM far
        """,
    )
    lines = [
        f"plan.{name} {limit - 1}: {found[what]:,} would no longer match this twin"
        for name, limit, what in (
            ("duplicate_bits", s.duplicate_bits, "bits"),
            ("duplicate_fine_bits", s.duplicate_fine_bits, "fine"),
        )
        if limit
    ]
    return [*lines, "what a larger limit would match, only a new plan can say"]


def _next_in_quota(corpus: Corpus) -> list[str]:
    lines = []
    for kind, quota in sorted(corpus.config.plan.quotas.items()):
        column = "clarity" if kind == GENERAL else "max_chars_per_256_tile"
        rows = [
            row
            for paths in corpus.generations("dropped")
            for row in storage.query(
                paths,
                f"""SELECT key, {column} AS value, count(*) OVER () AS n FROM stored
                    WHERE slug = 'over_quota' AND kind = {quoted(kind)}
                    ORDER BY {column} DESC NULLS LAST, sha256 LIMIT 1""",
            )
        ]
        # Of each generation the best, those that came first before others.
        for row in rows[:1]:
            lines.append(
                f"{kind}: quota {quota:,}, {sum(each['n'] for each in rows):,} over it; one more"
                f" would keep {row['key']} ({column} {shown(row['value'])})"
            )
    return lines
