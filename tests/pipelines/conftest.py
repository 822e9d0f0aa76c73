from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.builds import run, write_config, write_inputs
from vae_corpus.demo import DemoInputs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("inputs")
    write_inputs(root)
    return root


@pytest.fixture(scope="module")
def built(
    inputs: Path, demo: DemoInputs, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("built")
    config = write_config(folder / "c.yaml", inputs, demo)
    assert run(config, folder / "corpus") == 0
    return config, folder / "corpus"
