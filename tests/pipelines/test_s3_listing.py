"""Listing a real S3 server over HTTP, with pages so small that ranges are cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from pipelines.sources import SourceError, s3_keys
from pipelines.sources.listing import find_files
from tests.s3_server import empty_bucket
from vae_corpus import storage

pytestmark = [
    pytest.mark.slow,
    # botocore still asks for the time in a way that Python has given up.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

FLAT = [f"in/{n:04d}.jpg" for n in range(60)]
ODD = ["in/a b+%20&.jpg", "in/\x7f~.jpg", "in/字/é.jpg", "in/one/two/3.tar", "in/one.tar"]
HIDDEN = ["in/.h.jpg", "in/.h/x.jpg", "in/one/.x"]
MARKS = ["in/", "in/one/"]


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with empty_bucket() as url:
        fs, name = storage.filesystem(url)
        for key in (*FLAT, *ODD, *HIDDEN, *MARKS):
            fs.call_s3("put_object", Bucket=name, Key=key, Body=b"")
        yield url


@pytest.fixture
def many_folders(bucket: str) -> Iterator[str]:
    """The same bucket; below `folders` are twenty."""
    fs, name = storage.filesystem(bucket)
    keys = [f"folders/{n:02d}/x.jpg" for n in range(20)]
    for key in keys:
        fs.call_s3("put_object", Bucket=name, Key=key, Body=b"")
    yield bucket
    for key in keys:
        fs.call_s3("delete_object", Bucket=name, Key=key)


@pytest.fixture(params=[1000, 7, 2])
def asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers have so many keys at most; collects the requests."""
    asked: list[str] = []
    kind = fsspec.get_filesystem_class("s3")
    call = kind.call_s3

    def with_few_keys(self: Any, method: str, **given: Any) -> Any:
        if method == "list_objects_v2":
            asked.append(given.get("StartAfter", ""))
            given["MaxKeys"] = request.param
        return call(self, method, **given)

    monkeypatch.setattr(kind, "call_s3", with_few_keys)
    return asked


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("", [*FLAT, *ODD]),
        ("/in/", [*FLAT, *ODD]),
        ("/in/*.jpg", [*FLAT, *ODD[:2]]),
        ("/in/**/*.jpg", [*FLAT, *ODD[:3]]),
        ("/in/001*", FLAT[10:20]),
        ("/in/*/*/*.tar", [ODD[3]]),
        ("/in/one", [ODD[3]]),
        ("/in/one.tar", [ODD[4]]),
    ],
)
def test_every_key_is_found_once(bucket: str, asked: list[str], uri: str, found: list[str]) -> None:
    files = list(find_files(f"{bucket}{uri}"))
    assert sorted(file.uri for file in files) == sorted(f"{bucket}/{key}" for key in found)
    assert [file.name for file in files] == sorted(file.name for file in files)
    assert all(len(file.version) == 34 for file in files)


def test_a_flat_folder_is_cut_into_ranges(
    bucket: str, asked: list[str], request: pytest.FixtureRequest
) -> None:
    assert len(list(find_files(f"{bucket}/in/0*"))) == len(FLAT)
    few = request.node.callspec.params["asked"] < len(FLAT)
    assert (len(set(asked)) > 3) == few


@pytest.mark.parametrize("asked", [7], indirect=True)
def test_after_a_change_of_the_store_the_new_one_is_listed(bucket: str, asked: list[str]) -> None:
    assert len(list(find_files(f"{bucket}/in/0*"))) == len(FLAT)
    before = os.environ["AWS_ENDPOINT_URL"]
    with empty_bucket() as url:
        fs, name = storage.filesystem(url)
        for n in range(40):
            fs.call_s3("put_object", Bucket=name, Key=f"in/{n}.jpg", Body=b"")
        assert os.environ["AWS_ENDPOINT_URL"] != before
        assert len(list(find_files(f"{url}/in/"))) == 40


def test_what_is_not_there_is_no_files(bucket: str) -> None:
    for uri in (f"{bucket}/nothing", f"{bucket}/in/x*", "s3://nobody/in"):
        with pytest.raises(SourceError, match="no files at"):
            list(find_files(uri))


@pytest.mark.parametrize("asked", [5], indirect=True)
def test_a_store_that_fails_midway_raises(
    bucket: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = s3_keys._Listing._page

    def fail(self: Any, span: Any) -> Any:
        if len(asked) >= 5:
            raise PermissionError("Access Denied")
        return page(self, span)

    monkeypatch.setattr(s3_keys._Listing, "_page", fail)
    with pytest.raises(PermissionError, match="Access Denied"):
        list(find_files(f"{bucket}/in"))


@pytest.mark.parametrize("asked", [2], indirect=True)
@pytest.mark.parametrize("uri", ["/in", "/in/0*", "/folders/*/x.jpg"])
def test_a_store_that_ignores_where_to_start_is_named(
    many_folders: str, asked: list[str], monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    kind = fsspec.get_filesystem_class("s3")
    call = kind.call_s3

    def deaf(self: Any, method: str, **given: Any) -> Any:
        assert len(asked) < 1000, "it goes on without end"
        started = bool(given.pop("StartAfter", ""))
        heard.append(started)
        return call(self, method, **given)

    heard: list[bool] = []
    monkeypatch.setattr(kind, "call_s3", deaf)
    with pytest.raises(SourceError, match="s3://corpora does not honour start-after"):
        list(find_files(f"{many_folders}{uri}"))
    assert any(heard)


def test_a_middle_lies_between() -> None:
    for low, high in (
        ("a", "b"),
        ("a", "a\x7f"),
        ("img_0099", "img_01"),
        ("", "\x7f"),
        ("é", "字"),
    ):
        middle = s3_keys._between(low, high)
        assert middle is not None and low < middle < high and middle.encode()
    assert s3_keys._between("b", "a") is None and s3_keys._between("a", "a!") is None
