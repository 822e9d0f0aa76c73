"""A corpus built from and onto an object store: a real S3 server over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import build_corpus, storage
from pipelines.demo import DemoInputs
from tests.pictures import tree
from tests.pipelines.builds import write_config
from tests.s3_server import empty_bucket

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
    for sources, listed in (([pages], 4), ([pages, photos], 21)):
        config = write_config(
            tmp_path / "c.yaml", inputs, demo, sources=sources, synth={}, score={"text": False}
        )
        argv = ["--config", str(config), "--out", out, "--engine.workers", "1"]
        assert build_corpus.main(argv) == 0
        facts = json.loads(storage.read_bytes(f"{out}/corpus.json"))
        assert facts["images"]["listed"] == listed
