"""A corpus built from and onto an object store: a real S3 server over HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import build_corpus
from pipelines.sources import FolderSource, ParquetSource, WebDatasetSource
from tests.pictures import tree, write_tar
from tests.pipelines.builds import PAGES, PHOTOS, write_config
from tests.pipelines.reading import A, B, assert_fetch_gives_the_same, names, read_all, slugs
from tests.s3_server import empty_bucket
from vae_corpus import storage
from vae_corpus.demo import DemoInputs

pytestmark = [
    pytest.mark.slow,
    # botocore still asks for the time in a way that Python has given up.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An empty bucket on a server of its own."""
    with empty_bucket() as url:
        yield url


def upload(folder: Path, url: str) -> None:
    for name, data in tree(folder).items():
        storage.commit_bytes(storage.join(url, name), data)


def put(url: str, data: bytes) -> None:
    fs, inner = storage.filesystem(url)
    fs.pipe_file(inner, data)


def test_ranges_end_where_the_object_ends(bucket: str) -> None:
    url = f"{bucket}/ranges"
    put(url, b"0123456789")
    wanted = ((0, None), (3, 4), (8, 5), (10, 5), (12, None), (0, 0), (4, 0))
    read = [storage.read_bytes(url, offset, size) for offset, size in wanted]
    assert read == [b"0123456789", b"3456", b"89", b"", b"", b"", b""]
    for offset, size in ((0, None), (3, 4), (3, 0)):
        with pytest.raises(FileNotFoundError):
            storage.read_bytes(f"{bucket}/none", offset, size)


def test_empty_objects_are_items_and_stop_nothing(bucket: str) -> None:
    for name, data in (("a.jpg", b""), ("b.jpg", A), ("x.tar", b""), ("x.parquet", b"")):
        put(f"{bucket}/empty/{name}", data)
    folder = FolderSource(name="a", uri=f"{bucket}/empty", include=("*.jpg",))
    items = {item.member: item for item in read_all(folder)}
    assert items["a.jpg"].data == b"" and items["a.jpg"].fault is None and items["b.jpg"].data == A
    assert_fetch_gives_the_same(folder)
    assert storage.read_bytes(f"{bucket}/empty/a.jpg", 0, 10) == b""
    assert slugs(WebDatasetSource(name="a", uri=f"{bucket}/empty")) == ["broken_tar"]
    assert slugs(ParquetSource(name="a", uri=f"{bucket}/empty")) == ["broken_parquet"]


def test_odd_tars_and_parquet_files_are_read_over_http(bucket: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "x.tar", {"0.jpg": A, "0.json": b"{}", "1.png": B})
    put(f"{bucket}/odd/x.tar.gz", gzip.compress((tmp_path / "x.tar").read_bytes()))
    put(f"{bucket}/odd/x_stats.json", b'{"successes": 3}')
    pq.write_table(pa.table({"a": [A, B], "b": [B, A]}), tmp_path / "t.parquet")
    put(f"{bucket}/odd/t.parquet", (tmp_path / "t.parquet").read_bytes())
    tars = WebDatasetSource(name="a", uri=f"{bucket}/odd")
    assert names(tars) == ["0.jpg", "1.png", "x_stats.json"] and slugs(tars) == ["count_differs"]
    rows = ParquetSource(name="a", uri=f"{bucket}/odd", columns=("a", "b"))
    assert [item.data for item in read_all(rows)] == [A, B, B, A]
    for source in (tars, rows):
        assert_fetch_gives_the_same(source)


def test_objects_that_stand_for_folders_are_no_files(bucket: str) -> None:
    put(f"{bucket}/marks/sub/a.jpg", A)
    fs, inner = storage.filesystem(bucket)
    for name in ("marks/", "marks/sub/"):
        fs.call_s3("put_object", Bucket=inner, Key=name, Body=b"")
    assert names(FolderSource(name="a", uri=f"{bucket}/marks")) == ["sub/a.jpg"]


def test_sources_and_corpus_may_lie_on_an_object_store(
    built: tuple[Path, Path], inputs: Path, demo: DemoInputs, bucket: str, tmp_path: Path
) -> None:
    upload(inputs, f"{bucket}/in")
    sources = [
        {"name": "photos", "type": "folder", "uri": f"{bucket}/in/photos"},
        {"name": "pages", "type": "webdataset", "uri": f"{bucket}/in/pages.tar"},
    ]
    config = write_config(tmp_path / "c.yaml", inputs, demo, sources=sources)
    out = f"{bucket}/corpus"
    argv = ["--config", str(config), "--out", out]
    assert build_corpus.main(argv) == 0
    local = tree(built[1] / "shards")
    for name, data in local.items():
        assert storage.read_bytes(f"{out}/shards/{name}") == data, name
    fs, inner = storage.filesystem(out)
    before = {path: info["LastModified"] for path, info in fs.find(inner, detail=True).items()}
    assert build_corpus.main(argv) == 0
    fs.invalidate_cache()
    after = {path: info["LastModified"] for path, info in fs.find(inner, detail=True).items()}
    assert after == before


def test_what_other_processes_committed_is_seen(
    inputs: Path, demo: DemoInputs, bucket: str, tmp_path: Path
) -> None:
    # The driver lists the scores, workers add to them, the driver reads them all: an old listing
    # kept in memory would lose the new ones.
    pages = {"name": "pages", "type": "webdataset", "uri": str(inputs / "pages.tar")}
    photos = {"name": "photos", "type": "folder", "uri": str(inputs / "photos")}
    out = f"{bucket}/grown"
    both = [pages, photos]
    for sources, workers, listed in (([pages], 0, PAGES), (both, 1, PAGES + PHOTOS)):
        config = write_config(
            tmp_path / "c.yaml", inputs, demo, sources=sources, synth={}, score={"text": False}
        )
        argv = ["--config", str(config), "--out", out, "--engine.workers", str(workers)]
        assert build_corpus.main(argv) == 0
        facts = json.loads(storage.read_bytes(f"{out}/corpus.json"))
        assert facts["images"]["listed"] == listed
