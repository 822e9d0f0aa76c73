"""Crops of the last phase: as it weights its groups, and as many as were asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.vae_training.runs import opened
from vae_corpus.curriculum import CorpusError
from vae_corpus.words import GENERAL
from vae_training.data import mixture_crops


def test_crops_come_as_the_last_phase_weights_them_and_from_training_images_alone(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(corpus)
    rows: list[int] = []
    read = mixture_crops.read_rgb
    monkeypatch.setattr(
        mixture_crops,
        "read_rgb",
        lambda shards, row, bucket: rows.append(row) or read(shards, row, bucket),
    )
    for number in range(200):
        windows = mixture_crops._windows(data, "a test", number / 200, number, 1, 128)
        assert windows.shape == (1, 128, 128, 3) and windows.dtype == np.uint8
    assert rows and not np.isin(rows, data.holdout.left_out).any()
    groups = [data.shards.groups[data.shards.group[row]] for row in rows]
    # The first phase has no text, the last one half of both rungs and only general images at 512.
    assert 0.4 < np.mean([group.rung == 512 for group in groups]) < 0.6
    assert 0.65 < np.mean([group.kind == GENERAL for group in groups]) < 0.85


def test_a_crop_is_never_larger_than_the_images_of_its_phase(corpus: Path) -> None:
    data = opened(corpus, crop_px=48)
    assert mixture_crops._windows(data, "a test", 0.5, 0, 4, 128).shape == (4, 48, 48, 3)


def damage(corpus: Path, keep: Callable[[int], bool]) -> None:
    """Overwrite images by their row, but for those to keep."""
    shards = opened(corpus).shards
    for row in range(len(shards)):
        if not keep(row):
            with (corpus / shards.names[shards.shard[row]]).open("r+b") as file:
                file.seek(int(shards.offset[row]))
                file.write(bytes(int(shards.bytes[row])))


def test_damaged_images_are_replaced_and_the_count_holds(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "copy")
    data = opened(tmp_path / "copy")
    asked = {"rank": 0, "world": 1, "crops": 30, "side": 32, "workers": 2}
    before = np.concatenate(list(mixture_crops.mixture_crops(data, "a test", **asked)))
    # One training row of each group stays.
    rows = np.setdiff1d(np.arange(len(data.shards)), data.holdout.left_out)
    _, first = np.unique(data.shards.group[rows], return_index=True)
    kept = set(rows[first].tolist())
    damage(tmp_path / "copy", kept.__contains__)
    after = np.concatenate(list(mixture_crops.mixture_crops(data, "a test", **asked)))
    assert len(before) == len(after) == 30 and not np.array_equal(before, after)
    assert after.reshape(30, -1).std(axis=1).min() > 0
    damage(tmp_path / "copy", lambda row: False)
    with pytest.raises(CorpusError, match="16 images in a row cannot be read.*delete it"):
        list(mixture_crops.mixture_crops(data, "a test", **asked))
