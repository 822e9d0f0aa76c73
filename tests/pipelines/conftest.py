from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.once import made_once
from tests.pipelines.builds import run, write_config, write_inputs
from vae_corpus.demo import DemoInputs


@pytest.fixture(scope="session")
def inputs(shared: Path) -> Path:
    """For reading alone: all processes of tests have the same."""
    return made_once(shared / "inputs", write_inputs)


@pytest.fixture(scope="session")
def first_build(inputs: Path, demo: DemoInputs, shared: Path) -> tuple[Path, Path]:
    """Settings and the corpus of `inputs`, for reading alone."""

    def build(folder: Path) -> None:
        folder.mkdir()
        config = write_config(folder / "c.yaml", inputs, demo)
        assert run(config, folder / "corpus") == 0

    folder = made_once(shared / "built", build)
    return folder / "c.yaml", folder / "corpus"


@pytest.fixture(scope="module")
def built(
    first_build: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Settings, and a copy of the corpus that the tests of a file may change."""
    config, corpus = first_build
    return config, Path(shutil.copytree(corpus, tmp_path_factory.mktemp("built") / "corpus"))
