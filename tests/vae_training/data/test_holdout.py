from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.vae_training.data.made_up import photos, tiles
from vae_corpus.words import GENERAL, TEXT_SYNTH
from vae_training.data import holdout
from vae_training.data.holdout import hold_out
from vae_training.data.shards import Shards, open_shards


def hash_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"holdout:{name}".encode()).digest()[:8], "big")


def plainly(shards: Shards, parents: dict[str, str], per_kind: int) -> set[str]:
    """The keys that are left out, by sorting all there is."""
    of_key = {shards.key(row): shards.groups[shards.group[row]] for row in range(len(shards))}
    out: set[str] = set()
    for kind in sorted({group.kind for group in of_key.values()}):
        names = sorted({parents[k] for k, g in of_key.items() if g.kind == kind}, key=hash_of)
        allowed, chosen = len(names) // 4, 0
        for name in names:
            if not allowed or chosen >= per_kind:
                break
            members = {key for key in of_key if parents[key] == name}
            if not members <= out:
                touched = {of_key[key] for key in members}
                left = {group for key, group in of_key.items() if key not in out | members}
                if not touched <= left:
                    continue
                out |= members
            allowed -= 1
            chosen += sum(of_key[key].kind == kind for key in members)
    return out


def made(folder: Path, write: SimpleNamespace) -> tuple[Shards, dict[str, str]]:
    """Photographs, and pages that were cut into tiles; one page has a photograph too."""
    pictures, pages = photos(24), tiles(36, of_a_page=3)
    pictures[5]["parent"] = "page-2"
    write.shard(folder, GENERAL, 256, pictures)
    write.shard(folder, TEXT_SYNTH, 256, pages)
    parents = {s["key"]: s.get("parent", s["key"]) for s in (*pictures, *pages)}
    return open_shards(str(folder)), parents


@pytest.mark.parametrize("per_kind", [1, 3, 5, 1000])
@pytest.mark.parametrize("rows_at_once", [7, 2**20])
@pytest.mark.parametrize("spare", [0, 64])
def test_the_choice_is_that_of_sorting_all_parents(
    tmp_path: Path,
    write: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    per_kind: int,
    rows_at_once: int,
    spare: int,
) -> None:
    monkeypatch.setattr(holdout, "_ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(holdout, "_SPARE", spare)
    shards, parents = made(tmp_path, write)
    held = hold_out(shards, per_kind)
    out = {shards.key(row) for row in held.left_out.tolist()}
    assert out and out == plainly(shards, parents, per_kind)
    assert (np.diff(held.left_out) > 0).all()
    for kind, rows in held.validation.items():
        assert 0 < len(rows) <= per_kind and set(rows) <= set(held.left_out.tolist())
        assert {shards.groups[shards.group[row]].kind for row in rows} == {kind}


def test_the_choice_is_kept_and_not_made_again(
    tmp_path: Path, write: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards, _ = made(tmp_path, write)
    first = hold_out(shards, 2)
    monkeypatch.setattr(holdout, "_choose", None)  # to call it would raise
    again = hold_out(open_shards(str(tmp_path)), 2)
    assert again.validation == first.validation
    assert np.array_equal(again.left_out, first.left_out)


def test_another_number_has_a_choice_of_its_own(tmp_path: Path, write: SimpleNamespace) -> None:
    shards, _ = made(tmp_path, write)
    few, many = hold_out(shards, 1), hold_out(shards, 5)
    assert set(few.left_out.tolist()) < set(many.left_out.tolist())


def test_one_sample_of_each_group_is_trained_on(tmp_path: Path, write: SimpleNamespace) -> None:
    samples = photos(9)
    samples[4]["bucket"] = "320x192"
    shards = open_shards(str(write.shard(tmp_path, GENERAL, 256, samples).parents[3]))
    held = hold_out(shards, 1000)
    assert len(held.left_out) == 2
    assert set(np.delete(shards.group, held.left_out).tolist()) == {0, 1, 2}
