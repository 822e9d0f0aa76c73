"""Rendered pages and synthetic shards have versions that change if and only if they do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.config import CorpusConfig
from pipelines.sources import FolderSource
from pipelines.stages import synthesize
from renderers import recipe
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from tests.pictures import jpeg, scene
from tests.tiny_font import CHINESE, write_font
from tests.versions import assert_recorded
from vae_corpus.pictures.decode import decode

TEXT = "Forty small words about rain on the roofs of an old mill, and what came of it.\n\n"
PAGES, SHARDS = (6, "d17566dece692bf8"), ((6, 6), "8b7baa6d443983d3")


def without_places(label: dict[str, Any]) -> dict[str, Any]:
    """A label without what names files of this machine."""
    lines = [{k: v for k, v in line.items() if k != "font"} for line in label["lines"]]
    own = {k: v for k, v in label.items() if k not in ("fonts", "recipe", "key", "lines")}
    return own | {"lines": lines}


@pytest.fixture
def font(tmp_path: Path) -> Path:
    (tmp_path / "fonts").mkdir()
    printable = "".join(map(chr, range(32, 127)))
    return write_font(tmp_path / "fonts" / "a.ttf", printable + CHINESE)


def test_pages_and_version_change_together(font: Path, tmp_path: Path) -> None:
    from fonts.faces import discover

    (tmp_path / "a.txt").write_text(20 * TEXT, encoding="utf-8")
    texts = {"en": TextSource.from_paths([tmp_path / "a.txt"], language="en")}
    renderer = Renderer(faces=discover([font]), texts=texts)
    made = hashlib.sha256()
    for seed in range(6):
        rng = np.random.default_rng(seed)
        drawn = renderer.sample_recipe(rng, language="en", size_band="8-10", width=256, height=256)
        rgb, labels = renderer.render(drawn, scene(256, 256, seed))
        made.update(rgb.tobytes() + json.dumps(without_places(labels)["lines"]).encode())
    assert_recorded("pages", "renderers/recipe.py", recipe.VERSION, made.digest(), PAGES)


def test_synthetic_shards_and_version_change_together(font: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(20 * TEXT, encoding="utf-8")
    (tmp_path / "in").mkdir()
    data = jpeg(scene(400, 300))
    (tmp_path / "in" / "a.jpg").write_bytes(data)
    config = CorpusConfig.model_validate(
        {
            "out": str(tmp_path / "out"),
            "synth": {
                "samples": {256: 3},
                "languages": {"en": 1},
                "texts": {"en": [str(tmp_path / "a.txt")]},
                "fonts": [str(font.parent)],
            },
        }
    )
    source = FolderSource(name="a", uri=str(tmp_path / "in"))
    sha256 = hashlib.sha256(data).hexdigest()
    row = {"key": "a-0", "source": "a", "uri": f"{tmp_path}/in/a.jpg", "offset": 0}
    row |= {"bytes": len(data), "sha256": sha256, "width": 400, "height": 300}
    (shard,) = synthesize.synth_shards(config, [row], synthesize.Digests())
    job = synthesize.SynthJob(
        settings=config.synth,
        seed=config.seed,
        sources={"a": source},
        limits=config.score.limits,
        out=config.out,
    )
    make_page = synthesize.make_page_maker(job)
    made = hashlib.sha256()
    for slot in range(shard.samples):
        sample = make_page(shard, slot)
        own = without_places(json.loads(sample.label_bytes()))
        facts = [own, sorted(sample.scores), str(sample.group)]
        made.update(json.dumps(facts, sort_keys=True).encode())
        made.update(decode(sample.data).rgb.tobytes())
    versions = (synthesize._VERSION, recipe.VERSION)
    where = "pipelines/stages/synthesize.py"
    assert_recorded("synthetic shards", where, versions, made.digest(), SHARDS)
