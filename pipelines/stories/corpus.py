"""A finished corpus to ask about: its settings, its plan and scores, and the images in them."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from pipelines.config import CorpusConfig
from pipelines.planning import neighbourhoods, tables, taken_down
from pipelines.planning.tables import FATES
from pipelines.stages import committed
from vae_corpus import storage
from vae_corpus.words import TEXT_SYNTH

Row = dict[str, Any]

# `<source>-<16 hex>`, and the place of a tile behind it.
_KEY = re.compile(r"(?P<parent>.+-[0-9a-f]{16})(-x(?P<x>\d+)y(?P<y>\d+))?")
_MAX_FOUND = 50


class StoryError(RuntimeError):
    """Nothing can be told; the message says what was looked for, where, and what is near."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The place and the settings of a corpus; `scores` and `plan` are its folders."""

    root: str
    config: CorpusConfig
    scores: str
    plan: str
    facts: dict[str, Any]

    def tables(self, *fates: str) -> list[str]:
        """The tables of the plan with the images of these fates."""
        return [path for fate in fates for path in tables.paths(self.plan, fate)]

    def generations(self, *fates: str) -> list[list[str]]:
        """The same, those together whose images came together, the first ones first."""
        generation = {n.name: n.generation for n in neighbourhoods.listed(self.units)}
        found: dict[int, list[str]] = {}
        for path in self.tables(*fates):
            name = storage.name_of(path).removesuffix(".parquet")
            found.setdefault(generation[name], []).append(path)
        return [found[number] for number in sorted(found)]

    @property
    def units(self) -> str:
        return storage.join(self.root, "units")

    def sources(self) -> dict[str, Any]:
        return self.config.sources_by_name()


def quoted(text: str) -> str:
    """Text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def open_corpus(root: str) -> Corpus:
    """The corpus at a folder or URL, by its corpus.json; StoryError where there is none."""
    path = storage.join(root, "corpus.json")
    try:
        facts = json.loads(storage.read_bytes(path))
    except FileNotFoundError:
        raise StoryError(
            f"no corpus.json at {root}: name the folder or URL of a corpus (--out of the build)."
            " A build that is not finished has none yet: run it again"
        ) from None
    except ValueError:
        raise StoryError(f"{path} is damaged: run the build again, it writes it anew") from None
    except NotADirectoryError:
        raise StoryError(f"{root} is a file: name the folder of a corpus, then the image") from None
    try:
        config = CorpusConfig.model_validate(facts["settings"] | {"out": root})
    except (ValidationError, KeyError, TypeError) as error:
        raise StoryError(
            f"{path} was written by another version of this program, whose settings are others:"
            f" run the build again ({error})"
        ) from None
    corpus = Corpus(
        root=config.out,
        config=config,
        scores=storage.join(root, "scores", facts["scores"]),
        plan=storage.join(root, "plan", facts["plan"]),
        facts=facts,
    )
    whole = tables.facts(corpus.plan) is not None
    if lost := tables.lost(corpus.plan) if whole else [tables.FACTS]:
        raise StoryError(f"{corpus.plan} has no {lost[0]}: run the build again")
    return corpus


def split_key(what: str) -> tuple[str, tuple[int, int] | None] | None:
    """The key of an image and the corner of its tile in px; None when `what` is no key."""
    found = _KEY.fullmatch(what)
    if found is None:
        return None
    return found["parent"], None if found["x"] is None else (int(found["x"]), int(found["y"]))


def find_images(corpus: Corpus, what: str) -> list[Row]:
    """Rows of the plan by key or by path, each with its `fate`, at most 50; selected ones first.

    A path is that of a file, of a member inside one, or both joined; its first parts may be left
    out.
    """
    key = split_key(what)
    if key is not None:
        where = f"key = {quoted(key[0])}"
    else:
        named = os.path.normpath(what) if storage.is_local(what) else what
        if storage.is_local(what) and os.path.lexists(what):
            named = os.path.abspath(what)
        end = quoted("/" + named.lstrip("/"))
        where = f"""ends_with('/' || uri, {end}) OR ends_with('/' || member, {end})
            OR ends_with('/' || uri || '/' || member, {end})"""
    return [
        {**row, "fate": fate}
        for fate in FATES
        for row in storage.query(
            corpus.tables(fate),
            f"""SELECT * FROM stored WHERE {where}
                ORDER BY source, uri, "offset", member LIMIT {_MAX_FOUND}""",
        )
    ]


def find_synthetic(corpus: Corpus, key: str) -> Row | None:
    """The index row of a sample of synthetic text."""
    paths = _synthetic_indexes(corpus)
    rows = storage.query(paths, f"SELECT * FROM stored WHERE key = {quoted(key)} LIMIT 1")
    return rows[0] if rows else None


def on_background(corpus: Corpus, key: str) -> int:
    """How many samples of synthetic text stand on this image."""
    sql = f"SELECT count(*) AS n FROM stored WHERE parent = {quoted(key)}"
    return sum(row["n"] for row in storage.query(_synthetic_indexes(corpus), sql))


def _synthetic_indexes(corpus: Corpus) -> list[str]:
    return [
        storage.join(corpus.root, folder, name)
        for folder in committed.folders(corpus.root)
        if folder.startswith(f"shards/{TEXT_SYNTH}/")
        for name in storage.names(storage.join(corpus.root, folder), ".parquet")
    ]


def stored_samples(corpus: Corpus, row: Row) -> list[Row]:
    """What lies in the shard of a selected image: index rows, one for each tile."""
    path = storage.join(corpus.root, f"{row['shard']}.parquet")
    try:
        return storage.query(
            [path], f'SELECT * FROM stored WHERE parent = {quoted(row["key"])} ORDER BY "offset"'
        )
    except FileNotFoundError:
        raise StoryError(f"{path} is not there: run the build again, it packs that shard") from None


def scored(corpus: Corpus, row: Row) -> Row:
    """The whole score row of an image, with what the plan does not keep (cells, layout...)."""
    path = storage.join(corpus.scores, f"{row['unit']}.parquet")
    try:
        rows = storage.query(
            [path],
            f"""SELECT * FROM stored WHERE uri = {quoted(row["uri"])}
                AND "offset" = {row["offset"]} AND member = {quoted(row["member"])}""",
        )
    except FileNotFoundError:
        raise StoryError(f"{path} is not there: run the build again, it scores that unit") from None
    return rows[0]


def why_taken_down(corpus: Corpus, row: Row) -> str:
    """What the list of the corpus says of an image that was taken down."""
    said = [
        each["why"]
        for each in taken_down.read(corpus.root).table.to_pylist()
        if row.get(each["what"]) == each["value"] and each["why"]
    ]
    return "; ".join(dict.fromkeys(said)) or f"{taken_down.NAME} does not say why"


def near(corpus: Corpus, what: str, slugs: Iterable[str]) -> list[str]:
    """Keys, names of files and slugs that look most like `what`, the best first."""
    last = quoted(what.rstrip("/").rpartition("/")[2])
    # Slugs are few and short: one that is misspelt is what is meant.
    meant = difflib.get_close_matches(what, slugs, n=1, cutoff=0.75)
    found: list[tuple[float, str]] = [(1.0, slug) for slug in meant]
    for fate in FATES:
        rows = storage.query(
            corpus.tables(fate),
            f"""
            SELECT key, member,
                jaro_winkler_similarity(key, {last}) AS by_key,
                jaro_winkler_similarity(split_part(member, '/', -1), {last}) AS by_name
            FROM stored ORDER BY greatest(by_key, by_name) DESC, key LIMIT 3
            """,
        )
        for row in rows:
            name = row["key"] if row["by_key"] > row["by_name"] else row["member"]
            found.append((max(row["by_key"], row["by_name"]), name))
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    return list(dict.fromkeys(name for _, name in found))[:3]
