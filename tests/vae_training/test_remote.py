"""A corpus on real servers: plain HTTP with range requests, and S3."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.s3_server import empty_bucket
from vae_corpus.curriculum import CorpusError
from vae_corpus.storage import patience
from vae_training.config import TrainSettings
from vae_training.data import ranges
from vae_training.data.corpus import open_data
from vae_training.data.loader import Loader
from vae_training.data.shards import open_shards

pytestmark = pytest.mark.filterwarnings(
    # botocore still asks for the time in a way that Python has given up; aiohttp and sockets.
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


class Ranged(http.server.SimpleHTTPRequestHandler):
    """Lists folders as links, and answers `Range: bytes=a-b`; `fails` is how many 503 to give."""

    ranged, down = True, False
    fails = 0

    def do_HEAD(self) -> None:  # noqa: N802 - the name that http.server calls
        if self.down:
            self.send_error(503)
        else:
            super().do_HEAD()

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        wanted = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if self.down:
            self.send_error(503)
            return
        if wanted is None or not path.is_file() or not self.ranged:
            super().do_GET()
            return
        if type(self).fails:
            type(self).fails -= 1
            self.send_error(503)
            return
        first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
        data = path.read_bytes()
        part = data[first : last + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def handler() -> type[Ranged]:
    return type("Handler", (Ranged,), {})


@pytest.fixture
def url(corpus: Path, handler: type[Ranged]) -> Iterator[str]:
    serve = functools.partial(handler, directory=str(corpus))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def assert_same_batches(corpus: Path, remote: str, cache: Path) -> None:
    pixels = []
    given = {"steps": 3, "batch_pixels": 4 * 256**2, "cache": str(cache)}
    for place in (str(corpus), remote):
        settings = TrainSettings(corpus=place, **given)
        data = open_data(settings, 1)
        loader = Loader(shards=data.shards, order=data.order, workers=3)
        batches = loader.batches(data.order.start(), 3)
        pixels.append([batch.pixels.numpy().tobytes() for batch in batches])
    assert pixels[0] == pixels[1]


def test_batches_over_http_are_those_from_the_disk(corpus: Path, url: str, tmp_path: Path) -> None:
    assert_same_batches(corpus, url, tmp_path)


def test_a_server_that_fails_for_a_moment_is_asked_again(
    corpus: Path, url: str, handler: type[Ranged]
) -> None:
    shards = open_shards(url)
    handler.fails = 2
    assert shards.read(0) == open_shards(str(corpus)).read(0)
    assert handler.fails == 0


def test_a_server_that_stays_out_of_order_ends_the_run(
    url: str, handler: type[Ranged], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = open_shards(url)
    monkeypatch.setattr(patience, "GIVE_UP_S", 0.3)
    monkeypatch.setattr(ranges, "ALIVE_S", 0.3)
    handler.down = True
    with pytest.raises(CorpusError, match=r"cannot read http.*503.*the same command resumes"):
        shards.read(0)


def test_a_server_without_ranges_is_told(url: str, handler: type[Ranged]) -> None:
    shards = open_shards(url)
    handler.ranged = False
    with pytest.raises(CorpusError, match="does not answer range requests"):
        shards.read(0)


@pytest.fixture
def bucket(corpus: Path) -> Iterator[str]:
    with empty_bucket() as url:
        fsspec.filesystem("s3").put(str(corpus), f"{url}/one", recursive=True)
        yield f"{url}/one"
    return True


@pytest.mark.slow
def test_batches_from_s3_are_those_from_the_disk(corpus: Path, bucket: str, tmp_path: Path) -> None:
    assert_same_batches(corpus, bucket, tmp_path)
