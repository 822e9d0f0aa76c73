"""What is taken down is gone from every shard, and all other shards stay as they are."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines import take_down
from pipelines.planning.taken_down import NAME
from tests.pipelines.builds import run, write_config, write_inputs
from vae_corpus.demo import DemoInputs
from vae_corpus.settings import SettingsError

# Rows of plans, and samples of shards.
Row = dict[str, object]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, demo: DemoInputs) -> Path:
    root = tmp_path_factory.mktemp("taken")
    write_inputs(root / "in")
    config = write_config(root / "c.yaml", root / "in", demo, pack={"shard_samples": 4})
    config.write_text(config.read_text().replace("tilt_degrees: 3", "tilt_degrees: 0"))
    assert run(config, root / "out") == 0
    return root


def shards(out: Path) -> dict[str, str]:
    files = sorted(out.glob("shards/**/*.*"))
    return {str(f.relative_to(out)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def selected(out: Path) -> list[Row]:
    files = sorted(out.glob("plan/*/selected/*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def samples(out: Path) -> list[Row]:
    files = sorted(out.glob("shards/*/*/*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_a_taken_down_image_is_gone_and_the_other_shards_stay(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = built / "out"
    before, rows = shards(out), selected(out)
    page = next(row for row in rows if row["kind"] != "general" and len(row["tiles"]) > 1)  # type: ignore[arg-type]
    chosen = [page, next(row for row in rows if row["kind"] == "general")]
    named = {row["key"] for row in chosen}
    concerned = {str(row["shard"]) for row in chosen}
    concerned |= {
        str(s["shard"]).removesuffix(".tar") for s in samples(out) if s["parent"] in named
    }
    listed = tmp_path / "keys.txt"
    listed.write_text("# asked for\n" + "\n".join(map(str, named)) + "\n\n")
    # Packed shards are thinned from what they hold: their sources need not be there.
    hidden = built / "in" / "pages.tar"
    hidden.rename(built / "pages.tar")
    try:
        arguments = [str(out), "--keys", str(listed), "--why", "a request"]
        assert take_down.main([*arguments, "--engine.workers", "0"]) == 0
    finally:
        (built / "pages.tar").rename(hidden)
    assert "none of them is left" in capsys.readouterr().out
    after = shards(out)
    changed = {name.rpartition(".")[0] for name in before if after.get(name) != before[name]}
    assert changed == concerned and changed < {name.rpartition(".")[0] for name in before}
    assert not {s["parent"] for s in samples(out)} & named
    for file in out.glob("shards/*/*/*.tar"):
        with tarfile.open(file) as tar:
            assert not any(key in name for name in tar.getnames() for key in map(str, named))
    table = pq.read_table(out / NAME).to_pylist()
    assert {row["why"] for row in table} == {"a request"}
    facts = json.loads((out / "corpus.json").read_text())
    assert facts["images"]["dropped"]["taken_down"] == 2

    # A build finds nothing to do, and one from nothing gives the same shards.
    assert run(built / "c.yaml", out) == 0
    assert shards(out) == after
    anew = built / "anew"
    anew.mkdir()
    (anew / NAME).write_bytes((out / NAME).read_bytes())
    assert run(built / "c.yaml", anew) == 0
    assert shards(anew) == after


@pytest.mark.parametrize(
    ("flags", "text", "said"),
    [
        ([], "", "name a file with --keys"),
        (["--keys", "{file}"], "# nothing\n", "nothing to take down"),
        (["--hashes", "{file}"], "abc\n", "no sha256"),
        (["--keys", "{file}x"], "", "no file at"),
    ],
)
def test_what_cannot_be_meant_is_told(
    built: Path,
    tmp_path: Path,
    flags: list[str],
    text: str,
    said: str,
) -> None:
    file = tmp_path / "list.txt"
    file.write_text(text)
    before = shards(built / "out")
    with pytest.raises(SettingsError, match=said):
        take_down.main([str(built / "out"), *(flag.format(file=file) for flag in flags)])
    assert shards(built / "out") == before
