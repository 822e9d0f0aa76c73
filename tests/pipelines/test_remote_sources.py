"""Sources in an object store: the same as on the local disk, with few requests, faults or not."""

from __future__ import annotations

import os
import random
import shutil
import tarfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.config import CorpusConfig
from pipelines.guard.lease import Ticket
from pipelines.report.console import Console
from pipelines.sources import FolderSource, ParquetSource, Source, WebDatasetSource
from pipelines.stages.runner import Runner
from pipelines.workers.tasks import EngineSettings, Task
from tests.pictures import jpeg, scene, write_tar
from tests.slow_store import SlowStore
from vae_corpus import settings, storage
from vae_corpus.storage import flight, patience, ranges

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

PICTURE = jpeg(scene(80, 64))
FILES = {f"{n:03}.jpg": PICTURE + random.Random(n).randbytes(3000) for n in range(300)}


def folder(place: Path) -> Source:
    for name, data in FILES.items():
        (place / name).write_bytes(data)
    (place / "empty.jpg").write_bytes(b"")
    (place / "large.jpg").write_bytes(bytes(50_000))
    write_tar(place / "hidden.tar", FILES)
    return FolderSource(name="a", uri=str(place), max_file_bytes=40_000)


def tars(place: Path) -> Source:
    write_tar(place / "0.tar", FILES | {"1.json": b"{}"})
    (place / "cut.tar").write_bytes((place / "0.tar").read_bytes()[:200_000])
    return WebDatasetSource(name="a", uri=str(place))


def gzipped(place: Path) -> Source:
    write_tar(place / "0.plain", FILES)
    with tarfile.open(place / "0.tar.gz", "w:gz") as tar, tarfile.open(place / "0.plain") as plain:
        for member in plain:
            tar.addfile(member, plain.extractfile(member))
    (place / "0.plain").unlink()
    return WebDatasetSource(name="a", uri=str(place))


def parquet(place: Path) -> Source:
    rows = [{"bytes": data, "path": name} for name, data in FILES.items()]
    beside = [os.urandom(20_000) for _ in rows]
    table = pa.table({"image": pa.array(rows), "beside": pa.array(beside)})
    pq.write_table(table, place / "0.parquet", row_group_size=64, data_page_size=20_000)
    (place / "broken.parquet").write_bytes(b"PAR1 and no more")
    return ParquetSource(name="a", uri=str(place), column="image", unit_bytes=3_000_000)


FORMS = [folder, tars, gzipped, parquet]
# For 300 images with their faults: listings, footers, sizes and bytes.
MOST_REQUESTS = {"folder": 315, "tars": 12, "gzipped": 8, "parquet": 60}
Made = tuple[Source, Source]


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__)
def made(request: pytest.FixtureRequest, slow_s3: SlowStore) -> Made:
    """A source on the disk, and the same in the store."""
    name = uuid.uuid4().hex
    place = slow_s3.root / "bucket" / name
    place.mkdir()
    make: Callable[[Path], Source] = request.param
    local = make(place)
    return local, local.model_copy(update={"uri": f"s3://bucket/{name}"})


def all_of(source: Source) -> list[tuple[str, int, bytes, Any]]:
    """What a source gives, whatever its place."""
    found = []
    for unit in source.units():
        for item in source.read(unit):
            place = item.uri.removeprefix(source.uri)
            found.append((f"{place} {item.member}", item.offset, item.data, item.fault))
    return sorted(found)


def addresses(source: Source) -> list[list[tuple[str, int, int]]]:
    return [
        sorted(
            (item.uri, item.offset, len(item.data))
            for item in source.read(unit)
            if item.fault is None and item.data
        )
        for unit in source.units()
    ]


def test_a_store_gives_what_a_disk_gives(made: Made, slow_s3: SlowStore) -> None:
    local, remote = made
    before = slow_s3.counts()
    there = all_of(remote)
    asked = slow_s3.counts() - before
    here = all_of(local)
    assert [row[:3] for row in there] == [row[:3] for row in here]
    # Reasons may name the URL.
    assert [row[3] and row[3][0] for row in there] == [row[3] and row[3][0] for row in here]
    assert sum(row[3] is None for row in here) >= 300
    form = next(f.__name__ for f in FORMS if isinstance(local, _kind(f)) and _fits(f, local))
    assert asked.total() - asked["bytes"] <= MOST_REQUESTS[form]


def _kind(form: Any) -> type[Source]:
    kinds = {"folder": FolderSource, "parquet": ParquetSource}
    return kinds.get(form.__name__, WebDatasetSource)


def _fits(form: Any, source: Source) -> bool:
    is_gzipped = bool(list(Path(source.uri).glob("*.gz")))
    return form.__name__ not in ("tars", "gzipped") or (form is gzipped) == is_gzipped


def test_many_are_fetched_as_one_by_one(made: Made, slow_s3: SlowStore) -> None:
    dice = random.Random(0)
    local, remote = made
    for here, there in zip(addresses(local), addresses(remote), strict=True):
        kept = [n for n in range(len(here)) if dice.random() < 0.6]
        one_by_one = [local.fetch(*here[n]) for n in kept]
        assert list(local.fetch_many([here[n] for n in kept])) == one_by_one
        assert list(remote.fetch_many([there[n] for n in kept])) == one_by_one
        few = kept[:6][::-1] + kept[:2] * 2
        assert list(remote.fetch_many([there[n] for n in few])) == [
            remote.fetch(*there[n]) for n in few
        ]
        assert list(remote.fetch_many([])) == []
    assert sum(map(len, addresses(local))) >= 300


def test_faults_of_a_store_change_nothing(
    made: Made, slow_s3: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FIRST_S", 0.01)
    monkeypatch.setattr(patience, "LONGEST_S", 0.05)
    monkeypatch.setattr(ranges, "PART_BYTES", 64 * 1024)
    monkeypatch.setattr(ranges, "FIRST_BYTES", 64 * 1024)
    _, remote = made
    well, found = all_of(remote), addresses(remote)
    before = slow_s3.counts()
    slow_s3.faults(busy_every=6, cut_every=6, reset_every=6)
    assert all_of(remote) == well
    for part in found:
        fetched = list(remote.fetch_many(part))
        assert [len(data) for data in fetched] == [size for _, _, size in part]
    counts = slow_s3.counts() - before
    assert counts["busy"] + counts["cut"] + counts["reset"] > 2, "the faults were there"


def test_a_unit_waits_for_a_busy_store_and_fails_where_it_is_refused(
    made: Made, slow_s3: SlowStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FIRST_S", 0.05)
    monkeypatch.setattr(patience, "LONGEST_S", 0.1)
    _, remote = made
    unit = max(remote.units(), key=lambda unit: unit.bytes)
    slow_s3.faults(busy_s=0.5)
    assert len(list(remote.read(unit))) > 0
    slow_s3.faults(denied=1)
    with pytest.raises(PermissionError, match="AWS_ACCESS_KEY_ID"):
        list(remote.read(unit))


def test_only_the_image_column_is_sent(slow_s3: SlowStore) -> None:
    place = slow_s3.root / "bucket" / uuid.uuid4().hex
    place.mkdir()
    rng = random.Random(0)
    images = [PICTURE + rng.randbytes(50_000) for _ in range(200)]
    beside = [rng.randbytes(400_000) for _ in images]
    table = pa.table({"image": pa.array(images), "beside": pa.array(beside)})
    pq.write_table(table, place / "0.parquet", row_group_size=20, compression="none")
    source = ParquetSource(name="a", uri=f"s3://bucket/{place.name}", column="image")
    before = slow_s3.counts()
    assert [item.data for unit in source.units() for item in source.read(unit)] == images
    sent = (slow_s3.counts() - before)["bytes"]
    assert sent < 1.5 * sum(map(len, images))
    shutil.rmtree(place)


@pytest.mark.parametrize("url", ["https://me:hush@h/a", "s3://b/a?X-Amz-Signature=hush"])
def test_credentials_in_a_url_are_refused_and_not_shown(url: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"sources: [{{name: a, type: folder, uri: '{url}'}}]\n")
    for given in (["--config", str(file)], ["--out", url]):
        with pytest.raises(settings.SettingsError, match="credentials") as told:
            settings.load(CorpusConfig, given, description="")
        assert "hush" not in str(told.value)


def test_the_setting_is_how_many_requests_are_in_flight(tmp_path: Path) -> None:
    """It reaches the stages of a build, wherever their workers run."""
    seen: list[int] = []

    def make_work() -> Any:
        seen.append(flight._requests)
        return lambda payload: {}

    lease = tmp_path / "lease"
    lease.write_text("held by me")
    runner = Runner(Console(), Ticket(out=str(tmp_path), path=str(lease), token="me"), Mock())
    try:
        with runner.start_engine(EngineSettings(workers=0, requests_per_worker=7)):
            runner.run("score", [Task(task_id="a", payload=None)], make_work)
    finally:
        storage.allow_requests(flight.DEFAULT_REQUESTS)
    assert seen == [7]
