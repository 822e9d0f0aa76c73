"""Parquet files: bounded memory, several image columns, damage, and what holds no image bytes."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.sources import ParquetSource, SourceError
from pipelines.sources.parquet_columns import leaves_of
from pipelines.sources.parquet_rows import Forward, batches, open_parquet
from tests.pictures import jpeg, scene
from tests.pipelines.reading import A, B, C, assert_fetch_gives_the_same, read_all, slugs

MB = 1 << 20


def as_structs(images: list[Any], paths: list[str]) -> pa.Array:
    type_ = pa.struct([("bytes", pa.binary()), ("path", pa.string()), ("rest", pa.binary())])
    pairs = zip(images, paths, strict=True)
    return pa.array([{"bytes": b, "path": p, "rest": bytes(50)} for b, p in pairs], type_)


def one_large_group(path: Path, struct: bool) -> tuple[ParquetSource, list[bytes]]:
    """A row group of 32 MB in pages of half a MB, and a source that may hold 2 MB of it."""
    images = [A + bytes([seed]) * (MB // 4) for seed in range(128)]
    column = as_structs(images, ["x.jpg"] * 128) if struct else pa.array(images)
    table = pa.table({"image": column, "other": [bytes(9000)] * 128})
    pq.write_table(table, path, use_dictionary=False, compression="none", write_batch_size=2)
    assert pq.read_metadata(path).num_row_groups == 1
    return ParquetSource(name="p", uri=str(path), column="image", batch_bytes=2 * MB), images


@pytest.mark.parametrize("struct", [False, True])
def test_a_large_row_group_is_never_whole_in_memory(tmp_path: Path, struct: bool) -> None:
    source, images = one_large_group(tmp_path / "t.parquet", struct)
    before, peak = pa.total_allocated_bytes(), 0
    (unit,) = source.units()
    for item, image in zip(source.read(unit), images, strict=True):
        assert item.data == image
        peak = max(peak, pa.total_allocated_bytes() - before)
    for row in (0, 3, 4, 40, 127, 100, 2):
        assert source.fetch(str(tmp_path / "t.parquet"), row, len(images[row])) == images[row]
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < 12 * MB


@pytest.mark.parametrize("limit", [1, MB, 5 * MB, 1000 * MB])
def test_batches_keep_to_the_limit_or_to_one_row(tmp_path: Path, limit: int) -> None:
    source, _ = one_large_group(tmp_path / "t.parquet", True)
    with open_parquet(source.uri) as parquet:
        leaves = leaves_of(parquet.schema_arrow, ["image"])
        assert leaves == ["image.bytes", "image.path"]
        rows = [b.num_rows for b in batches(parquet, 0, leaves, limit)]
    fitting = max(1, min(64, limit * 128 // (33 * MB)))
    # Paths, and what frames the pages, count as well.
    assert sum(rows) == 128 and max(1, fitting - 1) <= max(rows) <= fitting


def test_a_small_group_is_read_once_whatever_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [A + bytes([n]) for n in range(200)]
    pq.write_table(pa.table({"image": pa.array(images)}), tmp_path / "t.parquet")
    uri = str(tmp_path / "t.parquet")
    with open_parquet(uri) as parquet:
        reader = Forward(uri, parquet, 0, ["image"], 100 * MB)
        assert reader.value(199, "image") == images[199]
        monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
        values = [reader.value(row, "image") for row in (0, 150, 3)]
    assert values == [images[n] for n in (0, 150, 3)]


@pytest.mark.parametrize("struct", [False, True])
def test_each_of_several_columns_is_an_image(tmp_path: Path, struct: bool) -> None:
    def column(images: list[bytes]) -> pa.Array:
        return as_structs(images, ["0.jpg", "", "2.jpg"]) if struct else pa.array(images)

    table = pa.table({"a": column([A, B, C]), "text": ["x"] * 3, "b": column([C, A, B])})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    source = ParquetSource(name="p", uri=str(tmp_path), columns=("b", "a"))
    items = read_all(source)
    assert [item.data for item in items] == [C, A, A, B, B, C]
    assert len({(item.uri, item.offset) for item in items}) == 6
    assert items[2].member == "row 1, b" and items[3].member == "row 1, a"
    assert items[0].member == ("0.jpg, b" if struct else "row 0, b")
    assert_fetch_gives_the_same(source)
    one = ParquetSource(name="p", uri=str(tmp_path), column="a")
    assert {u.unit_id for u in one.units()}.isdisjoint(u.unit_id for u in source.units())


def test_columns_are_named_in_one_way() -> None:
    with pytest.raises(ValueError, match="either column or columns"):
        ParquetSource(name="p", uri="/x", column="a", columns=("b",))
    with pytest.raises(ValueError, match="one twice"):
        ParquetSource(name="p", uri="/x", columns=("b", "b"))


def test_damage_costs_the_rest_of_its_row_group(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    images = [jpeg(scene(80, 64, seed)) for seed in range(12)]
    table = pa.table({"image": pa.array(images)})
    pq.write_table(table, path, row_group_size=4, use_dictionary=False, compression="zstd")
    start = pq.read_metadata(path).row_group(1).column(0).data_page_offset
    whole = bytearray(path.read_bytes())
    whole[start : start + 2000] = b"\xff" * 2000
    path.write_bytes(whole)
    items = read_all(ParquetSource(name="p", uri=str(tmp_path)))
    assert [i.data for i in items if i.fault is None] == images[:4] + images[8:]
    (lost,) = (item for item in items if item.fault)
    assert lost.fault is not None and lost.fault[0] == "broken_parquet"
    assert "t.parquet: rows 4 to 7" in lost.fault[1]


def test_a_damaged_footer_is_one_row_whatever_arrow_says_of_it(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    column = as_structs([A, B], ["0.jpg", "1.jpg"])
    pq.write_table(pa.table({"image": column, "n": [1, 2]}), path, row_group_size=1)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    broken = 0
    for _ in range(300):
        bad = bytearray(whole)
        bad[int(rng.integers(footer, len(whole)))] = int(rng.integers(256))
        path.write_bytes(bad)
        source = ParquetSource(name="p", uri=str(tmp_path), column="image")
        try:
            units = list(source.units())
            if units[0].stop == 0:
                (item,) = source.read(units[0])
                assert item.fault is not None and item.fault[0] == "broken_parquet"
                broken += 1
        except SourceError as error:
            # A name or a type may come out as another one that makes sense.
            assert "no image column" in str(error) or "no rows" in str(error)
    assert broken > 30


def test_rows_of_paths_alone_say_so(tmp_path: Path) -> None:
    column = as_structs([None, b"", A], ["in/0.jpg", "https://host/1.jpg", "2.jpg"])
    pq.write_table(pa.table({"image": column}), tmp_path / "t.parquet")
    source = ParquetSource(name="p", uri=str(tmp_path))
    assert slugs(source) == ["no_bytes"] * 2
    first, second, _ = read_all(source)
    assert first.fault is not None and "'in/0.jpg'" in first.fault[1]
    assert "type folder" in first.fault[1]
    assert second.fault is not None and "img2dataset" in second.fault[1]


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view()])
def test_a_path_that_is_no_utf8_names_its_row(tmp_path: Path, type_: pa.DataType) -> None:
    raw = pa.array([b"a.jpg", b"b\xff.jpg", b"50%/c.jpg"])
    paths = pa.StringArray.from_buffers(3, *raw.buffers()[1:]).cast(type_)
    column = pa.StructArray.from_arrays([pa.array([A, B, C]), paths], ["bytes", "path"])
    pq.write_table(pa.table({"image": column}), tmp_path / "t.parquet")
    source = ParquetSource(name="p", uri=str(tmp_path))
    items = read_all(source)
    assert [item.member for item in items] == ["a.jpg", "b%FF.jpg", "50%/c.jpg"]
    assert [item.data for item in items] == [A, B, C]
    assert_fetch_gives_the_same(source)


TEXT = base64.b64encode(A).decode()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array([None, TEXT]), r"'x': base64 text of a jpeg \(decode"),
        (pa.array([f"data:image/jpeg;base64,{TEXT}"]), r"base64 text of a jpeg \(decode"),
        (pa.array(["https://host/a?b=1"]), r"urls such as 'https://host.* \(download .*img2data"),
        (pa.array(["images/0001.JPG"]), r"paths such as 'images/0001.JPG' .*type folder"),
        (pa.array([list(A)], pa.list_(pa.uint8())), r"bytes of a jpeg file as list<.*cast"),
        (pa.array([[[0, 9], [7, 1]]]), r"list<.*\(these seem to be pixels"),
        (pa.array([[A, B]]), r"lists of images.*a row of its own"),
        (pa.array([{"path": "a/0.jpg", "bytes": None}]), r"paths such as 'a/0.jpg'"),
        (pa.array([{"data": A}]), r"a struct without a field `bytes`"),
        (pa.array(["a cat"]), r"'x': text$"),
        (pa.array([1.5]), r"'x': double$"),
        (pa.array([], pa.string()), r"'x': string, empty in the first rows"),
    ],
)
def test_where_no_column_holds_images_the_error_says_what_is_there(
    tmp_path: Path, values: pa.Array, said: str
) -> None:
    pq.write_table(pa.table({"x": values}), tmp_path / "t.parquet")
    for column in (None, "x"):
        with pytest.raises(SourceError, match=said) as error:
            list(ParquetSource(name="p", uri=str(tmp_path), column=column).units())
        assert "set `column`" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "said"), [(TEXT, "base64"), ("x/1.png", "path"), ("https://host/1", "url")]
)
def test_text_in_a_binary_column_is_told_from_a_broken_image(
    tmp_path: Path, value: str, said: str
) -> None:
    table = pa.table({"image": pa.array([value.encode(), A[:40], b"\xff\xfe"])})
    pq.write_table(table, tmp_path / "t.parquet")
    text, *others = read_all(ParquetSource(name="p", uri=str(tmp_path)))
    assert text.fault is not None and text.fault[0] == "not_an_image" and said in text.fault[1]
    assert all(item.fault is None for item in others)
