"""The end of a build: remove what it does not need, say what became of all, and mark it whole."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict
from typing import Any

from pipelines import careful, curriculum, score
from pipelines import shards as committed
from pipelines.built import Build, BuildFailed, scored_units
from pipelines.passed_over import count_passed_over
from pipelines.report import accounting, page
from pipelines.report.shortfalls import shortfalls
from pipelines.report.times import run_script
from pipelines.sources import WebDatasetSource
from vae_corpus import storage
from vae_corpus.curriculum import VERSION
from vae_corpus.words import KINDS


def finish(done: Build) -> None:
    """Remove shards of an earlier plan, then write what describes the corpus, curriculum last."""
    config, out = done.config, done.config.out
    names = [shard.name for shard in done.shards]
    look = done.look or committed.look(out)
    tidied = _tidy(done, look, set(names))
    _check_whole(done, look)
    done.groups = look.group_counts(names)
    whole, notices = curriculum.make_curriculum(config, done.groups)
    done.notices += notices
    done.images = accounting.count_images(done.plan_folder) | {"passed_over": _passed_over(done)}
    _shortfalls(done, whole)
    rejected = done.images["rejected"]
    for what, slugs in (
        ("made a filter fail", ("score_failed",)),
        ("killed or hung the worker that scored them", careful.SLUGS),
    ):
        if count := sum(rejected.get(slug, 0) for slug in slugs):
            done.notices.append(
                f"{count} images {what}: the column `why` of rejected.parquet says how"
            )
    facts = {
        "version": VERSION,
        "seed": config.seed,
        "scores": storage.name_of(done.score_folder),
        "plan": storage.name_of(done.plan_folder),
        "units": len(done.units),
        "quarantined": [asdict(failure) for failure in done.quarantined],
        "images": done.images,
        "problems": done.problems,
        "notices": done.notices,
        # Neither the place nor the machinery changes a byte of the corpus.
        "settings": config.model_dump(mode="json", exclude={"out", "engine", "wandb", "estimate"}),
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False) + "\n"
    if storage.commit_bytes(storage.join(out, "corpus.json"), text.encode()):
        done.worked.add("report")
    # Without its curriculum the corpus was not whole: shards may be newer than their sheets, also
    # where the build that made them was killed before it could draw.
    redraw = not storage.exists(storage.join(out, "curriculum.json"))
    _report(done, facts, whole, redraw)
    if done.worked or tidied:
        # The corpus may have been changed by something else in the meantime.
        _check_whole(done, committed.look(out, look.ledger))
    look.ledger.save(set(names))
    if curriculum.write_curriculum(out, whole):
        done.worked.add("report")


def _check_whole(done: Build, look: committed.Look) -> None:
    """BuildFailed when a shard is not what this build made or found: the corpus is not whole."""
    out = done.config.out
    wanted = {shard.name for shard in done.shards}
    wrong = {shard.name for shard in look.not_committed(done.shards)}
    wrong |= {name.rpartition(".")[0] for name in look.strays(wanted)}
    if wrong:
        storage.remove(storage.join(out, "curriculum.json"))
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise BuildFailed(
            f"{len(wrong)} shards were changed by something else while this build was at work:"
            f" {', '.join(sorted(wrong)[:5])}{more}. The corpus is not whole and has no"
            f" curriculum.json. See that nothing else writes to {out}, then run the same command"
            " again: only these shards are left."
        )


def _passed_over(done: Build) -> dict[str, int]:
    tars = {s.name for s in done.config.sources if isinstance(s, WebDatasetSource)}
    ids = [unit.unit_id for unit in scored_units(done) if unit.source in tars]
    return count_passed_over(done.plan_folder, done.score_folder, ids)


def _shortfalls(done: Build, whole: dict[str, Any]) -> None:
    """Name sources that gave nothing: done work stays, but the exit code is 1."""
    units = Counter(unit.source for unit in scored_units(done))
    problems, notices = shortfalls(done.plan_folder, units, done.images["passed_over"])
    if not whole["phases"]:
        problems.append(
            "the corpus holds no samples: the table above says why images were left out"
        )
    done.problems += problems
    done.notices += notices


def _report(done: Build, facts: dict[str, Any], whole: dict[str, Any], redraw: bool) -> None:
    config, folder = done.config, storage.join(done.config.out, "report")
    subject = page.Subject(
        config=config,
        sources={source.name: source for source in config.sources},
        score_folder=done.score_folder,
        plan_folder=done.plan_folder,
        shards=[shard.name for shard in done.shards],
        facts=facts,
        curriculum=whole,
        versions=score.versions(config.score),
    )
    for kind in KINDS:
        # Contact sheets, which earlier versions drew.
        storage.remove(storage.join(folder, f"{kind}.png"))
    digest = page.digest(subject, [shard.recipe for shard in done.shards])
    done.page = storage.join(folder, "index.html")
    if not redraw and page.is_of(done.page, digest):
        return
    if storage.commit_bytes(done.page, page.make_page(subject, digest).encode()):
        done.worked.add("report")


def write_times(done: Build, command: str) -> None:
    """Seconds of this run, beside the page: they would make equal corpora differ inside it."""
    path = storage.join(done.config.out, "report", "run.js")
    if not done.worked:
        return
    before = storage.read_bytes(path) if storage.exists(path) else None
    workers = done.config.engine.workers
    script = run_script(
        before,
        command=command,
        seconds=done.seconds,
        worked=done.worked | {"report"},
        done=done.items,
        workers="all CPUs" if workers is None else str(workers or "in process"),
    )
    storage.commit_bytes(path, script)


def _tidy(done: Build, look: committed.Look, wanted: set[str]) -> bool:
    """Remove shards and plans of earlier settings, and drafts of writers that were killed.

    True when there were such shards; `look` does not hold them any more.
    """
    out = done.config.out
    strays = look.strays(wanted)
    if strays:
        storage.remove(storage.join(out, "curriculum.json"))
    for stray in strays:
        storage.remove(storage.join(out, stray))
        del look.files[stray]
    for plan_hash in storage.folders(storage.join(out, "plan")):
        ours = re.fullmatch("[0-9a-f]{16}", plan_hash)
        if ours and plan_hash != storage.name_of(done.plan_folder):
            storage.remove_folder(storage.join(out, "plan", plan_hash))
    inner = (storage.join(out, folder) for folder in (*look.folders, "report"))
    for folder in (*inner, out, done.score_folder, done.plan_folder):
        storage.sweep(folder)
    return bool(strays)
