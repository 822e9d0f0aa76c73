"""A store that is busy, hangs, cuts answers or has lost a tar, while a run reads from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slow_store import SlowStore
from tests.vae_training.data.remote_corpus import (
    IMAGES,
    SHARDS,
    STEPS,
    batches,
    opened,
    seen,
)
from vae_corpus.curriculum import CorpusError
from vae_corpus.storage import patience
from vae_training.data import loader, ranges

pytestmark = [
    pytest.mark.slow,
    # botocore still asks for the time in a way that Python has given up.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

LOST = "shards/general/256/general-000002.tar"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "_SELECTED_TOGETHER", 2)
    monkeypatch.setattr(ranges, "HEDGE_S", 0.3)
    monkeypatch.setattr(patience, "FIRST_S", 0.05)
    monkeypatch.setattr(patience, "LONGEST_S", 0.1)


@pytest.fixture(params=[64.0, 0.0], ids=["through the cache", "image by image"])
def cache_gb(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.mark.parametrize(
    ("faults", "told"),
    [({"busy_every": 4}, "busy"), ({"cut_every": 4}, "cut"), ({"reset_every": 4}, "reset")],
)
def test_training_goes_on_with_the_same_samples(
    shards: Path,
    url: str,
    slow_s3: SlowStore,
    tmp_path: Path,
    faults: dict[str, float],
    told: str,
    cache_gb: float,
) -> None:
    local = seen(batches(opened(str(shards), tmp_path)))
    data = opened(url, tmp_path, cache_gb=cache_gb)
    before = slow_s3.counts()
    slow_s3.faults(**faults)
    assert seen(batches(data)) == local
    assert slow_s3.counts()[told] > before[told]


def test_a_store_that_is_busy_for_a_while_is_waited_for(
    shards: Path, url: str, slow_s3: SlowStore, tmp_path: Path, cache_gb: float
) -> None:
    local = seen(batches(opened(str(shards), tmp_path)))
    data = opened(url, tmp_path, cache_gb=cache_gb)
    found = []
    for number, batch in enumerate(batches(data)):
        found.append((batch.rows, batch.pixels.numpy().tobytes(), batch.damaged))
        if number == 2:
            slow_s3.faults(busy_s=1.0)
    assert found == local


def test_requests_that_hang_are_made_again(
    shards: Path, url: str, slow_s3: SlowStore, tmp_path: Path
) -> None:
    local = seen(batches(opened(str(shards), tmp_path)))
    data = opened(url, tmp_path, cache_gb=0)
    before = slow_s3.counts()
    slow_s3.faults(hang_every=20)
    found = seen(batches(data))
    slow_s3.faults()
    assert found == local
    assert slow_s3.counts()["hung"] > before["hung"]


def lose(slow_s3: SlowStore, url: str, way: str) -> None:
    tar = slow_s3.root / "bucket" / url.rsplit("/", 1)[-1] / LOST
    if way == "gone":
        tar.unlink()
    else:
        tar.write_bytes(tar.read_bytes()[:1000])


@pytest.mark.parametrize("way", ["gone", "cut"])
def test_images_of_a_lost_tar_are_replaced_and_reported_the_same_way_each_time(
    shards: Path,
    url: str,
    slow_s3: SlowStore,
    tmp_path: Path,
    way: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A corpus that lacks a tar when it is opened is refused.
    data = [opened(url, tmp_path / name, cache_gb=gb) for name, gb in (("a", 1), ("b", 1), ("", 0))]
    lose(slow_s3, url, way)
    first = seen(batches(data[0]))
    assert [seen(batches(again, workers=5)) == first for again in data[1:]] == [True, True]
    faults = [fault for *_, damaged in first for fault in damaged]
    assert IMAGES - 2 <= len(faults) <= 2 * IMAGES
    assert all(f.startswith("unreadable: ") and f.endswith(f"{url}/{LOST}") for f in faults)
    whole = seen(batches(opened(str(shards), tmp_path)))
    differing = [a[1] != b[1] for a, b in zip(first, whole, strict=True)]
    assert any(differing) and not all(differing)
    assert "cannot bring a shard to the cache" in capsys.readouterr().err


def test_a_tar_that_stays_out_of_reach_is_given_up_while_others_are_read(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(url, tmp_path, cache_gb=0)
    read = ranges.storage.read_view
    tries = []

    def refuse(path: str, offset: int, size: int) -> memoryview:
        if path.endswith(LOST):
            tries.append(path)
            raise ConnectionError("no answer")
        return read(path, offset, size)

    monkeypatch.setattr(ranges.storage, "read_view", refuse)
    found = list(batches(data))
    faults = [fault for batch in found for fault in batch.damaged]
    assert len(found) == STEPS and faults and len(tries) < 2 * IMAGES
    assert all(fault.endswith(LOST) for fault in faults)


def test_a_store_that_stays_away_ends_the_run_with_a_sentence(
    url: str, slow_s3: SlowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_gb: float
) -> None:
    monkeypatch.setattr(patience, "GIVE_UP_S", 0.5)
    monkeypatch.setattr(ranges, "ALIVE_S", 0.3)
    data = opened(url, tmp_path, cache_gb=cache_gb)
    slow_s3.faults(busy_s=60)
    with pytest.raises(CorpusError, match="cannot read s3://.*the same command resumes"):
        list(batches(data))


def test_credentials_that_are_refused_end_the_run(
    url: str, slow_s3: SlowStore, tmp_path: Path
) -> None:
    data = opened(url, tmp_path, cache_gb=0)
    slow_s3.faults(denied=1)
    with pytest.raises(CorpusError, match="AWS_ACCESS_KEY_ID.*the same command resumes"):
        list(batches(data))


def test_a_store_without_any_of_its_tars_ends_the_run(
    url: str, slow_s3: SlowStore, tmp_path: Path
) -> None:
    data = opened(url, tmp_path, cache_gb=0)
    tars = list((slow_s3.root / "bucket" / url.rsplit("/", 1)[-1]).rglob("*.tar"))
    assert len(tars) == SHARDS
    for tar in tars:
        tar.unlink()
    with pytest.raises(CorpusError, match="16 images in a row .* unreadable: .* restore the tars"):
        list(batches(data))
