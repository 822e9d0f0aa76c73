from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vae_corpus.curriculum import CorpusError
from vae_corpus.settings import SettingsError
from vae_corpus.words import GENERAL, Bucket
from vae_training.config import TrainSettings
from vae_training.data.corpus import Data, open_data
from vae_training.data.crops import centre_crop, crop_at, mirror, read_rgb
from vae_training.data.loader import Batch, Loader

STEPS = 12


def open_corpus(corpus: Path, **changes: Any) -> Data:
    given = {"steps": STEPS, "batch_pixels": 4 * 256 * 256, "validation_samples": 2, **changes}
    world = given.pop("world", 1)
    return open_data(TrainSettings(corpus=str(corpus), **given), world)


def batches(data: Data, *, start: int = 0, **changes: Any) -> Iterator[Batch]:
    state = data.order.start()
    for _ in range(start):
        state = data.order.select(state).after
    settings = {"workers": 2, **changes}
    loader = Loader(shards=data.shards, order=data.order, **settings)
    for batch in loader.batches(state, data.order.schedule.total):
        yield replace(batch, pixels=batch.pixels.clone())


def test_pixels_do_not_depend_on_the_number_of_workers(corpus: Path) -> None:
    data = open_corpus(corpus)
    one, many = batches(data, workers=1, ahead=1), batches(data, workers=5, ahead=4)
    for a, b in zip(one, many, strict=True):
        assert a.selection == b.selection and torch.equal(a.pixels, b.pixels)


def test_a_resumed_loader_goes_on_with_the_same_pixels(corpus: Path) -> None:
    data = open_corpus(corpus)
    whole = list(batches(data))
    for a, b in zip(whole[5:], batches(data, start=5), strict=True):
        assert torch.equal(a.pixels, b.pixels)


def test_two_ranks_see_what_one_sees(corpus: Path) -> None:
    roomy = {"batch_pixels": 2 * 512 * 512}
    one = list(batches(open_corpus(corpus, batch_multiple=2, **roomy)))
    pair = [list(batches(open_corpus(corpus, world=2, **roomy), rank=r, world=2)) for r in (0, 1)]
    for whole, a, b in zip(one, *pair, strict=True):
        assert torch.equal(whole.pixels[0::2], a.pixels)
        assert torch.equal(whole.pixels[1::2], b.pixels)


def test_a_batch_has_the_size_of_its_bucket(corpus: Path) -> None:
    rungs = set()
    for batch in batches(open_corpus(corpus)):
        bucket = batch.selection.bucket
        assert batch.pixels.shape == (len(batch.rows), bucket.height, bucket.width, 3)
        assert batch.pixels.dtype == torch.uint8
        rungs.add(batch.selection.rung)
    assert rungs == {256, 512}


def test_a_crop_is_a_window_of_its_image(corpus: Path) -> None:
    with pytest.raises(ValueError, match="multiples of 16: give --crop_px 64"):
        open_corpus(corpus, crop_px=65)
    data = open_corpus(corpus, crop_px=64, batch_pixels=6 * 64 * 64)
    batch = next(batches(data))
    assert batch.pixels.shape == (6, 64, 64, 3)
    for row, pixels in zip(batch.rows, batch.pixels.numpy(), strict=True):
        image = read_rgb(data.shards, row, Bucket(64, 64))
        assert isinstance(image, np.ndarray)
        assert any(holds(image, part) for part in (pixels, pixels[:, ::-1]))


def test_text_is_neither_flipped_nor_moved(corpus: Path, write: SimpleNamespace) -> None:
    data = open_corpus(corpus)
    tiles = {s["key"]: i for i, s in enumerate(write.text(12))}
    found = 0
    for batch in batches(data):
        for row, pixels in zip(batch.rows, batch.pixels.numpy(), strict=True):
            if data.shards.key(row) in tiles:
                rgb = write.picture(256, 256, "text", tiles[data.shards.key(row)])
                rgb[40::16, 20:-20] = 0
                assert np.array_equal(pixels, rgb)
                found += 1
    assert found


def holds(rgb: NDArray[np.uint8], part: NDArray[np.uint8]) -> bool:
    """Whether `part` is a window of `rgb`; most places differ in their first row already."""
    windows = np.lib.stride_tricks.sliding_window_view(rgb, part.shape)[:, :, 0]
    first_rows = (windows[:, :, 0] == part[0]).all(axis=(2, 3))
    return any(np.array_equal(windows[y, x], part) for y, x in np.argwhere(first_rows))


def test_general_images_are_cropped_and_half_of_them_flipped(corpus: Path) -> None:
    data = open_corpus(corpus)
    found = {False: 0, True: 0}
    for batch in batches(data):
        for row, pixels in zip(batch.rows, batch.pixels.numpy(), strict=True):
            if data.order.groups[data.shards.group[row]].kind == GENERAL:
                rgb = read_rgb(data.shards, row, batch.selection.bucket)
                assert isinstance(rgb, np.ndarray)
                same = [holds(side, pixels) for side in (rgb, rgb[:, ::-1])]
                assert sum(same) == 1
                found[bool(same[1])] += 1
    assert min(found.values()) > 0.25 * sum(found.values())


def test_bytes_read_backwards_mirror_a_picture() -> None:
    rgb = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)
    target = np.zeros((5, 6, 3), dtype=np.uint8)
    mirror(rgb[1:6, 2:8, ::-1].reshape(5, 18), target.reshape(5, 18))
    assert np.array_equal(target, rgb[1:6, 2:8][:, ::-1])


def test_a_damaged_image_is_replaced_the_same_way_each_time(
    tmp_path: Path, write: SimpleNamespace
) -> None:
    samples = write.general(12)
    for sample in samples[:4]:
        sample["data"] = sample["data"][: len(sample["data"]) // 2]
    write.shard(tmp_path, GENERAL, 256, samples)
    write.curriculum(tmp_path, [write.phase("general")])
    data = open_corpus(tmp_path)
    first, second = list(batches(data, workers=1)), list(batches(data, workers=4))
    assert [b.rows for b in first] == [b.rows for b in second]
    assert [b.damaged for b in first] == [b.damaged for b in second]
    assert any(b.damaged for b in first)
    assert all("in " in place for b in first for place in b.damaged)


def test_a_shard_of_nothing_but_damage_is_an_error(tmp_path: Path, write: SimpleNamespace) -> None:
    samples = [{**s, "data": b"no image"} for s in write.general(6)]
    write.shard(tmp_path, GENERAL, 256, samples)
    write.curriculum(tmp_path, [write.phase("general")])
    with pytest.raises(CorpusError, match="16 images in a row cannot be read"):
        list(batches(open_corpus(tmp_path)))


def test_a_kind_that_the_corpus_lacks_is_told_with_the_file(
    tmp_path: Path, write: SimpleNamespace
) -> None:
    write.shard(tmp_path, GENERAL, 256, write.general(6))
    write.curriculum(tmp_path, [write.phase("pages", kinds={GENERAL: 1.0, "document": 1.0})])
    with pytest.raises(CorpusError, match=r"curriculum.json: phase pages needs document.*take"):
        open_corpus(tmp_path)


def test_images_that_ranks_share_must_fit_the_budget(corpus: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        open_corpus(corpus, batch_pixels=2 * 512 * 512, batch_multiple=6, world=3)
    said = str(refused.value)
    assert said.startswith("phase large: 6 images of 512x512 px, the smallest batch of 3 ranks at")
    assert "1,572,864 pixels, more than --batch_pixels 524,288" in said
    for way in ("--batch_pixels 1572864, with --accumulate", "--batch_multiple 2", "--crop_px 288"):
        assert way in said
    open_corpus(corpus, batch_pixels=6 * 512 * 512, batch_multiple=6, world=3)
    open_corpus(corpus, batch_pixels=2 * 512 * 512, batch_multiple=2, world=2)
    open_corpus(corpus, batch_pixels=2 * 512 * 512, batch_multiple=6, world=3, crop_px=288)


def test_one_image_on_one_process_may_exceed_the_budget(corpus: Path) -> None:
    assert open_corpus(corpus, batch_pixels=1).order.size.of(Bucket(512, 512)) == 1


def test_ranks_that_cannot_share_a_batch_are_told(corpus: Path) -> None:
    with pytest.raises(ValueError, match="batch_multiple 3 cannot be shared evenly by 2 ranks"):
        open_corpus(corpus, batch_multiple=3, world=2)


def test_a_corpus_that_lost_a_shard_is_told(tmp_path: Path, write: SimpleNamespace) -> None:
    write.shard(tmp_path, GENERAL, 256, write.general(6))
    path = write.shard(tmp_path, GENERAL, 512, write.general(2, rung=512))
    write.curriculum(tmp_path, [write.phase("general")])
    path.unlink()
    path.with_suffix(".parquet").unlink()
    with pytest.raises(CorpusError, match="a shard is missing"):
        open_corpus(tmp_path)


def test_crops_lie_inside() -> None:
    rgb = np.arange(10 * 12 * 3, dtype=np.uint8).reshape(10, 12, 3)
    crop = crop_at(rgb, Bucket(8, 6), 0.99, 0.5)
    assert crop.shape == (6, 8, 3)
    assert centre_crop(rgb, 8, 6).shape == (6, 8, 3)
    assert centre_crop(rgb, 99, 99).shape == rgb.shape
