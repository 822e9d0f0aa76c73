"""Every recipe is read without a complaint and fits its GPUs, those in its comments too."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import vae_training
from pipelines.planning.phases import DEFAULT_PHASES, make_curriculum
from tests.vae_training.runs import SMALLEST
from vae_corpus.curriculum import Curriculum, read_curriculum
from vae_corpus.settings import SettingsError, load
from vae_corpus.words import KINDS, RUNGS, Bucket, buckets
from vae_training.config import TrainSettings
from vae_training.data.budget import check_budget
from vae_training.data.corpus import cropped
from vae_training.data.mixture import Mixtures
from vae_training.data.order import BatchSize
from vae_training.model import configs

FOLDER = Path(vae_training.__file__).parent / "recipes"
LAPTOP = FOLDER / "tiny-cpu.yaml"
RECIPES = sorted(set(FOLDER.glob("*.yaml")) - {LAPTOP})
SCALE = re.compile(r"^#\s+(\d+) GPUs:\s+(--.*)$", re.MULTILINE)
# What a GPU of 80 GB takes at once: 32 images of 256 px, or one of 2048 px. Of long images it may
# be one more.
AT_ONCE_PX = 1.1 * 32 * 256 * 256


@pytest.fixture(scope="module")
def curriculum(tmp_path_factory: pytest.TempPathFactory) -> Curriculum:
    """The default phases, over a corpus that has every kind in every bucket of every rung."""
    group = {"language": None, "size_band": None, "density": None, "samples": 9, "bytes": 9}
    groups = [
        {"kind": kind, "rung": rung, "bucket": str(bucket), **group}
        for kind in KINDS
        for rung in RUNGS
        for bucket in buckets(rung)
    ]
    whole, notices = make_curriculum(DEFAULT_PHASES, 0, groups)
    assert all("in no phase" in notice for notice in notices)
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "curriculum.json").write_text(json.dumps(whole))
    return read_curriculum(str(folder))


def scales(recipe: Path) -> dict[int, TrainSettings]:
    """The settings of a recipe per number of GPUs."""
    arguments = ["--config", str(recipe), "--corpus", "c"]
    told = dict(SCALE.findall(recipe.read_text()))
    flags = {8: [], **{int(gpus): words.split() for gpus, words in told.items()}}
    return {
        gpus: load(TrainSettings, [*arguments, *more], description="")
        for gpus, more in flags.items()
    }


def shown(curriculum: Curriculum, settings: TrainSettings) -> tuple[Curriculum, Mixtures]:
    cut = cropped(curriculum, settings)
    return cut, Mixtures(cut.phases, tuple(cut.groups), list(cut.groups.values()))


def sizes(curriculum: Curriculum, mixtures: Mixtures) -> set[Bucket]:
    phases = range(len(curriculum.phases))
    return {cell.bucket for number in phases for cell in mixtures.at(number, 0.5).cells}


def test_every_large_model_has_a_recipe() -> None:
    assert {path.stem for path in RECIPES} == set(configs.CONFIGS) - {"tiny", SMALLEST}


def test_the_recipe_of_a_laptop_needs_no_other_files(curriculum: Curriculum) -> None:
    settings = load(TrainSettings, ["--config", str(LAPTOP), "--corpus", "c"], description="")
    assert (settings.model, settings.lpips_weights, settings.dino) == ("tiny", None, None)
    assert sizes(*shown(curriculum, settings)) == {Bucket(64, 64)}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_fits_8_64_and_512_gpus_at_every_rung(
    recipe: Path, curriculum: Curriculum
) -> None:
    assert set(found := scales(recipe)) == {8, 64, 512}
    for gpus, settings in found.items():
        assert settings.model == recipe.stem and settings.out == f"runs/{recipe.stem}"
        size = BatchSize(pixels=settings.batch_pixels or 0, multiple=gpus)
        cut, mixtures = shown(curriculum, settings)
        check_budget(cut.phases, mixtures, size, world=gpus, f=32)
        for bucket in sizes(cut, mixtures):
            share = size.of(bucket) // gpus
            at_once = -(-share // settings.accumulate)
            assert at_once == 1 or at_once * bucket.width * bucket.height <= AT_ONCE_PX
    assert Bucket(2048, 2048) not in sizes(*shown(curriculum, found[512]))


def test_more_gpus_than_a_recipe_is_for_are_told(curriculum: Curriculum) -> None:
    settings = scales(RECIPES[0])[8]
    size = BatchSize(pixels=settings.batch_pixels or 0, multiple=16)
    assert size.of(Bucket(2048, 2048)) == 16
    cut, mixtures = shown(curriculum, settings)
    with pytest.raises(SettingsError, match=r"4-all-kinds-2048: 16 images of 2048x2048 px"):
        check_budget(cut.phases, mixtures, size, world=16, f=16)
