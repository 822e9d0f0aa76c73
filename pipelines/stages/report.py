"""The end of a build: remove what it does not need, say what became of all, and mark it whole."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipelines.config import CorpusConfig
from pipelines.planning import tables
from pipelines.planning.phases import make_curriculum, write_curriculum
from pipelines.planning.shards import Shard
from pipelines.report import accounting, page
from pipelines.report.shortfalls import shortfalls
from pipelines.report.text_layers import text_layers
from pipelines.report.times import run_script
from pipelines.sources.passed_over import count_passed_over
from pipelines.stages.committed import Stock
from pipelines.stages.packing import parts
from pipelines.stages.runner import BuildFailed, Runner
from pipelines.stages.score import Scored
from pipelines.workers import careful
from vae_corpus import storage
from vae_corpus.curriculum import VERSION
from vae_corpus.words import KINDS


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What a finished corpus holds: samples per group, images by fate, and what to say of it.

    `problems` are sources that gave nothing, and a corpus without samples; `page` is the report.
    """

    groups: list[dict[str, Any]]
    images: dict[str, Any]
    problems: list[str]
    notices: list[str]
    page: str


def finish(
    config: CorpusConfig,
    scored: Scored,
    plan: str,
    shards: Sequence[Shard],
    notices: Sequence[str],
    stock: Stock,
    runner: Runner,
) -> Reported:
    """Remove shards of an earlier plan, then write what describes the corpus, curriculum last.

    BuildFailed when something else has changed the shards meanwhile.
    """
    out = config.out
    names = [shard.name for shard in shards]
    tidied = _tidy(stock, set(names), scored.folder, plan)
    _check_whole(stock, shards)
    groups = stock.group_counts(names)
    whole, lost = make_curriculum(config.phases, config.seed, groups)
    passed_over = _passed_over(config, scored, plan)
    images = accounting.count_images(plan) | {"passed_over": passed_over}
    problems, empty = shortfalls(plan, Counter(scored.listed.by_source), passed_over)
    if not whole["phases"]:
        problems.append(
            "the corpus holds no samples: the table above says why images were left out"
        )
    failed = _failed_images(images["rejected"])
    told = [*notices, *lost, *empty, *failed, *_capped(plan), *text_layers(plan)]
    facts = {
        "version": VERSION,
        "seed": config.seed,
        "scores": storage.name_of(scored.folder),
        "plan": storage.name_of(plan),
        "units": scored.listed.count,
        "quarantined": [asdict(failure) for failure in scored.given_up],
        "images": images,
        "problems": problems,
        "notices": told,
        # Neither the place nor the machinery changes a byte of the corpus.
        "settings": config.model_dump(mode="json", exclude={"out", "engine", "wandb", "estimate"}),
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    if storage.commit_bytes(storage.join(out, "corpus.json"), text.encode()):
        runner.worked.add("report")
    subject = page.Subject(
        config=config,
        sources=config.sources_by_name(),
        score_folder=scored.folder,
        plan_folder=plan,
        shards=names,
        facts=facts,
        curriculum=whole,
        versions=scored.versions,
    )
    shown = _write_page(subject, [shard.recipe for shard in shards], runner)
    if runner.worked or tidied:
        # The corpus may have been changed by something else in the meantime.
        stock.forget()
        _check_whole(stock, shards)
    stock.ledger.save(set(names))
    if write_curriculum(out, whole):
        runner.worked.add("report")
    return Reported(groups=groups, images=images, problems=problems, notices=told, page=shown)


def _capped(plan: str) -> list[str]:
    count = (tables.facts(plan) or {}).get("capped", 0)
    return [
        f"{count} images have hashes that very many have: each was compared with some hundreds of"
        " the others for near duplicates, not with all"
    ][: bool(count)]


def _failed_images(rejected: dict[str, int]) -> list[str]:
    """A sentence for each way in which images failed that is no fault of their files."""
    ways = {
        "made a filter fail": ("score_failed",),
        "killed or hung the worker that scored them": careful.SLUGS,
    }
    counts = {what: sum(rejected.get(slug, 0) for slug in slugs) for what, slugs in ways.items()}
    return [
        f"{count} images {what}: the column `why` of the plan's rejected tables says how"
        for what, count in counts.items()
        if count
    ]


def _check_whole(stock: Stock, shards: Sequence[Shard]) -> None:
    """BuildFailed when a shard is not what this build made or found: the corpus is not whole."""
    out = stock.out
    wrong = {shard.name for shard in stock.not_committed(shards)}
    strays = stock.strays({shard.name for shard in shards})
    wrong |= {name.rpartition(".")[0] for name in strays}
    if wrong:
        storage.remove(storage.join(out, "curriculum.json"))
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise BuildFailed(
            f"{len(wrong)} shards were changed by something else while this build was at work:"
            f" {', '.join(sorted(wrong)[:5])}{more}. The corpus is not whole and has no"
            f" curriculum.json. See that nothing else writes to {out}, then run the same command"
            " again: only these shards are left."
        )


def _passed_over(config: CorpusConfig, scored: Scored, plan: str) -> dict[str, int]:
    counting = [source.name for source in config.sources if source.counts_others]
    tables = (each.units for each in scored.listed.neighbourhoods)
    return count_passed_over(plan, scored.folder, tables, counting)


def _write_page(subject: page.Subject, recipes: Sequence[str], runner: Runner) -> str:
    out = subject.config.out
    # Without its curriculum the corpus was not whole: shards may be newer than their page, also
    # where the build that made them was killed before it could write one.
    redraw = not storage.exists(storage.join(out, "curriculum.json"))
    for kind in KINDS:
        # Contact sheets, which earlier versions drew.
        storage.remove(storage.join(out, "report", f"{kind}.png"))
    digest = page.digest(subject, recipes)
    path = storage.join(out, "report", "index.html")
    if not redraw and page.is_of(path, digest):
        return path
    if storage.commit_bytes(path, page.make_page(subject, digest).encode()):
        runner.worked.add("report")
    return path


def write_times(config: CorpusConfig, runner: Runner, command: str) -> None:
    """Seconds of this run, beside the page: they would make equal corpora differ inside it."""
    path = storage.join(config.out, "report", "run.js")
    if not runner.worked:
        return
    before = storage.read_bytes(path) if storage.exists(path) else None
    workers = config.engine.workers
    script = run_script(
        before,
        command=command,
        seconds=runner.seconds,
        worked=runner.worked | {"report"},
        done=runner.items,
        workers="all CPUs" if workers is None else str(workers or "in process"),
    )
    storage.commit_bytes(path, script)


def _tidy(stock: Stock, wanted: set[str], scores: str, plan: str) -> bool:
    """Remove shards, parts and plans of earlier settings, and drafts of killed writers.

    True when there were such shards.
    """
    out, strays = stock.out, stock.strays(wanted)
    if strays:
        storage.remove(storage.join(out, "curriculum.json"))
    for stray in strays:
        stock.remove(stray)
    parts.remove(out)
    # Earlier versions kept all units in one table.
    storage.remove(storage.join(out, "units.parquet"))
    for plan_hash in storage.folders(storage.join(out, "plan")):
        ours = re.fullmatch("[0-9a-f]{16}", plan_hash)
        if ours and plan_hash != storage.name_of(plan):
            storage.remove_folder(storage.join(out, "plan", plan_hash))
    inner = (storage.join(out, folder) for folder in (*stock.listing.folders, "report"))
    tabled = (storage.join(plan, name) for name in (*tables.FATES, tables.FILLED))
    for folder in (*inner, out, scores, plan, *tabled, storage.join(out, "units")):
        storage.sweep(folder)
    return bool(strays)
