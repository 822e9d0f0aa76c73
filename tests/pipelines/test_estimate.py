"""What an estimate says against what is there, and that it leaves nothing behind."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import build_corpus
from pipelines.config import CorpusConfig
from pipelines.estimates import piles, strata
from pipelines.estimates.piles import list_files
from pipelines.estimates.sampling import Drawn, plan_draws, read_pieces
from pipelines.estimates.strata import Draw, Stratum
from pipelines.sources import DocumentSource, FolderSource, ParquetSource, Source, WebDatasetSource
from pipelines.stages import plan
from tests.pictures import encoded, jpeg, page, scene, write_tar
from tests.pipelines import pdfs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("inputs")
    (root / "photos").mkdir()
    for n in range(20):
        (root / "photos" / f"{n:02d}.jpg").write_bytes(jpeg(scene(300 + n, 280, n)))
    for n in range(4):
        (root / "photos" / f"small{n}.jpg").write_bytes(jpeg(scene(200, 180, n)))
    (root / "photos" / "broken.jpg").write_bytes(jpeg(scene(300, 280, 99))[:-900])
    (root / "photos" / "copy.jpg").write_bytes((root / "photos" / "00.jpg").read_bytes())
    write_tar(
        root / "pages.tar",
        {f"{n}.png": encoded(page(300, 300, n), "png") for n in range(6)} | {"0.json": b"{}"},
    )
    return root


def flags(inputs: Path, out: Path, *more: str) -> list[str]:
    sources = [
        {"name": "photos", "type": "folder", "uri": str(inputs / "photos")},
        {
            "name": "pages",
            "type": "webdataset",
            "uri": str(inputs / "pages.tar"),
            "content": "document",
        },
    ]
    settings = {
        "sources": json.dumps(sources),
        "out": str(out / "corpus"),
        "score.text": "false",
        "plan.min_clarity": "0",
        "plan.min_clarity_text": "0",
        "synth.samples": "{}",
        "engine.workers": "0",
        "estimate.report": str(out / "report.json"),
    }
    return [part for name, value in settings.items() for part in (f"--{name}", value)] + [*more]


def test_a_sample_of_everything_is_the_truth(inputs: Path, tmp_path: Path) -> None:
    assert build_corpus.main(flags(inputs, tmp_path, "--estimate")) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["images"] == {"value": 32, "low": 32, "high": 32}
    assert build_corpus.main(flags(inputs, tmp_path)) == 0
    images = json.loads((tmp_path / "corpus" / "corpus.json").read_text())["images"]
    kept = {kind: row["value"] for kind, row in report["kept_by_kind"].items()}
    assert kept["document"] == pytest.approx(images["selected"]["document"])
    # One of the kept ones is the copy of another.
    assert kept["general"] == pytest.approx(images["selected"]["general"] + 1)
    assert report["duplicates"]["exact"]["value"] == pytest.approx(1)
    left = {slug: row["value"] for slug, row in report["left_out"].items()}
    assert left == {"too_small": 4, "truncated": 1}
    shards = sum(path.stat().st_size for path in tmp_path.glob("corpus/shards/*/*/*.tar"))
    assert report["disk_bytes"]["shards"]["value"] == pytest.approx(shards, rel=0.3)


def test_the_same_seed_draws_the_same_sample(inputs: Path, tmp_path: Path) -> None:
    found = []
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        out = tmp_path / str(number)
        argv = flags(inputs, out, "--estimate", "--estimate.images", "12")
        assert build_corpus.main(argv) == 0
        report = json.loads((out / "report.json").read_text())
        found.append((report["kept"], report["left_out"], report["images"]))
    assert found[0] == found[1]


def test_a_wrong_source_is_an_error_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    assert build_corpus.main(flags(tmp_path, tmp_path, "--estimate")) == 1
    assert "no files at" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_quotas_cap_what_is_packed(inputs: Path, tmp_path: Path) -> None:
    argv = flags(inputs, tmp_path, "--estimate", "--plan.quotas", "{general: 7}")
    assert build_corpus.main(argv) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    cell = next(row for row in report["kept"] if (row["kind"], row["rung"]) == ("general", 256))
    assert cell["within_quota"] == pytest.approx(7 / 21)


class _Counted(io.FileIO):
    """A file that knows how many bytes were read of it."""

    total = 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer) or 0
        _Counted.total += count
        return count


def test_a_tar_is_counted_by_its_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tar"
    write_tar(path, {f"{n:03d}.jpg": bytes(200_000) for n in range(50)})

    def opened(uri: str, **_: object) -> IO[bytes]:
        return io.BufferedReader(_Counted(uri), 4096)

    monkeypatch.setattr("pipelines.sources.webdataset.open_tar", opened)
    source = WebDatasetSource(name="tars", uri=str(path))
    pile = list_files(source).open(0)
    assert pile.count == 50
    assert 0 < _Counted.total < path.stat().st_size / 10
    ((item, _),) = pile.read([7])
    assert (item.member, len(item.data)) == ("007.jpg", 200_000)


def _sources(root: Path) -> list[Source]:
    for n in range(3):
        (root / f"{n}.jpg").write_bytes(jpeg(scene(80, 70, n)))
    write_tar(root / "a.tar", {f"{n}.jpg": jpeg(scene(80, 70, n)) for n in range(5)})
    with tarfile.open(root / "b.tar.gz", "w:gz") as file:
        for n in range(4):
            data = jpeg(scene(80, 70, n))
            info = tarfile.TarInfo(f"{n}.jpg")
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    column = pa.array([jpeg(scene(80, 70, n)) for n in range(9)])
    pq.write_table(pa.table({"image": column}), root / "c.parquet", row_group_size=4)
    (root / "cut.parquet").write_bytes(b"PAR1")
    return [
        FolderSource(name="files", uri=str(root), include=("*.jpg",)),
        WebDatasetSource(name="tar", uri=str(root / "a.tar")),
        WebDatasetSource(name="packed", uri=str(root / "b.tar.gz")),
        ParquetSource(name="rows", uri=str(root / "c.parquet")),
        ParquetSource(name="cut", uri=str(root / "cut.parquet")),
    ]


def test_piles_hold_what_a_build_reads(tmp_path: Path) -> None:
    for source in _sources(tmp_path):
        read = [item for unit in source.units() for item in source.read(unit)]
        files = list_files(source)
        pile = files.whole()
        assert pile.count == len(read), source.name
        got = [item for item, _ in pile.read(range(pile.count))]
        assert sorted((i.uri, i.offset, i.member, i.data, i.fault) for i in got) == sorted(
            (i.uri, i.offset, i.member, i.data, i.fault) for i in read
        )
        last = [item for item, _ in pile.read([pile.count - 1])]
        assert last[0].data == got[-1].data


def test_pages_of_documents_are_drawn_one_by_one(tmp_path: Path) -> None:
    kids = [f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {n}00 300]>>" for n in (2, 3, 4)]
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R 4 0 R 5 0 R]/Count 3>>",
        *kids,
    ]
    (tmp_path / "a.pdf").write_bytes(pdfs.document(objects))
    source = DocumentSource(name="papers", uri=str(tmp_path))
    pile = list_files(source).whole()
    read = [item for unit in source.units() for item in source.read(unit)]
    assert [item for item, _ in pile.read([0, 2])] == [read[0], read[2]]


def test_of_many_files_some_are_drawn_and_the_total_is_right_on_average(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(piles._COUNT_ALL, "webdataset", 2)
    rng = np.random.default_rng(5)
    (tmp_path / "tars").mkdir()
    total = marked = 0
    for n in range(12):
        count = int(rng.integers(5, 30))
        members = {}
        for m in range(count):
            odd = rng.random() < (0.1 if n % 2 else 0.6)
            members[f"{'x' if odd else 'y'}{m}.jpg"] = bytes(3000 + int(rng.integers(900)))
            marked += odd
        total += count
        write_tar(tmp_path / "tars" / f"{n:02d}.tar", members)
    source = WebDatasetSource(name="tars", uri=str(tmp_path / "tars"))
    values, inside, sizes = [], 0, []
    for seed in range(60):
        plans, first, rest = plan_draws([list_files(source)], 60, seed)
        names: list[str] = []

        def take(drawn: Drawn, into: list[str] = names) -> None:
            into.append(drawn.item.member)

        read_pieces(plans, first, rest, take, lambda: False)
        mark = np.array([name.startswith("x") for name in names])
        found = strata.count(plans, mark, 1, strata.alikeness(plans, [mark]))
        values.append(found.value)
        sizes.append(plans[0].images())
        inside += found.low <= marked <= found.high
    assert np.mean(values) == pytest.approx(marked, rel=0.1)
    assert np.mean(sizes) == pytest.approx(total, rel=0.05)
    assert inside >= 54


def test_a_share_that_was_not_seen_may_still_be_there() -> None:
    one = Stratum(name="a", like="folder", count=10_000, draws=[_all(100)])
    found = strata.count([one], np.zeros(100, bool), 1)
    assert found.value == found.low == 0
    assert 250 < found.high < 450  # about 3 in 100


def test_all_images_drawn_leave_no_doubt() -> None:
    one = Stratum(name="a", like="folder", count=50, draws=[_all(50)])
    found = strata.count([one], np.arange(50) < 20, 5)
    assert found.value == found.low == found.high == 20


def test_simple_random_samples_hold_at_their_level() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(5000) < 0.04
    hold = 0
    for _ in range(400):
        drawn = truth[rng.choice(5000, 150, replace=False)]
        one = Stratum(name="a", like="folder", count=5000, draws=[_all(150)])
        found = strata.count([one], drawn, 1)
        hold += found.low <= truth.sum() <= found.high
    assert 0.92 <= hold / 400 <= 0.99


def _all(count: int) -> Draw:
    return Draw(probability=1.0, count=0, rows=list(range(count)))


def test_alone_every_copy_is_judged_by_itself(inputs: Path, tmp_path: Path) -> None:
    assert build_corpus.main(flags(inputs, tmp_path)) == 0
    scores = pa.concat_tables(
        pq.read_table(path) for path in tmp_path.glob("corpus/scores/*/*.parquet")
    )
    kept, dropped = plan.judge_alone(
        CorpusConfig.model_validate(
            {"score": {"text": False}, "plan": {"min_clarity": 0, "min_clarity_text": 0}}
        ),
        scores,
    )
    assert {row["slug"] for row in dropped} == {"too_small"}
    assert {"00.jpg", "copy.jpg"} <= {row["member"] for row in kept}
