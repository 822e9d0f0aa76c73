"""Take images out of a finished corpus, and prove by a look at every shard that they are gone.

Keys are turned into hashes of bytes, so that copies under other keys go as well. The list stays in
the corpus: whatever is built there later leaves these images out.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.scores import Scores
from pipelines import engine
from pipelines.config import CorpusConfig
from pipelines.guard import lease
from pipelines.planning import neighbourhoods, tables, taken_down
from pipelines.planning.shards import Shard
from pipelines.planning.taken_down import KEY, SCHEMA, SHA256, TakenDown
from pipelines.report.console import Console
from pipelines.report.log import build_log
from pipelines.stages.committed import Stock
from pipelines.stages.pack import pack_shards, read_shards
from pipelines.stages.plan import plan_corpus
from pipelines.stages.report import Reported, finish
from pipelines.stages.runner import Runner
from pipelines.stages.score import Scored
from pipelines.stages.synthesize import synthesize_shards
from pipelines.stages.thinning import covered, thin_shards
from pipelines.stages.units import FOLDER, Listed
from pipelines.stories.corpus import Corpus
from pipelines.workers import scorer
from vae_corpus import storage

_READS_AT_ONCE = 32


class TakeDownError(RuntimeError):
    """Nothing was taken down, or not all; the message says why and what to do."""


@dataclass(kw_only=True)
class TakenOut:
    """What a take-down did: images by fate, shards that were made anew, and what the scan saw."""

    images: int = 0
    shards: int = 0
    unknown: list[str] = field(default_factory=list)
    kept_twins: list[str] = field(default_factory=list)
    scanned: int = 0
    samples: int = 0
    reported: Reported | None = None


def take_down(corpus: Corpus, wanted: pa.Table, console: Console) -> TakenOut:
    """Take these images, as `SCHEMA`, out of a corpus.

    TakeDownError where a look at all shards finds one of them still; BuildFailed and LeaseError as
    a build raises them. Stopped, the same call goes on; so does a build.
    """
    config, out, told = corpus.config, corpus.root, TakenOut()
    with (
        lease.hold(out, console.say) as ticket,
        storage.guarded(ticket.check),
        build_log(out) as log,
    ):
        runner = Runner(console, ticket, log)
        found = find(corpus, wanted)
        told.unknown, told.kept_twins = found.unknown, found.kept_twins
        before = taken_down.read(out)
        gone = before.with_more(found.listed)
        old = read_shards(corpus.plan)
        # From here on every build leaves them out, whatever becomes of this one.
        storage.commit_table(storage.join(out, taken_down.NAME), gone.table)
        scored = _scored(corpus)
        stock = Stock(out)
        with runner.start_engine(config.engine):
            with runner.stage("plan"):
                plan = plan_corpus(config, scored, runner)
            new = read_shards(plan)
            with runner.stage("thin"):
                told.shards = thin_shards(old, new, gone, stock, runner)
            rest = _make_rest(config, plan, scored, stock, runner)
        shards, notices = [*new, *rest[0]], rest[1]
        with runner.stage("report"):
            told.reported = finish(config, scored, plan, shards, notices, stock, runner)
        told.images = found.images
        told.scanned, told.samples, left = scan(out, [s.name for s in shards], gone)
    if left:
        raise TakeDownError(
            f"{len(left)} samples of what was taken down are still there, for example {left[0]}:"
            " run the same command again"
        )
    return told


def _make_rest(
    config: CorpusConfig, plan: str, scored: Scored, stock: Stock, runner: Runner
) -> tuple[Sequence[Shard], list[str]]:
    """Whatever thinning could not make: damaged shards, and synthetic text on such pictures."""
    sources = config.sources_by_name()
    with runner.stage("pack"):
        pack_shards(config, sources, plan, stock, runner)
    with runner.stage("synthesize"):
        near = scored.listed.neighbourhoods
        return synthesize_shards(config, sources, plan, near, stock, runner)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was asked for as it is put on the list, and how many kept images that are.

    `unknown` are keys and hashes of no image of the corpus; `kept_twins` keys of images that stay
    although one of the images is their near duplicate.
    """

    listed: pa.Table
    images: int
    unknown: list[str]
    kept_twins: list[str]


def find(corpus: Corpus, wanted: pa.Table) -> Found:
    """Look the images up in all tables of the plan."""
    asked = TakenDown(wanted)

    def look(path: str) -> pa.Table:
        with storage.open_read(path) as file:
            names = set(pq.ParquetFile(file).schema_arrow.names)
            columns = ["key", "sha256", "source", *(n for n in ("duplicate_of",) if n in names)]
            rows = pq.read_table(file, columns=columns)
        if "duplicate_of" not in names:
            rows = rows.append_column("duplicate_of", pa.nulls(len(rows), pa.string()))
        return rows.filter(asked.covers(rows))

    every = [path for fate in tables.FATES for path in tables.paths(corpus.plan, fate)]
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        rows = pa.concat_tables(pool.map(look, every)).combine_chunks()
    lines = []
    known = {name: set(rows[name].to_pylist()) for name in (KEY, SHA256)}
    hashes = dict(zip(rows["key"].to_pylist(), rows["sha256"].to_pylist(), strict=True))
    unknown = []
    for line in wanted.to_pylist():
        what, value = line["what"], line["value"]
        if what in known and value not in known[what]:
            unknown.append(value)
        elif what == KEY:
            # Of an image that could not be read there is no hash.
            digest = hashes[value]
            line |= {"what": SHA256, "value": digest} if digest else {}
        lines.append(line)
    listed = pa.Table.from_pylist(lines, schema=SCHEMA)
    kept = _selected(corpus.plan, TakenDown(listed))
    twins = {key for key in rows["duplicate_of"].to_pylist() if key is not None} - kept
    return Found(listed=listed, images=len(kept), unknown=unknown, kept_twins=sorted(twins))


def _selected(plan: str, gone: TakenDown) -> set[str]:
    def look(path: str) -> list[str]:
        with storage.open_read(path) as file:
            rows = pq.read_table(file, columns=["key", "sha256", "source"])
        keys: list[str] = rows.filter(gone.covers(rows))["key"].to_pylist()
        return keys

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return {key for keys in pool.map(look, tables.paths(plan, tables.SELECTED)) for key in keys}


def scan(out: str, shards: Sequence[str], gone: TakenDown) -> tuple[int, int, list[str]]:
    """Look into the index of every shard: shards, samples, and keys of what should not be there."""

    def look(shard: str) -> tuple[int, list[str]]:
        with storage.open_read(storage.join(out, f"{shard}.parquet")) as file:
            index = pq.read_table(file, columns=["key", "parent"])
        found: list[str] = index.filter(covered(index, gone))["key"].to_pylist()
        return len(index), found

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        seen = list(pool.map(look, shards))
    return len(seen), sum(n for n, _ in seen), [key for _, keys in seen for key in keys]


def _scored(corpus: Corpus) -> Scored:
    """The scores of the corpus as its last build left them; no source is listed."""
    known = neighbourhoods.listed(storage.join(corpus.root, FOLDER))

    def look(path: str) -> pa.Table:
        with storage.open_read(path) as file:
            return pq.read_table(file, columns=["source"])

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        units = pa.concat_tables(pool.map(look, (each.units for each in known)))
    counts = pc.value_counts(units["source"]).to_pylist()
    listed = Listed(
        neighbourhoods=tuple(known),
        by_source={row["values"]: row["counts"] for row in counts},
    )
    given_up = tuple(engine.Failure(**failure) for failure in corpus.facts["quarantined"])
    return Scored(
        folder=corpus.scores,
        listed=listed,
        given_up=given_up,
        versions=scorer.versions(Scores(corpus.config.score)),
    )
