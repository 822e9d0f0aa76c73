from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vae_corpus.curriculum import CorpusError, read_curriculum
from vae_corpus.words import GENERAL, TEXT_SYNTH
from vae_training.data.holdout import hold_out
from vae_training.data.shards import open_shards

TAR = "shards/general/256/general-000000.tar"


@pytest.fixture
def copy(corpus: Path, tmp_path: Path) -> Path:
    """A copy of the corpus that a test may damage."""
    return Path(shutil.copytree(corpus, tmp_path / "copy"))


def test_every_stored_image_is_read_back(corpus: Path, write: SimpleNamespace) -> None:
    shards = open_shards(str(corpus))
    assert len(shards) == 32
    stored = {s["key"]: s["data"] for s in (*write.general(16), *write.text(12))}
    for row in range(len(shards)):
        if shards.key(row) in stored:
            assert shards.read(row) == stored[shards.key(row)]


def test_a_remote_corpus_reads_the_same(corpus: Path) -> None:
    local, remote = open_shards(str(corpus)), open_shards(f"file://{corpus}")
    assert [remote.read(row) for row in range(3)] == [local.read(row) for row in range(3)]


def test_a_tar_that_goes_missing_later_is_named(copy: Path) -> None:
    shards = open_shards(str(copy))
    (copy / TAR).unlink()
    with pytest.raises(CorpusError, match="is gone"):
        shards.read(0)


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="holds no shard index"):
        open_shards(str(tmp_path))
    with pytest.raises(CorpusError, match=r"there is no .*curriculum.json"):
        read_curriculum(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2; this trainer reads version 1"),
        ({"phases": []}, "has no phases"),
        ({"phases": [{"name": "p"}]}, "lacks 'samples'"),
    ],
)
def test_a_wrong_curriculum_is_told(copy: Path, change: dict, message: str) -> None:
    path = copy / "curriculum.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CorpusError, match=message):
        read_curriculum(str(copy))


def test_a_bad_weight_is_told(copy: Path, write: SimpleNamespace) -> None:
    write.curriculum(copy, [write.phase("first", kinds={GENERAL: "much"})])
    with pytest.raises(CorpusError, match="phase first: the weight of general is a number"):
        read_curriculum(str(copy))


def test_held_out_samples_are_not_trained_on_and_depend_on_keys_alone(corpus: Path) -> None:
    shards = open_shards(str(corpus))
    first, second = hold_out(shards, 3), hold_out(shards, 3)
    assert first.validation == second.validation
    for kind, rows in first.validation.items():
        assert rows and np.isin(rows, first.left_out).all()
        assert all(shards.groups[shards.group[row]].kind == kind for row in rows)
    assert set(np.delete(shards.group, first.left_out).tolist()) == set(shards.group.tolist())


def test_tiles_of_one_parent_stay_on_one_side(tmp_path: Path, write: SimpleNamespace) -> None:
    samples = [{**s, "parent": f"page-{i // 4}"} for i, s in enumerate(write.text(24))]
    write.shard(tmp_path, TEXT_SYNTH, 256, samples)
    shards = open_shards(str(tmp_path))
    held = hold_out(shards, 2)
    parents = {sample["key"]: sample["parent"] for sample in samples}
    sides = [
        {parents[shards.key(row)] for row in range(24) if (row in held.left_out) == side}
        for side in (False, True)
    ]
    assert sides[1] and not sides[0] & sides[1]
