from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from vae_corpus.demo import DemoInputs, demo_inputs


@pytest.fixture(scope="session")
def demo() -> DemoInputs:
    """Real photographs, PDFs, fonts and texts; fetched once into the cache."""
    # Of several processes of tests the first one fetches.
    with open(Path(tempfile.gettempdir()) / f"vae-corpus-tests-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        inputs = demo_inputs()
    if inputs.missing:
        pytest.fail("the demo inputs are not complete: " + "; ".join(inputs.missing))
    return inputs


# Files that take longest, mostly waiting: the others run beside them.
LONG_FILES = (
    *("test_stops", "test_cluster", "test_extending", "test_careful", "test_lease", "test_build"),
    *("test_cluster_room", "test_paddle", "test_processes", "test_node_loss", "test_gpu_train"),
    *("test_train", "test_other_user", "test_object_store", "test_report_page", "test_engine"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process is left alone with one at the end."""
    rank = {name: n for n, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: rank.get(Path(item.path).stem, len(rank)))
