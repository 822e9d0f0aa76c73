"""A real S3 server over HTTP for tests, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec
import pytest

from tests.ray_cluster import free_port, wait_until
from vae_corpus import storage


@contextmanager
def empty_bucket() -> Iterator[str]:
    """The URL of an empty bucket; while it is there, the environment points to its server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: answers(url), f"{url} answers", 60)
        with pointed_to(url):
            fsspec.filesystem("s3").mkdir("corpora")
            yield "s3://corpora"
    finally:
        server.terminate()
        server.wait(timeout=30)


@contextmanager
def pointed_to(url: str) -> Iterator[None]:
    """While the block lasts, s3:// leads to this server."""
    patch = pytest.MonkeyPatch()
    for name, value in environment(url).items():
        patch.setenv(name, value)
    # File systems are kept by their arguments: one of an earlier server would be found again.
    _forget()
    try:
        yield
    finally:
        _forget()
        patch.undo()


def environment(url: str) -> dict[str, str]:
    """What points clients to the server."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _forget() -> None:
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    storage.forget()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
