"""Shards are ordinary WebDataset tars: the usual readers open them unchanged."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.mark.parametrize("kind", ["general", "text_real", "text_synth"])
def test_webdataset_reads_pictures_and_labels(built: tuple[Path, Path], kind: str) -> None:
    import webdataset

    tars = sorted((built[1] / "shards" / kind).glob("*/*.tar"))
    rows = [row for tar in tars for row in pq.read_table(tar.with_suffix(".parquet")).to_pylist()]
    data = webdataset.WebDataset([str(tar) for tar in tars], shardshuffle=False)
    samples = list(data.decode("rgb8").to_tuple("__key__", "jpg;png;webp", "json"))
    assert [key for key, _, _ in samples] == [row["key"] for row in rows]
    for (_, image, label), row in zip(samples, rows, strict=True):
        assert image.dtype == np.uint8 and image.shape == (row["height"], row["width"], 3)
        assert label["key"] == row["key"]


def test_datasets_reads_every_shard(built: tuple[Path, Path], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

    datasets.disable_progress_bars()
    for tar in sorted((built[1] / "shards").glob("*/*/*.tar")):
        loaded = datasets.load_dataset(
            "webdataset", data_files=[str(tar)], split="train", cache_dir=str(tmp_path)
        )
        rows = pq.read_table(tar.with_suffix(".parquet")).to_pylist()
        assert loaded["__key__"][:] == [row["key"] for row in rows]
        for sample, row in zip(loaded, rows, strict=True):
            assert sample[row["ext"]].size == (row["width"], row["height"])
            assert sample["json"]["key"] == row["key"]


def test_labels_of_synthetic_text_have_a_box_for_every_character(built: tuple[Path, Path]) -> None:
    import webdataset

    tars = sorted((built[1] / "shards" / "text_synth").glob("*/*.tar"))
    data = webdataset.WebDataset([str(tar) for tar in tars], shardshuffle=False)
    for (label,) in data.decode().to_tuple("json"):
        assert label["lines"]
        for line in label["lines"]:
            for char, (x0, y0, x1, y1) in zip(line["text"], line["boxes"], strict=True):
                assert 0 <= x0 <= x1 and 0 <= y0 <= y1
                assert (x0 < x1) == bool(char.strip())
