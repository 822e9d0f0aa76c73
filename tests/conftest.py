from __future__ import annotations

import fcntl
import gc
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import compiled
from tests.forked import children_are_forked
from tests.ray_cluster import free_port
from tests.s3_server import pointed_to
from tests.slow_store import SlowStore, slow_store
from vae_corpus.demo import DemoInputs, demo_inputs

_compiling: list[subprocess.Popen[bytes]] = []

# What is imported and collected stays: to look for garbage in it takes a third of the time.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # some libraries complain of leaks when what they made outlives them


def pytest_configure(config: pytest.Config) -> None:
    """Processes of tests take a thread each; what all would begin by compiling is compiled once."""
    in_a_worker = hasattr(config, "workerinput")
    if in_a_worker or not config.getoption("numprocesses", None):
        return
    # Threads of several processes that wait for each other keep all cores busy with waiting.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _compiling.extend(compiled.start())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished() -> None:
    """No test begins before all is compiled; both take about as long."""
    for process in _compiling:
        process.wait()


@pytest.fixture(scope="session", autouse=True)
def _nobody_pulls_the_plug() -> Iterator[None]:
    """What is written outlives no power cut: a thousand small files would wait for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of tests have."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture
def forked_children() -> Iterator[None]:
    """In tests that ask for it, children of the library do not load all that they need."""
    with children_are_forked():
        yield


@pytest.fixture(scope="module")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlowStore]:
    root = tmp_path_factory.mktemp("store")
    (root / "bucket").mkdir()
    with slow_store(root, free_port()) as store, pointed_to(store.url):
        yield store


@pytest.fixture
def slow_s3(_store: SlowStore) -> Iterator[SlowStore]:
    """A store behind s3://bucket that is well until it is told otherwise."""
    yield _store
    _store.faults()


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
    *("test_nodes", "test_stops", "test_engine", "test_cluster", "test_careful"),
    *("test_partitions", "test_pool", "test_lease", "test_other_user", "test_text_twins"),
    *("test_command", "test_job", "test_paddle", "test_object_store", "test_html_hostile"),
    *("test_gpu_train", "test_extending", "test_html", "test_init", "test_typeset"),
    *("test_processes", "test_packing", "test_train", "test_report_page", "test_nonfinite"),
    *("test_web_source", "test_lost_ranks", "test_evaluate", "test_remote_sources"),
    *("test_storage_faults", "test_process", "test_office", "test_bad_store", "test_learning"),
    *("test_typeset_source", "test_build", "test_cached", "test_evaluate_speed", "test_locales"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that no process is left alone with one at the end."""
    rank = {name: n for n, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: rank.get(Path(item.path).stem, len(rank)))
